"""How cost grows with the rows of a day and with the number of days."""

from __future__ import annotations

import tempfile
from argparse import Namespace
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

from tests.benchmarks.measure import LAST_DAY, ROOT, Api, Cost, ours, serving
from tests.benchmarks.output import say, table
from tests.benchmarks.plot import Chart, svg

DRAWING = ROOT / "docs" / "growth.svg"
GROUPS = (1_000, 10_000, 100_000, 1_000_000)
ROWS = 300_000  # of one run at least, so that start-up is little beside them
DAYS = (10, 100, 700)
GROUPS_OF_MANY_DAYS = 5_000
Size = tuple[int, int]
"""Rows a day and days."""

START_UP: Size = (1, 1)


def main(options: Namespace) -> None:
    """Measure both, print them and draw them."""
    say("## How cost grows\n")
    by_groups = {groups: (groups, max(1, ROWS // groups)) for groups in GROUPS}
    by_days = {days: (GROUPS_OF_MANY_DAYS, days) for days in DAYS}
    costs = _costs([START_UP, *by_groups.values(), *by_days.values()], options.pairs)
    start_up = costs[START_UP].cpu
    say(f"Start-up, {start_up:.2f} s of CPU, is taken off before CPU is divided by rows.\n")
    per_row = {n: _micro(costs[size], start_up, size) for n, size in by_groups.items()}
    per_row_days = {n: _micro(costs[size], start_up, size) for n, size in by_days.items()}
    peaks = {n: costs[size].peak for n, size in by_groups.items()}
    peaks_days = {n: costs[size].peak for n, size in by_days.items()}
    table(
        ("rows a day", "days", "CPU a row, µs", "peak memory, MiB"),
        [
            [f"{n:,}", f"{days}", f"{per_row[n]:.1f}", f"{peaks[n]:.0f}"]
            for n, (_, days) in by_groups.items()
        ],
    )
    table(
        ("days", "rows a day", "CPU a row, µs", "peak memory, MiB"),
        [
            [f"{n}", f"{groups:,}", f"{per_row_days[n]:.1f}", f"{peaks_days[n]:.0f}"]
            for n, (groups, _) in by_days.items()
        ],
    )
    most = 512 * (1 + max(peaks.values()) // 512)
    top = 5 * (1 + max(*per_row.values(), *per_row_days.values()) // 5)
    DRAWING.parent.mkdir(exist_ok=True)
    DRAWING.write_text(
        svg(
            [
                Chart("CPU a row, µs", "rows a day", {"": _points(per_row)}, top),
                Chart("Peak memory, MiB", "rows a day", {"": _points(peaks)}, most),
                Chart("CPU a row, µs", "days", {"": _points(per_row_days)}, top),
                Chart("Peak memory, MiB", "days", {"": _points(peaks_days)}, most),
            ]
        ),
        encoding="utf-8",
    )
    say(f"Drawn in {DRAWING.relative_to(ROOT)}.\n")


def _costs(sizes: list[Size], rounds: int) -> dict[Size, Cost]:
    """Sync each size in turn, so many times, and give the least it cost: noise only adds."""
    found: dict[Size, list[Cost]] = {size: [] for size in sizes}
    with ExitStack() as stack:
        apis = {
            (groups, days): stack.enter_context(serving(days=days, groups=groups, people=12))
            for groups, days in sizes
        }
        for _ in range(rounds + 1):
            for size, api in apis.items():
                found[size].append(_cost(api, days=size[1]))
    return {size: _least(costs[1:]) for size, costs in found.items()}


def _least(costs: list[Cost]) -> Cost:
    """Give the least time and the most memory."""
    return Cost(
        wall=min(cost.wall for cost in costs),
        cpu=min(cost.cpu for cost in costs),
        peak=max(cost.peak for cost in costs),
    )


def _cost(api: Api, *, days: int) -> Cost:
    """Sync so many days."""
    end = LAST_DAY + timedelta(days=1)
    with tempfile.TemporaryDirectory() as folder:
        return ours(api, Path(folder), ("usage_report",), end - timedelta(days=days), end)


def _micro(cost: Cost, start_up: float, size: Size) -> float:
    """Give the microseconds of CPU that one row costs."""
    groups, days = size
    return (cost.cpu - start_up) / (groups * days) * 1e6


def _points(values: dict[int, float]) -> list[tuple[float, float]]:
    """Give the points of a line."""
    return [(float(x), y) for x, y in values.items()]
