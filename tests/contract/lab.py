"""An extractor against the simulated API, and what a lake holds read without the extractor."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from anthropic_lake.api.connection import Connection, Pace
from anthropic_lake.assets import Asset
from anthropic_lake.cli.place import local_place, open_to_write
from anthropic_lake.settings import Settings, read_settings
from anthropic_lake.sync.extractor import Extractor
from anthropic_lake.sync.ownership import Place
from anthropic_lake.sync.request import Interval, Request, read_event
from anthropic_lake.sync.runs import Run
from tests.simulator import AdminApiServer

Json = dict[str, Any]
KEY = "sk-ant-admin01-simulated"
ONE_DAY = timedelta(days=1)
TODAY = date(2026, 11, 22)
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HURRY: Callable[[], float] = lambda: 20.9  # noqa: E731
"""The seconds left of a run that has no time to wait for a second try."""


@dataclass
class Lab:
    """A local lake that is filled from a simulated API."""

    api: AdminApiServer
    root: Path
    now: datetime = NOW
    environment: dict[str, str] = field(default_factory=dict)
    secret: Callable[[], str] = lambda: KEY

    def place_to_write(self) -> Place:
        return local_place(self.root)

    @property
    def settings(self) -> Settings:
        history_start = (TODAY - timedelta(days=4)).isoformat()
        return read_settings(
            {
                "ANTHROPIC_BASE_URL": self.api.url,
                "HISTORY_START": history_start,
                **self.environment,
            }
        )

    def asset(self, name: str) -> Asset:
        return self.settings.asset(name)

    def run(
        self,
        name: str,
        interval: tuple[date, date] | None = None,
        *,
        event: Json | None = None,
        time_left: Callable[[], float] = lambda: float("inf"),
    ) -> Run:
        """Run one asset on schedule, for an interval, or as an event says; a failed run raises."""
        connection = Connection(self.secret, Pace(10**9), self.api.url)
        connection.http.trust_env = False
        extractor = Extractor(
            self.settings,
            connection,
            self.place_to_write(),
            clock=lambda: self.now,
            sleep=lambda _seconds: None,  # what a run waits for is proven in unit/test_api.py
        )
        request = Request("schedule", self.now)
        if interval:
            request = Request("interval", self.now, Interval(*interval))
        elif event is not None:
            request = read_event(event, self.now)
        run = extractor.new_run(self.asset(name), request)
        try:
            extractor.run(self.asset(name), request, run, time_left=time_left)
        finally:
            connection.http.close()
        return run

    # --- what the lake holds

    def place(self, table: str, day: date) -> Path:
        return self.root / f"asset={table}/date={day}/{table}.parquet"

    def rows(self, table: str, day: date = TODAY) -> list[Json]:
        found: list[Json] = pq.ParquetFile(self.place(table, day)).read().to_pylist()
        return found

    def all_rows(self, table: str) -> list[Json]:
        """The rows of all days, each with its date."""
        return [{**row, "date": day} for day in self.days(table) for row in self.rows(table, day)]

    def days(self, table: str) -> list[date]:
        folder = self.root / f"asset={table}"
        return sorted(
            date.fromisoformat(path.name.removeprefix("date=")) for path in folder.glob("*")
        )

    def runs(self) -> list[Json]:
        """The rows of sync_runs, in the order in which they were written."""
        places = sorted(
            (self.root / "asset=sync_runs").glob("*/*.parquet"),
            key=lambda path: path.stat().st_mtime_ns,
        )
        return [row for path in places for row in pq.ParquetFile(path).read().to_pylist()]

    def watermark(self, asset: str) -> date | None:
        path = self.root / "_watermarks" / asset
        return date.fromisoformat(path.read_text().strip()) if path.exists() else None

    def objects(self) -> dict[str, str]:
        """Every object of an asset's tables, with what tells whether it was put again."""
        return {
            name: f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.stat().st_ino}"
            for name, path in self.files()
            if not name.startswith(
                ("asset=sync_", "_lake.json", "_watermarks/lake_id", "_progress/")
            )
        }

    def files(self) -> Iterator[tuple[str, Path]]:
        for path in sorted(self.root.rglob("*")):
            if path.is_file():
                yield path.relative_to(self.root).as_posix(), path


@dataclass
class S3Lab(Lab):
    """A lake in a bucket, opened as the command line does, by the variables of the process.

    Args:
        address: s3://bucket/prefix.
    """

    address: str = ""

    def place_to_write(self) -> Place:
        return open_to_write(self.address, self.settings)


def each_day(first: date, last: date) -> list[date]:
    return [first + number * ONE_DAY for number in range((last - first).days + 1)]
