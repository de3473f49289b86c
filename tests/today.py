"""The present, for tests of what reads the machine's clock: a lake is not written by another."""

from datetime import UTC, datetime, timedelta

_SETTLED = 2  # hours after midnight: yesterday is complete


def schedule_of_today() -> datetime:
    """Return a moment that a schedule may have meant now, at whatever time the tests run."""
    now = datetime.now(UTC).replace(microsecond=0)
    return now if now.hour >= _SETTLED else now - timedelta(hours=_SETTLED + 1)
