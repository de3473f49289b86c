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

from anthropic_lake.assets import ASSETS, Asset
from anthropic_lake.errors import ApiError, BadRequest, StorageError
from anthropic_lake.lake.layout import object_key
from anthropic_lake.sync.days import Job, sync
from anthropic_lake.sync.runs import Run
from anthropic_lake.sync.window import interval_window, scheduled_window
from tests.unit.fakes import Asked, MemoryLake, MemoryWatermark, Reply, refusal, talk

ONE_DAY = timedelta(days=1)
SETTLE = timedelta(hours=2)
HISTORY_START = date(2026, 10, 1)
LOOKBACK_DAYS = 3
COST, CLAUDE_CODE, USERS = (ASSETS[name] for name in ("cost_report", "claude_code_usage", "users"))
DATED = pytest.mark.parametrize("asset", [COST, CLAUDE_CODE], ids=lambda asset: asset.name)


@dataclass
class World:
    """An API that holds a number for each day, a lake, a watermark, and the time."""

    asset: Asset
    now: datetime = datetime(2026, 10, 5, 6, tzinfo=UTC)
    held: dict[date, int] = field(default_factory=dict)
    lake: MemoryLake = field(default_factory=MemoryLake)
    watermark: MemoryWatermark = field(default_factory=MemoryWatermark)
    fails_at: date | None = None
    asked: list[Asked] = field(default_factory=list)
    refuses_open_day: int | None = None

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
        window = scheduled_window(
            self.asset,
            self.watermark.get(self.asset.name),
            self.now,
            history_start=HISTORY_START,
            lookback_days=LOOKBACK_DAYS,
            settle=SETTLE,
        )
        return self._sync(window, time_left)

    def interval(self, start: date, end: date) -> Run:
        return self._sync(interval_window(self.asset, start, end, self.now, settle=SETTLE))

    def _sync(self, window: Any, time_left: Callable[[], float] = lambda: float("inf")) -> Run:
        run = Run("1", self.asset.name, "schedule", self.now)
        run.last_synced_date = self.watermark.get(self.asset.name)
        api = talk(self.answer, asset=self.asset.name).api
        sync(Job(self.asset, window, api, self.lake, self.watermark, run, time_left))
        return run

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
        before = world.watermark.get(asset.name)
        with suppress(StorageError, ApiError):
            world.sync(time_left=_running_out(days_left))
        _promises_hold(world, before)
    world.lake.fails_at = world.fails_at = None
    run = world.sync()
    assert run.status == "succeeded"
    assert run.last_synced_date == world.watermark.get(asset.name) == world.last_complete
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
    watermark = world.watermark.get(world.asset.name)
    assert world.watermark.history == sorted(set(world.watermark.history))
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
    assert world.watermark.get(asset.name) == date(2026, 10, 4)
    assert (run.days_written, run.days_changed, run.status) == (5, 5, "succeeded")
    assert run.days_behind == 0


@DATED
def test_a_day_that_has_not_settled_is_written_and_not_counted_as_complete(asset: Asset) -> None:
    world = World(asset, now=datetime(2026, 10, 5, 1, 59, tzinfo=UTC), held={date(2026, 10, 4): 7})
    world.sync()
    assert world.in_lake(date(2026, 10, 4)) == 7
    assert world.watermark.get(asset.name) == date(2026, 10, 3)


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
    assert world.watermark.get(asset.name) == date(2026, 10, 4)
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
    assert world.watermark.get(asset.name) == date(2026, 10, 4)


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
    assert world.watermark.get(asset.name) == date(2026, 10, 4)


@DATED
def test_an_interval_leaves_the_watermark_alone(asset: Asset) -> None:
    world = World(asset, held={date(2026, 10, 2): 3})
    run = world.interval(date(2026, 10, 2), date(2026, 10, 4))
    assert world.watermark.history == []
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
    assert world.watermark.get(asset.name) == date(2026, 10, 3)
    assert world.sync().status == "succeeded"
    assert world.watermark.get(asset.name) == date(2026, 10, 4)


@DATED
def test_a_run_whose_last_day_ends_with_its_time_is_complete(asset: Asset) -> None:
    world = World(asset)
    world.sync()
    world.now += timedelta(minutes=5)
    assert world.interval(date(2026, 10, 2), date(2026, 10, 3)).status == "succeeded"


def test_a_snapshot_is_one_partition_of_its_day() -> None:
    user = {"id": "user_1", "email": "a@example.com"}
    page = {"data": [user], "has_more": False, "last_id": "user_1", "first_id": "user_1"}
    lake, watermark = MemoryLake(), MemoryWatermark()
    now = datetime(2026, 10, 5, 6, tzinfo=UTC)
    window = scheduled_window(
        USERS, None, now, history_start=HISTORY_START, lookback_days=0, settle=SETTLE
    )
    run = Run("1", "users", "schedule", now)
    api = talk(lambda _asked: Reply(page)).api
    sync(Job(USERS, window, api, lake, watermark, run))
    assert list(lake.objects) == ["asset=users/date=2026-10-05/users.parquet"]
    assert watermark.get("users") == date(2026, 10, 5)
    assert run.days_behind == 0


def test_a_report_that_ends_before_its_window_empties_no_day() -> None:
    world = World(COST, held={date(2026, 10, 2): 2})
    world.sync()
    cut = talk(lambda _asked: _page([]), asset=COST.name).api
    window = interval_window(COST, date(2026, 10, 2), date(2026, 10, 4), world.now, settle=SETTLE)
    run = Run("2", COST.name, "interval", world.now)
    with suppress(ApiError):
        sync(Job(COST, window, cut, world.lake, world.watermark, run))
    assert world.in_lake(date(2026, 10, 2)) == 2
