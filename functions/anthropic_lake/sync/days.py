"""Bring the days of an asset up to date in the lake, and the watermark after them."""

from collections.abc import Callable, Iterator
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


def sync(
    asset: Asset,
    window: Window,
    *,
    api: AdminApi,
    lake: Lake,
    watermark: Watermark,
    run: Run,
    time_left: Callable[[], float] = lambda: float("inf"),
    progress: Callable[[Day], None] = lambda _day: None,
) -> None:
    """Bring every day of the window up to date in the lake, oldest first.

    Args:
        asset: What to sync.
        window: Which days.
        api: Where they come from.
        lake: Where they go.
        watermark: What remembers how far the lake is complete.
        run: The record of what was done; it knows where the watermark stands, and is filled in.
        time_left: Seconds that the run still has.
        progress: Told of every day that is safe.

    Raises:
        LakeError: A day cannot be had or written; the days before it are safe.
    """
    run.interval_start, run.interval_end = window.start, window.end
    for day in _wanted(asset, window, api, run):
        _write(asset, day, lake, run)
        if window.advances and day.date < window.complete_end:
            run.last_synced_date = advance(watermark, asset.name, day.date)
        progress(day)
        if day.date + ONE_DAY < window.end and time_left() < MARGIN_SECONDS:
            run.succeeded("partial")
            break
    else:
        run.succeeded()
    if window.advances:
        run.days_behind = _days_behind(run, window)


def _wanted(asset: Asset, window: Window, api: AdminApi, run: Run) -> Iterator[Day]:
    """Ask for the days of the window: the ended ones, then the open one on its own."""
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
    """Extract some days of a window."""
    return extract_days(asset, api, start, end, complete_end=window.complete_end)


def _write(asset: Asset, day: Day, lake: Lake, run: Run) -> None:
    """Put a day's tables and note what became of them."""
    about = {"anthropic_version": ANTHROPIC_VERSION}
    if asset.time_buckets:
        about["grouped_by"] = asset.time_buckets.grouped_by
        about["bucket_width"] = asset.time_buckets.width
    written: list[Written] = []
    for table in asset.tables:
        rows = day.take_rows(table)
        written.append(write_day(lake, table, day.date, rows, about))
        if "amount_usd" in rows.column_names:
            run.spend_usd[day.date] = _sum(rows["amount_usd"])
    run.days_written += 1
    run.days_changed += any(each.changed for each in written)
    run.rows += sum(each.rows for each in written)
    run.bytes += sum(each.bytes for each in written)
    run.unknown_fields += day.unknown_fields
    run.warnings += day.warnings


def _sum(amounts: pa.ChunkedArray) -> Decimal:
    """Add up amounts."""
    import pyarrow.compute as pc  # noqa: PLC0415  a cold start takes a tenth longer with it

    return pc.sum(amounts).as_py() or Decimal(0)


def _days_behind(run: Run, window: Window) -> int:
    """Count the complete days that the lake does not have yet."""
    synced = run.last_synced_date or window.start - ONE_DAY
    return max(0, (window.complete_end - ONE_DAY - synced).days)
