"""Reports of time buckets: many days in one walk, and no page kept longer than its last bucket."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from msgspec import Raw

from anthropic_lake import strict_json
from anthropic_lake.api.client import AdminApi
from anthropic_lake.api.paging import Origin, Page
from anthropic_lake.assets import Asset, TimeBuckets
from anthropic_lake.errors import TooLarge
from anthropic_lake.extract.batch import Batch, DayEnd, broken
from anthropic_lake.strict_json import Object
from anthropic_lake.utc import ONE_DAY, instant, midnight

SHRINK_ABOVE_BYTES = 32 << 20

_MAX_BUCKETS_A_PAGE = {"1d": 31, "1h": 168, "1m": 1440}
_WIDTHS = {"1d": ONE_DAY, "1h": timedelta(hours=1), "1m": timedelta(minutes=1)}
_MAX_BYTES_OF_SEVERAL_BUCKETS = 128 << 20
_MAX_BYTES_OF_ONE_BUCKET = 448 << 20
_BOUNDS = ("starting_at", "ending_at")


@dataclass(frozen=True)
class Window:
    """The time asked for, from midnight to midnight UTC.

    Args:
        start: Its start.
        end: Its end, exclusive.
        answered_until: Until when time buckets must come, empty ones too.
    """

    start: datetime
    end: datetime
    answered_until: datetime


@dataclass(frozen=True)
class _Bucket:
    """One time bucket: its bounds, the JSON of the list of its records, and its other fields."""

    start: datetime
    end: datetime
    records_text: Raw
    fields: Object
    origin: Origin


def extract_bucket_days(
    asset: Asset, report: TimeBuckets, api: AdminApi, window: Window
) -> Iterator[Batch | DayEnd]:
    """Extract the days of a window, a time bucket a batch.

    Raises:
        ApiError: The API does not answer, or breaks its contract.
    """
    asked_for = {"grouped_by": report.grouped_by, "bucket_width": report.width}
    day = window.start.date()
    for buckets in _pages_of_buckets(asset, report, api, window):
        while buckets:
            bucket = buckets.popleft()
            while bucket.start >= midnight(day + ONE_DAY):
                yield DayEnd(day)
                day += ONE_DAY
            ends_day = bucket.end == midnight(day + ONE_DAY)
            shared = {**bucket.fields, **asked_for}
            yield Batch(day, bucket.records_text, bucket.origin, shared)
            del bucket  # with a page's last time bucket goes the page, which may be large
            if ends_day:
                yield DayEnd(day)
                day += ONE_DAY
    while midnight(day) < window.end:
        yield DayEnd(day)
        day += ONE_DAY


def _pages_of_buckets(
    asset: Asset, report: TimeBuckets, api: AdminApi, window: Window
) -> Iterator[deque[_Bucket]]:
    """Yield the time buckets of a window a page at a time, fewer a page once pages grow.

    A page token is bound to its query, so another page size takes a new walk from where the last
    one stood.
    """
    rest, limit = window, _MAX_BUCKETS_A_PAGE[report.width]
    while rest.start < rest.end:
        left = -((rest.start - rest.end) // _WIDTHS[report.width])
        limit = min(limit, left)
        try:
            for page in _walk(asset, report, api, rest, limit):
                page_bytes, origin = len(memoryview(page.data)), page.origin
                buckets = _buckets(asset, page, rest)
                del page
                rest = replace(rest, start=buckets[-1].end) if buckets else rest
                yield buckets
                if page_bytes > SHRINK_ABOVE_BYTES and limit > 1:
                    limit = max(1, limit * SHRINK_ABOVE_BYTES // page_bytes)
                    break
            else:
                _refuse_early_end(asset, rest, origin)
                return
        except TooLarge:
            if limit == 1:
                raise
            limit = max(1, limit // 8)


def _refuse_early_end(asset: Asset, rest: Window, origin: Origin) -> None:
    """Raise when a walk ended before the days that it was asked for."""
    if rest.start < rest.answered_until:
        problem = f"the report ends at {rest.start:%Y-%m-%d %H:%M}, before the days asked for"
        raise broken(asset, problem, origin, "data")


def _walk(
    asset: Asset, report: TimeBuckets, api: AdminApi, window: Window, limit: int
) -> Iterator[Page]:
    """Ask for the pages of one walk, with so many time buckets a page."""
    params = [
        *zip(
            _BOUNDS, (f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in (window.start, window.end)), strict=True
        ),
        ("bucket_width", report.width),
        *(("group_by[]", dimension) for dimension in report.group_by),
        ("limit", str(limit)),
    ]
    betas = [beta for dimension, beta in report.betas.items() if dimension in report.group_by]
    return api.pages(
        asset.path,
        asset.paging,
        params,
        beta=",".join(betas) or None,
        most_bytes=_MAX_BYTES_OF_SEVERAL_BUCKETS if limit > 1 else _MAX_BYTES_OF_ONE_BUCKET,
    )


def _buckets(asset: Asset, page: Page, window: Window) -> deque[_Bucket]:
    """Return a page's time buckets, which follow each other within a window."""
    try:
        objects = strict_json.objects(page.data)
    except strict_json.InvalidJson as error:
        raise broken(asset, str(error), page.origin, "data[]") from None
    buckets = deque[_Bucket]()
    for members in objects:
        bucket = _bucket(asset, members, page.origin)
        last_end = buckets[-1].end if buckets else window.start
        end_of_day = midnight(bucket.start.date() + ONE_DAY)
        if not last_end <= bucket.start < bucket.end <= min(window.end, end_of_day):
            problem = "a time bucket outside the window, out of order, or longer than a day"
            raise broken(asset, problem, page.origin, "starting_at")
        buckets.append(bucket)
    return buckets


def _bucket(asset: Asset, members: dict[str, Raw], origin: Origin) -> _Bucket:
    """Return one time bucket of its JSON members."""
    records_text = members.pop("results", Raw(b"null"))
    if not strict_json.is_list(records_text):
        raise broken(asset, "expected a list", origin, "data[].results")
    try:
        fields = {name: strict_json.value(text) for name, text in members.items()}
    except strict_json.InvalidJson as error:
        raise broken(asset, str(error), origin, "data[]") from None
    start, end = (_bound(asset, fields, name, origin) for name in _BOUNDS)
    return _Bucket(start, end, records_text, fields, origin)


def _bound(asset: Asset, fields: Object, name: str, origin: Origin) -> datetime:
    """Return the start or the end of a time bucket."""
    bound = instant(fields.get(name))
    if bound is None:
        problem = "expected a timestamp with a zone, the time bucket has no identity without it"
        raise broken(asset, problem, origin, name)
    return bound
