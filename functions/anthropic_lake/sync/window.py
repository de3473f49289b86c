"""The window of a run: the days that it reads."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from anthropic_lake.assets import Asset
from anthropic_lake.errors import SettingsError
from anthropic_lake.utc import ONE_DAY


@dataclass(frozen=True)
class Window:
    """The days that a run reads, all UTC.

    Args:
        start: First day.
        end: Day after the last.
        today: The open day; it is read on its own.
        complete_end: Day after the last complete day: it has ended, and the settle time has passed.
        advances: Whether the run moves the watermark.
    """

    start: date
    end: date
    today: date
    complete_end: date
    advances: bool


def scheduled_window(
    asset: Asset,
    last_synced: date | None,
    now: datetime,
    *,
    history_start: date,
    lookback_days: int,
    settle: timedelta,
) -> Window:
    """Return the days of a scheduled run: days not synced yet, and days that may have changed.

    Args:
        asset: What is synced; a snapshot has only today.
        last_synced: The watermark; None before the first sync.
        now: The intended time of the run, UTC.
        history_start: First day of the lake.
        lookback_days: How many days before today are read again.
        settle: How long after its end a day becomes complete.
    """
    today = now.date()
    if not asset.kind.dated:
        return Window(today, today + ONE_DAY, today, today + ONE_DAY, advances=True)
    start = history_start
    if last_synced is not None:
        lookback_start = today - timedelta(days=lookback_days)
        start = max(history_start, min(last_synced + ONE_DAY, lookback_start))
    return Window(min(start, today), today + ONE_DAY, today, (now - settle).date(), advances=True)


def interval_window(
    asset: Asset, start: date, end: date, now: datetime, *, settle: timedelta
) -> Window:
    """Return the days of an explicit interval, which does not move the watermark.

    Args:
        asset: What is synced.
        start: First day.
        end: Day after the last.
        now: The time of the run, UTC.
        settle: How long after its end a day becomes complete.

    Raises:
        SettingsError: The asset has no past, or the interval is empty or in the future.
    """
    today = now.date()
    if not asset.kind.dated:
        raise SettingsError(f"{asset.name} is a snapshot and has no past: leave out the interval")
    if end <= start:
        raise SettingsError(
            f"interval_end {end} is not after interval_start {start}: it is the day after the last"
        )
    if end > today + ONE_DAY:
        raise SettingsError(f"interval_end {end} is in the future: use {today + ONE_DAY} at most")
    return Window(start, end, today, (now - settle).date(), advances=False)
