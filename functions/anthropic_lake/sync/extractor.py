"""Run the sync of one asset, in Lambda as on a laptop: from a request to the record of the run."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from anthropic_lake.api.client import AdminApi
from anthropic_lake.api.connection import Connection
from anthropic_lake.assets import Asset
from anthropic_lake.lake.objects import Lake
from anthropic_lake.lake.watermark import Watermark
from anthropic_lake.rows.day import Day
from anthropic_lake.settings import Settings
from anthropic_lake.sync.days import Job, sync
from anthropic_lake.sync.request import Request
from anthropic_lake.sync.runs import Run, recorded
from anthropic_lake.sync.window import Window, interval_window, scheduled_window

RESERVE_SECONDS = 20.0
"""Time at the end of a run that is kept for writing its record."""
OBJECTS_PER_COLLECTION = 100_000
"""Threshold of the garbage collector: it finds no cycles among records, so it runs rarely."""


@dataclass(frozen=True)
class Extractor:
    """Runs the syncs of a process.

    Args:
        settings: The settings.
        connection: What all requests to the Admin API share.
        lake: Where the days are written.
        watermark: The store of the last synced dates.
        clock: Returns the time, UTC.
        sleep: Waits for a number of seconds.
    """

    settings: Settings
    connection: Connection
    lake: Lake
    watermark: Watermark
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], None] = time.sleep

    def run(
        self,
        asset: Asset,
        request: Request,
        run: Run,
        *,
        time_left: Callable[[], float] = lambda: float("inf"),
        progress: Callable[[Day], None] = lambda _day: None,
    ) -> None:
        """Sync one asset and write the record of the run to the lake.

        Args:
            asset: What to sync.
            request: What asks for the run.
            run: The record from `new_run`; it is filled in, also if the run fails.
            time_left: Returns the seconds until the process is stopped.
            progress: Called with each day after it is written.

        Raises:
            LakeError: The run failed; its record is written.
        """
        interval = self._interval_window(asset, request)
        api = AdminApi(
            self.connection,
            asset.name,
            time_left=lambda: time_left() - RESERVE_SECONDS,
            sleep=self.sleep,
        )
        with recorded(run, api, self.lake, self.clock):
            run.last_synced_date = self.watermark.get(asset.name)
            window = interval or self._due_window(asset, run.last_synced_date, request.now)
            sync(Job(asset, window, api, self.lake, self.watermark, run, time_left, progress))

    def new_run(self, asset: Asset, request: Request) -> Run:
        """Return the record of a run that begins now."""
        run = Run(uuid.uuid4().hex, asset.name, request.trigger, self.clock())
        if asset.time_buckets:
            run.grouped_by = asset.time_buckets.grouped_by
            run.bucket_width = asset.time_buckets.width
        return run

    def _interval_window(self, asset: Asset, request: Request) -> Window | None:
        """Return the days of the request's interval, None if it has no interval."""
        if request.interval is None:
            return None
        return interval_window(asset, *request.interval, request.now, settle=self.settings.settle)

    def _due_window(self, asset: Asset, last_synced: date | None, now: datetime) -> Window:
        """Return the days that are due."""
        lookback = self.settings.lookback_days
        return scheduled_window(
            asset,
            last_synced,
            now,
            history_start=self.settings.history_start,
            lookback_days=asset.lookback_days if lookback is None else lookback,
            settle=self.settings.settle,
        )
