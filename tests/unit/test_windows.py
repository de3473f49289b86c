"""Which days a run reads."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anthropic_lake.assets import ASSETS
from anthropic_lake.errors import SettingsError
from anthropic_lake.sync.window import (
    History,
    Window,
    WindowRules,
    due_window,
    interval_window,
    refuse_replay,
)

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


def due(
    now: str,
    last: str | None,
    first: str | None = "2025-01-01",
    start: str | None = "2025-01-01",
    lookback_days: int = 30,
) -> Window:
    """The window of a run, for a history in the lake and a start of it in the settings."""
    history = History(day(first) if last else None, day(last))
    window = due_window(COST, history, at(now), WindowRules(day(start), lookback_days, SETTLE))
    assert window.advances
    return window


def day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


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
    window = due(now, last_synced)
    assert tuple(map(str, (window.start, window.end, window.complete_end))) == expected


def test_the_lookback_does_not_go_behind_the_start_of_history() -> None:
    window = due("2026-11-22T06:00", "2026-11-21", first="2026-11-15", start="2026-11-15")
    assert window.start == date(2026, 11, 15)


def test_a_start_of_history_in_the_future_is_refused() -> None:
    for last in (None, "2026-11-21"):
        with pytest.raises(SettingsError, match="2027-01-01 is in the future: use 2026-11-22"):
            due("2026-11-22T06:00", last, start="2027-01-01")


def test_a_start_of_history_that_would_leave_a_gap_is_refused() -> None:
    with pytest.raises(SettingsError, match="the days from 2026-03-02 on"):
        due("2026-11-22T06:00", "2026-03-01", start="2026-07-01")
    assert due("2026-11-22T06:00", "2026-03-01", start="2026-03-02").start == date(2026, 3, 2)


def test_a_page_of_days_before_the_history_is_read_and_more_are_named() -> None:
    page = due("2026-11-22T06:00", "2026-11-21", first="2026-02-01", start="2026-01-01")
    more = due("2026-11-22T06:00", "2026-11-21", first="2026-02-02", start="2026-01-01")
    assert (page.start, page.not_read) == (date(2026, 1, 1), None)
    assert more.start == date(2026, 10, 23)
    assert more.not_read == (date(2026, 1, 1), date(2026, 2, 2))


def test_nobody_who_said_no_start_is_told_of_days_before_the_history() -> None:
    assert due("2026-11-22T06:00", "2026-11-21", first="2026-02-02", start=None).not_read is None
    assert due("2026-11-22T06:00", None, start=None).start == date(2025, 1, 1)


def test_segments_are_pieces_of_the_window_and_today_stands_alone() -> None:
    window = due("2026-11-22T06:00", "2026-11-21", lookback_days=40)
    assert list(window.segments(31)) == [
        (date(2026, 10, 13), date(2026, 11, 13)),
        (date(2026, 11, 13), date(2026, 11, 22)),
        (date(2026, 11, 22), date(2026, 11, 23)),
    ]


def test_no_lookback_reads_only_what_is_new() -> None:
    window = due("2026-11-22T06:00", "2026-11-21", lookback_days=0)
    assert window.start == date(2026, 11, 22)


@pytest.mark.parametrize(
    ("now", "history", "start", "lookback_days", "expected"),
    [
        # a short lookback
        ("2026-11-22T06:00", ("2025-01-01", "2026-11-21"), "2025-01-01", 0, "2026-11-01"),
        ("2026-11-01T00:30", ("2025-01-01", "2026-10-30"), "2025-01-01", 0, "2026-10-31"),
        ("2026-12-01T06:00", ("2025-01-01", "2026-11-30"), "2025-01-01", 0, "2026-12-01"),
        # a long one, and new days
        ("2026-11-22T06:00", ("2025-01-01", "2026-11-21"), "2025-01-01", 30, "2026-10-23"),
        ("2026-11-22T06:00", ("2025-01-01", "2026-03-01"), "2025-01-01", 3, "2026-03-02"),
        # a history that begins in the month, or would do so
        ("2026-11-22T06:00", ("2026-11-15", "2026-11-21"), "2026-11-15", 30, "2026-11-01"),
        ("2026-11-22T06:00", ("2026-11-15", "2026-11-21"), None, 3, "2026-11-01"),
        ("2026-11-22T06:00", (None, None), "2026-11-15", 3, "2026-11-01"),
        ("2026-11-22T06:00", (None, None), "2026-09-15", 3, "2026-09-15"),
        ("2026-11-22T06:00", (None, None), None, 3, "2025-01-01"),
        # a watermark ahead of the clock
        ("2026-11-22T06:00", ("2025-01-01", "2027-01-01"), "2025-01-01", 0, "2026-11-01"),
    ],
)
def test_a_run_that_watches_the_spend_reads_the_whole_month(
    now: str,
    history: tuple[str | None, str | None],
    start: str | None,
    lookback_days: int,
    expected: str,
) -> None:
    rules = WindowRules(day(start), lookback_days, SETTLE, whole_month=True)
    window = due_window(COST, History(*map(day, history)), at(now), rules)
    assert (str(window.start), window.not_read) == (expected, None)


def test_the_whole_month_is_read_beside_older_days_that_are_not() -> None:
    history = History(date(2026, 11, 15), date(2026, 11, 21))
    rules = WindowRules(date(2026, 1, 1), 3, SETTLE, whole_month=True)
    window = due_window(COST, history, at("2026-11-22T06:00"), rules)
    assert window.start == date(2026, 11, 1)
    assert window.not_read == (date(2026, 1, 1), date(2026, 11, 1))


def test_a_snapshot_reads_the_intended_day_only() -> None:
    now = at("2026-11-22T06:00")
    history = History(date(2026, 1, 1), date(2026, 1, 1))
    window = due_window(USERS, history, now, WindowRules(None, 30, SETTLE))
    today = now.date()
    assert window == Window(today, today + ONE_DAY, today, today + ONE_DAY, advances=True)


@given(
    now=moments,
    last=st.none() | days,
    history_days=st.integers(0, 400),
    lookback=st.integers(0, 400),
    settle=st.integers(0, 72),
)
def test_a_due_window_skips_no_day_and_never_counts_an_open_one_as_complete(
    now: datetime, last: date | None, history_days: int, lookback: int, settle: int
) -> None:
    first = last and last - timedelta(days=history_days)
    rules = WindowRules(None, lookback, timedelta(hours=settle))
    window = due_window(COST, History(first, last), now, rules)
    assert window.end == now.date() + ONE_DAY == window.today + ONE_DAY
    if last is None:
        assert window.start == min(date(2025, 1, 1), now.date())
    else:
        assert window.start <= last + ONE_DAY
    ends = datetime.combine(window.complete_end, datetime.min.time(), UTC)
    assert ends + timedelta(hours=settle) <= now
    assert window.complete_end - ONE_DAY < now.date()


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
        ("1926-01-01", "2026-02-01", "too early: use 2023-01-01"),
    ],
)
def test_a_reversed_empty_or_future_interval_is_refused(start: str, end: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        interval(start, end)


def test_an_interval_of_a_snapshot_is_refused() -> None:
    now = at("2026-11-22T06:00")
    with pytest.raises(SettingsError, match="users is a snapshot"):
        interval_window(USERS, date(2026, 1, 1), date(2026, 2, 1), now, settle=SETTLE)


@pytest.mark.parametrize("hours", [-5000, -25, 25])
def test_a_snapshot_of_another_day_is_refused(hours: int) -> None:
    now = at("2026-11-22T06:00")
    with pytest.raises(SettingsError, match="would replace that day's snapshot"):
        refuse_replay(USERS, now + timedelta(hours=hours), now)


def test_a_late_snapshot_and_a_replayed_report_are_taken() -> None:
    now = at("2026-11-22T06:00")
    refuse_replay(USERS, now - timedelta(hours=23), now)
    refuse_replay(COST, now - timedelta(days=200), now)


# --- what the API has

ANALYTICS = ASSETS["analytics_cost"]


def analytics(now: str, last: str | None, start: str | None, lookback_days: int = 30) -> Window:
    """The window of a report of which the API has 365 days, and none before 2026."""
    history = History(day("2026-01-01") if last else None, day(last))
    return due_window(ANALYTICS, history, at(now), WindowRules(day(start), lookback_days, SETTLE))


@pytest.mark.parametrize(
    ("now", "start", "expected", "is_told"),
    [
        ("2026-11-22T06:00", None, "2026-01-01", True),
        ("2026-11-22T06:00", "2024-05-01", "2026-01-01", True),
        ("2026-11-22T06:00", "2026-01-01", "2026-01-01", False),
        ("2026-11-22T06:00", "2026-03-01", "2026-03-01", False),
        ("2027-06-15T06:00", None, "2026-06-16", True),
        ("2027-06-15T06:00", "2027-01-01", "2027-01-01", False),
    ],
)
def test_a_history_begins_where_the_api_has_it_and_the_first_run_says_so(
    now: str, start: str | None, expected: str, *, is_told: bool
) -> None:
    window = analytics(now, None, start)
    assert window.start == date.fromisoformat(expected)
    assert [text[:31] for text in window.warnings] == (
        [f"the history begins on {expected}"[:31]] if is_told else []
    )


def test_no_day_that_is_asked_for_is_older_than_365_days() -> None:
    now = at("2027-06-15T00:00:01")
    start = analytics("2027-06-15T00:00:01", None, None).start
    assert now - datetime.combine(start, datetime.min.time(), UTC) < timedelta(days=365)


def test_later_runs_say_nothing_of_where_the_history_begins() -> None:
    window = analytics("2026-11-22T06:00", "2026-11-21", "2024-01-01")
    assert (window.start, window.warnings, window.not_read) == (date(2026, 10, 23), (), None)


def test_a_lookback_does_not_go_behind_what_the_api_has() -> None:
    window = analytics("2026-01-10T06:00", "2026-01-09", None)
    assert window.start == date(2026, 1, 1)


def test_days_that_the_api_has_no_more_are_lost_and_named_and_the_run_goes_on() -> None:
    window = analytics("2027-06-15T06:00", "2026-03-01", "2026-01-01")
    assert window.start == date(2026, 6, 16)
    (warning,) = window.warnings
    assert warning.startswith("the days 2026-03-02 to 2026-06-15 are lost")


def test_an_interval_keeps_the_days_that_the_api_has() -> None:
    now = at("2026-11-22T06:00")
    bounds = date(2025, 12, 1), date(2026, 2, 1)
    window = interval_window(ANALYTICS, *bounds, now, settle=SETTLE)
    assert (window.start, window.end) == (date(2026, 1, 1), date(2026, 2, 1))
    (warning,) = window.warnings
    assert warning.startswith("the days 2025-12-01 to 2025-12-31 cannot be read")


def test_an_interval_before_what_the_api_has_is_empty() -> None:
    """Not an error: a month of a backfill of several reports."""
    now = at("2026-11-22T06:00")
    window = interval_window(ANALYTICS, date(2025, 1, 1), date(2025, 2, 1), now, settle=SETTLE)
    assert list(window.segments(31)) == []
    assert "the days 2025-01-01 to 2025-01-31 cannot be read" in window.warnings[0]
