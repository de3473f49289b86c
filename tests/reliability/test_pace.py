"""What runs at once in a stack stays below the organization's limit of requests a minute.

The load is the worst that the timetable allows: every function asks as fast as it may for all of
its fifteen minutes, and a backfill runs all the while. The requests go through real sockets to the
simulated API; the clock moves on when all that run are asleep.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from anthropic_lake.api.client import AdminApi
from anthropic_lake.api.connection import Connection, Pace
from anthropic_lake.assets import ASSETS
from anthropic_lake.errors import DeadlineReached, RateLimited
from anthropic_lake.settings import Settings, read_settings
from tests.simulator import AdminApiServer, Fault, Organization, Request

KEY = "sk-ant-admin01-simulated"
LIMIT = 100
"""Requests of an organization that the vendor takes in a minute."""
RUN_SECONDS = 900.0
_LATENCY_SECONDS = 0.2
_REFUSAL = Fault(status=429, headers={"retry-after": "10"}, times=None)


class SharedClock:
    """A clock of several threads, which moves on when all of them sleep."""

    def __init__(self) -> None:
        self.now = 0.0
        self._awake = 0
        self._alarms: list[float] = []
        self._condition = threading.Condition()

    def thread(self, run: Callable[[], None]) -> threading.Thread:
        """A thread that is counted among those awake until it ends."""
        self._awake += 1

        def counted() -> None:
            try:
                run()
            finally:
                with self._condition:
                    self._fall_asleep()

        return threading.Thread(target=counted, daemon=True)

    def sleep(self, seconds: float) -> None:
        with self._condition:
            wake = self.now + seconds
            heapq.heappush(self._alarms, wake)
            self._fall_asleep()
            assert self._condition.wait_for(lambda: self.now >= wake, timeout=60)

    def _fall_asleep(self) -> None:
        self._awake -= 1
        if not self._awake and self._alarms:
            self.now = self._alarms[0]
            while self._alarms and self._alarms[0] <= self.now:
                heapq.heappop(self._alarms)
                self._awake += 1
            self._condition.notify_all()


class LimitedApi(AdminApiServer):
    """The simulator with the vendor's limit, by a clock of its own."""

    def __init__(self, clock: SharedClock) -> None:
        super().__init__(Organization.invent(days=1, people=1, workspaces=1), key=KEY)
        self._clock = clock
        self.arrivals: list[float] = []
        self.refused = 0

    def _claim(self, request: Request) -> Fault:
        with self._lock:
            self.arrivals.append(self._clock.now)
            is_over = self.in_last_minute(len(self.arrivals) - 1) > LIMIT
            self.refused += is_over
        return _REFUSAL if is_over else super()._claim(request)

    def in_last_minute(self, number: int) -> int:
        """How many requests came in the minute that ends with one of them."""
        start = self.arrivals[number] - 60
        earlier = itertools.takewhile(lambda then: then > start, reversed(self.arrivals[:number]))
        return 1 + sum(1 for _ in earlier)

    def busiest_minute(self) -> int:
        return max(map(self.in_last_minute, range(len(self.arrivals))))


class Stack:
    """The functions of a stack: what their processes share is the clock and the API."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = SharedClock()
        self.api = LimitedApi(self.clock)

    def container(self, per_minute: float) -> Connection:
        """A process that has just started."""
        pace = Pace(per_minute, clock=lambda: self.clock.now)
        return Connection(lambda: KEY, pace, self.api.url)

    def ask(self, connection: Connection, until: float, most: float = float("inf")) -> None:
        """Ask as fast as the pace allows, until a time or for so many requests."""
        api = AdminApi(
            connection,
            "organization",
            time_left=lambda: until - self.clock.now,
            sleep=self.clock.sleep,
        )
        try:
            while api.requests < most and self.clock.now < until:
                api.get("/v1/organizations/me")
                self.clock.sleep(_LATENCY_SECONDS)
        except (DeadlineReached, RateLimited):
            self.clock.sleep(until - self.clock.now)

    def schedule(self, minute: int) -> None:
        """A function that starts at a minute, and never gets done."""
        self.clock.sleep(minute * 60.0)
        share = self.settings.share_per_minute(is_backfill=False)
        self.run_out_of_time(share)

    def run_out_of_time(self, per_minute: float) -> None:
        """A run that uses all of its time."""
        self.ask(self.container(per_minute), self.clock.now + RUN_SECONDS)

    def backfill(self, months: Iterator[tuple[str, int]], until: float) -> None:
        """One of the items that run at once, and those after it; a report's process stays warm."""
        warm: dict[str, Connection] = {}
        share = self.settings.share_per_minute(is_backfill=True)
        while self.clock.now < until:
            asset, requests = next(months)
            if asset not in warm:
                warm[asset] = self.container(share)
            self.ask(warm[asset], until, requests)

    def run(self, *parts: Callable[[], None]) -> None:
        """Let parts of the stack run at once, to their ends."""
        with self.api:
            threads = [self.clock.thread(part) for part in parts]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(120)
            assert not any(thread.is_alive() for thread in threads)


def a_night(stack: Stack) -> None:
    """All schedules of the hour in which the daily ones start, beside a backfill without end."""
    minutes = [asset.function.schedule_minute for asset in ASSETS.values()]
    until = max(minutes) * 60 + RUN_SECONDS
    reports = [("usage_report", 1), ("cost_report", 1), ("claude_code_usage", 31)]
    months = itertools.cycle(report for report in reports for _ in range(24))
    stack.run(
        *(partial(stack.schedule, minute) for minute in minutes),
        *[partial(stack.backfill, months, until)] * stack.settings.backfill_concurrency,
    )


@pytest.mark.parametrize("concurrency", ["2", pytest.param("10", marks=pytest.mark.slow)])
def test_at_the_defaults_no_request_is_refused_beside_a_backfill(concurrency: str) -> None:
    stack = Stack(read_settings({"BACKFILL_CONCURRENCY": concurrency}))
    a_night(stack)
    assert stack.api.refused == 0
    assert stack.settings.requests_per_minute <= stack.api.busiest_minute() <= LIMIT


def test_at_the_whole_budget_each_they_would_be_refused() -> None:
    """That is, the load above is one that can pass the limit."""
    stack = Stack(read_settings({}))
    stack.run(*[partial(stack.run_out_of_time, stack.settings.requests_per_minute)] * 3)
    assert stack.api.refused > 0
