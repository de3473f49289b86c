"""An asset's records as the days of its tables, in ascending order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any

import pyarrow as pa
from msgspec import Raw

from anthropic_lake import strict_json
from anthropic_lake.api import MOST_BYTES, AdminApi, Answer, Page
from anthropic_lake.assets import Asset, Kind, TimeBuckets
from anthropic_lake.errors import ContractBroken, NotFound, TooLarge
from anthropic_lake.rows import FieldError, to_arrow, unknown_values
from anthropic_lake.strict_json import Object
from anthropic_lake.uniform import uniform_rows

ONE_DAY = timedelta(days=1)

_BATCH = 1000
_BATCH_BYTES = 32 << 20
_LIMIT = ("limit", "1000")
_MOST_BUCKETS = {"1d": 31, "1h": 168, "1m": 1440}
_WIDTHS = {"1d": ONE_DAY, "1h": timedelta(hours=1), "1m": timedelta(minutes=1)}
_SHRINK_ABOVE = 32 << 20
_MOST_BYTES_OF_SEVERAL_BUCKETS = 128 << 20
_MOST_BYTES_OF_A_DAY = 320 << 20  # of Arrow columns; sorting and writing take as much again, twice


class Day:
    """The rows of all of an asset's tables on one day.

    Args:
        asset: Whose records they are.
        date: The day.

    Attributes:
        unknown: Fields and enumerated values that the tables do not know.
        warnings: What was left out and why.
    """

    def __init__(self, asset: Asset, date: date) -> None:
        self.date = date
        self.unknown = 0
        self.warnings: list[str] = []
        self._asset = asset
        self._bytes = 0
        self._parts: dict[str, list[pa.Table]] = {table.name: [] for table in asset.tables}

    def add(self, texts: Sequence[Raw], answer: Answer, shared: Object | None = None) -> None:
        """Add records.

        Args:
            texts: Their JSON.
            answer: The answer that they came in.
            shared: Fields that they have in common.

        Raises:
            ContractBroken: One of them cannot be a row.
            TooLarge: The day would not fit into memory.
        """
        common = {"organization_id": answer.organization_id, **(shared or {})}
        affordable = _BATCH_BYTES * len(texts) // max(1, len(memoryview(answer.body)))
        batch = max(1, min(_BATCH, affordable))
        for start in range(0, len(texts), batch):
            try:
                self._append(texts[start : start + batch], common)
            except FieldError as error:
                raise _broken(self._asset, error.problem, answer, error.field) from None

    def rows(self, table: str) -> pa.Table:
        """Give all rows of one of the tables."""
        (schema,) = (each.schema for each in self._asset.tables if each.name == table)
        return pa.concat_tables([schema.empty_table(), *self._parts[table]])

    def _append(self, texts: Sequence[Raw], shared: Object) -> None:
        """Add the rows that some records are in each of the tables."""
        table, *others = self._asset.tables
        if not others and (uniform := uniform_rows(table, texts, shared)):
            self._keep(table.name, uniform)
            self.unknown += unknown_values(table, uniform)
            return
        records = _objects(texts)
        self._refuse_other_days(records)
        for table in self._asset.tables:
            rows, unknown = to_arrow(table, records, shared)
            self._keep(table.name, rows)
            self.unknown += unknown

    def _keep(self, table: str, rows: pa.Table) -> None:
        """Keep rows, unless the day would not fit into memory."""
        self._bytes += rows.nbytes
        if self._bytes > _MOST_BYTES_OF_A_DAY:
            raise TooLarge(
                f"{self._asset.name}: {self.date} has more than {_MOST_BYTES_OF_A_DAY >> 20} MiB "
                "of rows: group by fewer dimensions, or by longer time buckets"
            )
        self._parts[table].append(rows)

    def _refuse_other_days(self, records: list[Object]) -> None:
        """Raise when a record says that it belongs to another day."""
        field = self._asset.tables[0].partition_field
        if field is None:
            return
        for record in records:
            value = record.get(field)
            if value is not None and _day_of(str(value)) != self.date:
                raise FieldError(field, f"expected the day {self.date}, got another value")


def days(
    asset: Asset, api: AdminApi, start: date, end: date, *, complete_end: date
) -> Iterator[Day]:
    """Ask for the days of a dated asset, oldest first, the empty ones too.

    Args:
        asset: What to ask for.
        api: Whom to ask.
        start: First day, UTC.
        end: The day after the last, UTC.
        complete_end: The day after the last complete one; an answer that ends earlier is broken.

    Raises:
        ApiError: The API does not give them, or breaks its contract.
    """
    if asset.kind is Kind.DAYS:
        return _days_one_by_one(asset, api, start, end)
    assert asset.time_buckets  # noqa: S101  every asset of this kind has them
    answered_until = _midnight(min(end, complete_end))
    window = _Window(_midnight(start), _midnight(end), answered_until)
    return _days_of_time_buckets(asset, asset.time_buckets, api, window)


def snapshot(asset: Asset, api: AdminApi, today: date) -> Day:
    """Ask for the whole of a snapshot asset as it is now.

    Raises:
        ApiError: The API does not give it, or breaks its contract.
    """
    day = Day(asset, today)
    if asset.fan_out is None:
        for page in api.pages(asset.path, asset.paging, _params(asset)):
            day.add(page.records, page.answer)
        return day
    for workspace in _workspace_ids(asset.fan_out, api):
        try:
            pages = list(api.pages(asset.path_of(workspace), asset.paging, _params(asset)))
        except NotFound:  # on whatever page: half a workspace is not kept
            day.warnings.append(f"workspace {workspace!r} is gone: its members are left out")
            continue
        for page in pages:
            day.add(page.records, page.answer, {"workspace_id": workspace})
    return day


def _params(asset: Asset) -> list[tuple[str, str]]:
    """Give the query parameters of a list of records."""
    return [*asset.params.items(), *([_LIMIT] if asset.paging.cursor else [])]


def _workspace_ids(workspaces: Asset, api: AdminApi) -> list[str]:
    """List the workspaces that have members; first, so that no walk is open meanwhile."""
    day = Day(workspaces, date.min)
    for page in api.pages(workspaces.path, workspaces.paging, _params(workspaces)):
        day.add(page.records, page.answer)
    found: list[str] = day.rows(workspaces.name)["id"].to_pylist()
    return found


def _days_one_by_one(asset: Asset, api: AdminApi, start: date, end: date) -> Iterator[Day]:
    """Ask for one day after the other."""
    while start < end:
        day = Day(asset, start)
        params = [("starting_at", start.isoformat()), *_params(asset)]
        for page in api.pages(asset.path, asset.paging, params):
            day.add(page.records, page.answer)
        yield day
        start += ONE_DAY


@dataclass(frozen=True)
class _Window:
    """The time asked for, and until when time buckets must have come, empty ones too."""

    start: datetime
    end: datetime
    answered_until: datetime


def _days_of_time_buckets(
    asset: Asset, shape: TimeBuckets, api: AdminApi, window: _Window
) -> Iterator[Day]:
    """Ask for many days at once and gather the time buckets of each."""
    asked_for = {"grouped_by": shape.grouped_by, "bucket_width": shape.width}
    day = Day(asset, window.start.date())
    for bucket in _time_buckets(asset, shape, api, window):
        while bucket.start >= _midnight(day.date + ONE_DAY):
            yield day
            day = Day(asset, day.date + ONE_DAY)
        day.add(bucket.results, bucket.answer, {**bucket.fields, **asked_for})
        finished = bucket.end == _midnight(day.date + ONE_DAY)
        del bucket  # with it goes the page, which may be large
        if finished:
            yield day
            day = Day(asset, day.date + ONE_DAY)
    while _midnight(day.date) < window.end:
        yield day
        day = Day(asset, day.date + ONE_DAY)


@dataclass(frozen=True)
class _Bucket:
    """One time bucket: its bounds, the texts of its rows, and its other fields."""

    start: datetime
    end: datetime
    results: list[Raw]
    fields: Object
    answer: Answer


def _time_buckets(
    asset: Asset, shape: TimeBuckets, api: AdminApi, window: _Window
) -> Iterator[_Bucket]:
    """Walk over the time buckets of a window, with fewer to a page once pages grow too large.

    A page token is bound to its query, so another page size takes a new walk from where the last
    one stood.
    """
    at, limit = window.start, _MOST_BUCKETS[shape.width]
    while at < window.end:
        try:
            for page in _bucket_pages(asset, shape, api, (at, window.end), limit):
                for text in page.records:
                    bucket = _bucket(asset, text, page.answer, at, window.end)
                    at = bucket.end
                    yield bucket
                    del bucket
                size = len(memoryview(page.answer.body))
                if size > _SHRINK_ABOVE and limit > 1:
                    limit = max(1, limit * _SHRINK_ABOVE // size)
                    break
            else:
                if at < window.answered_until:
                    problem = f"the report ends at {at:%Y-%m-%d %H:%M}, before the days asked for"
                    raise _broken(asset, problem, page.answer, "data")
                return
        except TooLarge:
            if limit == 1:
                raise
            left = -((at - window.end) // _WIDTHS[shape.width])
            limit = max(1, min(limit, left) // 8)


def _bucket_pages(
    asset: Asset, shape: TimeBuckets, api: AdminApi, window: tuple[datetime, datetime], limit: int
) -> Iterator[Page]:
    """Ask for the pages of one walk over time buckets."""
    start, end = (f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in window)
    params = [
        ("starting_at", start),
        ("ending_at", end),
        ("bucket_width", shape.width),
        *(("group_by[]", dimension) for dimension in shape.group_by),
        ("limit", str(limit)),
    ]
    betas = [beta for dimension, beta in shape.betas.items() if dimension in shape.group_by]
    return api.pages(
        asset.path,
        asset.paging,
        params,
        beta=",".join(betas) or None,
        most_bytes=_MOST_BYTES_OF_SEVERAL_BUCKETS if limit > 1 else MOST_BYTES,
    )


def _bucket(asset: Asset, text: Raw, answer: Answer, at: datetime, end: datetime) -> _Bucket:
    """Read a time bucket, which must follow the last one inside the window and lie in one day."""
    try:
        members = strict_json.members(text)
        results = strict_json.items(members.pop("results", Raw(b"null")))
        fields = dict(zip(members, strict_json.values(list(members.values())), strict=True))
    except strict_json.InvalidJson as error:
        raise _broken(asset, str(error), answer, "data[]") from None
    bounds = [_instant(fields.get(name)) for name in ("starting_at", "ending_at")]
    for bound, name in zip(bounds, ("starting_at", "ending_at"), strict=True):
        if bound is None:
            problem = "expected a timestamp with a zone, the time bucket has no identity without it"
            raise _broken(asset, problem, answer, name)
    start, stop = (bound for bound in bounds if bound)
    last_of_day = _midnight(start.date() + ONE_DAY)
    if not at <= start < stop <= min(end, last_of_day):
        problem = "a time bucket outside the window, out of order, or longer than a day"
        raise _broken(asset, problem, answer, "starting_at")
    return _Bucket(start, stop, results, fields, answer)


def _objects(texts: Sequence[Raw]) -> list[Object]:
    """Read records, which are objects."""
    try:
        records = strict_json.values(texts)
    except strict_json.InvalidJson as error:
        raise FieldError("data[]", str(error)) from None
    if set(map(type, records)) - {dict}:
        raise FieldError("data[]", "expected an object")
    return records


def _broken(asset: Asset, problem: str, answer: Answer, field: str) -> ContractBroken:
    """Name what is wrong with an answer."""
    return ContractBroken(problem, asset=asset.name, field=field, request_id=answer.request_id)


def _midnight(day: date) -> datetime:
    """Give the start of a UTC day."""
    return datetime.combine(day, time(), UTC)


def _instant(value: Any) -> datetime | None:  # noqa: ANN401
    """Read a timestamp with a zone, None where there is none."""
    try:
        then = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return then.astimezone(UTC) if then.tzinfo else None


@lru_cache(maxsize=8)
def _day_of(value: str) -> date | None:
    """Read a day written as a bare date or as midnight UTC, None where it is neither."""
    if len(value) == len("2026-01-31"):
        value += "T00:00:00Z"
    then = _instant(value)
    return then.date() if then and then.time() == time() else None
