"""A program that takes one snapshot of a large organization's members, run after run.

python -m tests.reliability.many_workspaces LAKE WORKSPACES

The pace and the time of a run are those of a stack's function; nobody waits, because the clock
moves on when the extractor sleeps. The API is a process of its own, so that the peak of memory is
the extractor's.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from anthropic_lake.api.connection import Connection, Pace
from anthropic_lake.cli.place import local_place
from anthropic_lake.lake.layout import object_key, progress_key
from anthropic_lake.settings import read_settings
from anthropic_lake.sync.extractor import Extractor
from anthropic_lake.sync.request import Request
from anthropic_lake.sync.runs import Run
from tests.reliability.clock import Clock
from tests.reliability.large import peak_mib

ASSET = "workspace_members"
SEED, PEOPLE = 5, 60
TODAY = date(2026, 11, 20)
START = datetime(2026, 11, 20, 20, 32, tzinfo=UTC)
"""So late that midnight comes before the end."""
RUN_SECONDS = 900.0
_MOST_RUNS = 100


@contextmanager
def _simulated_api(workspaces: int) -> Iterator[str]:
    """The address of the API of an organization with so many workspaces."""
    arguments = {
        "seed": SEED,
        "today": TODAY,
        "days": 1,
        "people": PEOPLE,
        "workspaces": workspaces,
    }
    options = [f"--{name}={value}" for name, value in arguments.items()]
    command = [sys.executable, "-m", "tests.simulator", *options]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout
        yield server.stdout.readline().strip()
    finally:
        server.kill()
        server.wait()


class Snapshots:
    """One function, and the lake that it writes to.

    Args:
        lake: The folder of the lake.
        url: The API.
    """

    def __init__(self, lake: Path, url: str) -> None:
        self.clock = Clock(START)
        self.runs: list[dict[str, Any]] = []
        self._lake = lake
        self._settings = read_settings({"ANTHROPIC_BASE_URL": url})
        pace = Pace(self._settings.share_per_minute(is_backfill=False), clock=self.clock.monotonic)
        self._extractor = Extractor(
            self._settings,
            Connection(lambda: "sk-ant-admin01-simulated", pace, url),
            local_place(lake),
            clock=self.clock.now,
            sleep=self.clock.sleep,
        )

    def run(self) -> Run:
        """Run once more for the same day, as the function starts itself again."""
        asset, request = self._settings.asset(ASSET), Request("schedule", START)
        end, started = self.clock.monotonic() + RUN_SECONDS, time.process_time()
        run = self._extractor.new_run(asset, request)
        self._extractor.run(asset, request, run, time_left=lambda: end - self.clock.monotonic())
        progress = self._lake / progress_key(ASSET)
        self.runs.append(
            {
                "status": run.status,
                "requests": run.requests,
                "rows": run.rows,
                "is_visible": (self._lake / object_key(ASSET, TODAY)).exists(),
                "watermark": run.last_synced_date and str(run.last_synced_date),
                "progress_bytes": progress.stat().st_size,
                "peak_mib": peak_mib(),
                "cpu_seconds": round(time.process_time() - started, 2),
            }
        )
        return run


def main() -> None:
    """Run until the snapshot is whole, and print what each run did."""
    lake, workspaces = Path(sys.argv[1]), int(sys.argv[2])
    with _simulated_api(workspaces) as url:
        snapshots = Snapshots(lake, url)
        while snapshots.run().status == "partial" and len(snapshots.runs) < _MOST_RUNS:
            pass
    hours = (snapshots.clock.now() - START).total_seconds() / 3600
    result = {"runs": snapshots.runs, "hours": round(hours, 1)}
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
