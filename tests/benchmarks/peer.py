"""Side by side with ingestr: the same rows over the same TLS, both ending in Parquet."""

from __future__ import annotations

import tempfile
from argparse import Namespace
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from tests.benchmarks import verify
from tests.benchmarks.measure import (
    KEY,
    LAST_DAY,
    Api,
    Cost,
    Pair,
    ask,
    compare,
    environment,
    interleaved,
    ours,
    own_environment,
    run,
    serving,
)
from tests.benchmarks.output import say, table

VERSION = "1.1.22"
GROUP_BY = "model,api_key_id,service_tier,context_window,inference_geo"  # its own, unchangeable
ASSETS = (
    "organization",
    "workspaces",
    "api_keys",
    "invites",
    "users",
    "workspace_members",
    "usage_report",
    "cost_report",
    "claude_code_usage",
)


@dataclass(frozen=True)
class Work:
    """One line of the comparison.

    Args:
        title: What is done.
        assets: What is read; several: ours in one process, theirs in one each.
        groups: Rows of the usage report a day.
        people: Records of Claude Code a day.
        days: How many.
        wall: The aim for ours / theirs; None: none.
        cpu: Likewise.
        peak: Likewise.
        latency_ms: Added to each answer.
    """

    title: str
    assets: tuple[str, ...]
    groups: int
    people: int
    days: int = 90
    wall: float | None = None
    cpu: float | None = None
    peak: float | None = None
    latency_ms: float = 0


WORK = (
    Work("usage_report, 90 days x 500 groups", ("usage_report",), 500, 12, 90, 0.5, 0.35, 0.5),
    Work("usage_report, 90 days x 5,000 groups", ("usage_report",), 5000, 12, 90, 0.3, 0.2, 0.4),
    Work(
        "claude_code_usage, 90 days x 500 users",
        ("claude_code_usage",),
        500,
        500,
        90,
        0.5,
        0.35,
        0.5,
    ),
    Work(
        "the same, 200 ms more a request",
        ("claude_code_usage",),
        500,
        500,
        90,
        0.6,
        latency_ms=200,
    ),
    Work("cost_report, 90 days", ("cost_report",), 500, 12, 90, 1, 1, 0.6),
    Work("usage_report, one day", ("usage_report",), 500, 12, 1, 1.5, 1.5, 0.6),
    Work("all nine assets, 90 days", ASSETS, 500, 500),
)


def main(options: Namespace) -> None:
    """Compare every line of work."""
    say(f"## Side by side with ingestr {VERSION}\n")
    chosen = [work for work in WORK if (options.only or "") in work.title]
    with own_environment() as own, environment(f"ingestr=={VERSION}") as theirs:
        python, ingestr = str(own / "python"), theirs / "ingestr"
        rows = [_line(work, _compared(work, python, ingestr, options.pairs)) for work in chosen]
    table(("work", "wall", "CPU", "peak memory", "ours", "ingestr", "checked"), rows)


def _compared(work: Work, python: str, ingestr: Path, pairs: int) -> tuple[list[Pair], str]:
    """Check that both have the same, then measure them in turn."""
    last_day = LAST_DAY if len(work.assets) == 1 else datetime.now(UTC).date()
    end = last_day + timedelta(days=1)
    start = end - timedelta(days=work.days)
    with (
        serving(
            days=90,
            groups=work.groups,
            people=work.people,
            last_day=last_day,
            latency_ms=work.latency_ms,
        ) as api,
        tempfile.TemporaryDirectory() as folder,
    ):
        numbers = iter(range(1000))

        def one() -> Cost:
            lake = Path(folder) / f"ours-{next(numbers)}"
            until = end if len(work.assets) == 1 else None  # snapshots have no past
            return ours(
                api, lake, work.assets, start, until, python=python, USAGE_GROUP_BY=GROUP_BY
            )

        def other() -> Cost:
            target = Path(folder) / f"theirs-{next(numbers)}"
            return _theirs(api, ingestr, target, work.assets, start, end)

        one()
        other()
        dated = ("usage_report", "cost_report", "claude_code_usage")
        both = (str(Path(folder) / name) for name in ("ours-0", "theirs-1"))
        checked = ask(verify.__name__, *both, *(name for name in work.assets if name in dated))
        return interleaved(one, other, pairs), str(checked)


def _theirs(
    api: Api, ingestr: Path, folder: Path, assets: tuple[str, ...], start: date, end: date
) -> Cost:
    """Run ingestr once for each table."""
    folder.mkdir()
    costs = []
    for asset in assets:
        command = [str(ingestr), "ingest", "--source-uri", f"anthropic://?api_key={KEY}"]
        command += ["--source-table", asset, "--dest-table", asset, "--yes"]
        command += ["--dest-uri", f"parquet://{folder / asset}.parquet"]
        command += ["--interval-start", start.isoformat(), "--interval-end", end.isoformat()]
        costs.append(run(command, api.environment(DISABLE_TELEMETRY="true")))
    return _sum(*costs)


def _sum(*costs: Cost) -> Cost:
    """Add up what programs cost that ran one after the other."""
    return Cost(
        sum(cost.wall for cost in costs),
        sum(cost.cpu for cost in costs),
        max(cost.peak for cost in costs),
    )


def _line(work: Work, found: tuple[list[Pair], str]) -> list[str]:
    """Put ratios and aims into a row."""
    pairs, checked = found
    cells = [work.title]
    for figure in ("wall", "cpu", "peak"):
        aim = getattr(work, figure)
        ratio = compare(pairs, figure).ratio
        cells.append(f"{ratio:.2f}" + (f" ({aim:g})" if aim else ""))
    for side in ("one", "other"):
        wall, cpu, peak = (getattr(compare(pairs, f), side) for f in ("wall", "cpu", "peak"))
        cells.append(f"{wall:.1f} s, {cpu:.1f} s, {peak:.0f} MiB")
    return [*cells, checked]
