"""The days that a run reads."""

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
        today: The open day, which is asked for on its own.
        complete_end: Day after the last complete one: ended, and settled since.
        advances: Whether the watermark follows.
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
    """Choose the days of a scheduled run: those not synced yet, and those that may have changed.

    Args:
        asset: What is synced; a snapshot has only today.
        last_synced: The watermark, None before the first sync.
        now: The intended time of the run, UTC.
        history_start: First day that is wanted at all.
        lookback_days: How many days before today are read again.
        settle: How long after its end a day is not complete yet.
    """
    today = now.date()
    if not asset.kind.dated:
        return Window(today, today + ONE_DAY, today, today + ONE_DAY, advances=True)
    start = history_start
    if last_synced is not None:
        again = today - timedelta(days=lookback_days)
        start = max(history_start, min(last_synced + ONE_DAY, again))
    return Window(min(start, today), today + ONE_DAY, today, (now - settle).date(), advances=True)


def interval_window(
    asset: Asset, start: date, end: date, now: datetime, *, settle: timedelta
) -> Window:
    """Choose the days of an explicit interval, which leaves the watermark alone.

    Args:
        asset: What is synced.
        start: First day.
        end: Day after the last.
        now: The time of the run, UTC.
        settle: How long after its end a day is not complete yet.

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
