"""The request for a run, and how an event becomes one."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from anthropic_lake.errors import SettingsError
from anthropic_lake.utc import parse_day


class Interval(NamedTuple):
    """An interval of days, UTC: the first day, and the day after the last."""

    start: date
    end: date


@dataclass(frozen=True)
class Request:
    """The request for a run.

    Args:
        trigger: What starts the run: `schedule`, `interval` or `manual`.
        now: The intended time of the run, UTC.
        interval: The days to read again; None for the days that are due.
    """

    trigger: str
    now: datetime
    interval: Interval | None = None


_EVENTBRIDGE_FIELDS = {
    "version",
    "id",
    "detail-type",
    "source",
    "account",
    "time",
    "region",
    "resources",
    "detail",
}
_ACCEPTED = (
    'send {}, {"scheduled_time": "2026-01-31T06:00:00Z"} or '
    '{"interval_start": "2026-01-01", "interval_end": "2026-02-01"} (the end is exclusive)'
)
_CLOCK_SKEW = timedelta(minutes=5)


def read_event(event: object, now: datetime) -> Request:
    """Return the request of an event.

    Args:
        event: `{}`, a schedule's input, an EventBridge scheduled event, or an interval.
        now: The time, UTC.

    Raises:
        SettingsError: The event has another form.
    """
    if not isinstance(event, Mapping):
        raise SettingsError(f"the event is not a JSON object: {_ACCEPTED}")
    match set(event):
        case names if not names:
            return Request("manual", now)
        case names if names == {"scheduled_time"}:
            return Request(
                "schedule", _intended_time(event["scheduled_time"], "scheduled_time", now)
            )
        case names if names == {"interval_start", "interval_end"}:
            interval = Interval(
                _day(event["interval_start"], "interval_start"),
                _day(event["interval_end"], "interval_end"),
            )
            return Request("interval", now, interval)
        case names if "time" in names and names <= _EVENTBRIDGE_FIELDS:
            return Request("schedule", _intended_time(event["time"], "time", now))
        case names:
            raise SettingsError(f"cannot read an event of {sorted(map(str, names))}: {_ACCEPTED}")


def _intended_time(value: Any, name: str, now: datetime) -> datetime:  # noqa: ANN401
    """Return the time that a schedule intended; raise SettingsError if it is in the future."""
    try:
        intended = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise SettingsError(f"{name} is not a timestamp: {_ACCEPTED}") from None
    if intended.tzinfo is None:
        raise SettingsError(f"{name} has no time zone: {_ACCEPTED}")
    if intended > now + _CLOCK_SKEW:
        raise SettingsError(f"{name} is in the future: {_ACCEPTED}")
    return intended.astimezone(UTC)


def _day(value: Any, name: str) -> Any:  # noqa: ANN401
    """Return the day of an event's field."""
    try:
        return parse_day(value)
    except (TypeError, ValueError):
        raise SettingsError(f"{name} is not a day such as 2026-01-31: {_ACCEPTED}") from None
