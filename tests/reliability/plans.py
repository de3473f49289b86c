"""A plan: everything that happens to one asset over some days, drawn from one number."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from anthropic_lake.assets import ASSETS
from tests.reliability.cloud import ERRORS, NETWORK, AwsFault
from tests.reliability.sandbox import NETWORK_FAULTS
from tests.simulator import Fault

START = date(2026, 11, 18)
KEYS = tuple(f"sk-ant-admin01-invented-{number}-Zq7" for number in range(4))
NEEDLE = "Zq7"
"""In every admin key of a plan, and in nothing else that the simulator says."""

EACH_WAY = ("users", "workspace_members", "cost_report", "claude_code_usage")
"""One asset of each way to be read: a list, a list for each workspace, time buckets, days."""

_HOURS = ((6, 0, 0), (0, 30, 0), (12, 0, 0), (23, 59, 59))
_WAITS = (0.5, 3, 20, 24, 24, 48)
_GOSSIP = f"invalid key {KEYS[0]} of person1@example.com\x1b[31m"
Json = dict[str, Any]


@dataclass(frozen=True)
class Invoke:
    """One invocation.

    Args:
        trigger: `schedule`, `late` (meant for yesterday), `manual` or `interval`.
        remaining: Seconds that it has.
        warm: Whether the process of the last invocation goes on.
        kill_at: The effect at which the process dies.
    """

    trigger: str = "schedule"
    remaining: float = 900
    warm: bool = False
    kill_at: int | None = None


@dataclass(frozen=True)
class Overlap:
    """Two invocations at once, in an interleaving of effects that follows from the seed."""

    first: Invoke
    second: Invoke
    seed: int


@dataclass(frozen=True)
class Change:
    """The organization changes: `restate`, `clear` (a day), `user`, `rotate`, `rotate secret`."""

    what: str
    days_ago: int = 0


@dataclass(frozen=True)
class Wait:
    """Hours pass."""

    hours: float


Step = Invoke | Overlap | Change | Wait


@dataclass
class Plan:
    """What happens; the same for the same seed.

    Args:
        seed: The number it is drawn from.
        asset: Name of the asset.
        start: When it begins, UTC.
        lookback: Days that a scheduled run reads again.
        page_size: Time buckets or records in a page of the API.
        open_day: What the API says to an end in the future.
        steps: What happens, in order.
        api: Faults of the API, by the names in API_FAULTS.
        network: Faults on the way to it, by the number of the request.
        aws: Faults of AWS.
    """

    seed: int
    asset: str
    start: datetime
    lookback: int
    page_size: int
    open_day: Any
    steps: list[Step]
    api: list[tuple[str, Json]] = field(default_factory=list)
    network: dict[int, str] = field(default_factory=dict)
    aws: list[AwsFault] = field(default_factory=list)


def draw(seed: int) -> Plan:
    """The plan of a number."""
    rng = random.Random(f"plan {seed}")
    assets = list(ASSETS)
    overlapping = rng.random() < 0.2
    plan = Plan(
        seed,
        assets[seed % len(assets)],
        datetime(START.year, START.month, START.day, *rng.choice(_HOURS), tzinfo=UTC),
        lookback=30,
        page_size=rng.choice((1, 2, 2, 3, 1000)),
        open_day=rng.choice(("accept", "accept", "refuse", "clamp")),
        steps=[_step(rng, overlapping) for _ in range(rng.randrange(1, 5))],
    )
    if not any(isinstance(step, Invoke | Overlap) for step in plan.steps):
        plan.steps.append(_invoke(rng))
    if plan.start.second:
        plan.start += timedelta(milliseconds=900)
    if not any(isinstance(step, Change | Overlap) for step in plan.steps):
        plan.lookback = rng.choice((0, 1, 3, 30))
    plan.api = [_api_fault(rng, overlapping) for _ in range(rng.choice((0, 1, 1, 2, 3)))]
    count = rng.choice((0, 0, 1, 2))
    plan.network = {rng.randrange(1, 15): rng.choice(NETWORK_FAULTS) for _ in range(count)}
    plan.aws = [_aws_fault(rng) for _ in range(rng.choice((0, 1, 1, 2, 3)))]
    return plan


def _step(rng: random.Random, overlapping: bool) -> Step:
    chance = rng.random()
    if chance < 0.55:
        if overlapping and rng.random() < 0.6:
            return Overlap(_invoke(rng), _invoke(rng), rng.randrange(1 << 30))
        return _invoke(rng)
    if chance < 0.8:
        return Wait(rng.choice(_WAITS))
    what = rng.choice(("restate", "restate", "clear", "user", "rotate", "rotate secret"))
    return Change(what, rng.randrange(4))


def _invoke(rng: random.Random) -> Invoke:
    return Invoke(
        rng.choice(("schedule", "schedule", "schedule", "late", "manual", "interval")),
        rng.choice((900, 900, 900, rng.uniform(1, 40), rng.uniform(40, 200))),
        warm=rng.random() < 0.5,
        kill_at=rng.randrange(1, 90) if rng.random() < 0.25 else None,
    )


def _aws_fault(rng: random.Random) -> AwsFault:
    operation = rng.choice(("s3.put", "s3.put", "s3.head", "ssm.get", "ssm.put", "secrets.get"))
    kinds = [*ERRORS[operation], *NETWORK, "slow"]
    if operation == "ssm.get":
        kinds += ["stale"] * 3
    if operation == "secrets.get":
        kinds += ["rotate"] * 3
    after = operation.endswith("put") and rng.random() < 0.5
    last = 3 if operation == "secrets.get" else 25
    return AwsFault(operation, rng.randrange(1, last), rng.choice(kinds), after)


def _api_fault(rng: random.Random, overlapping: bool) -> tuple[str, Json]:
    names = [name for name in API_FAULTS if not (overlapping and name == "a page repeated")]
    times = rng.choice((1, 1, 1, 2, 3, 9, 40))
    return rng.choice(names), {"times": times, "after": rng.randrange(9)}


# --- what the API can do wrong -----------------------------------------------------------------


def _too_many(retry_after: str | None, **more: Any) -> Callable[[Json], Fault]:
    headers = {} if retry_after is None else {"retry-after": retry_after}
    return lambda given: Fault(status=429, headers=headers, **more, **given)


def _status(status: int, **more: Any) -> Callable[[Json], Fault]:
    return lambda given: Fault(status=status, **more, **given)


def _kind(kind: str, **more: Any) -> Callable[[Json], Fault]:
    return lambda given: Fault(kind=kind, **more, **given)


def _edit(edit: Callable[[Json], Json | bytes]) -> Callable[[Json], Fault]:
    return _kind("replace", replace=edit)


def _wrong_type(page: Json) -> Json:
    """The first record's first field becomes a list; a time bucket's first row likewise."""
    record = (page.get("data") or [page])[0]
    rows = record.get("results")
    target = rows[0] if rows else record
    target[next(iter(target))] = [1]
    return page


def _twice(page: Json) -> bytes:
    """A key that stands twice, so that a careless reader loses one of its values."""
    from json import dumps

    text = dumps(page)
    return (text[:-1] + ', "data": [], "id": "other"' + text[-1:]).encode()


_DATE = "Wed, 18 Nov 2026 06:00:{:02} GMT"

API_FAULTS: dict[str, Callable[[Json], Fault]] = {
    "500": _status(500, message=_GOSSIP),
    "500 without a body": _status(500, body=b""),
    "500 with two bodies": _status(500, body=b"{},{}"),
    "502 with HTML": _kind("html"),
    "503": _status(503),
    "504": _status(504),
    "529": _status(529),
    "429 after 3 s": _too_many("3"),
    "429 after 0 s": _too_many("0"),
    "429 after -5 s": _too_many("-5"),
    "429 after 10^9 s": _too_many("1000000000"),
    "429 after a date": lambda given: Fault(
        status=429, headers={"retry-after": _DATE.format(30), "date": _DATE.format(10)}, **given
    ),
    "429 after nonsense": _too_many("nan"),
    "429": _too_many(None),
    "429 spend cap": lambda given: Fault.spend_cap(**given),
    "400": _status(400, message=_GOSSIP),
    "401": _status(401, message=_GOSSIP),
    "402": _status(402),
    "403": _status(403, message=_GOSSIP),
    "404": _status(404),
    "410": _status(410),
    "413 with HTML": _kind("html", status=413),
    "redirect": _status(302, headers={"location": "http://127.0.0.1:1/"}),
    "a token refused": lambda given: Fault(
        match=lambda request: "page" in request.query or "after_id" in request.query,
        status=400,
        message="page: Invalid page token",
        **given,
    ),
    "truncated JSON": _kind("truncated_json"),
    "gzip": _kind("gzip"),
    "chunks": _kind("chunked"),
    "a page repeated": _kind("repeat_page"),
    "no token": _kind("no_token"),
    "disconnected": _kind("disconnect"),
    "reset in the headers": _kind("reset_headers"),
    "reset in the body": _kind("reset_body"),
    "ended in the body": _kind("truncate"),
    "drip": _kind("drip", seconds=0.02),
    "a wrong type": _edit(_wrong_type),
    "a key twice": _edit(_twice),
    "no data": _edit(lambda page: {"data": None, "has_more": False}),
    "a list": _edit(lambda page: b"[]"),
    "not JSON": _edit(lambda page: b"\xff\x00"),
}
