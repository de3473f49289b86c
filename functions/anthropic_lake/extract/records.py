"""An asset's records as the days of its tables, in ascending order."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache

import pyarrow as pa
from msgspec import UNSET, Raw

from anthropic_lake import strict_json
from anthropic_lake.api.client import AdminApi
from anthropic_lake.api.paging import Origin, Page
from anthropic_lake.assets import Asset, Kind, TimeBuckets
from anthropic_lake.errors import ContractBroken, NotFound, TooLarge
from anthropic_lake.rows.arrow import FieldError, Records, to_arrow
from anthropic_lake.rows.general import AnyRecords
from anthropic_lake.rows.typed import uniform
from anthropic_lake.schema.table import Table
from anthropic_lake.schema.types import STRING
from anthropic_lake.strict_json import Object
from anthropic_lake.utc import ONE_DAY, instant, midnight

_READ_AT_ONCE = 16 << 20
_READ_IN_PARTS = 2 << 20
_LIMIT = ("limit", "1000")
_MOST_BUCKETS = {"1d": 31, "1h": 168, "1m": 1440}
_WIDTHS = {"1d": ONE_DAY, "1h": timedelta(hours=1), "1m": timedelta(minutes=1)}
_SHRINK_ABOVE = 32 << 20
_MOST_BYTES_OF_SEVERAL_BUCKETS = 128 << 20
_MOST_BYTES_OF_ONE_BUCKET = 448 << 20
_MOST_BYTES_OF_A_DAY = 320 << 20  # of Arrow columns; sorting takes as much again, twice


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

    def add(self, records: strict_json.Text, origin: Origin, shared: Object | None = None) -> None:
        """Add records.

        Args:
            records: The JSON of a list of them.
            origin: Where they come from.
            shared: Fields that they have in common.

        Raises:
            ContractBroken: One of them cannot be a row.
            TooLarge: The day would not fit into memory.
        """
        common = {"organization_id": origin.organization_id, **(shared or {})}
        try:
            self._append(records, common)
        except strict_json.InvalidJson as error:
            raise _broken(self._asset, str(error), origin, "data[]") from None
        except FieldError as error:
            raise _broken(self._asset, error.problem, origin, error.field) from None

    def take_rows(self, table: Table) -> pa.Table:
        """Give all rows of one of the tables and keep none of them."""
        parts = self._parts.pop(table.name) or [table.schema.empty_table()]
        return pa.concat_tables(parts).combine_chunks()  # one chunk is sorted in half the time

    def _append(self, text: strict_json.Text, shared: Object) -> None:
        """Add records, many at once where they are uniform."""
        size = len(memoryview(text))
        at_once = size if size <= _READ_AT_ONCE else _READ_IN_PARTS
        for some in strict_json.parts(text, at_once):
            if made := self._made_at_once(some, shared):
                self._keep(made)
                continue
            for few in strict_json.parts(some, _READ_IN_PARTS):
                self._keep(self._made(AnyRecords(_objects(few), shared)))

    def _made_at_once(
        self, text: strict_json.Text, shared: Object
    ) -> list[tuple[pa.Table, int]] | None:
        """Make the rows of uniform records, None of others."""
        records = uniform(self._asset.tables, text, shared)
        try:
            return self._made(records) if records else None
        except FieldError:  # the general way names what is wrong
            return None

    def _made(self, records: Records) -> list[tuple[pa.Table, int]]:
        """Make the rows of each table, and count what the tables do not know."""
        if field := self._asset.tables[0].partition_field:
            days = set(records.column(STRING, (field,))) - {None, UNSET}
            if any(_day_of(each) != self.date for each in days):
                raise FieldError(field, f"expected the day {self.date}, got another value")
        return [to_arrow(table, records) for table in self._asset.tables]

    def _keep(self, made: list[tuple[pa.Table, int]]) -> None:
        """Keep rows, unless the day would not fit into memory."""
        for table, (rows, unknown) in zip(self._asset.tables, made, strict=True):
            self.unknown += unknown
            self._bytes += rows.nbytes
            if self._bytes > _MOST_BYTES_OF_A_DAY:
                raise TooLarge(
                    f"{self._asset.name}: {self.date} has more than "
                    f"{_MOST_BYTES_OF_A_DAY >> 20} MiB of rows: group by fewer dimensions, or by "
                    "longer time buckets"
                )
            self._parts[table.name].append(rows)


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
    answered_until = midnight(min(end, complete_end))
    window = _Window(midnight(start), midnight(end), answered_until)
    return _days_of_time_buckets(asset, asset.time_buckets, api, window)


def snapshot(asset: Asset, api: AdminApi, today: date) -> Day:
    """Ask for the whole of a snapshot asset as it is now.

    Raises:
        ApiError: The API does not give it, or breaks its contract.
    """
    day = Day(asset, today)
    if asset.fan_out is None:
        for page in api.pages(asset.path, asset.paging, _params(asset)):
            day.add(page.data, page.origin)
        return day
    for workspace in _workspace_ids(asset.fan_out, api):
        try:
            pages = list(api.pages(asset.path_of(workspace), asset.paging, _params(asset)))
        except NotFound:  # on whatever page: half a workspace is not kept
            day.warnings.append(f"workspace {workspace!r} is gone: its members are left out")
            continue
        for page in pages:
            day.add(page.data, page.origin, {"workspace_id": workspace})
    return day


def _params(asset: Asset) -> list[tuple[str, str]]:
    """Give the query parameters of a list of records."""
    return [*asset.params.items(), *([_LIMIT] if asset.paging.cursor else [])]


def _workspace_ids(workspaces: Asset, api: AdminApi) -> list[str]:
    """List the workspaces that have members; first, so that no walk is open meanwhile."""
    day = Day(workspaces, date.min)
    for page in api.pages(workspaces.path, workspaces.paging, _params(workspaces)):
        day.add(page.data, page.origin)
    found: list[str] = day.take_rows(workspaces.tables[0])["id"].to_pylist()
    return found


def _days_one_by_one(asset: Asset, api: AdminApi, start: date, end: date) -> Iterator[Day]:
    """Ask for one day after the other."""
    while start < end:
        day = Day(asset, start)
        params = [("starting_at", start.isoformat()), *_params(asset)]
        for page in api.pages(asset.path, asset.paging, params):
            day.add(page.data, page.origin)
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
    for buckets in _time_buckets(asset, shape, api, window):
        while buckets:
            bucket = buckets.popleft()
            while bucket.start >= midnight(day.date + ONE_DAY):
                yield day
                day = Day(asset, day.date + ONE_DAY)
            day.add(bucket.results, bucket.origin, {**bucket.fields, **asked_for})
            finished = bucket.end == midnight(day.date + ONE_DAY)
            del bucket  # with the last one goes the page, which may be large
            if finished:
                yield day
                day = Day(asset, day.date + ONE_DAY)
    while midnight(day.date) < window.end:
        yield day
        day = Day(asset, day.date + ONE_DAY)


@dataclass(frozen=True)
class _Bucket:
    """One time bucket: its bounds, the text of the list of its rows, and its other fields."""

    start: datetime
    end: datetime
    results: Raw
    fields: Object
    origin: Origin


def _time_buckets(
    asset: Asset, shape: TimeBuckets, api: AdminApi, window: _Window
) -> Iterator[deque[_Bucket]]:
    """Walk over the time buckets of a window a page at a time, fewer to a page once pages grow.

    A page token is bound to its query, so another page size takes a new walk from where the last
    one stood.
    """
    at, limit = window.start, _MOST_BUCKETS[shape.width]
    while at < window.end:
        left = -((at - window.end) // _WIDTHS[shape.width])
        limit = min(limit, left)
        try:
            for page in _bucket_pages(asset, shape, api, (at, window.end), limit):
                size, origin = len(memoryview(page.data)), page.origin
                buckets = _buckets(asset, page, at, window.end)
                del page
                at = buckets[-1].end if buckets else at
                yield buckets
                if size > _SHRINK_ABOVE and limit > 1:
                    limit = max(1, limit * _SHRINK_ABOVE // size)
                    break
            else:
                if at < window.answered_until:
                    problem = f"the report ends at {at:%Y-%m-%d %H:%M}, before the days asked for"
                    raise _broken(asset, problem, origin, "data")
                return
        except TooLarge:
            if limit == 1:
                raise
            limit = max(1, limit // 8)


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
        max_body_bytes=_MOST_BYTES_OF_SEVERAL_BUCKETS if limit > 1 else _MOST_BYTES_OF_ONE_BUCKET,
    )


def _buckets(asset: Asset, page: Page, at: datetime, end: datetime) -> deque[_Bucket]:
    """Read a page's time buckets, which must follow each other from a time on and end in time."""
    try:
        members = strict_json.objects(page.data)
    except strict_json.InvalidJson as error:
        raise _broken(asset, str(error), page.origin, "data[]") from None
    buckets = deque[_Bucket]()
    for each in members:
        buckets.append(_bucket(asset, each, page.origin, at, end))
        at = buckets[-1].end
    return buckets


