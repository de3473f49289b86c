"""One process of the extractor, as it would be in Lambda: it can be warm, slow, cut off or killed.

The Admin API is asked through real sockets; what a socket does by waiting (refused, timed out) is
done here, so that a time-out of sixty seconds takes no time.
"""

from __future__ import annotations

import random
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

import requests
import urllib3
from requests.adapters import HTTPAdapter

from anthropic_lake.api.connection import Connection, Pace
from anthropic_lake.assets import Asset
from anthropic_lake.aws import secret_reader
from anthropic_lake.errors import Terminated
from anthropic_lake.lake.aws import S3Lake, SsmState
from anthropic_lake.settings import Settings
from anthropic_lake.sync.extractor import Extractor
from anthropic_lake.sync.ownership import Place
from anthropic_lake.sync.request import Request, read_event
from anthropic_lake.sync.runs import Run
from tests.reliability.clock import Clock
from tests.reliability.cloud import BUCKET, Clients, Cloud

NETWORK_FAULTS = ("refused", "connect time-out", "read time-out", "body time-out", "slow")
_LATENCY = 0.15
_SLOW = 25.0
_NOBODY = "http://127.0.0.1:1/"
DEFAULT_PREFIX = "/anthropic-lake/lake"
"""Where the watermarks are of a lake for which nobody chose a prefix."""


class Killed(BaseException):
    """SIGKILL: nothing that the process would still do has an effect."""


@dataclass
class Network:
    """What goes wrong on the way to the Admin API, by the number of the plan's request."""

    faults: dict[int, str] = field(default_factory=dict)
    happened: Callable[[str], None] = lambda _kind: None
    sent: int = 0

    def claim(self) -> str | None:
        self.sent += 1
        kind = self.faults.get(self.sent)
        if kind is not None:
            self.happened(f"api: {kind}")
        return kind


class Baton:
    """Lets one thread run, and another after each effect: any interleaving, by a seed.

    Args:
        seed: Draws who goes on.
        runners: All threads.
        hold: The answer of the API that the first one does not get before the others have ended.
        held: Called when it is held.
    """

    def __init__(
        self,
        seed: int,
        runners: list[Sandbox],
        hold: int | None = None,
        held: Callable[[], None] = lambda: None,
    ) -> None:
        self._rng = random.Random(seed)
        self._running = list(runners)
        self._condition = threading.Condition()
        self._hold, self._held = hold, held
        self._held_back = runners[0]
        self._answers = 0
        self._holder: Sandbox | None = runners[0] if hold else self._rng.choice(self._running)

    def wait(self, me: Sandbox) -> None:
        with self._condition:
            assert self._condition.wait_for(lambda: self._holder is me, timeout=60)

    def pass_on(self, me: Sandbox, effect: str) -> None:
        with self._condition:
            self._holder = self._next(me, effect)
            self._condition.notify_all()
        self.wait(me)

    def _next(self, me: Sandbox, effect: str) -> Sandbox:
        if self._hold is None:
            return self._rng.choice(self._running)
        if me is self._held_back and effect == "after api":
            self._answers += 1
            if self._answers == self._hold and len(self._running) > 1:
                self._held()
                return next(other for other in self._running if other is not me)
        return me

    def leave(self, me: Sandbox) -> None:
        with self._condition:
            self._running.remove(me)
            self._holder = self._rng.choice(self._running) if self._running else None
            self._condition.notify_all()


@dataclass(frozen=True)
class Outcome:
    """How an invocation ended.

    Attributes:
        run: The record that the caller holds.
        error: What was raised.
        trace: Its traceback, as it would be logged.
        left: Seconds that were left, negative when it ran beyond its time.
    """

    run: Run
    error: BaseException | None
    trace: str
    left: float


