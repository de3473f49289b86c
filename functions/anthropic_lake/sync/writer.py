"""Write the days of one run: their objects, and what the ledger is to say of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import pyarrow as pa

from anthropic_lake.api.client import AdminApi
from anthropic_lake.api.connection import ANTHROPIC_VERSION
from anthropic_lake.assets import Asset
from anthropic_lake.lake.layout import object_key
from anthropic_lake.lake.ledger import DayEntry, Read
from anthropic_lake.lake.objects import Head, Lake, Written, write_day
from anthropic_lake.lake.watermark import Watermarks
from anthropic_lake.rows.day import Day
from anthropic_lake.rows.pseudonyms import Pseudonyms
from anthropic_lake.sync.runs import Run
from anthropic_lake.sync.window import History, Window
from anthropic_lake.utc import ONE_DAY


@dataclass(frozen=True)
class Job:
    """What one run works with.

    Args:
        asset: What to sync.
        window: The days to sync.
        history: What the lake has of the asset before the run.
        api: Where the days come from.
        admit: Lets the key's data in, or raises; called once, before the first day is written.
        lake: Where the days are written.
        watermarks: The store of the first and last day of the history.
        run: The record of the run; `sync` fills it in.
        clock: Returns the time, UTC.
        pseudonyms: What stands for people in the lake; None: their names.
        time_left: Returns the seconds that the run still has.
        progress: Called with each day after it is written.
    """

    asset: Asset
    window: Window
    history: History
    api: AdminApi
    admit: Callable[[], None]
    lake: Lake
    watermarks: Watermarks
    run: Run
    clock: Callable[[], datetime]
    pseudonyms: Pseudonyms | None = None
    time_left: Callable[[], float] = lambda: float("inf")
    progress: Callable[[Day], None] = lambda _day: None

    @property
    def people(self) -> str | None:
        """What stands in the ledger for how people are named: the mark of their pseudonyms."""
        return self.pseudonyms.mark if self.pseudonyms and self.asset.names_people else None


@dataclass(frozen=True)
class Look:
    """What stood in the lake before the API was asked.

    Args:
        asked_at: When it was asked, UTC.
        heads: The objects of the days that it was asked for, by key.
    """

    asked_at: datetime
    heads: dict[str, Head | None]


class DayWriter:
    """Writes the days of one run.

    Args:
        job: What the run works with.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._asset = job.asset
        self._rows: dict[date, int] = {}
        self._changed: set[date] = set()
        self._metadata = {"anthropic_version": ANTHROPIC_VERSION}
        if job.asset.time_buckets:
            self._metadata["grouped_by"] = job.asset.time_buckets.grouped_by
            self._metadata["bucket_width"] = job.asset.time_buckets.width
        if job.people:
            self._metadata["people"] = job.people

    def look(self, start: date, end: date) -> Look:
        """Look at the objects of some days, before the API is asked for these."""
        keys = [
            object_key(table.name, start + number * ONE_DAY)
            for number in range((end - start).days)
            for table in self._asset.tables
        ]
        return Look(self._job.clock(), {key: self._job.lake.head(key) for key in keys})

    def write(self, day: Day, look: Look, rows_before: Sequence[pa.Table] = ()) -> Read:
        """Write the tables of a day, and add the figures to the record of the run.

        Args:
            day: The day; its rows are taken.
            look: What stood in the lake before it was asked for.
            rows_before: Rows of the day that an earlier run has read.

        Raises:
            Conflict: Another run has put an object of the day since the look.
            LakeError: An object cannot be written.
        """
        written = []
        for table in self._asset.tables:
            rows = day.take_rows(table)
            if rows_before:
                rows = pa.concat_tables([*rows_before, rows]).combine_chunks()
            standing = look.heads[object_key(table.name, day.date)]
            written.append(
                write_day(self._job.lake, table, day.date, rows, self._metadata, standing=standing)
            )
            if self._asset.tells_spend and "amount_usd" in rows.column_names:
                self._job.run.spend_usd[day.date] = _sum(rows["amount_usd"])
        self._count(day, written)
        return Read(self._entry(day, look.asked_at, written), was_put=written[0].was_put)

    def _count(self, day: Day, written: list[Written]) -> None:
        """Add the figures of a day to the record of the run; a day that is read again is one."""
        run = self._job.run
        self._rows[day.date] = sum(result.rows for result in written)
        if any(result.was_put for result in written):
            self._changed.add(day.date)
        run.days_written, run.days_changed = len(self._rows), len(self._changed)
        run.rows = sum(self._rows.values())
        run.bytes += sum(result.put_bytes for result in written)
        run.unknown_fields += day.unknown_fields
        run.warnings += day.warnings

    def _entry(self, day: Day, asked_at: datetime, written: list[Written]) -> DayEntry:
        """Return what this read alone would leave in the ledger."""
        run = self._job.run
        return DayEntry(
            day=day.date,
            organization_id=self._job.api.organization_id,
            in_history=self._is_in_history(day.date),
            first_read_at=asked_at,
            last_read_at=asked_at,
            last_changed_at=asked_at,
            times_changed=0,
            is_final=day.date < self._job.window.complete_end and day.has_all_data,
            rows=sum(result.rows for result in written),
            bytes=sum(result.bytes for result in written),
            digest=written[0].digest,
            last_run_id=run.run_id,
            grouped_by=run.grouped_by,
            bucket_width=run.bucket_width,
            data_refreshed_at=day.data_refreshed_at,
            people=self._job.people,
        )

    def _is_in_history(self, day: date) -> bool:
        """Return whether a day belongs to the unbroken history as it will be after the run."""
        history = self._job.history
        if not self._job.window.advances:
            return day in history
        return history.first is None or history.last is None or day >= history.first


def _sum(amounts: pa.ChunkedArray) -> Decimal:
    """Return the sum of the amounts of a column."""
    import pyarrow.compute as pc  # noqa: PLC0415  it makes a cold start a tenth longer

    return pc.sum(amounts).as_py() or Decimal(0)
