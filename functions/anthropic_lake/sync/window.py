"""The window of a run: the days that it reads."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from anthropic_lake.assets import Asset
from anthropic_lake.errors import SettingsError
from anthropic_lake.utc import ONE_DAY

EARLIEST_DAY = date(2023, 1, 1)
"""No earlier day can be asked for: the vendor sold nothing, so it is a mistake."""

DEFAULT_HISTORY_START = date(2025, 1, 1)

_MAX_SKEW = timedelta(hours=24)


@dataclass(frozen=True)
class History:
    """The unbroken history of an asset in the lake; None before the first sync.

    Args:
        first: Its first day.
        last: Its last complete day: the watermark.
    """

    first: date | None
    last: date | None

    def __contains__(self, day: date) -> bool:
        """Return whether a day belongs to it."""
        return bool(self.first and self.last and self.first <= day <= self.last)


@dataclass(frozen=True)
class WindowRules:
    """What the settings say of windows.

    Args:
        history_start: First day of a new lake; None: nobody said.
        lookback_days: How many days before today are read again.
        settle: How long after its end a day becomes complete.
    """

    history_start: date | None
    lookback_days: int
    settle: timedelta


@dataclass(frozen=True)
class Window:
    """The days that a run reads, all UTC.

    Args:
        start: First day.
        end: Day after the last.
        today: The open day; it is read on its own.
        complete_end: Day after the last complete day: it has ended, and the settle time has passed.
        advances: Whether the run moves the watermark.
        not_read: Days before the history that the settings want and this run does not read: the
            first, and the one after the last.
    """

    start: date
    end: date
    today: date
    complete_end: date
    advances: bool
    not_read: tuple[date, date] | None = None

    def segments(self, max_days: int) -> Iterator[tuple[date, date]]:
        """Yield the days in pieces, each a first day and the day after the last; today last."""
        start, ended = self.start, min(self.end, self.today)
        while start < ended:
            end = min(ended, start + timedelta(days=max_days))
            yield start, end
            start = end
        if self.end > self.today:
            yield self.today, self.end


def due_window(asset: Asset, history: History, now: datetime, rules: WindowRules) -> Window:
    """Return the days that are due: not synced yet, or perhaps changed since.

    Args:
        asset: What is synced; a snapshot has only today.
        history: What the lake has of it.
        now: The intended time of the run, UTC.
        rules: What the settings say.

    Raises:
        SettingsError: The history would get a gap, or begins in the future.
    """
    today = now.date()
    tomorrow = today + ONE_DAY
    if not asset.kind.dated:
        return Window(today, tomorrow, today, tomorrow, advances=True)
    wanted = rules.history_start
    _refuse_history_start(asset, history, wanted, today)
    complete_end = (now - rules.settle).date()
    if history.last is None:
        start = wanted or min(DEFAULT_HISTORY_START, today)
        return Window(start, tomorrow, today, complete_end, advances=True)
    next_day = history.last + ONE_DAY
    first = history.first or next_day
    start = min(today, max(first, min(next_day, today - timedelta(days=rules.lookback_days))))
    if wanted is None or wanted >= first:
        return Window(start, tomorrow, today, complete_end, advances=True)
    if first - wanted <= timedelta(days=asset.days_a_page):
        return Window(wanted, tomorrow, today, complete_end, advances=True)
    not_read = (wanted, first)
    return Window(start, tomorrow, today, complete_end, advances=True, not_read=not_read)


def _refuse_history_start(asset: Asset, history: History, wanted: date | None, today: date) -> None:
    """Raise where a start of the history cannot be meant, or would leave a gap."""
    if wanted is None:
        return
    if wanted < EARLIEST_DAY:
        raise SettingsError(f"HISTORY_START {wanted} is too early: use {EARLIEST_DAY} or later")
    if wanted > today:
        raise SettingsError(f"HISTORY_START {wanted} is in the future: use {today} at the latest")
    if history.last is not None and wanted > history.last + ONE_DAY:
        next_day = history.last + ONE_DAY
        raise SettingsError(
            f"HISTORY_START {wanted} would leave out the days from {next_day} on, which the lake "
            f"of {asset.name} does not have yet: use {next_day} at the latest"
        )


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
        SettingsError: The asset has no past, or the interval is empty, in the future, or before
            anything was sold.
    """
    today = now.date()
    if not asset.kind.dated:
        raise SettingsError(f"{asset.name} is a snapshot and has no past: leave out the interval")
    if end <= start:
        raise SettingsError(
            f"interval_end {end} is not after interval_start {start}: it is the day after the last"
        )
    if start < EARLIEST_DAY:
        raise SettingsError(f"interval_start {start} is too early: use {EARLIEST_DAY} or later")
    if end > today + ONE_DAY:
        raise SettingsError(f"interval_end {end} is in the future: use {today + ONE_DAY} at most")
    return Window(start, end, today, (now - settle).date(), advances=False)


def refuse_replay(asset: Asset, intended: datetime, now: datetime) -> None:
    """Refuse a snapshot for a day that it cannot show.

    Args:
        asset: What is synced.
        intended: The time that the run was meant for, UTC.
        now: The time, UTC.

    Raises:
        SettingsError: A snapshot was meant for a time more than 24 hours away.
    """
    if not asset.kind.dated and abs(intended - now) > _MAX_SKEW:
        raise SettingsError(
            f"{asset.name} is a snapshot of now, and the run was meant for "
            f"{intended:%Y-%m-%d %H:%M} UTC: it would replace that day's snapshot. Run it without "
            "scheduled_time"
        )
