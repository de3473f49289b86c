"""Run the sync of one asset, in Lambda as on a laptop: from a request to the record of the run."""

import shlex
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from anthropic_lake.api.client import AdminApi
from anthropic_lake.api.connection import Connection
from anthropic_lake.assets import Asset
from anthropic_lake.lake.ledger import Ledger
from anthropic_lake.rows.day import Day
from anthropic_lake.rows.pseudonyms import Pseudonyms
from anthropic_lake.settings import Settings
from anthropic_lake.sync.admission import Admission
from anthropic_lake.sync.adoption import find_history
from anthropic_lake.sync.days import sync
from anthropic_lake.sync.lookback import costs_by_day, spread
from anthropic_lake.sync.ownership import OwnedLake, Place
from anthropic_lake.sync.plain_days import plain_days_warnings
from anthropic_lake.sync.request import Request
from anthropic_lake.sync.runs import Record, Run
from anthropic_lake.sync.window import (
    History,
    Window,
    WindowRules,
    due_window,
    interval_window,
    refuse_replay,
)
from anthropic_lake.sync.writer import Job
from anthropic_lake.utc import ONE_DAY

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
        place: Where the days are written.
        clock: Returns the time, UTC.
        sleep: Waits for a number of seconds.
    """

    settings: Settings
    connection: Connection
    place: Place
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
            LakeError: The run failed; its record is written, unless the lake is another's.
        """
        refuse_replay(asset, request.now, self.clock())
        interval = self._interval_window(asset, request)
        lake = self.place.lake
        with lake.locked(asset.name):
            owned = OwnedLake(self.place)
            api = self._api(asset, time_left)
            with Record(run, api, lake, self.clock) as record:
                pseudonyms = self._pseudonyms()
                adoption = find_history(lake, owned.watermarks, asset)
                run.last_synced_date = adoption.history.last
                window = interval or self._due_window(
                    asset, adoption.history, request.now, time_left
                )
                run.warnings += [*window.warnings, *_not_read(asset, window, self.place.address)]
                admission = Admission(owned, adoption, asset, api, record)
                sync(self._job(admission, window, pseudonyms, time_left, progress))
                if pseudonyms and asset.names_people:
                    run.warnings += plain_days_warnings(asset, self.place, pseudonyms.mark)

    def new_run(self, asset: Asset, request: Request) -> Run:
        """Return the record of a run that begins now."""
        run = Run(uuid.uuid4().hex, asset.name, request.trigger, self.clock())
        if asset.time_buckets:
            run.grouped_by = asset.time_buckets.grouped_by
            run.bucket_width = asset.time_buckets.width
        return run

    def _job(
        self,
        admission: Admission,
        window: Window,
        pseudonyms: Pseudonyms | None,
        time_left: Callable[[], float],
        progress: Callable[[Day], None],
    ) -> Job:
        """Return what a run works with."""
        return Job(
            asset=admission.asset,
            window=window,
            history=admission.adoption.history,
            api=admission.api,
            admit=admission.admit,
            lake=admission.owned.lake,
            watermarks=admission.owned.watermarks,
            run=admission.record.run,
            clock=self.clock,
            pseudonyms=pseudonyms,
            time_left=time_left,
            progress=progress,
        )

    def _pseudonyms(self) -> Pseudonyms | None:
        """Return what stands for people in the lake, None: their names."""
        if not self.settings.uses_pseudonyms:
            return None
        return Pseudonyms(self.connection.pseudonym_key())

    def _api(self, asset: Asset, time_left: Callable[[], float]) -> AdminApi:
        """Return the client of one run, which leaves time for the run's record."""
        return AdminApi(
            self.connection,
            asset.name,
            time_left=lambda: time_left() - RESERVE_SECONDS,
            sleep=self.sleep,
        )

    def _interval_window(self, asset: Asset, request: Request) -> Window | None:
        """Return the days of the request's interval, None if it has no interval."""
        if request.interval is None:
            return None
        return interval_window(asset, *request.interval, request.now, settle=self.settings.settle)

    def _due_window(
        self, asset: Asset, history: History, now: datetime, time_left: Callable[[], float]
    ) -> Window:
        """Return the days that are due; at most half of the time is for a lookback."""
        lookback = self.settings.lookback_days
        rules = WindowRules(
            self.settings.history_start,
            asset.lookback_days if lookback is None else lookback,
            self.settings.settle,
            whole_month=self.settings.has_budget and asset.tells_spend,
        )
        window = due_window(asset, history, now, rules)
        if history.last is None or not costs_by_day(asset):
            return window
        last = min(history.last, window.today - ONE_DAY)
        entries = Ledger(self.place.lake, asset.name).entries(window.start, last + ONE_DAY)
        max_requests = time_left() / 2 * self.connection.pace.per_minute / 60
        return spread(window, last, entries, max_requests)


def _not_read(asset: Asset, window: Window, address: str) -> list[str]:
    """Return the warning about wanted days that the run does not read."""
    if window.not_read is None:
        return []
    start, end = window.not_read
    interval = f"--interval-start {start} --interval-end {end}"
    command = f"anthropic-lake sync {asset.name} --lake {shlex.quote(address)} {interval}"
    return [f"the days {start} to {end - ONE_DAY} are not in the lake: read them with `{command}`"]
