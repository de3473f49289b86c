"""Which requests give which days of a dated asset."""

from collections.abc import Iterator
from datetime import date

from anthropic_lake.api.client import AdminApi
from anthropic_lake.assets import Asset
from anthropic_lake.extract.batch import Batch, DayEnd
from anthropic_lake.extract.buckets import TimeWindow, extract_bucket_days
from anthropic_lake.utc import ONE_DAY, midnight


def extract_days(
    asset: Asset, api: AdminApi, start: date, end: date, *, complete_end: date
) -> Iterator[Batch | DayEnd]:
    """Extract the days of a dated asset, oldest first, the empty ones too.

    Args:
        asset: What to ask for.
        api: Whom to ask.
        start: First day, UTC.
        end: The day after the last, UTC.
        complete_end: The day after the last complete one; an answer that ends earlier is broken.

    Raises:
        ApiError: The API does not answer, or breaks its contract.
    """
    if asset.time_buckets is None:
        return _walk_each_day(asset, api, start, end)
    window = TimeWindow(midnight(start), midnight(end), midnight(min(end, complete_end)))
    return extract_bucket_days(asset, asset.time_buckets, api, window)


def _walk_each_day(asset: Asset, api: AdminApi, start: date, end: date) -> Iterator[Batch | DayEnd]:
    """Extract one day after the other, each by a walk of its own."""
    day = start
    while day < end:
        params = [("starting_at", day.isoformat()), *asset.list_params]
        for page in api.pages(asset.path, asset.paging, params):
            yield Batch(day, page.data, page.origin)
            del page  # the last one may be large, and the rows are written after the day's end
        yield DayEnd(day)
        day += ONE_DAY
