"""Bring the days of an asset up to date in the lake, then move the watermark."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from http import HTTPStatus

import pyarrow as pa

from anthropic_lake.api.client import AdminApi
from anthropic_lake.api.connection import ANTHROPIC_VERSION
from anthropic_lake.assets import Asset
from anthropic_lake.errors import BadRequest
from anthropic_lake.extract.batch import Batch, DayEnd
from anthropic_lake.extract.days import extract_days
from anthropic_lake.extract.snapshots import extract_snapshot
from anthropic_lake.lake.objects import Lake, Written, write_day
from anthropic_lake.lake.watermark import Watermark, advance
from anthropic_lake.rows.day import Day, days
from anthropic_lake.sync.runs import Run
from anthropic_lake.sync.window import Window
from anthropic_lake.utc import ONE_DAY

MARGIN_SECONDS = 60.0
"""A run does not begin a day with less time than this."""


@dataclass(frozen=True)
class Job:
    """What one run works with.

    Args:
        asset: What to sync.
        window: The days to sync.
        api: Where the days come from.
        lake: Where the days are written.
        watermark: The store of the last synced date.
        run: The record of the run, with the last synced date before it; `sync` fills in the rest.
        time_left: Returns the seconds that the run still has.
        progress: Called with each day after it is written.
    """

    asset: Asset
    window: Window
    api: AdminApi
    lake: Lake
    watermark: Watermark
    run: Run
    time_left: Callable[[], float] = lambda: float("inf")
    progress: Callable[[Day], None] = lambda _day: None


def sync(job: Job) -> None:
    """Bring every day of the window up to date in the lake, oldest first.

    Raises:
        LakeError: A day cannot be read or written; the days before it are written.
    """
    asset, window, run = job.asset, job.window, job.run
    run.interval_start, run.interval_end = window.start, window.end
    for day in _wanted(asset, window, job.api, run):
        _write(asset, day, job.lake, run)
        if window.advances and day.date < window.complete_end:
            run.last_synced_date = advance(job.watermark, asset.name, day.date)
        job.progress(day)
        if day.date + ONE_DAY < window.end and job.time_left() < MARGIN_SECONDS:
            run.succeeded("partial")
            break
    else:
        run.succeeded()
    if window.advances:
        run.days_behind = _days_behind(run, window)


def _wanted(asset: Asset, window: Window, api: AdminApi, run: Run) -> Iterator[Day]:
    """Read the days of the window: first the days before today, then today on its own."""
    if not asset.kind.dated:
        yield from days(asset, extract_snapshot(asset, api, window.today))
        return
    last_ended = min(window.end, window.today)
    yield from days(asset, _extract(asset, api, window, window.start, last_ended))
    if window.end > window.today:
        try:
            yield from days(asset, _extract(asset, api, window, window.today, window.end))
        except BadRequest as error:
            if error.status != HTTPStatus.BAD_REQUEST:
                raise
            run.warnings.append(f"the open day {window.today} was refused: {error}")


def _extract(
    asset: Asset, api: AdminApi, window: Window, start: date, end: date
) -> Iterator[Batch | DayEnd]:
    """Return the batches of the days from `start` to `end` of the window."""
    return extract_days(asset, api, start, end, complete_end=window.complete_end)


def _write(asset: Asset, day: Day, lake: Lake, run: Run) -> None:
    """Write the tables of a day, and add the figures to the record of the run."""
    metadata = {"anthropic_version": ANTHROPIC_VERSION}
    if asset.time_buckets:
        metadata["grouped_by"] = asset.time_buckets.grouped_by
        metadata["bucket_width"] = asset.time_buckets.width
    written: list[Written] = []
    for table in asset.tables:
        rows = day.take_rows(table)
        written.append(write_day(lake, table, day.date, rows, metadata))
        if "amount_usd" in rows.column_names:
            run.spend_usd[day.date] = _sum(rows["amount_usd"])
    run.days_written += 1
    run.days_changed += any(result.changed for result in written)
    run.rows += sum(result.rows for result in written)
    run.bytes += sum(result.bytes for result in written)
    run.unknown_fields += day.unknown_fields
    run.warnings += day.warnings


def _sum(amounts: pa.ChunkedArray) -> Decimal:
    """Return the sum of the amounts of a column."""
    import pyarrow.compute as pc  # noqa: PLC0415  it makes a cold start a tenth longer

    return pc.sum(amounts).as_py() or Decimal(0)


def _days_behind(run: Run, window: Window) -> int:
    """Return the number of complete days that the lake does not have yet."""
    synced = run.last_synced_date or window.start - ONE_DAY
    return max(0, (window.complete_end - ONE_DAY - synced).days)
