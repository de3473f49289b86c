"""A plan: everything that happens to one asset over some days, drawn from one number."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from anthropic_lake.assets import ASSETS, Asset, Kind
from tests.reliability.cloud import ERRORS, NETWORK, AwsFault
from tests.reliability.sandbox import NETWORK_FAULTS
from tests.simulator import Analytics, Fault, Lag, Request

START = date(2026, 11, 18)
KEYS = tuple(f"sk-ant-admin01-invented-{number}-Zq7" for number in range(4))
NEEDLE = "Zq7"
"""In every admin key of a plan, and in nothing else that the simulator says."""

EACH_WAY = (
    *("users", "workspace_members", "cost_report", "claude_code_usage"),
    "analytics_cost",
)
"""One of each way to be read: a list, a list for each workspace, time buckets, days, rows that say
their time."""

GROUPINGS = (
    ("model,workspace_id", "1d"),
    ("actor,api_key_id,workspace_id,model,product", "1d"),
    ("actor,product", "1d"),
    ("actor_type,model", "1h"),
)
"""What the settings may ask the analytics for."""

AT_THE_FLOOR = date(2026, 1, 6)
"""A start shortly after the first day that the analytics have."""

BEFORE_THE_FLOOR = 40
"""As many days of history as begin before that day."""

_HOURS = ((6, 0, 0), (0, 30, 0), (12, 0, 0), (23, 59, 59))
_WAITS = (0.5, 3, 20, 24, 24, 48)
_TRIGGERS = (
    *("schedule", "schedule", "schedule", "schedule", "manual", "late"),
    *("replay", "future", "interval", "island", "before"),
)
_SKEWS = (-24 * 5, -30, -0.6, 0.6, 3, 24 * 14)
_STARTS = (-60, -20, -2, -1, 3, 10, 30)
_GOSSIP = f"invalid key {KEYS[0]} of person1@example.com\x1b[31m"
Json = dict[str, Any]


@dataclass(frozen=True)
class Invoke:
    """One invocation.

    Args:
        trigger: `schedule`, `late` (meant for yesterday), `replay` (meant for some weeks ago),
            `future` (meant for the day after tomorrow), `manual`, `interval` (the last days),
            `island` (days of long ago), or `before` (days that end where history begins).
        remaining: Seconds that it has.
        warm: Whether the process of the last invocation goes on.
        kill_at: The effect at which the process dies.
        terminate_at: The effect at which SIGTERM comes.
        skew_hours: How far the process's clock is ahead.
    """

    trigger: str = "schedule"
    remaining: float = 900
    warm: bool = False
    kill_at: int | None = None
    terminate_at: int | None = None
    skew_hours: float = 0


@dataclass(frozen=True)
class Overlap:
    """Two invocations at once, in an interleaving of effects that follows from the seed.

    Args:
        first: One of them.
        second: The other.
        seed: Draws the interleaving.
        hold: Which answer the first one does not get before the second has ended; then nothing
            else is interleaved.
        change: What happens while it is held.
    """

    first: Invoke
    second: Invoke
    seed: int
    hold: int | None = None
    change: Change | None = None


@dataclass(frozen=True)
class Change:
    """Something changes.

    Args:
        what: `restate`, `clear` or `restore` (a day), `user` (who comes; limits change, too),
            `rotate`, `rotate secret`, `history start`, `grouping` (of the analytics, to the next
            one), `behind` (the analytics' data, by some days), `not offered 404`,
            `not offered 403`, `offered`, or `version 0.1.0`: the lake is as that version would
            have left it.
        days: Days ago; for a history start, days after the usual one; how many days `behind`.
    """

    what: str
    days: int = 0


@dataclass(frozen=True)
class Stranger:
    """An invocation that must not leave anything here.

    Args:
        kind: `lake`: another lake's, with the same state prefix; `organization`: with another
            organization's key, `organization unnamed`: whose header is missing.
    """

    kind: str


@dataclass(frozen=True)
class Wait:
    """Hours pass."""

    hours: float


Step = Invoke | Overlap | Change | Stranger | Wait


@dataclass
class Plan:
    """What happens; the same for the same seed.

    Args:
        seed: The number it is drawn from.
        asset: Name of the asset.
        start: When it begins, UTC.
        lookback: Days that a scheduled run reads again.
        page_size: Time buckets or records in a page of the API; of the analytics' rows eight times
            as many.
        open_day: What the API says to an end in the future.
        history_days: How many days before the first one history starts.
        says_time: Whether the API's answers say the time.
        names_organization: Whether they say whose they are.
        absent: What S3 says of an object that is not there: 404, or 403 without ListBucket.
        chooses_prefix: Whether the settings say where the watermarks are.
        lag: How far reports are behind while faults happen.
        base: The day on which it begins.
        per_minute: Requests a minute that the settings allow.
        grouping: Which of GROUPINGS the settings ask for at first.
        analytics: How the analytics answer while faults happen.
        meanwhile: What changes before a request is answered, by its number.
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
    history_days: int = 4
    says_time: bool = True
    names_organization: bool = True
    absent: int = 404
    chooses_prefix: bool = True
    lag: Lag | None = None
    base: date = START
    per_minute: int = 60
    grouping: int = 0
    analytics: Analytics = field(default_factory=Analytics)
    meanwhile: dict[int, Change] = field(default_factory=dict)
    api: list[tuple[str, Json]] = field(default_factory=list)
    network: dict[int, str] = field(default_factory=dict)
    aws: list[AwsFault] = field(default_factory=list)


def draw(seed: int) -> Plan:
    """The plan of a number."""
    rng = random.Random(f"plan {seed}")
    assets = list(ASSETS)
    overlapping = rng.random() < 0.25
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
    if plan.asset == "claude_code_usage" and any(map(_changes_while_held, plan.steps)):
        plan.page_size = 1000  # nobody can see that a day changed between two of its pages
    plan.history_days = rng.choice((4, 4, 4, 4, 40))
    plan.says_time = rng.random() < 0.7
    plan.names_organization = rng.random() < 0.8
    plan.absent = rng.choice((404, 404, 403))
    plan.chooses_prefix = rng.random() < 0.7
    if rng.random() < 0.15:
        plan.lag = Lag(rng.randrange(6), is_refused=rng.random() < 0.5)
    plan.api = [_api_fault(rng, overlapping) for _ in range(rng.choice((0, 1, 1, 2, 3)))]
    count = rng.choice((0, 0, 1, 2))
    plan.network = {rng.randrange(1, 15): rng.choice(NETWORK_FAULTS) for _ in range(count)}
    plan.aws = [_aws_fault(rng) for _ in range(rng.choice((0, 1, 1, 2, 3)))]
    asset = ASSETS[plan.asset]
    if asset.offered_to_some:
        _withhold(rng, plan)
    if asset.kind is Kind.TIMED_ROWS:
        _let_analytics_vary(rng, plan)
    if asset.kind in (Kind.DAYS, Kind.TIMED_ROWS) and rng.random() < 0.06:
        _hurry(rng, plan)
    return plan


def _withhold(rng: random.Random, plan: Plan) -> None:
    """Let the organization lose the asset between runs, and perhaps get it back."""
    if rng.random() < 0.3:
        for what in (rng.choice(("not offered 404", "not offered 403")), "offered"):
            plan.steps.insert(rng.randrange(len(plan.steps) + 1), Change(what))


def _let_analytics_vary(rng: random.Random, plan: Plan) -> None:
    """Draw what only the analytics have."""
    plan.grouping = rng.choice((0, 0, 1, 2, 3))
    plan.lag = plan.lag and Lag(plan.lag.days, is_refused=True)
    plan.analytics = _analytics(rng)
    if rng.random() < 0.2:
        plan.steps.insert(rng.randrange(len(plan.steps) + 1), Change("grouping"))
        plan.lookback = 30
    if plan.analytics.says_refreshed and rng.random() < 0.2:
        plan.steps.insert(rng.randrange(len(plan.steps) + 1), Change("behind", rng.randrange(5)))
        plan.lookback = 30
    if rng.random() < 0.3 and not any(isinstance(step, Overlap) for step in plan.steps):
        what = rng.choice(("restate", "restate", "clear", "restore", "behind", "not offered 404"))
        plan.meanwhile = {rng.randrange(2, 16): Change(what, rng.randrange(5))}
        plan.lookback = 30
    if rng.random() < 0.15:
        plan.base = AT_THE_FLOOR
        plan.start = datetime.combine(plan.base, plan.start.time(), UTC)
        plan.history_days = rng.choice((4, BEFORE_THE_FLOOR))
    if rng.random() < 0.01:
        plan.steps += [Invoke(), Wait(24 * 400), _invoke(rng)]  # the API has lost days meanwhile


def _analytics(rng: random.Random) -> Analytics:
    """How the pair answers; where it does not say how fresh it is, it is fresh enough."""
    behind, says = timedelta(), rng.random() < 0.8
    if rng.random() < 0.4:
        behind = timedelta(days=rng.randrange(7), hours=rng.choice((0, 3, 16)))
    return Analytics(
        has_more=rng.random() < 0.7,
        last_page=rng.choice((None, "")),
        refreshed_ago=behind if says else timedelta(hours=1),
        says_refreshed=says,
        cursor_pages=rng.randrange(1, 6) if rng.random() < 0.15 else None,
    )


def _hurry(rng: random.Random, plan: Plan) -> None:
    """Let runs have no time for the whole lookback, day after day, while days are restated."""
    plan.per_minute = rng.choice((6, 12, 20))
    plan.page_size, plan.lookback, plan.history_days = 1000, 30, rng.choice((4, 40, 40))
    plan.meanwhile = {}
    plan.steps = [Invoke()]
    for _ in range(rng.randrange(8, 15)):
        plan.steps += [Wait(24), Invoke(remaining=rng.uniform(90, 220), warm=True)]
        if rng.random() < 0.3:
            plan.steps.append(Change(rng.choice(("restate", "clear")), rng.randrange(12)))
    if rng.random() < 0.3:
        plan.steps.insert(rng.randrange(4, 12), Change("history start", -1))


def _changes_while_held(step: Step) -> bool:
    return isinstance(step, Overlap) and step.hold is not None


def _step(rng: random.Random, overlapping: bool) -> Step:
    chance = rng.random()
    if chance < 0.55:
        return _overlap(rng) if overlapping and rng.random() < 0.6 else _invoke(rng)
    if chance < 0.75:
        return Wait(rng.choice(_WAITS))
    if chance < 0.82:
        return Stranger(rng.choice(("lake", "organization", "organization unnamed")))
    return _change(rng) if chance > 0.9 else _change_of_the_lake(rng)


def _change_of_the_lake(rng: random.Random) -> Change:
    if rng.random() < 0.3:
        return Change("version 0.1.0")
    return Change("history start", rng.choice(_STARTS))


def _change(rng: random.Random) -> Change:
    what = rng.choice(("restate", "clear", "restore", "user", "rotate", "rotate secret"))
    return Change(what, rng.randrange(4))


def _overlap(rng: random.Random) -> Overlap:
    first, second, seed = _invoke(rng), _invoke(rng), rng.randrange(1 << 30)
    if rng.random() < 0.5:
        return Overlap(first, second, seed)
    return Overlap(first, second, seed, hold=rng.randrange(1, 5), change=_change(rng))


def _invoke(rng: random.Random) -> Invoke:
    ending = rng.random()
    effect = rng.randrange(1, 90)
    return Invoke(
        rng.choice(_TRIGGERS),
        rng.choice((900, 900, 900, rng.uniform(1, 40), rng.uniform(40, 200))),
        warm=rng.random() < 0.5,
        kill_at=effect if ending < 0.2 else None,
        terminate_at=effect if 0.2 < ending < 0.3 else None,
        skew_hours=rng.choice(_SKEWS) if rng.random() < 0.1 else 0,
    )


def _aws_fault(rng: random.Random) -> AwsFault:
    operation = rng.choice(
        (
            *("s3.put", "s3.put", "s3.put", "s3.head", "s3.get", "s3.list"),
            *("ssm.get", "ssm.put", "ssm.put", "secrets.get"),
        )
    )
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


def _is_later_page(request: Request) -> bool:
    return "page" in request.query or "after_id" in request.query


def _backwards(page: Json) -> Json:
    return page | {"data": page["data"][::-1]} if "data" in page else page


_BETAS = sorted({asset.beta for asset in ASSETS.values() if asset.beta})
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
    "429 after 1500 ms": lambda given: Fault(
        status=429, headers={"retry-after-ms": "1500", "retry-after": "900"}, **given
    ),
    "429": _too_many(None),
    "429 spend cap": lambda given: Fault.spend_cap(**given),
    "400": _status(400, message=_GOSSIP),
    "401": _status(401, message=_GOSSIP),
    "402": _status(402),
    "403": _status(403, message=_GOSSIP),
    "404": _status(404),
    "408": _status(408),
    "409 that may pass": _status(409, headers={"x-should-retry": "true"}),
    "500 that does not pass": _status(500, headers={"x-should-retry": "false"}),
    "410": _status(410),
    "an expired cursor": lambda given: Fault(match=_is_later_page, status=410, **given),
    "403 of the betas": _status(403, message=f"No access to {', '.join(_BETAS)}."),
    "413 with HTML": _kind("html", status=413),
    "redirect": _status(302, headers={"location": "http://127.0.0.1:1/"}),
    "a token refused": lambda given: Fault(
        match=_is_later_page,
        status=400,
        message="page: Invalid page token",
        **given,
    ),
    "truncated JSON": _kind("truncated_json"),
    "gzip": _kind("gzip"),
    "chunks": _kind("chunked"),
    "a page repeated": _kind("repeat_page"),
    "no token": _kind("no_token"),
    "empty pages": _kind("empty_page"),
    "truncated": lambda given: Fault.members({"truncated": True, "warning": _GOSSIP}, **given),
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
    "rows backwards": _edit(_backwards),
    "refreshed at nonsense": _edit(lambda page: page | {"data_refreshed_at": "yesterday"}),
    "a record twice": lambda given: Fault.duplicate(**given),
    "a record twice, changed": lambda given: Fault.duplicate({"badge": 1}, **given),
}
_OF_SNAPSHOTS = {"a record twice", "a record twice, changed"}
_OF_TIMED_ROWS = {"rows backwards", "refreshed at nonsense"}


def can_happen(fault: str, asset: Asset) -> bool:
    """Whether a fault is one of an asset: of a report, equal rows are two rows."""
    if fault in _OF_TIMED_ROWS:
        return asset.kind is Kind.TIMED_ROWS
    return fault not in _OF_SNAPSHOTS or not asset.kind.dated