def _bucket(
    asset: Asset, members: dict[str, Raw], origin: Origin, at: datetime, end: datetime
) -> _Bucket:
    """Read a time bucket, which must not begin before a time and lie in one day."""
    results = members.pop("results", Raw(b"null"))
    if not strict_json.is_list(results):
        raise _broken(asset, "expected a list", origin, "data[].results")
    try:
        fields = {name: strict_json.value(text) for name, text in members.items()}
    except strict_json.InvalidJson as error:
        raise _broken(asset, str(error), origin, "data[]") from None
    bounds = [instant(fields.get(name)) for name in ("starting_at", "ending_at")]
    for bound, name in zip(bounds, ("starting_at", "ending_at"), strict=True):
        if bound is None:
            problem = "expected a timestamp with a zone, the time bucket has no identity without it"
            raise _broken(asset, problem, origin, name)
    start, stop = (bound for bound in bounds if bound)
    last_of_day = midnight(start.date() + ONE_DAY)
    if not at <= start < stop <= min(end, last_of_day):
        problem = "a time bucket outside the window, out of order, or longer than a day"
        raise _broken(asset, problem, origin, "starting_at")
    return _Bucket(start, stop, results, fields, origin)


def _objects(text: strict_json.Text) -> list[Object]:
    """Read a list of records, which are objects."""
    records: list[Object] = strict_json.value(text)
    if set(map(type, records)) - {dict}:
        raise FieldError("data[]", "expected an object")
    return records


def _broken(asset: Asset, problem: str, origin: Origin, field: str) -> ContractBroken:
    """Name what is wrong with an answer."""
    return ContractBroken(problem, asset=asset.name, field=field, request_id=origin.request_id)


@lru_cache(maxsize=8)
def _day_of(value: str) -> date | None:
    """Read a day written as a bare date or as midnight UTC, None where it is neither."""
    if len(value) == len("2026-01-31"):
        value += "T00:00:00Z"
    then = instant(value)
    return then.date() if then and then.time() == time() else None
