"""A sync keeps its promises whatever day it is and wherever it crashes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anthropic_lake.api.client import AdminApi
from anthropic_lake.api.connection import Pace
from anthropic_lake.assets import ASSETS, Asset
from anthropic_lake.errors import (
    ApiError,
    BadRequest,
    ContractBroken,
    DeadlineReached,
    StorageError,
)
from anthropic_lake.lake.layout import object_key
from anthropic_lake.lake.ledger import Ledger
from anthropic_lake.lake.objects import Head
from anthropic_lake.lake.watermark import Watermarks
from anthropic_lake.sync.backfill import items
from anthropic_lake.sync.days import sync
from anthropic_lake.sync.runs import Run
from anthropic_lake.sync.window import History, Window, WindowRules, due_window, interval_window
from anthropic_lake.sync.writer import Job
from tests.unit.fakes import Asked, MemoryLake, MemoryState, Reply, refusal, talk

ONE_DAY = timedelta(days=1)
SETTLE = timedelta(hours=2)
HISTORY_START = date(2026, 10, 1)
LOOKBACK_DAYS = 3
COST, CLAUDE_CODE, USERS, MEMBERS = (
    ASSETS[name] for name in ("cost_report", "claude_code_usage", "users", "workspace_members")
)
DATED = pytest.mark.parametrize("asset", [COST, CLAUDE_CODE], ids=lambda asset: asset.name)


@dataclass
class World:
    """An API that holds a number for each day, a lake, a watermark, and the time."""

    asset: Asset
    now: datetime = datetime(2026, 10, 5, 6, tzinfo=UTC)
    held: dict[date, int] = field(default_factory=dict)
    lake: MemoryLake = field(default_factory=MemoryLake)
    state: MemoryState = field(default_factory=MemoryState)
    fails_at: date | None = None
    asked: list[Asked] = field(default_factory=list)
    refuses_open_day: int | None = None
    late_days: int | None = None

    def answer(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        first = date.fromisoformat(asked.query["starting_at"][0][:10])
        last = first
        if "ending_at" in asked.query:
            last = date.fromisoformat(asked.query["ending_at"][0][:10]) - ONE_DAY
        if self.refuses_open_day and last >= self.now.date():
            return refusal(self.refuses_open_day)
        if self.asset is CLAUDE_CODE:
            return self._failing(first) or _page(self._records(first))
        every = [first + number * ONE_DAY for number in range((last - first).days + 1)]
        if self.fails_at in every:
            if self.fails_at == first or "page" in asked.query:
                return refusal(400)
            every = every[: every.index(self.fails_at)]
            return Reply(
                {"data": list(map(self._bucket, every)), "has_more": True, "next_page": "p"}
            )
        if self.late_days:
            last = self.now.date() - (self.late_days + 1) * ONE_DAY
            every = [day for day in every if day <= last]
        return _page(list(map(self._bucket, every)))

    def _failing(self, day: date) -> Reply | None:
        return refusal(400) if day == self.fails_at else None

    def _records(self, day: date) -> list[Any]:
        amount = self.held.get(day)
        if amount is None:
            return []
        cost = {"amount": amount, "currency": "USD"}
        return [{"date": str(day), "model_breakdown": [{"model": "m", "estimated_cost": cost}]}]

    def _bucket(self, day: date) -> Any:
        amount = self.held.get(day)
        results = [] if amount is None else [{"amount": str(amount), "currency": "USD"}]
        start, end = (f"{each}T00:00:00Z" for each in (day, day + ONE_DAY))
        return {"starting_at": start, "ending_at": end, "results": results}

    def sync(self, *, time_left: Callable[[], float] = lambda: float("inf")) -> Run:
        rules = WindowRules(HISTORY_START, LOOKBACK_DAYS, SETTLE)
        return self._sync(due_window(self.asset, self.history, self.now, rules), time_left)

    def interval(self, start: date, end: date) -> Run:
        return self._sync(interval_window(self.asset, start, end, self.now, settle=SETTLE))

    def _sync(self, window: Window, time_left: Callable[[], float] = lambda: float("inf")) -> Run:
        run = Run("1", self.asset.name, "schedule", self.now)
        api = talk(self.answer, asset=self.asset.name).api
        sync(self.job(window, api, run, time_left))
        return run

    def job(
        self,
        window: Window,
        api: AdminApi,
        run: Run,
        time_left: Callable[[], float] = lambda: float("inf"),
    ) -> Job:
        run.last_synced_date = self.watermark
        return Job(
            asset=self.asset,
            window=window,
            history=self.history,
            api=api,
            admit=lambda: None,
            lake=self.lake,
            watermarks=Watermarks(self.state),
            run=run,
            clock=lambda: self.now,
            time_left=time_left,
        )

    @property
    def history(self) -> History:
        watermarks = Watermarks(self.state)
        return History(watermarks.first(self.asset.name), watermarks.last(self.asset.name))

    @property
    def watermark(self) -> date | None:
        return self.history.last

    def in_lake(self, day: date) -> int | None:
        """What the lake holds for a day; -1 where it holds nothing at all."""
        rows = self.lake.rows(self.asset.tables[-1].name, day)
        if rows is None:
            return -1
        (column,) = {"amount_cents", "estimated_cost_amount_cents"} & set(
            self.asset.tables[-1].schema.names
        )
        return int(sum((row[column] for row in rows), Decimal(0))) if rows else None

    @property
    def last_complete(self) -> date:
        return (self.now - SETTLE).date() - ONE_DAY


def _page(records: list[Any]) -> Reply:
    return Reply({"data": records, "has_more": False, "next_page": None})


def each_day(first: date, last: date) -> list[date]:
    return [first + number * ONE_DAY for number in range((last - first).days + 1)]


changes = st.dictionaries(
    st.integers(0, 12).map(lambda number: HISTORY_START + number * ONE_DAY),
    st.none() | st.integers(1, 9),
    max_size=8,
)
steps = st.lists(
    st.tuples(
        st.integers(0, 72),  # hours that pass
        changes,
        st.none() | st.integers(0, 12),  # the put at which the lake fails
        st.none() | st.integers(0, 12),  # the day at which the API fails
        st.none() | st.integers(0, 5),  # the days after which time runs out
    ),
    min_size=1,
    max_size=4,
)


@DATED
@settings(max_examples=40)
@given(steps=steps)
def test_the_watermark_is_never_ahead_of_the_lake_no_day_is_skipped_and_reruns_converge(
    asset: Asset,
    steps: list[tuple[int, Mapping[date, int | None], int | None, int | None, int | None]],
) -> None:
    world = World(asset)
    for hours, changed, disk_fails_at, api_fails_at, days_left in steps:
        world.now += timedelta(hours=hours)
        _change(world, changed)
        world.lake.fails_at = disk_fails_at
        world.fails_at = None if api_fails_at is None else HISTORY_START + api_fails_at * ONE_DAY
        before = world.watermark
        with suppress(StorageError, ApiError):
            world.sync(time_left=_running_out(days_left))
        _promises_hold(world, before)
    world.lake.fails_at = world.fails_at = None
    run = world.sync()
    assert run.status == "succeeded"
    assert run.last_synced_date == world.watermark == world.last_complete
    assert run.days_behind == 0
    again = each_day(run.interval_start or date.min, world.now.date())
    assert [world.in_lake(day) for day in again] == [world.held.get(day) for day in again]
    puts = len(world.lake.puts)
    assert world.sync().days_changed == 0
    assert len(world.lake.puts) == puts


def _change(world: World, changed: Mapping[date, int | None]) -> None:
    """What the API says from now on; days that are over do not change behind the lookback."""
    for day, amount in changed.items():
        if amount is None:
            world.held.pop(day, None)
        else:
            world.held[day] = amount


def _running_out(days_left: int | None) -> Callable[[], float]:
    """Time that is up after some days."""
    asked = iter(range(10**6))
    return lambda: float("inf") if days_left is None or next(asked) < days_left else 0.0


def _promises_hold(world: World, before: date | None) -> None:
    watermark = world.watermark
    assert world.state.history == sorted(set(world.state.history))
    if watermark is None:
        assert before is None
        return
    assert before is None or watermark >= before
    assert watermark <= world.last_complete
    for day in each_day(HISTORY_START, watermark):
        for table in world.asset.tables:
            assert object_key(table.name, day) in world.lake.objects


@DATED
def test_a_first_run_reads_all_of_history_and_today_and_stops_the_watermark_before_today(
    asset: Asset,
) -> None:
    world = World(asset, held={HISTORY_START: 1, date(2026, 10, 5): 2})
    run = world.sync()
    assert [world.in_lake(day) for day in each_day(HISTORY_START, date(2026, 10, 5))] == [
        1,
        None,
        None,
        None,
        2,
    ]
    assert world.watermark == date(2026, 10, 4)
    assert (run.days_written, run.days_changed, run.status) == (5, 5, "succeeded")
    assert run.days_behind == 0


@DATED
def test_a_day_that_has_not_settled_is_written_and_not_counted_as_complete(asset: Asset) -> None:
    world = World(asset, now=datetime(2026, 10, 5, 1, 59, tzinfo=UTC), held={date(2026, 10, 4): 7})
    world.sync()
    assert world.in_lake(date(2026, 10, 4)) == 7
    assert world.watermark == date(2026, 10, 3)


@DATED
def test_the_open_day_is_asked_for_on_its_own_after_the_complete_ones(asset: Asset) -> None:
    world = World(asset)
    world.sync()
    assert world.asked[-1].query["starting_at"][0].startswith("2026-10-05")
    if asset is COST:
        assert [asked.query["ending_at"] for asked in world.asked] == [
            ["2026-10-05T00:00:00Z"],
            ["2026-10-06T00:00:00Z"],
        ]


@DATED
def test_an_open_day_that_is_refused_with_400_is_a_warning(asset: Asset) -> None:
    world = World(asset, refuses_open_day=400)
    run = world.sync()
    assert run.status == "succeeded"
    assert world.watermark == date(2026, 10, 4)
    assert world.in_lake(date(2026, 10, 5)) == -1
    assert any("2026-10-05 was refused" in warning for warning in run.warnings)


@DATED
@pytest.mark.parametrize("status", [401, 402, 403, 404, 410, 413])
def test_an_open_day_that_is_refused_otherwise_fails_the_run_after_the_complete_days(
    asset: Asset, status: int
) -> None:
    world = World(asset, refuses_open_day=status)
    with pytest.raises(ApiError):
        world.sync()
    assert world.watermark == date(2026, 10, 4)


@DATED
def test_a_day_that_fails_leaves_the_days_before_it_safe_and_itself_untouched(
    asset: Asset,
) -> None:
    world = World(asset, held={date(2026, 10, 4): 5})
    world.sync()
    world.held, world.fails_at = {date(2026, 10, 2): 8, date(2026, 10, 4): 9}, date(2026, 10, 4)
    with pytest.raises(BadRequest):
        world.sync()
    assert world.in_lake(date(2026, 10, 2)) == 8
    assert world.in_lake(date(2026, 10, 4)) == 5
    assert world.watermark == date(2026, 10, 4)


@DATED
def test_an_interval_leaves_the_watermark_alone(asset: Asset) -> None:
    world = World(asset, held={date(2026, 10, 2): 3})
    run = world.interval(date(2026, 10, 2), date(2026, 10, 4))
    assert world.state.history == []
    assert [world.in_lake(day) for day in each_day(date(2026, 10, 1), date(2026, 10, 4))] == [
        -1,
        3,
        None,
        -1,
    ]
    assert (run.days_written, run.last_synced_date, run.days_behind) == (2, None, None)


@DATED
def test_a_run_that_is_out_of_time_stops_between_days_and_the_next_goes_on(asset: Asset) -> None:
    world = World(asset, held={HISTORY_START: 1})
    run = world.sync(time_left=_running_out(2))
    assert (run.status, run.days_written, run.days_behind) == ("partial", 3, 1)
    assert world.watermark == date(2026, 10, 3)
    assert world.sync().status == "succeeded"
    assert world.watermark == date(2026, 10, 4)


class Untouchable(MemoryLake):
    """A lake that nobody may look at."""

    def head(self, key: str) -> Head | None:
        raise AssertionError(key)


@DATED
def test_a_run_without_time_looks_at_no_object(asset: Asset) -> None:
    """Heads of a page's days take seconds that it does not have."""
    world = World(asset, lake=Untouchable())
    window = due_window(
        asset, world.history, world.now, WindowRules(HISTORY_START, LOOKBACK_DAYS, SETTLE)
    )
    api = talk(world.answer, asset=asset.name, time_left=lambda: 0).api
    with pytest.raises(DeadlineReached):
        sync(world.job(window, api, Run("1", asset.name, "schedule", world.now)))
    assert world.asked == []


