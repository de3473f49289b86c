"""The record of a run: what it did, for the caller and for the table `sync_runs`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from anthropic_lake import __version__
from anthropic_lake.api.client import AdminApi
from anthropic_lake.api.connection import ANTHROPIC_VERSION
from anthropic_lake.errors import ApiError, LakeError, redact
from anthropic_lake.lake.objects import Lake, write_day
from anthropic_lake.rows.arrow import to_arrow
from anthropic_lake.rows.general import GeneralRecords
from anthropic_lake.schema.table import Column, Table
from anthropic_lake.schema.types import DATE, INTEGER, STRING, TIMESTAMP

SYNC_RUNS = Table(
    name="sync_runs",
    comment="One run of the extractor for one asset.",
    key=(Column("run_id", STRING, "Identifier of the run.", required=True),),
    columns=(
        Column("asset", STRING, "Asset that was synced."),
        Column("trigger", STRING, "What started the run: `schedule`, `interval` or `manual`."),
        Column("status", STRING, "`succeeded`, `partial` (out of time) or `failed`."),
        Column("started_at", TIMESTAMP, "When the run started, UTC."),
        Column("finished_at", TIMESTAMP, "When the run ended, UTC; null: it was cut off."),
        Column("interval_start", DATE, "First day asked for, UTC."),
        Column("interval_end", DATE, "Day after the last day asked for, UTC."),
        Column("days_written", INTEGER, "Days brought up to date, unchanged ones included."),
        Column("days_changed", INTEGER, "Days of which an object was put."),
        Column("rows", INTEGER, "Rows of the days written, all tables together."),
        Column("bytes", INTEGER, "Bytes put."),
        Column("requests", INTEGER, "Requests sent to the Admin API."),
        Column("retries", INTEGER, "How many of the requests repeated an earlier one."),
        Column(
            "unknown_fields",
            INTEGER,
            "Fields and enumerated values that the tables do not know.",
        ),
        Column(
            "last_synced_date",
            DATE,
            "Last complete day in the lake after the run; null: none yet.",
        ),
        Column("grouped_by", STRING, "Dimensions grouped by; null: the asset has none."),
        Column("bucket_width", STRING, "Length of a time bucket; null: the asset has none."),
        Column("anthropic_version", STRING, "Version of the Admin API."),
        Column("version", STRING, "Version of anthropic-lake."),
        Column("error_type", STRING, "Name of the error; null: there was none."),
        Column("error_message", STRING, "What happened and what to do; null: no error."),
        Column("request_id", STRING, "The vendor's id of the request that failed, or null."),
    ),
)


@dataclass
class Run:
    """One run of one asset; its fields are the columns of `sync_runs`, and a few for the caller.

    Args:
        run_id: Identifier of the run.
        asset: Name of the asset.
        trigger: What started it: `schedule`, `interval` or `manual`.
        started_at: When it started, UTC.
    """

    run_id: str
    asset: str
    trigger: str
    started_at: datetime
    status: str = "failed"
    finished_at: datetime | None = None
    interval_start: date | None = None
    interval_end: date | None = None
    days_written: int = 0
    days_changed: int = 0
    rows: int = 0
    bytes: int = 0
    requests: int = 0
    retries: int = 0
    unknown_fields: int = 0
    last_synced_date: date | None = None
    grouped_by: str | None = None
    bucket_width: str | None = None
    anthropic_version: str = ANTHROPIC_VERSION
    version: str = __version__
    error_type: str | None = "Unfinished"
    error_message: str | None = "the run has not ended yet, or was cut off"
    request_id: str | None = None
    organization_id: str | None = None
    days_behind: int | None = None
    warnings: list[str] = field(default_factory=list)
    spend_usd: dict[date, Decimal] = field(default_factory=dict)

    @property
    def days_asked_for(self) -> int:
        """How many days the run was asked for; 0 before it knows."""
        if not self.interval_start or not self.interval_end:
            return 0
        return (self.interval_end - self.interval_start).days

    def summary(self) -> dict[str, Any]:
        """Give the run as values that JSON knows: dates and times as ISO text."""
        values = asdict(self)
        del values["spend_usd"]
        return {name: _plain(value) for name, value in values.items()}

    def succeeded(self, status: str = "succeeded") -> None:
        """Note that the run ended well."""
        self.status = status
        self.error_type = self.error_message = None

    def month_to_date_usd(self, today: date) -> Decimal | None:
        """Give the spend of the month so far in USD, None where the run did not read all of it."""
        month = [today.replace(day=day) for day in range(1, today.day + 1)]
        if not all(day in self.spend_usd for day in month[:-1]) or not self.spend_usd:
            return None
        return sum((self.spend_usd.get(day, Decimal(0)) for day in month), Decimal(0))

    def failed(self, error: BaseException) -> None:
        """Note why the run failed."""
        self.status = "failed"
        self.error_type = type(error).__name__
        self.error_message = redact(str(error) or self.error_type)
        self.request_id = error.request_id if isinstance(error, ApiError) else None


@contextmanager
def recorded(run: Run, api: AdminApi, lake: Lake, clock: Callable[[], datetime]) -> Iterator[None]:
    """Keep a run's row in the lake.

    It is put when the run begins, so that a run that is cut off leaves one too, and that a lake
    which cannot be written is found out before the API is asked.

    Raises:
        LakeError: The lake cannot be written.
    """
    _put(run, lake)
    try:
        yield
    except BaseException as error:
        run.failed(error)
        with suppress(LakeError):  # the run's own error says more
            _end(run, api, lake, clock())
        raise
    _end(run, api, lake, clock())


def _end(run: Run, api: AdminApi, lake: Lake, now: datetime) -> None:
    """Put the row of a run that has ended."""
    run.finished_at = now
    run.requests, run.retries = api.requests, api.retries
    run.organization_id = api.organization_id
    _put(run, lake)


def _put(run: Run, lake: Lake) -> None:
    """Put the run's row."""
    names = {column.name for column in SYNC_RUNS.all_columns}
    record = {name: value for name, value in run.summary().items() if name in names}
    rows, _ = to_arrow(SYNC_RUNS, GeneralRecords([record]))
    write_day(lake, SYNC_RUNS, run.started_at.date(), rows, {}, name=run.run_id)


def _plain(value: object) -> object:
    """Write dates and times as ISO text."""
    return value.isoformat() if isinstance(value, date) else value
