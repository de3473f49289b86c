"""What the view `coverage` costs on years of all assets, with and without the objects of runs.

python -m tests.benchmarks.coverage LAKE DAYS RUNS     builds such a lake
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
from argparse import Namespace
from datetime import date, timedelta
from pathlib import Path

from tests.benchmarks.measure import Cost, ask, run
from tests.benchmarks.output import say, table

TODAY = date(2026, 11, 22)
DAYS = 730
RUNS_PER_DAY = 24
SQL = "SELECT asset, status, count(*) AS days FROM coverage GROUP BY asset, status ORDER BY ALL"
_CASES = ((DAYS // 2, 0), (DAYS, 0), (DAYS, RUNS_PER_DAY), (2 * DAYS, RUNS_PER_DAY))
_LINKS_PER_FILE = 30_000


def main(options: Namespace) -> None:
    """Measure the command line, its start included, and print the medians."""
    say("## Coverage\n")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for days, runs in _CASES:
            lake = Path(folder, f"{days}-{runs}")
            objects = ask("tests.benchmarks.coverage", str(lake), str(days), str(runs))
            costs = [_cost(lake) for _ in range(options.pairs)]
            figures = (
                statistics.median(getattr(cost, figure) for cost in costs)
                for figure in ("wall", "cpu", "peak")
            )
            wall, cpu, peak = figures
            rows.append([f"{days}", f"{objects:,}", f"{wall:.1f}", f"{cpu:.1f}", f"{peak:.0f}"])
    table(("days of all assets", "objects of runs", "wall, s", "CPU, s", "peak, MiB"), rows)


def _cost(lake: Path) -> Cost:
    """Ask once."""
    command = [sys.executable, "-m", "anthropic_lake.cli", "query", SQL]
    return run([*command, "--lake", str(lake), "--today", str(TODAY)], os.environ)


def write_aged_lake(lake: Path, days: int = DAYS, runs_per_day: int = 0) -> int:
    """Write the ledger of all assets, and objects of runs that are one object over and over.

    Returns:
        The number of objects of runs.
    """
    # Imported here: who measures must be small.
    from anthropic_lake.assets import ASSETS
    from tests.ledger import entry, write_ledger

    calendar = [TODAY - timedelta(days=number) for number in range(1, days + 1)]
    write_ledger(lake, [entry(asset, day) for asset in ASSETS for day in calendar])
    runs = runs_per_day * len(ASSETS)
    if runs:
        _write_runs(lake / "asset=sync_runs", calendar, runs)
    return runs * days


def _write_runs(folder: Path, calendar: list[date], runs: int) -> None:
    """Write the objects of so many runs a day, as links to a few files."""
    body = _run_object()
    for number, day in enumerate(calendar):
        partition = folder / f"date={day}"
        partition.mkdir(parents=True)
        if number % (_LINKS_PER_FILE // runs) == 0:
            linked = folder / f"{number}.linked"
            linked.write_bytes(body)
        for run_number in range(runs):
            (partition / f"{run_number:032x}.parquet").hardlink_to(linked)


def _run_object() -> bytes:
    """Return the object of a run."""
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    from anthropic_lake.sync.runs import SYNC_RUNS

    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([{"run_id": "run"}], schema=SYNC_RUNS.schema), sink)
    return sink.getvalue()


if __name__ == "__main__":
    json.dump(write_aged_lake(Path(sys.argv[1]), *map(int, sys.argv[2:])), sys.stdout)