@DATED
def test_a_run_whose_time_ends_within_a_day_keeps_those_before_it(asset: Asset) -> None:
    """A day may take more minutes than are left when it begins."""
    world = World(asset, held={HISTORY_START: 1})
    window = due_window(
        asset, world.history, world.now, WindowRules(HISTORY_START, LOOKBACK_DAYS, SETTLE)
    )

    def time_left() -> float:
        return 0.0 if world.lake.puts else 100.0

    api = talk(world.answer, asset=asset.name, time_left=time_left).api
    run = Run("1", asset.name, "schedule", world.now)
    sync(world.job(window, api, run))
    assert run.status == "partial"
    assert world.watermark == run.last_synced_date
    assert run.last_synced_date is not None
    assert world.sync().status == "succeeded"
    assert world.watermark == date(2026, 10, 4)


@DATED
def test_a_day_that_is_read_again_for_another_run_counts_once(asset: Asset) -> None:
    """The rest of a backfill begins behind the days that are counted."""
    end = HISTORY_START + 4 * ONE_DAY
    world = World(asset, held={HISTORY_START: 1})
    ticks = iter(range(10))

    def time_left() -> float:
        tick = next(ticks)
        if tick == 0:  # the first day is written, and not in the ledger yet
            world.now += timedelta(minutes=1)
            world.held[HISTORY_START] = 2
            world.interval(HISTORY_START, HISTORY_START + ONE_DAY)
        return float("inf") if tick < 2 else 0.0

    window = interval_window(asset, HISTORY_START, end, world.now, settle=SETTLE)
    run = Run("1", asset.name, "interval", world.now)
    sync(world.job(window, talk(world.answer, asset=asset.name).api, run, time_left))
    rows = sum(
        len(world.lake.rows(table.name, day) or ())
        for table in asset.tables
        for day in each_day(HISTORY_START, end)
    )
    assert (run.status, run.days_written, run.days_changed, run.rows) == ("partial", 3, 3, rows)
    (rest,) = items({"run": run.summary()}, None)["items"]
    assert rest["interval_start"] == str(end - ONE_DAY)


