"""One run of one asset, from what asks for it to its record: the same in Lambda and on a laptop."""

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
from anthropic_lake.sync.days import sync
from anthropic_lake.sync.request import Request
from anthropic_lake.sync.runs import Run, recorded
from anthropic_lake.sync.window import Window, interval_window, scheduled_window

RESERVE_SECONDS = 20.0
"""Time kept back at the end of a run to write its record."""
OBJECTS_PER_COLLECTION = 100_000
"""Threshold for the garbage collector: records hold no cycles, so it would search them in vain."""


@dataclass(frozen=True)
class Extractor:
    """What all runs of a process share.

    Args:
        settings: The settings.
        connection: The way to the Admin API.
        lake: Where the days go.
        watermark: What remembers how far the lake is complete.
        clock: Gives the time, UTC.
        sleep: Waits for some seconds.
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
        """Sync one asset and keep a record of it in the lake.

        Args:
            asset: What to sync.
            request: What asks for it.
            run: The record to fill, from `new_run`; it tells of a failed run too.
            time_left: Seconds until the process is stopped.
            progress: Told of every day that is safe.

        Raises:
            LakeError: The run failed; its record is written.
        """
        window = self._interval_window(asset, request)
        api = AdminApi(
            self.connection,
            asset.name,
            time_left=lambda: time_left() - RESERVE_SECONDS,
            sleep=self.sleep,
        )
        with recorded(run, api, self.lake, self.clock):
            run.last_synced_date = self.watermark.get(asset.name)
            sync(
                asset,
                window or self._due(asset, run.last_synced_date, request.now),
                api=api,
                lake=self.lake,
                watermark=self.watermark,
                run=run,
                time_left=time_left,
                progress=progress,
            )

    def new_run(self, asset: Asset, request: Request) -> Run:
        """Begin the record of a run."""
        run = Run(uuid.uuid4().hex, asset.name, request.trigger, self.clock())
        if asset.time_buckets:
            run.grouped_by = asset.time_buckets.grouped_by
            run.bucket_width = asset.time_buckets.width
        return run

    def _interval_window(self, asset: Asset, request: Request) -> Window | None:
        """Choose the days that were named, None where the due ones are wanted."""
        if request.interval is None:
            return None
        return interval_window(asset, *request.interval, request.now, settle=self.settings.settle)

    def _due(self, asset: Asset, last_synced: date | None, now: datetime) -> Window:
        """Choose the days that are due."""
        lookback = self.settings.lookback_days
        return scheduled_window(
            asset,
            last_synced,
            now,
            history_start=self.settings.history_start,
            lookback_days=asset.lookback_days if lookback is None else lookback,
            settle=self.settings.settle,
        )
