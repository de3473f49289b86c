"""Reports of rows that carry their own time bucket, in the order of time."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any

import msgspec
from msgspec.structs import astuple

from anthropic_lake import strict_json
from anthropic_lake.api.client import AdminApi
from anthropic_lake.api.paging import Origin, Page, Params
from anthropic_lake.assets import Asset, TimeBuckets
from anthropic_lake.errors import BadRequest, CursorExpired, TooLarge
from anthropic_lake.extract.batch import Batch, Extracted, answer_fields, broken
from anthropic_lake.extract.endpoint import own_pages
from anthropic_lake.extract.reach import Reach
from anthropic_lake.utc import ONE_DAY, instant, midnight

_MAX_WALK_DAYS = 31
_MAX_ROWS_A_PAGE = 1000
_MAX_PAGE_BYTES = 128 << 20
_REFRESHED = "data_refreshed_at"


class TimedReport:
    """A report of rows in the order of time; it learns how many rows fit into a page.

    A time bucket without use has no row. So a day ends when a row of a later day comes, or with the
    walk, and rows of a day are never of two walks.

    Args:
        asset: What to ask for.
        report: How it is asked for.
        api: Whom to ask.
    """

    def __init__(self, asset: Asset, report: TimeBuckets, api: AdminApi) -> None:
        self._asset = asset
        self._api = api
        self._max_rows = _MAX_ROWS_A_PAGE
        self._shared = {"grouped_by": report.grouped_by, "bucket_width": report.width}
        self._params: Params = [
            ("time_bucket_width", report.width),
            *(("group_by[]", dimension) for dimension in report.asked_by),
            ("order_by", "time"),
            ("order", "asc"),
        ]

    def days(self, reach: Reach) -> Iterator[Extracted]:
        """Extract the days that are asked for, in walks of as many days as one may have.

        Raises:
            ApiError: The API does not answer, or breaks its contract.
        """
        while reach.day < reach.end:
            end = min(reach.end, reach.day + timedelta(days=_MAX_WALK_DAYS))
            try:
                yield from self._walk(reach, end)
                if reach.day < end:  # the API's data does not reach so far
                    break
            except CursorExpired as expired:
                yield reach.restart(expired)
            except TooLarge as error:
                if self._max_rows > 1:
                    self._max_rows = max(1, self._max_rows // 8)
                    yield reach.restart()
                else:
                    yield reach.end_day(error)
            except BadRequest as refusal:
                reach.refuse(refusal)
                yield reach.restart()
        yield reach.report_end()

    def _walk(self, reach: Reach, end: date) -> Iterator[Extracted]:
        """Extract the days up to an end, exclusive, those without rows too."""
        last_start, last_day = midnight(reach.day), None
        for page in self._pages(reach.day, end):
            reach.request_id = page.origin.request_id
            refreshed_at = self._note_refresh(page, reach)
            unknown = {name: value for name, value in page.fields.items() if name != _REFRESHED}
            yield from answer_fields("page", unknown)
            runs = self._runs(page, last_start, midnight(end))
            last_start = runs[-1].start if runs else last_start
            shared = {**self._shared, _REFRESHED: refreshed_at}
            for last_day, rows_text in _by_day(page, runs):
                while reach.day < last_day:
                    yield reach.end_day()
                yield Batch(last_day, rows_text, page.origin, shared)
            del page
        while reach.day < end and (reach.has_begun(reach.day) or reach.day == last_day):
            yield reach.end_day()

    def _pages(self, start: date, end: date) -> Iterator[Page]:
        """Ask for the pages of one walk."""
        bounds = (("starting_at", start), ("ending_at", end))
        params = [
            *((name, f"{day}T00:00:00Z") for name, day in bounds),
            *self._params,
            ("limit", str(self._max_rows)),
        ]
        return own_pages(self._asset, self._api, params, max_body_bytes=_MAX_PAGE_BYTES)

    def _note_refresh(self, page: Page, reach: Reach) -> Any:  # noqa: ANN401  as the API wrote it
        """Note until when the data of a page reaches, and return what the page says of it.

        Pages of one report may differ, so the earliest counts.
        """
        text = page.fields.get(_REFRESHED)
        if text is None:
            return None
        refreshed_at = instant(text)
        if refreshed_at is None:
            problem = "expected a timestamp with a zone"
            raise broken(self._asset, problem, page.origin, _REFRESHED)
        reach.data_refreshed_at = min(refreshed_at, reach.data_refreshed_at or refreshed_at)
        return text

    def _runs(self, page: Page, start: datetime, end: datetime) -> list["_Run"]:
        """Return the runs of a page's rows; their time buckets follow each other in a window."""
        try:
            rows = _decode_bounds(page.data)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise broken(self._asset, str(error), page.origin, "data[]") from None
        runs = []
        for bounds, equal_rows in groupby(rows, astuple):
            bucket_start, bucket_end = self._instants(bounds, page.origin)
            in_order = start <= bucket_start < bucket_end <= end
            if not in_order or bucket_end > midnight(bucket_start.date() + ONE_DAY):
                problem = "a time bucket outside the window, out of order, or longer than a day"
                raise broken(self._asset, problem, page.origin, "starting_at")
            runs.append(_Run(bucket_start, len(list(equal_rows))))
            start = bucket_start
        return runs

    def _instants(self, bounds: tuple[Any, ...], origin: Origin) -> list[datetime]:
        """Return the start and the end of a time bucket."""
        instants = []
        for name, text in zip(_Bounds.__struct_fields__, bounds, strict=True):
            bound = instant(text)
            if bound is None:
                problem = "expected a timestamp with a zone, the row has no identity without it"
                raise broken(self._asset, problem, origin, name)
            instants.append(bound)
        return instants


@dataclass(frozen=True)
class _Run:
    """Rows of one time bucket that follow each other.

    Args:
        start: Start of the time bucket, UTC.
        rows: Number of the rows.
    """

    start: datetime
    rows: int


class _Bounds(msgspec.Struct):
    """What is read of a row before the row itself."""

    starting_at: Any = None
    ending_at: Any = None


_decode_bounds = msgspec.json.Decoder(list[_Bounds]).decode


def _by_day(page: Page, runs: list[_Run]) -> Iterator[tuple[date, strict_json.Text]]:
    """Yield the days of a page's rows, each with the JSON of the list of its rows."""
    counts = Counter[date]()
    for run in runs:
        counts[run.start.date()] += run.rows
    if len(counts) == 1:
        yield next(iter(counts)), page.data
        return
    texts = strict_json.elements(page.data)
    for day, count in counts.items():
        yield day, strict_json.joined(texts[:count])
        del texts[:count]
