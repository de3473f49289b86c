"""Reports of time buckets: many days in one walk, and no page kept longer than its last bucket."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec import Raw

from anthropic_lake import strict_json
from anthropic_lake.api.client import AdminApi
from anthropic_lake.api.paging import Origin, Page
from anthropic_lake.assets import Asset, TimeBuckets
from anthropic_lake.errors import BadRequest, CursorExpired, TooLarge
from anthropic_lake.extract.batch import AnswerFields, Batch, Extracted, answer_fields, broken
from anthropic_lake.extract.reach import Reach
from anthropic_lake.schema.table import field_path
from anthropic_lake.strict_json import Object
from anthropic_lake.utc import ONE_DAY, instant, midnight

SHRINK_ABOVE_BYTES = 32 << 20

_MAX_BUCKETS_A_PAGE = {"1d": 31, "1h": 168, "1m": 1440}
_WIDTHS = {"1d": ONE_DAY, "1h": timedelta(hours=1), "1m": timedelta(minutes=1)}
_MAX_BYTES_OF_SEVERAL_BUCKETS = 128 << 20
_MAX_BYTES_OF_ONE_BUCKET = 448 << 20
_BOUNDS = ("starting_at", "ending_at")


@dataclass(frozen=True)
class _Bucket:
    """One time bucket.

    Args:
        start: Its start.
        end: Its end, exclusive.
        records_text: The JSON of the list of its records.
        bounds: Its start and end as the API wrote them.
        fields: Its other fields.
        origin: The answer that it comes from.
    """

    start: datetime
    end: datetime
    records_text: Raw
    bounds: Object
    fields: Object
    origin: Origin


class BucketReport:
    """A report of time buckets; it learns from its pages how many time buckets fit into one.

    Args:
        asset: What to ask for.
        report: How it is asked for.
        api: Whom to ask.
    """

    def __init__(self, asset: Asset, report: TimeBuckets, api: AdminApi) -> None:
        self._asset = asset
        self._report = report
        self._api = api
        self._max_buckets = _MAX_BUCKETS_A_PAGE[report.width]

    def days(self, reach: Reach) -> Iterator[Extracted]:
        """Extract the days that are asked for, a time bucket a batch.

        A page token is bound to its query, so another page size takes a new walk from where the
        last one stood.

        Raises:
            ApiError: The API does not answer, or breaks its contract.
        """
        came_until = midnight(reach.day)
        while came_until < midnight(reach.end):
            limit = self._limit(came_until, reach)
            try:
                for page in self._walk(came_until, reach, limit):
                    reach.request_id = page.origin.request_id
                    yield from answer_fields("page", page.fields)
                    buckets = _buckets(self._asset, page, came_until, midnight(reach.end))
                    came_until = buckets[-1].end if buckets else came_until
                    page_bytes, page_buckets = len(memoryview(page.data)), len(buckets)
                    del page
                    yield from self._batches(buckets, reach)
                    if page_bytes > SHRINK_ABOVE_BYTES and limit > 1:
                        self._max_buckets = max(1, page_buckets * SHRINK_ABOVE_BYTES // page_bytes)
                        break
                else:
                    break
            except TooLarge as error:
                self._max_buckets = max(1, limit // 8)
                if limit == 1:
                    yield reach.end_day(error)
                    came_until = midnight(reach.day)
            except CursorExpired as expired:
                yield reach.restart(expired)
                came_until = midnight(reach.day)
            except BadRequest as refusal:
                reach.refuse(refusal)
        if came_until > midnight(reach.day) >= midnight(reach.complete_end):
            yield reach.end_day()
        yield reach.report_end()

    def _limit(self, start: datetime, reach: Reach) -> int:
        """Return how many time buckets to ask for at once: no more than there are."""
        left = -((start - midnight(reach.end)) // _WIDTHS[self._report.width])
        return min(self._max_buckets, left)

    def _walk(self, start: datetime, reach: Reach, limit: int) -> Iterator[Page]:
        """Ask for the pages of one walk, with so many time buckets a page."""
        report, bounds = self._report, (start, midnight(reach.end))
        params = [
            *zip(_BOUNDS, (f"{bound:%Y-%m-%dT%H:%M:%SZ}" for bound in bounds), strict=True),
            ("bucket_width", report.width),
            *(("group_by[]", dimension) for dimension in report.asked_by),
            ("limit", str(limit)),
        ]
        betas = [beta for dimension, beta in report.betas.items() if dimension in report.group_by]
        return self._api.pages(
            self._asset.path,
            self._asset.paging,
            params,
            beta=",".join(betas) or None,
            max_body_bytes=_MAX_BYTES_OF_SEVERAL_BUCKETS if limit > 1 else _MAX_BYTES_OF_ONE_BUCKET,
        )

    def _batches(self, buckets: deque[_Bucket], reach: Reach) -> Iterator[Extracted]:
        """Yield the records of time buckets, and the days that end before or with one."""
        while buckets:
            bucket = buckets.popleft()
            while bucket.start >= midnight(reach.day + ONE_DAY):
                yield reach.end_day()
            ends_day = bucket.end == midnight(reach.day + ONE_DAY)
            yield from self._records(bucket, reach)
            del bucket  # with a page's last time bucket goes the page, which may be large
            if ends_day:
                yield reach.end_day()

    def _records(self, bucket: _Bucket, reach: Reach) -> Iterator[Extracted]:
        """Yield the records of a time bucket.

        Its own unknown fields are not mixed with theirs, which may have the same names.
        """
        unknown = {field_path("time_bucket", name): value for name, value in bucket.fields.items()}
        if unknown and not strict_json.elements(bucket.records_text):
            yield AnswerFields(unknown)
            unknown = {}
        asked_for = {"grouped_by": self._report.grouped_by, "bucket_width": self._report.width}
        shared = {**bucket.bounds, **asked_for, **unknown}
        yield Batch(reach.day, bucket.records_text, bucket.origin, shared)


def _buckets(asset: Asset, page: Page, start: datetime, end: datetime) -> deque[_Bucket]:
    """Return a page's time buckets, which follow each other within a window."""
    try:
        objects = strict_json.objects(page.data)
    except strict_json.InvalidJson as error:
        raise broken(asset, str(error), page.origin, "data[]") from None
    buckets = deque[_Bucket]()
    for members in objects:
        bucket = _bucket(asset, members, page.origin)
        last_end = buckets[-1].end if buckets else start
        in_order = last_end <= bucket.start < bucket.end <= end
        if not in_order or bucket.end > midnight(bucket.start.date() + ONE_DAY):
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
    bounds = {name: fields.pop(name, None) for name in _BOUNDS}
    start, end = (_bound(asset, bounds, name, origin) for name in _BOUNDS)
    return _Bucket(start, end, records_text, bounds, fields, origin)


def _bound(asset: Asset, bounds: Object, name: str, origin: Origin) -> datetime:
    """Return the start or the end of a time bucket."""
    bound = instant(bounds[name])
    if bound is None:
        problem = "expected a timestamp with a zone, the time bucket has no identity without it"
        raise broken(asset, problem, origin, name)
    return bound
