"""Which requests give which days of an asset."""

from collections.abc import Iterator, Set
from datetime import date

from anthropic_lake.api.client import AdminApi
from anthropic_lake.assets import Asset, Kind
from anthropic_lake.extract.batch import Extracted
from anthropic_lake.extract.buckets import BucketReport
from anthropic_lake.extract.days import extract_days
from anthropic_lake.extract.reach import Reach
from anthropic_lake.extract.snapshots import extract_snapshot
from anthropic_lake.extract.timed_rows import TimedReport


class Extraction:
    """What one run extracts of one asset; it learns how much fits into a page.

    Args:
        asset: What to ask for.
        api: Whom to ask.
    """

    def __init__(self, asset: Asset, api: AdminApi) -> None:
        self._asset = asset
        self._api = api
        self._report: BucketReport | TimedReport | None = None
        if asset.time_buckets:
            report = TimedReport if asset.kind is Kind.TIMED_ROWS else BucketReport
            self._report = report(asset, asset.time_buckets, api)

    def days(self, start: date, end: date, *, complete_end: date) -> Iterator[Extracted]:
        """Extract the days of a dated asset, oldest first, the empty ones too.

        Days between time buckets that came are empty; those after the last one did not come. They
        may be empty or late, which only a later time bucket shows: go on with a call that starts at
        the end of the report. Rows that carry their own time bucket leave out empty ones; there,
        the days after the moment until which the API's data reaches did not come.

        Args:
            start: First day, UTC.
            end: The day after the last, UTC.
            complete_end: The day after the last complete one. A complete day must come to its end;
                of another one any time bucket will do.

        Yields:
            The batches of each day and its end; a day that is too large to be read ends with the
            error. At last the end of the report. Fields of answers stand anywhere between.

        Raises:
            ApiError: The API does not answer, or breaks its contract.
        """
        reach = Reach(start, end, complete_end)
        if self._report is None:
            return extract_days(self._asset, self._api, reach)
        return self._report.days(reach)

    def snapshot(self, today: date, done: Set[str | None] = frozenset()) -> Iterator[Extracted]:
        """Extract all records of a snapshot asset.

        Args:
            today: The day that the snapshot is taken for, UTC.
            done: Parts to leave out, where the asset is asked for workspace by workspace: the
                workspaces; None: the asset's own list.

        Yields:
            The batches of the day and its end; where the asset is asked for workspace by workspace,
            the end of each part after its batches. Fields of answers stand anywhere between.

        Raises:
            ApiError: The API does not answer, or breaks its contract.
        """
        return extract_snapshot(self._asset, self._api, today, done)
