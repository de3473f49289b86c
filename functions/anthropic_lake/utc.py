"""Days and instants in UTC."""

import re
from datetime import UTC, date, datetime, time, timedelta

ONE_DAY = timedelta(days=1)

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def midnight(day: date) -> datetime:
    """Return the instant at which a day starts."""
    return datetime.combine(day, time(), UTC)


def instant(value: object) -> datetime | None:
    """Return the instant of an RFC 3339 timestamp with a time zone, None for any other value."""
    if not isinstance(value, str):
        return None
    try:
        then = datetime.fromisoformat(value)
        return then.astimezone(UTC) if then.tzinfo else None
    except (ValueError, OverflowError):  # in UTC it may lie beyond the years 1 to 9999
        return None


def parse_day(text: str) -> date:
    """Return the day that is written as YYYY-MM-DD.

    Raises:
        ValueError: The text is not such a day.
    """
    if not _DAY.fullmatch(text):
        raise ValueError(f"{text!r} is not a day such as 2026-01-31")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a day of the calendar") from None