@DATED
def test_a_run_whose_last_day_ends_with_its_time_is_complete(asset: Asset) -> None:
    world = World(asset)
    world.sync()
    world.now += timedelta(minutes=5)
    assert world.interval(date(2026, 10, 2), date(2026, 10, 3)).status == "succeeded"


def test_a_snapshot_is_one_partition_of_its_day() -> None:
    user = {"id": "user_1", "email": "a@example.com"}
    page = {"data": [user], "has_more": False, "last_id": "user_1", "first_id": "user_1"}
    world = World(USERS)
    window = due_window(USERS, History(None, None), world.now, WindowRules(None, 0, SETTLE))
    run = Run("1", "users", "schedule", world.now)
    sync(world.job(window, talk(lambda _asked: Reply(page)).api, run))
    assert world.lake.puts == ["asset=users/date=2026-10-05/users.parquet"]
    assert world.history == History(date(2026, 10, 5), date(2026, 10, 5))
    assert run.days_behind == 0


@DATED
def test_a_day_that_cannot_be_kept_hides_no_later_day_and_stops_the_watermark(
    asset: Asset,
) -> None:
    world = World(asset, held={HISTORY_START: 1, date(2026, 10, 2): 10**27, date(2026, 10, 4): 4})
    with pytest.raises(ContractBroken, match="2026-10-02"):
        world.sync()
    assert [world.in_lake(day) for day in each_day(HISTORY_START, date(2026, 10, 5))] == [
        1,
        -1,
        None,
        4,
        None,
    ]
    assert world.watermark == HISTORY_START


