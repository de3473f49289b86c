"""How cost grows with the rows of a day and with the number of days."""

from __future__ import annotations

import tempfile
from argparse import Namespace
from datetime import timedelta
from pathlib import Path

from tests.benchmarks.measure import LAST_DAY, ROOT, Cost, ours, serving
from tests.benchmarks.output import say, table
from tests.benchmarks.plot import Chart, svg

DRAWING = ROOT / "docs" / "growth.svg"
GROUPS = (1_000, 10_000, 100_000, 1_000_000)
DAYS = (10, 100, 700)
MOST_ROWS = 300_000  # of one run but for the largest, so that all of it takes minutes
GROUPS_OF_MANY_DAYS = 1_000
RUNS = 5


def main(options: Namespace) -> None:
    """Measure both, print them and draw them."""
    say("## How cost grows\n")
    start_up = _cost(groups=1, days=1).cpu
    say(f"Start-up, {start_up:.2f} s of CPU, is taken off before CPU is divided by rows.\n")
    by_groups = {
        groups: _cost(groups=groups, days=max(1, min(30, MOST_ROWS // groups))) for groups in GROUPS
    }
    rows_read = {groups: groups * max(1, min(30, MOST_ROWS // groups)) for groups in GROUPS}
    by_days = {days: _cost(groups=GROUPS_OF_MANY_DAYS, days=days) for days in DAYS}
    per_row = {n: _micro(cost, start_up, rows_read[n]) for n, cost in by_groups.items()}
    per_row_days = {
        days: _micro(cost, start_up, days * GROUPS_OF_MANY_DAYS) for days, cost in by_days.items()
    }
    table(
        ("rows a day", "days", "CPU a row, µs", "peak memory, MiB"),
        [
            [f"{n:,}", f"{rows_read[n] // n}", f"{per_row[n]:.1f}", f"{cost.peak:.0f}"]
            for n, cost in by_groups.items()
        ],
    )
    table(
        ("days", "rows a day", "CPU a row, µs", "peak memory, MiB"),
        [
            [f"{n}", f"{GROUPS_OF_MANY_DAYS:,}", f"{per_row_days[n]:.1f}", f"{cost.peak:.0f}"]
            for n, cost in by_days.items()
        ],
    )
    most = 512 * (1 + max(cost.peak for cost in by_groups.values()) // 512)
    top = 5 * (1 + max(*per_row.values(), *per_row_days.values()) // 5)
    DRAWING.parent.mkdir(exist_ok=True)
    DRAWING.write_text(
        svg(
            [
                Chart("CPU a row, µs", "rows a day", {"": _points(per_row)}, top),
                Chart("Peak memory, MiB", "rows a day", {"": _peaks(by_groups)}, most),
                Chart("CPU a row, µs", "days", {"": _points(per_row_days)}, top),
                Chart("Peak memory, MiB", "days", {"": _peaks(by_days)}, most),
            ]
        ),
        encoding="utf-8",
    )
    say(f"Drawn in {DRAWING.relative_to(ROOT)}.\n")


def _cost(*, groups: int, days: int) -> Cost:
    """Sync so many days of so many rows a few times and give the least: noise only adds."""
    end = LAST_DAY + timedelta(days=1)
    start = end - timedelta(days=days)
    with (
        serving(days=days, groups=groups, people=12) as api,
        tempfile.TemporaryDirectory() as folder,
    ):
        runs = RUNS if groups * days <= MOST_ROWS else 1
        lakes = (Path(folder) / str(number) for number in range(runs + 1))
        costs = [ours(api, lake, ("usage_report",), start, end) for lake in lakes][1:]
    return Cost(
        *(min(getattr(cost, figure) for cost in costs) for figure in ("wall", "cpu", "peak"))
    )


def _micro(cost: Cost, start_up: float, rows: int) -> float:
    """Give the microseconds of CPU that one row costs."""
    return (cost.cpu - start_up) / rows * 1e6


def _points(values: dict[int, float]) -> list[tuple[float, float]]:
    """Give the points of a line."""
    return [(float(x), y) for x, y in values.items()]


def _peaks(costs: dict[int, Cost]) -> list[tuple[float, float]]:
    """Give the points of peak memory."""
    return [(float(x), cost.peak) for x, cost in costs.items()]
