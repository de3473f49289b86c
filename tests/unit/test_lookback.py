"""A lookback that is too long for one run is spread over several, and no day waits for a week."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from anthropic_lake.assets import ASSETS
from anthropic_lake.lake.ledger import Ledger
from anthropic_lake.lake.watermark import Watermarks
from anthropic_lake.sync.days import sync
from anthropic_lake.sync.lookback import ranges, spread
from anthropic_lake.sync.runs import Run
from anthropic_lake.sync.window import History, Window, WindowRules, due_window
from anthropic_lake.sync.writer import Job
from anthropic_lake.utc import midnight
from tests.unit.fakes import Asked, MemoryLake, MemoryState, Reply, talk

CLAUDE_CODE, COST = ASSETS["claude_code_usage"], ASSETS["analytics_cost"]
ONE_DAY = timedelta(days=1)
RUN_SECONDS = 900.0


class World:
    """A lake of Claude Code, an API that takes its time for each day, and the time itself."""

    def __init__(self, lookback_days: int, seconds_a_day: float = 100.0) -> None:
        self.now = datetime(2026, 10, 30, 6, tzinfo=UTC)
        self.lookback_days = lookback_days
        self.history_start = date(2026, 10, 1)
        self.seconds_a_day = seconds_a_day
        self.restated = 0
        self.lake, self.state = MemoryLake(), MemoryState()
        self.asked: list[date] = []
        self.is_first = True
        self.api = talk(self._answer, asset=CLAUDE_CODE.name).api

    def _answer(self, asked: Asked) -> Reply:
        day = date.fromisoformat(asked.query["starting_at"][0])
        self.asked.append(day)
        if not self.is_first:
            self.now += timedelta(seconds=self.seconds_a_day)
        record: dict[str, Any] = {"date": f"{day}T00:00:00Z", "terminal_type": str(self.restated)}
        return Reply({"data": [record], "has_more": False, "next_page": None})

    @property
    def watermarks(self) -> Watermarks:
        return Watermarks(self.state)

    def window(self) -> Window:
        history = History(*(which(CLAUDE_CODE.name) for which in _both(self.watermarks)))
        rules = WindowRules(self.history_start, self.lookback_days, timedelta(hours=2))
        window = due_window(CLAUDE_CODE, history, self.now, rules)
        if history.last is None:
            return window
        entries = Ledger(self.lake, CLAUDE_CODE.name).entries(window.start, history.last + ONE_DAY)
        return spread(window, history.last, entries, RUN_SECONDS / 2 / self.seconds_a_day)

    def run(self) -> Run:
        """A run of 900 seconds in which each day takes its time; the first run takes none."""
        self.asked.clear()
        window, started = self.window(), self.now
        run = Run("1", CLAUDE_CODE.name, "schedule", self.now)
        history = History(*(which(CLAUDE_CODE.name) for which in _both(self.watermarks)))
        job = Job(
            asset=CLAUDE_CODE,
            window=window,
            history=history,
            api=self.api,
            admit=lambda: None,
            lake=self.lake,
            watermarks=self.watermarks,
            run=run,
            clock=lambda: self.now,
            time_left=lambda: RUN_SECONDS - (self.now - started).total_seconds(),
        )
        sync(job)
        self.is_first = False
        return run

    def next_day(self) -> None:
        """Go on to six o'clock of the next day."""
        self.now = midnight(self.now.date() + ONE_DAY) + timedelta(hours=6)


def _both(watermarks: Watermarks) -> tuple[Any, Any]:
    return watermarks.first, watermarks.last


def test_a_short_lookback_is_read_as_a_whole_and_first() -> None:
    world = World(lookback_days=3)
    world.run()
    world.next_day()
    run = world.run()
    days = [date(2026, 10, 28), date(2026, 10, 29), date(2026, 10, 30), date(2026, 10, 31)]
    assert world.asked == days
    assert run.warnings == []


def test_a_long_lookback_follows_the_new_days_and_takes_half_of_the_run() -> None:
    """New are yesterday and today; then two days have time, until half of the run is gone."""
    world = World(lookback_days=20)
    world.run()
    world.next_day()
    run = world.run()
    new, oldest = [date(2026, 10, 30), date(2026, 10, 31)], date(2026, 10, 11)
    assert world.asked == [*new, *(oldest + number * ONE_DAY for number in range(3))]
    assert (run.status, run.last_synced_date) == ("succeeded", date(2026, 10, 30))
    assert run.days_behind == 0


def test_runs_take_turns_with_the_days_that_were_read_longest_ago() -> None:
    world = World(lookback_days=12)
    world.run()
    read: list[date] = []
    for _ in range(4):
        world.next_day()
        world.run()
        read += world.asked[2:]
    assert read == sorted(set(read))


def test_every_day_is_read_again_once_a_week_or_the_run_says_how_to_have_it() -> None:
    world = World(lookback_days=14)
    world.run()
    last_read: dict[date, datetime] = {}
    warnings: list[str] = []
    for _ in range(21):
        world.next_day()
        warnings += world.run().warnings
        last_read |= dict.fromkeys(world.asked, world.now)
    lookback = [world.now.date() - number * ONE_DAY for number in range(1, 15)]
    assert all(world.now - last_read[day] <= timedelta(days=7, hours=1) for day in lookback)
    assert warnings == []


def test_a_lookback_that_takes_more_than_a_week_is_told_with_the_settings_that_help() -> None:
    world = World(lookback_days=20, seconds_a_day=280)
    world.run()
    for _ in range(12):
        world.next_day()
        run = world.run()
    (warning,) = run.warnings
    assert "were last read more than 7 days ago" in warning
    assert warning.endswith("lower LOOKBACK_DAYS, or raise REQUESTS_PER_MINUTE")
    assert run.status == "succeeded"


def test_a_day_before_the_history_is_part_of_it_though_a_spread_lookback_has_read_it() -> None:
    world = World(lookback_days=40)
    world.run()
    world.next_day()
    world.history_start = date(2026, 9, 30)
    world.run()
    assert date(2026, 9, 30) in world.asked
    assert world.watermarks.first(CLAUDE_CODE.name) == date(2026, 9, 30)
    (entry,) = (
        Ledger(world.lake, CLAUDE_CODE.name).entries(date(2026, 9, 30), date(2026, 10, 1)).values()
    )
    assert entry.in_history


def test_what_is_read_again_late_is_a_restatement_like_any_other() -> None:
    world = World(lookback_days=20)
    world.run()
    world.restated = 1
    world.next_day()
    world.run()
    entry = Ledger(world.lake, CLAUDE_CODE.name).entries(date(2026, 10, 11), date(2026, 10, 12))
    assert entry[date(2026, 10, 11)].times_changed == 1


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([], []),
        ([1], [(1, 2)]),
        ([1, 2, 3], [(1, 4)]),
        ([2, 1], [(2, 3), (1, 2)]),
        ([5, 6, 1, 2, 9], [(5, 7), (1, 3), (9, 10)]),
    ],
)
def test_days_that_follow_each_other_are_read_together(
    numbers: list[int], expected: list[tuple[int, int]]
) -> None:
    found = ranges(date(2026, 1, number) for number in numbers)
    assert [(start.day, end.day) for start, end in found] == expected


def test_a_laptop_has_time_for_any_lookback() -> None:
    window = Window(date(2026, 1, 1), date(2026, 2, 2), date(2026, 2, 1), date(2026, 2, 1), True)
    assert spread(window, date(2026, 1, 31), {}, float("inf")) is window