@pytest.mark.parametrize("late", [1, 3, 4])
def test_a_report_may_lag_by_three_days_and_the_watermark_stays_before_them(late: int) -> None:
    now = datetime(2026, 10, 8, 6, tzinfo=UTC)
    world = World(COST, now=now, held={date(2026, 10, 1): 1}, late_days=late)
    if late > 3:
        with pytest.raises(ContractBroken, match="4 complete days short"):
            world.sync()
    else:
        run = world.sync()
        assert run.status == "succeeded"
        assert any(f"{late} complete days short" in warning for warning in run.warnings)
        assert (run.days_behind, run.lag_days) == (0, late)
    last = date(2026, 10, 7) - late * ONE_DAY
    assert world.watermark == last
    assert world.in_lake(last) is None
    assert [world.in_lake(day) for day in each_day(last + ONE_DAY, now.date())] == [-1] * (late + 1)
    world.late_days = 0
    assert world.sync().last_synced_date == date(2026, 10, 7)


def test_a_truncated_page_is_a_warning_and_counted() -> None:
    world = World(COST)
    page = _page([world._bucket(date(2026, 10, 2))])
    page.body["truncated"] = True
    run = Run("2", COST.name, "interval", world.now)
    window = interval_window(COST, date(2026, 10, 2), date(2026, 10, 3), world.now, settle=SETTLE)
    api = talk(lambda _asked: page, asset=COST.name).api
    sync(world.job(window, api, run))
    assert (run.unknown_fields, run.answer_fields) == (1, {"page.truncated": True})
    assert run.warnings == ["the API says page.truncated: true"]


