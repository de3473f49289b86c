"""The window of a run: the days that it reads."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
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
        whole_month: Whether every run reads the month so far, however short the lookback is, and
            also where the history would begin within it.
    """

    history_start: date | None
    lookback_days: int
    settle: timedelta
    whole_month: bool = False

    def latest_start(self, today: date) -> date:
        """Return the last day on which a run may begin to read."""
        return today.replace(day=1) if self.whole_month else today


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
        lookback: Days to read again after the others, in this order, and when each was last read.
        warnings: What the settings want and cannot have.
    """

    start: date
    end: date
    today: date
    complete_end: date
    advances: bool
    not_read: tuple[date, date] | None = None
    lookback: Mapping[date, datetime] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

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
    _refuse_history_start(asset, history, rules.history_start, today)
    window = Window(today, tomorrow, today, (now - rules.settle).date(), advances=True)
    if history.last is None:
        return _first_window(asset, window, rules)
    next_day = history.last + ONE_DAY
    earliest = _earliest(asset, today)
    if earliest > next_day:
        lost = f"the days {next_day} to {earliest - ONE_DAY} are lost: {_depth(asset)}"
        return replace(window, start=earliest, warnings=(lost,))
    latest = rules.latest_start(today)
    first = min(history.first or next_day, latest)
    lookback = min(next_day, today - timedelta(days=rules.lookback_days))
    start = min(latest, max(first, earliest, lookback))
    wanted = max(rules.history_start or first, earliest)
    if wanted >= first:
        return replace(window, start=start)
    if first - wanted <= timedelta(days=asset.days_a_page):
        return replace(window, start=wanted)
    return replace(window, start=start, not_read=(wanted, first))


def _first_window(asset: Asset, window: Window, rules: WindowRules) -> Window:
    """Return the window of a lake that has nothing of an asset."""
    start = min(rules.history_start or DEFAULT_HISTORY_START, rules.latest_start(window.today))
    earliest = _earliest(asset, window.today)
    if start >= earliest:
        return replace(window, start=start)
    warning = f"the history begins on {earliest}: {_depth(asset)}"
    return replace(window, start=earliest, warnings=(warning,))


def _earliest(asset: Asset, today: date) -> date:
    """Return the first day of a report that can be asked for."""
    return asset.depth.start(today) if asset.depth else EARLIEST_DAY


def _depth(asset: Asset) -> str:
    """Return why a report has no day before its first one."""
    assert asset.depth  # noqa: S101  without one, nothing is too early for the API
    return f"the API gives the last 365 days, and none before {asset.depth.first_day}"


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

    Returns:
        The window, without the days that the API does not have any more.
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
    window = Window(start, end, today, (now - settle).date(), advances=False)
    earliest = _earliest(asset, today)
    if start >= earliest:
        return window
    lost_end = min(end, earliest) - ONE_DAY
    warning = f"the days {start} to {lost_end} cannot be read: {_depth(asset)}"
    return replace(window, start=min(end, earliest), warnings=(warning,))


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
