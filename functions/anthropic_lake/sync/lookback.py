"""A lookback that takes too long for one run is spread over several."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from anthropic_lake.assets import Asset, Kind
from anthropic_lake.lake.ledger import DayEntry
from anthropic_lake.sync.window import Window
from anthropic_lake.utc import ONE_DAY

_MAX_AGE = timedelta(days=7)
_ROWS_A_REQUEST = 1000
_NEVER = datetime.min.replace(tzinfo=UTC)


def costs_by_day(asset: Asset) -> bool:
    """Return whether each day of an asset takes requests of its own."""
    return asset.kind in (Kind.DAYS, Kind.TIMED_ROWS)


def spread(
    window: Window, last: date, entries: Mapping[date, DayEntry], max_requests: float
) -> Window:
    """Return a window whose lookback follows the new days, if it takes too many requests.

    Args:
        window: The days that are due, the lookback first.
        last: The last complete day in the lake.
        entries: What the ledger says of the lookback, by day.
        max_requests: How many requests the lookback may take.

    Returns:
        The window as it is, if the rows that the lookback had the last time fit into so many
        requests.
    """
    days = [window.start + number * ONE_DAY for number in range((last - window.start).days + 1)]
    read_at = {day: entries[day].last_read_at if day in entries else _NEVER for day in days}
    rows = (entries[day].rows if day in entries else 0 for day in days)
    if sum(max(1, -(-count // _ROWS_A_REQUEST)) for count in rows) <= max_requests:
        return window
    oldest_first = dict(sorted(read_at.items(), key=lambda item: (item[1], item[0])))
    return replace(window, start=last + ONE_DAY, lookback=oldest_first)


def ranges(days: Iterable[date]) -> Iterator[tuple[date, date]]:
    """Yield days that follow each other, each time as a first day and the day after the last."""
    start = end = None
    for day in days:
        if day != end:
            if start and end:
                yield start, end
            start = day
        end = day + ONE_DAY
    if start and end:
        yield start, end


def is_overdue(read_at: datetime, now: datetime) -> bool:
    """Return whether a day has to be read again today to be read once a week."""
    return now - read_at > _MAX_AGE - ONE_DAY


def too_old(window: Window, read_again: Iterable[date], now: datetime) -> str | None:
    """Return the warning about days that were not read again for a week, None without any.

    Args:
        window: The window of the run.
        read_again: The days that the run has read again.
        now: The time of the run, UTC.
    """
    done = set(read_again)
    late = [
        day
        for day, read_at in window.lookback.items()
        if day not in done and now - read_at > _MAX_AGE
    ]
    if not late:
        return None
    return (
        f"{len(late)} of {len(window.lookback)} days of the lookback were last read more than "
        f"{_MAX_AGE.days} days ago, and a run has no time for them"
    )
