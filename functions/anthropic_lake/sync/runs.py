"""The record of a run: what the run did, for the caller and for the table `sync_runs`."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from decimal import Decimal
from types import TracebackType
from typing import Annotated, Any, Self, get_origin, get_type_hints

from anthropic_lake import __version__, strict_json
from anthropic_lake.api.client import AdminApi
from anthropic_lake.api.connection import ANTHROPIC_VERSION
from anthropic_lake.errors import ApiError, LakeError, Refused, redact, without_credentials
from anthropic_lake.lake.layout import object_key
from anthropic_lake.lake.objects import ANYTHING, Lake, put_rows
from anthropic_lake.rows.reader import read_rows
from anthropic_lake.schema.table import Column, Table
from anthropic_lake.schema.types import DATE, INTEGER, JSON, STRING, TIMESTAMP

LATER = "later"
"""Marks a column that was added after the first release."""


@dataclass
class Run:
    """The record of one run of one asset.

    A field annotated with a type of the schema and a comment is a column of `sync_runs`, in this
    order. The other fields are for the caller.
    """

    run_id: Annotated[str, STRING, "Identifier of the run."]
    asset: Annotated[str, STRING, "Asset that was synced."]
    trigger: Annotated[str, STRING, "What started the run: `schedule`, `interval` or `manual`."]
    status: Annotated[
        str,
        STRING,
        "`succeeded`, `partial` (out of time), `failed`, or `unavailable` (not offered to the "
        "organization).",
    ] = field(default="failed", kw_only=True)
    started_at: Annotated[datetime, TIMESTAMP, "When the run started, UTC."]
    finished_at: Annotated[
        datetime | None, TIMESTAMP, "When the run ended, UTC; null: it was cut off."
    ] = None
    interval_start: Annotated[date | None, DATE, "First day asked for, UTC."] = None
    interval_end: Annotated[date | None, DATE, "Day after the last day asked for, UTC."] = None
    days_written: Annotated[int, INTEGER, "Days brought up to date, unchanged ones included."] = 0
    days_changed: Annotated[int, INTEGER, "Days of which an object was put."] = 0
    rows: Annotated[int, INTEGER, "Rows of the days written, all tables together."] = 0
    bytes: Annotated[int, INTEGER, "Bytes put."] = 0
    requests: Annotated[int, INTEGER, "Requests sent to the Admin API."] = 0
    retries: Annotated[int, INTEGER, "How many of the requests repeated an earlier one."] = 0
    unknown_fields: Annotated[
        int, INTEGER, "Fields and enumerated values that the tables do not know."
    ] = 0
    last_synced_date: Annotated[
        date | None, DATE, "Last complete day in the lake after the run; null: none yet."
    ] = None
    grouped_by: Annotated[
        str | None, STRING, "Dimensions grouped by; null: the asset has none."
    ] = None
    bucket_width: Annotated[
        str | None, STRING, "Length of a time bucket; null: the asset has none."
    ] = None
    anthropic_version: Annotated[str, STRING, "Version of the Admin API."] = ANTHROPIC_VERSION
    version: Annotated[str, STRING, "Version of anthropic-lake."] = __version__
    error_type: Annotated[str | None, STRING, "Name of the error; null: there was none."] = (
        "Unfinished"
    )
    error_message: Annotated[
        str | None, STRING, "What happened and what to do; null: no error."
    ] = "the run has not ended yet, or was cut off"
    request_id: Annotated[
        str | None, STRING, "The vendor's id of the request that failed, or null."
    ] = None
    lag_days: Annotated[
        int | None, INTEGER, "Complete days that the report did not have yet; null: none.", LATER
    ] = None
    warnings: Annotated[
        list[str], JSON, "What was left out or is not as it should be: JSON list of texts.", LATER
    ] = field(default_factory=list)
    answer_fields: dict[str, Any] = field(default_factory=dict)
    organization_id: str | None = None
    days_behind: int | None = None
    spend_usd: dict[date, Decimal] = field(default_factory=dict)

    @property
    def days_asked_for(self) -> int:
        """Number of days that the run reads; 0 before its interval is known."""
        if not self.interval_start or not self.interval_end:
            return 0
        return (self.interval_end - self.interval_start).days

    def summary(self) -> dict[str, Any]:
        """Return the record for JSON: dates and times as ISO text."""
        values = asdict(self)
        del values["spend_usd"], values["answer_fields"]
        values["warnings"] = [without_credentials(warning) for warning in self.warnings]
        return {name: _json_value(value) for name, value in values.items()}

    @property
    def is_well(self) -> bool:
        """Whether nobody has to do anything: all was read, or there is nothing to be read."""
        return self.status in ("succeeded", "unavailable")

    def succeeded(self, status: str = "succeeded") -> None:
        """Set a status without an error."""
        self.status = status
        self.error_type = self.error_message = None

    def month_to_date_usd(self, today: date) -> Decimal | None:
        """Return the month's spend so far; None if the run did not read all days before today.

        Days that the report does not have yet are no reason: what came is the spend so far.
        """
        days = [today.replace(day=day) for day in range(1, today.day + 1)]
        read_all = all(day in self.spend_usd for day in days[:-1])
        if not self.spend_usd or not (read_all or self._read_what_there_is(days[0], today)):
            return None
        return sum((self.spend_usd.get(day, Decimal(0)) for day in days), Decimal(0))

    def _read_what_there_is(self, start: date, end: date) -> bool:
        """Return whether the run asked for the days of an interval, and all that came are there."""
        return (
            self.status == "succeeded"
            and self.interval_start is not None
            and self.interval_end is not None
            and self.interval_start <= start
            and self.interval_end >= end
        )

    def failed(self, error: BaseException) -> None:
        """Set the status `failed` and the error."""
        self.status = "failed"
        self.error_type = type(error).__name__
        self.error_message = redact(str(error) or self.error_type)
        self.request_id = error.request_id if isinstance(error, ApiError) else None


def _columns(*, later: bool) -> Iterator[Column]:
    """Read columns of `sync_runs` from the annotations of `Run`."""
    for name, annotation in get_type_hints(Run, include_extras=True).items():
        if get_origin(annotation) is Annotated:
            column_type, comment, *marks = annotation.__metadata__
            if (LATER in marks) is later:
                yield Column(name, column_type, comment, required=name == "run_id")


_RUN_ID, *_OTHER_COLUMNS = _columns(later=False)
SYNC_RUNS = Table(
    name="sync_runs",
    comment="One run of the extractor for one asset.",
    key=(_RUN_ID,),
    columns=tuple(_OTHER_COLUMNS),
    later_columns=tuple(_columns(later=True)),
)


class Record:
    """Writes a run's row of `sync_runs`: once its lake is known, and at its end.

    So a run that is cut off leaves a row too, and a run into another lake leaves nothing.

    Args:
        run: The record.
        api: Counts the requests of the run.
        lake: The lake to write to.
        clock: Returns the time, UTC.
    """

    def __init__(self, run: Run, api: AdminApi, lake: Lake, clock: Callable[[], datetime]) -> None:
        self.run = run
        self._api = api
        self._lake = lake
        self.clock = clock

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write the row of the run that has ended.

        Raises:
            LakeError: The row cannot be written, and the run has no error of its own.
        """
        run = self.run
        if error is not None:
            run.failed(error)
        run.finished_at = self.clock()
        run.requests, run.retries = self._api.requests, self._api.retries
        run.organization_id = self._api.organization_id
        if isinstance(error, Refused):
            return
        with suppress(LakeError) if error else nullcontext():  # the run's own error matters more
            self._write()

    def begin(self) -> None:
        """Write the row of a run whose first answer has come.

        Raises:
            LakeError: The row cannot be written.
        """
        self.run.organization_id = self._api.organization_id
        self._write()

    def _write(self) -> None:
        """Write the row."""
        names = {column.name for column in SYNC_RUNS.all_columns}
        summary = self.run.summary()
        record = {name: summary[name] for name in names & summary.keys()}
        for path, value in self.run.answer_fields.items():
            place, _, name = path.partition(".")
            # unknown fields, so they go into extra
            record.setdefault(place, {})[_shown(name)] = _redacted(value)
        text = strict_json.text_of([record])
        (rows,) = read_rows((SYNC_RUNS,), text.encode(), {})
        key = object_key(SYNC_RUNS.name, self.run.started_at.date(), self.run.run_id)
        put_rows(self._lake, SYNC_RUNS, key, rows.tables[0], {}, replaces=ANYTHING)


def _redacted(value: Any) -> Any:  # noqa: ANN401  any JSON
    """Return a value of an answer without keys and addresses, which a run's row never holds."""
    if isinstance(value, str):
        return _shown(value)
    if isinstance(value, list):
        return [_redacted(item) for item in value]
    if isinstance(value, dict):
        return {_shown(name): _redacted(item) for name, item in value.items()}
    return value


def _shown(text: str) -> str:
    """Return a foreign text redacted, in its whole length."""
    return redact(text, limit=len(text))


def _json_value(value: object) -> object:
    """Return a date or time as ISO text, any other value as it is."""
    return value.isoformat() if isinstance(value, date) else value