@pytest.mark.parametrize("workspaces", [1, 40])
def test_a_fan_out_that_runs_out_of_time_goes_on_where_it_stopped(workspaces: int) -> None:
    world = World(MEMBERS)
    names = [f"wrkspc_{number:04}" for number in range(workspaces)]
    asked: list[str] = []

    def answer(request: Asked) -> Reply:
        if not request.path.endswith("/members"):
            return _page([{"id": name} for name in names])
        asked.append(request.path.split("/")[-2])
        return _page([{"user_id": "user_1", "workspace_id": asked[-1]}])

    api = talk(answer, asset=MEMBERS.name).api
    runs: list[Run] = []
    while not runs or runs[-1].status == "partial":
        window = due_window(MEMBERS, world.history, world.now, WindowRules(None, 0, SETTLE))
        runs.append(Run(str(len(runs)), MEMBERS.name, "schedule", world.now))
        assert not world.lake.puts[: len(runs)] or world.lake.puts[-1].startswith("_progress/")
        sync(world.job(window, api, runs[-1], _running_out(6)))
    assert len(runs) == -(-workspaces // 7)
    assert sorted(asked) == names
    rows = world.lake.rows(MEMBERS.name, world.now.date()) or []
    assert [row["workspace_id"] for row in rows] == names
    asked.clear()
    sync(world.job(window, api, Run("again", MEMBERS.name, "schedule", world.now)))
    assert sorted(asked) == names


def test_a_fan_out_whose_time_ends_within_a_workspace_keeps_the_ones_before_it() -> None:
    world, asked = World(MEMBERS), list[str]()
    names = [f"wrkspc_{number}" for number in range(4)]

    def answer(request: Asked) -> Reply:
        if not request.path.endswith("/members"):
            return _page([{"id": name} for name in names])
        asked.append(request.path.split("/")[-2])
        return _page([{"user_id": "user_1", "workspace_id": asked[-1]}])

    statuses = []
    for pace in (Pace(1, burst=3, clock=lambda: 0), Pace(10**9)):
        api = talk(answer, asset=MEMBERS.name, pace=pace, time_left=lambda: 30.0).api
        window = due_window(MEMBERS, world.history, world.now, WindowRules(None, 0, SETTLE))
        run = Run("1", MEMBERS.name, "schedule", world.now)
        sync(world.job(window, api, run))
        statuses.append(run.status)
    assert statuses == ["partial", "succeeded"]
    assert sorted(asked) == names
    assert len(world.lake.rows(MEMBERS.name, world.now.date()) or []) == 4


def test_a_fan_out_of_another_day_begins_anew() -> None:
    world = World(MEMBERS)
    names = [f"wrkspc_{number}" for number in range(9)]

    def answer(request: Asked) -> Reply:
        if not request.path.endswith("/members"):
            return _page([{"id": name} for name in names])
        return _page([{"user_id": "user_1", "workspace_id": request.path.split("/")[-2]}])

    for time_left in (_running_out(3), lambda: float("inf")):
        api = talk(answer, asset=MEMBERS.name).api
        window = due_window(MEMBERS, world.history, world.now, WindowRules(None, 0, SETTLE))
        sync(world.job(window, api, Run("1", MEMBERS.name, "schedule", world.now), time_left))
        world.now += ONE_DAY
    assert len(world.lake.rows(MEMBERS.name, world.now.date() - ONE_DAY) or []) == 9


def test_an_older_answer_never_stays_over_a_newer_one() -> None:
    """Two runs overlap: the one that asked first writes last."""
    day = date(2026, 10, 2)
    slow, fast = World(COST, held={day: 1}), World(COST, held={day: 2})
    slow.interval(day, day + ONE_DAY)
    fast.lake, fast.state, fast.now = slow.lake, slow.state, slow.now + timedelta(minutes=1)
    slow.held = {day: 3}  # what the API said before it said 2

    def overlap(asked: Asked) -> Reply:
        reply = slow.answer(asked)
        if len(slow.asked) == 2:
            fast.interval(day, day + ONE_DAY)
            slow.held = fast.held
        return reply

    window = interval_window(COST, day, day + ONE_DAY, slow.now, settle=SETTLE)
    run = Run("slow", COST.name, "interval", slow.now)
    sync(slow.job(window, talk(overlap, asset=COST.name).api, run))
    assert len(slow.asked) == 3  # it asked again
    assert slow.in_lake(day) == 2


def test_an_older_answer_to_which_nothing_stood_in_the_way_is_found_by_the_ledger() -> None:
    """The newer run found its rows there already, so no object tells that it was there."""
    day = date(2026, 10, 2)
    slow, fast = World(COST, held={day: 1}), World(COST, held={day: 1})
    slow.interval(day, day + ONE_DAY)
    fast.lake, fast.state, fast.now = slow.lake, slow.state, slow.now + timedelta(minutes=1)
    slow.held = {day: 3}

    def overlap(asked: Asked) -> Reply:
        reply = slow.answer(asked)
        if len(slow.asked) == 2:
            assert fast.interval(day, day + ONE_DAY).days_changed == 0
            slow.held = fast.held
        return reply

    window = interval_window(COST, day, day + ONE_DAY, slow.now, settle=SETTLE)
    run = Run("slow", COST.name, "interval", slow.now)
    sync(slow.job(window, talk(overlap, asset=COST.name).api, run))
    assert slow.in_lake(day) == 1


@DATED
def test_an_interval_before_the_history_makes_it_longer_and_an_island_does_not(
    asset: Asset,
) -> None:
    world = World(asset)
    world.sync()
    assert world.history == History(HISTORY_START, date(2026, 10, 4))
    island, before = date(2026, 8, 1), date(2026, 9, 20)
    world.interval(island, island + ONE_DAY)
    assert world.history.first == HISTORY_START
    world.interval(before, HISTORY_START)
    assert world.history == History(before, date(2026, 10, 4))
    entries = Ledger(world.lake, asset.name).entries(date(2026, 7, 1), date(2026, 11, 1))
    assert {day for day, entry in entries.items() if not entry.in_history} == {island}
    assert all(entry.is_final for day, entry in entries.items() if day < world.now.date())


@DATED
def test_the_ledger_counts_restatements_and_no_other_change(asset: Asset) -> None:
    day = date(2026, 10, 4)
    world = World(asset, now=datetime(2026, 10, 4, 12, tzinfo=UTC))
    for hours, amount in ((0, 1), (6, 2), (10, 3), (10, 3), (10, 4)):
        world.now += timedelta(hours=hours)
        world.held = {day: amount}
        world.sync()
    entry = Ledger(world.lake, asset.name).entries(day, day + ONE_DAY)[day]
    assert entry.times_changed == 1  # from 3 to 4: before, the day was not final
    assert entry.first_read_at == datetime(2026, 10, 4, 12, tzinfo=UTC)
    assert entry.last_changed_at == entry.last_read_at == world.now


def test_a_report_that_ends_before_its_window_empties_no_day() -> None:
    world = World(COST, held={date(2026, 10, 2): 2})
    world.sync()
    cut = talk(lambda _asked: _page([]), asset=COST.name).api
    window = interval_window(COST, date(2026, 10, 2), date(2026, 10, 4), world.now, settle=SETTLE)
    run = Run("2", COST.name, "interval", world.now)
    with suppress(ApiError):
        sync(world.job(window, cut, run))
    assert world.in_lake(date(2026, 10, 2)) == 2