class Sandbox:
    """A process: its clients, its connection, its pace.

    Args:
        settings: The settings of the function.
        clock: The true time.
        cloud: Its account.
        network: Its way to the API.
        bucket: The bucket of its lake.
        skew: How far its clock is ahead.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        cloud: Cloud,
        network: Network,
        *,
        bucket: str = BUCKET,
        skew: timedelta = timedelta(),
    ) -> None:
        self.clock = clock
        self.network = network
        self.requested: list[float] = []
        self.effects: list[str] = []
        self.kill_at: int | None = None
        self.terminate_at: int | None = None
        self.skew = skew
        self.baton: Baton | None = None
        self._dead = False
        clients = cast("Any", Clients(cloud, self))
        pace = Pace(settings.requests_per_minute, clock=clock.monotonic)
        self.connection = Connection(secret_reader(clients, "arn"), pace, settings.base_url)
        self.connection.http.trust_env = False  # loopback only; proxies have tests of their own
        self.connection.http.mount("http://", _Wire(self))
        self.extractor = Extractor(
            settings,
            self.connection,
            Place(
                "s3://lake",
                S3Lake(clients, bucket),
                lambda prefix: SsmState(clients, prefix or ""),
                default_prefix=DEFAULT_PREFIX,
                chosen_prefix=settings.state_prefix,
            ),
            clock=self.now,
            sleep=clock.sleep,
        )

    def lives(self, settings: Settings, skew: timedelta) -> bool:
        """Whether it can be invoked once more, with these settings."""
        ended = self.kill_at is not None or self.terminate_at is not None
        return not ended and (settings, skew) == (self.extractor.settings, self.skew)

    def now(self) -> datetime:
        """The time by its own clock."""
        return self.clock.now() + self.skew

    def effect(self, name: str) -> None:
        """A moment at which the process may die, and another one may run."""
        if self.baton is not None:
            self.baton.pass_on(self, name)
        if self._dead:
            raise Killed(self.effects[-1])
        self.effects.append(name)
        if len(self.effects) == self.kill_at:
            self._dead = True
            raise Killed(name)
        if len(self.effects) == self.terminate_at:
            raise Terminated(name)

    def invoke(self, asset: Asset, event: Mapping[str, str], remaining: float) -> Outcome:
        """Run once, with some seconds to go."""
        end = self.clock.monotonic() + remaining
        run = self.extractor.new_run(asset, Request("manual", self.now()))
        error: BaseException | None = None
        trace = ""
        try:
            request = read_event(event, self.now())
            run = self.extractor.new_run(asset, request)
            self.extractor.run(asset, request, run, time_left=lambda: end - self.clock.monotonic())
        except BaseException as raised:  # noqa: BLE001  it is what is looked at
            error, trace = raised, "".join(traceback.format_exception(raised))
        return Outcome(run, error, trace, end - self.clock.monotonic())

    def close(self) -> None:
        self.connection.http.close()


class _Wire(HTTPAdapter):
    """The way to the API: real sockets, and faults that would take time."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__()
        self._sandbox = sandbox

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Any:
        sandbox = self._sandbox
        sandbox.effect("before api")
        sandbox.requested.append(sandbox.clock.monotonic())
        fault = sandbox.network.claim()
        connect, read = kwargs["timeout"]
        if fault == "refused":
            request.url = _NOBODY
        elif fault == "connect time-out":
            sandbox.clock.sleep(connect)
            raise requests.ConnectTimeout
        elif fault == "read time-out" or (fault == "slow" and read < _SLOW):
            sandbox.clock.sleep(read)
            raise requests.ReadTimeout
        sandbox.clock.sleep(_SLOW if fault == "slow" else _LATENCY)
        response = super().send(request, *args, **kwargs)
        try:
            sandbox.effect("after api")
        except (Killed, Terminated):
            response.close()
            raise
        if fault == "body time-out":
            response.raw = _Stalling(response.raw, lambda: sandbox.clock.sleep(read))
        return response


class _Stalling:
    """A body that stops coming after its first bytes."""

    def __init__(self, raw: Any, wait: Callable[[], None]) -> None:
        self._raw, self._wait = raw, wait
        self._begun = False

    def read1(self, _amount: int, *, decode_content: bool) -> bytes:
        if not self._begun:
            self._begun = True
            first: bytes = self._raw.read1(7, decode_content=decode_content)
            return first
        self._wait()
        raise urllib3.exceptions.ReadTimeoutError(cast("Any", None), "/", "read timed out")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)
