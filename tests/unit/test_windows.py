"""Which days a run reads."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anthropic_lake.assets import ASSETS
from anthropic_lake.errors import SettingsError
from anthropic_lake.sync.window import Window, interval_window, scheduled_window

COST, USERS = ASSETS["cost_report"], ASSETS["users"]
ONE_DAY = timedelta(days=1)
SETTLE = timedelta(hours=2)
days = st.dates(date(2024, 1, 1), date(2028, 1, 1))
moments = st.datetimes(
    datetime(2024, 1, 1),  # noqa: DTZ001  hypothesis wants naive bounds
    datetime(2028, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def scheduled(
    now: str, last_synced: str | None, history_start: str = "2025-01-01", lookback_days: int = 30
) -> tuple[str, str, str]:
    """The first day, the day after the last, and the day after the last complete one."""
    last = date.fromisoformat(last_synced) if last_synced else None
    window = scheduled_window(
        COST,
        last,
        at(now),
        history_start=date.fromisoformat(history_start),
        lookback_days=lookback_days,
        settle=SETTLE,
    )
    assert window.advances
    return str(window.start), str(window.end), str(window.complete_end)


@pytest.mark.parametrize(
    ("now", "last_synced", "expected"),
    [
        # nothing yet: from the start of history
        ("2026-11-22T06:00", None, ("2025-01-01", "2026-11-23", "2026-11-22")),
        # up to date: the lookback
        ("2026-11-22T06:00", "2026-11-21", ("2026-10-23", "2026-11-23", "2026-11-22")),
        # long asleep: the day after the watermark
        ("2026-11-22T06:00", "2026-03-01", ("2026-03-02", "2026-11-23", "2026-11-22")),
        # yesterday has not settled
        ("2026-11-22T01:59", "2026-11-20", ("2026-10-23", "2026-11-23", "2026-11-21")),
        ("2026-11-22T02:00", "2026-11-20", ("2026-10-23", "2026-11-23", "2026-11-22")),
        # a watermark ahead of the clock
        ("2026-11-22T06:00", "2027-01-01", ("2026-10-23", "2026-11-23", "2026-11-22")),
    ],
)
def test_a_scheduled_run_reads_new_days_and_the_lookback(
    now: str, last_synced: str | None, expected: tuple[str, str, str]
) -> None:
    assert scheduled(now, last_synced) == expected


def test_the_lookback_does_not_go_behind_the_start_of_history() -> None:
    start, _, _ = scheduled("2026-11-22T06:00", "2026-11-21", history_start="2026-11-15")
    assert start == "2026-11-15"


def test_a_start_of_history_in_the_future_reads_today() -> None:
    start, end, _ = scheduled("2026-11-22T06:00", None, history_start="2027-01-01")
    assert (start, end) == ("2026-11-22", "2026-11-23")


def test_no_lookback_reads_only_what_is_new() -> None:
    start, _, _ = scheduled("2026-11-22T06:00", "2026-11-21", lookback_days=0)
    assert start == "2026-11-22"


def test_a_snapshot_reads_the_intended_day_only() -> None:
    now = at("2026-11-22T06:00")
    window = scheduled_window(
        USERS, date(2026, 1, 1), now, history_start=date.min, lookback_days=30, settle=SETTLE
    )
    today = now.date()
    assert window == Window(today, today + ONE_DAY, today, today + ONE_DAY, advances=True)


@given(
    now=moments,
    last_synced=st.none() | days,
    history_start=days,
    lookback=st.integers(0, 400),
    settle=st.integers(0, 72),
)
def test_a_scheduled_window_skips_no_day_and_never_counts_an_open_one_as_complete(
    now: datetime, last_synced: date | None, history_start: date, lookback: int, settle: int
) -> None:
    window = scheduled_window(
        COST,
        last_synced,
        now,
        history_start=history_start,
        lookback_days=lookback,
        settle=timedelta(hours=settle),
    )
    assert window.start < window.end == now.date() + ONE_DAY == window.today + ONE_DAY
    if last_synced is None:
        assert window.start == min(history_start, now.date())
    else:
        assert window.start <= max(history_start, last_synced + ONE_DAY)
    last_complete = window.complete_end - ONE_DAY
    ends = datetime.combine(window.complete_end, datetime.min.time(), UTC)
    assert ends + timedelta(hours=settle) <= now
    assert last_complete < now.date()


# --- intervals


def interval(start: str, end: str, now: str = "2026-11-22T06:00") -> Window:
    days = date.fromisoformat(start), date.fromisoformat(end)
    return interval_window(COST, *days, at(now), settle=SETTLE)


def test_an_interval_is_read_as_it_is_and_leaves_the_watermark_alone() -> None:
    window = interval("2026-01-01", "2026-02-01")
    assert (window.start, window.end) == (date(2026, 1, 1), date(2026, 2, 1))
    assert not window.advances


def test_an_interval_may_end_with_today() -> None:
    assert interval("2026-11-22", "2026-11-23").end == date(2026, 11, 23)


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        ("2026-02-01", "2026-01-01", "not after"),
        ("2026-02-01", "2026-02-01", "not after"),
        ("2026-11-22", "2026-11-24", "in the future"),
        ("2027-01-01", "2027-02-01", "in the future"),
    ],
)
def test_a_reversed_empty_or_future_interval_is_refused(start: str, end: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        interval(start, end)


def test_an_interval_of_a_snapshot_is_refused() -> None:
    now = at("2026-11-22T06:00")
    with pytest.raises(SettingsError, match="users is a snapshot"):
        interval_window(USERS, date(2026, 1, 1), date(2026, 2, 1), now, settle=SETTLE)
