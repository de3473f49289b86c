"""How many requests the reports by person take: runs of 15 minutes at a function's pace.

Time is computed, by a clock that only waits move, so that weeks of runs take minutes. The largest
organization is a tenth of its size at a tenth of its pace.
"""

from __future__ import annotations

import tempfile
from argparse import Namespace
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from anthropic_lake.api.connection import Connection, Pace
from anthropic_lake.cli.place import local_place
from anthropic_lake.errors import DeadlineReached
from anthropic_lake.lake.ledger import Ledger
from anthropic_lake.settings import Settings, read_settings
from anthropic_lake.sync.extractor import Extractor
from anthropic_lake.sync.request import Request
from anthropic_lake.sync.runs import Run
from tests.benchmarks.measure import KEY
from tests.benchmarks.output import say, table
from tests.simulator import AdminApiServer, Organization

RUN_SECONDS = 900
TODAY = date(2026, 11, 24)
JANUARY = date(2026, 1, 1)
GROUPS_A_ROW = 2  # of the simulated organization, for a row of analytics_usage
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Case:
    """An organization and how its report is read.

    Args:
        title: What it is called here.
        asset: The report.
        rows: Rows of analytics_usage a day.
        history_days: Days of the first sync.
        every: How long after a run the next one starts.
        runs: How many runs follow the first sync.
        scale: By what rows and pace are divided, which changes no number of days.
    """

    title: str
    asset: str
    rows: int
    history_days: int
    every: timedelta
    runs: int
    scale: int = 1


SINCE_JANUARY = (TODAY - JANUARY).days
DAILY, HOURLY = ONE_DAY, timedelta(hours=1)
CASES = (
    Case("10 people", "analytics_usage", 30, SINCE_JANUARY, DAILY, 7),
    Case("500 people", "analytics_usage", 1_500, SINCE_JANUARY, DAILY, 7),
    Case("500 people", "analytics_cost", 1_500, 31, DAILY, 7),
    Case("20,000 people", "analytics_usage", 60_000, 31, DAILY, 14, scale=10),
    Case("20,000 people", "analytics_usage", 60_000, 31, HOURLY, 72, scale=10),
)


@dataclass
class Clock:
    """A time that only waits move."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        return self.now.timestamp()

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Schedule:
    """Runs of one function, one after the other.

    Args:
        api: Whom it asks.
        folder: Its lake.
        case: What is run.
        clock: The time.
        settings: The function's settings.
    """

    api: AdminApiServer
    folder: Path
    case: Case
    clock: Clock
    settings: Settings = field(default_factory=lambda: read_settings({}))

    def run(self) -> Run:
        """Run the function once, in an environment of its own; its time may end within a day."""
        pace = Pace(self.settings.share_per_minute(is_backfill=False), clock=self.clock.seconds)
        connection = Connection(lambda: KEY, pace, self.api.url)
        place, asset = local_place(self.folder), self.settings.asset(self.case.asset)
        extractor = Extractor(self.settings, connection, place, self.clock, self.clock.sleep)
        end = self.clock.now + timedelta(seconds=RUN_SECONDS)
        request = Request("schedule", self.clock.now)
        run = extractor.new_run(asset, request)

        def time_left() -> float:
            return (end - self.clock()).total_seconds()

        with suppress(DeadlineReached):
            extractor.run(asset, request, run, time_left=time_left)
        return run

    def first_sync(self) -> list[Run]:
        """Run it again and again, until a run has come to its end."""
        runs = [self.run()]
        while runs[-1].status != "succeeded":
            runs.append(self.run())
        return runs

    def oldest_read(self) -> timedelta:
        """Return how long ago the day of the lookback was read that waits longest."""
        today = self.clock.now.date()
        start = today - self.settings.asset(self.case.asset).lookback_days * ONE_DAY
        ledger = Ledger(local_place(self.folder).lake, self.case.asset)
        entries = ledger.entries(start, today)
        return self.clock.now - min(entry.last_read_at for entry in entries.values())


def main(_options: Namespace) -> None:
    """Run every case and print what its runs took."""
    pace = read_settings({}).share_per_minute(is_backfill=False)
    say(f"## Reports by person\n\nRuns of 15 minutes, {pace:g} requests a minute.\n")
    heads = ("report", "rows a day", "first sync", "then", "requests a run", "days a run")
    table((*heads, "oldest day read", "out of time", "warned"), [*map(_row, CASES)])


def _row(case: Case) -> list[str]:
    """Run a case and say what it took."""
    first_day = TODAY - case.history_days * ONE_DAY
    begins = datetime.combine(TODAY, datetime.min.time(), UTC) - case.every * case.runs
    clock = Clock(begins.replace(hour=3))
    organization = Organization.invent(
        today=TODAY,
        days=case.history_days + 1,
        groups=GROUPS_A_ROW * case.rows // case.scale,
        people=12,
    )
    with (
        AdminApiServer(organization, now=clock, cache_bytes=2 << 30) as api,
        tempfile.TemporaryDirectory() as folder,
    ):
        environment = {"ANTHROPIC_BASE_URL": api.url, "HISTORY_START": str(first_day)}
        environment["REQUESTS_PER_MINUTE"] = str(60 // case.scale)
        schedule = Schedule(api, Path(folder), case, clock, read_settings(environment))
        first = schedule.first_sync()
        later = [*_later(schedule, clock.now)]
    requests = [run.requests * case.scale for run, _ in later]
    days = [run.days_written for run, _ in later]
    first_days = sum(run.days_written for run in first)
    first_requests = sum(run.requests for run in first) * case.scale
    return [
        f"{case.asset}, {case.title}",
        f"{sum(run.rows for run in first) * case.scale / first_days:,.0f}",
        f"{first_days} days: {first_requests:,} requests, {len(first)} runs",
        "daily" if case.every == DAILY else "hourly",
        f"{min(requests):,} to {max(requests):,}",
        f"{min(days)} to {max(days)}",
        f"{max(waited for _, waited in later) / ONE_DAY:.1f} days ago",
        f"{sum(run.status != 'succeeded' for run, _ in later)} of {len(later)}",
        f"{sum(bool(run.warnings) for run, _ in later)}",
    ]


def _later(schedule: Schedule, begins: datetime) -> Iterator[tuple[Run, timedelta]]:
    """Yield the runs after the first sync, each with how long the oldest day has waited."""
    for number in range(1, schedule.case.runs + 1):
        schedule.clock.now = max(schedule.clock.now, begins + number * schedule.case.every)
        run = schedule.run()
        yield run, schedule.oldest_read()
