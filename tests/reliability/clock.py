"""A clock that stands still until somebody waits: hours of back-off pass in no time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """The time of one plan, shared by everything in it.

    Args:
        start: When it begins, UTC.
    """

    def __init__(self, start: datetime) -> None:
        assert start.tzinfo is UTC
        self._start = start
        self._seconds = 0.0

    def monotonic(self) -> float:
        """Seconds since the beginning."""
        return self._seconds

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._seconds)

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0, f"a wait of {seconds} seconds"
        self._seconds += seconds
