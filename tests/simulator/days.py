"""The invented use of one day, drawn from the seed and the date alone."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from itertools import chain
from typing import Any

from tests.simulator.invention import Entities, Person, home_of
from tests.simulator.reports import midnight
from tests.simulator.usage import (
    CONTEXT_WINDOWS,
    MODELS,
    MODELS_WITHOUT_GEO,
    SERVICE_TIERS,
    ServiceCost,
    Session,
    UsageEvent,
)

Json = dict[str, Any]

# The combinations of model, tier and window of one key in a scaled organization.
SCALE_COMBINATIONS = tuple(
    (model, tier, window)
    for model in MODELS
    for tier in ("standard", "batch")
    for window in CONTEXT_WINDOWS
)
_TIERS = ("standard",) * 6 + ("batch", *SERVICE_TIERS[1:])
_LAST_MINUTE = 22 * 60  # nothing in a day's last two hours, so that a day is whole at its end


@dataclass(frozen=True)
class Plan:
    """What a day is drawn from."""

    seed: int
    first_day: date
    today: date
    groups: int | None
    entities: Entities

    @property
    def remote_since(self) -> date:
        """The first day whose Claude Code records say whether they were remote."""
        return self.first_day + (self.today - self.first_day) / 2


class Day:
    """One day's use; each part is drawn when it is first asked for.

    `platform` and `claude_code` are the events of the usage report; `seats` are Claude Code
    sessions that are in no usage report: on a subscription, or without a call of any model.
    """

    def __init__(self, plan: Plan, day: date) -> None:
        self.plan, self.day = plan, day

    @cached_property
    def platform(self) -> list[UsageEvent]:
        return list(self._draw_platform())

    def _draw_platform(self) -> Iterator[UsageEvent]:
        if self.plan.groups is not None:
            return _scaled(self, self.plan.groups - len(self.claude_code))
        return _platform(self)

    @cached_property
    def claude_code(self) -> list[UsageEvent]:
        return list(_minted_key_events(self)) + list(_ci_events(self))

    @cached_property
    def seats(self) -> list[UsageEvent]:
        return list(_seat_events(self))

    @cached_property
    def services(self) -> list[ServiceCost]:
        return list(_services(self))

    @property
    def events(self) -> list[UsageEvent]:
        """Everything in the usage report."""
        return self.platform + self.claude_code

    def stream(self) -> Iterable[UsageEvent]:
        """The same; of a scaled organization one at a time, for days that fill the memory."""
        scaled = self.plan.groups is not None and "platform" not in self.__dict__
        return chain(self._draw_platform(), self.claude_code) if scaled else self.events

    @property
    def claude_code_sessions(self) -> list[UsageEvent]:
        """Everything in the Claude Code report."""
        return self.claude_code + self.seats

    def rng(self, part: str) -> random.Random:
        return random.Random(f"{self.plan.seed}/{self.day}/{part}")

    def at(self, minute: int) -> datetime:
        return midnight(self.day) + timedelta(minutes=minute)

    @property
    def is_weekend(self) -> bool:
        return self.day.weekday() >= 5


class FixedDay(Day):
    """A day that holds what it was given."""

    def __init__(
        self,
        day: Day,
        events: list[UsageEvent],
        seats: list[UsageEvent],
        services: list[ServiceCost],
    ) -> None:
        super().__init__(day.plan, day.day)
        self.platform = [event for event in events if event.session is None]
        self.claude_code = [event for event in events if event.session is not None]
        self.seats = seats
        self.services = services


# --- platform ---------------------------------------------------------------------------------


def _platform(day: Day) -> Iterator[UsageEvent]:
    """Every living key a few times, the Console, OAuth users and federated services."""
    rng, entities = day.rng("platform"), day.plan.entities
    homes = {workspace["id"]: workspace for workspace in entities.workspaces}
    for key in entities.api_keys:
        home = homes[home_of(key, entities)]
        if home["id"] == entities.claude_code_workspace_id or _archived(home, day.day):
            continue
        for _ in range(rng.randrange(0, 2) if day.is_weekend else rng.randrange(1, 5)):
            yield _draw(rng, day, home["id"], api_key_id=key["id"])
    default = entities.default_workspace_id
    for _ in range(rng.randrange(1, 3)):
        yield _draw(rng, day, default)  # the Console: no key
        account = rng.choice(entities.users)["id"] if entities.users else None
        yield _draw(rng, day, default, account_id=account)
        service = rng.choice(entities.service_accounts)
        yield _draw(rng, day, rng.choice(entities.workspaces[:3])["id"], service_account_id=service)


def _archived(workspace: Json, day: date) -> bool:
    end = workspace["archived_at"]
    return end is not None and day >= datetime.fromisoformat(end).date()


def _draw(rng: random.Random, day: Day, workspace_id: str, **dimensions: Any) -> UsageEvent:
    """An event of any model, tier, window, geography and speed."""
    model = rng.choice(MODELS)
    long = model.startswith("claude-sonnet") and rng.random() < 0.25
    tier = rng.choice(_TIERS)
    fast = model.startswith("claude-opus-4-5") and tier == "standard" and rng.random() < 0.2
    chosen = {
        "model": model,
        "service_tier": tier,
        "context_window": CONTEXT_WINDOWS[long],
        "inference_geo": _geo(rng, model),
        "speed": "fast" if fast else "standard",
        "web_search_requests": rng.randrange(1, 40) if rng.random() < 0.1 else 0,
    }
    return _event(rng, day, workspace_id, **(chosen | dimensions))


def _geo(rng: random.Random, model: str) -> str:
    if model in MODELS_WITHOUT_GEO:
        return "not_available"
    return "us" if rng.random() < 0.2 else "global"


def _event(rng: random.Random, day: Day, workspace_id: str, **given: Any) -> UsageEvent:
    fields: Json = {
        "starting_at": day.at(rng.randrange(_LAST_MINUTE)),
        "real_workspace_id": workspace_id,
        "workspace_id": _reported(workspace_id, day.plan.entities),
        "api_key_id": None,
        "account_id": None,
        "service_account_id": None,
        "service_tier": "standard",
        "context_window": "0-200k",
        "speed": "standard",
        "uncached_input_tokens": rng.randrange(50, 400_000),
        "cache_read_input_tokens": rng.choice((0, rng.randrange(2_000_000))),
        "ephemeral_5m_input_tokens": rng.choice((0, rng.randrange(200_000))),
        "ephemeral_1h_input_tokens": rng.choice((0, 0, rng.randrange(90_000))),
        "output_tokens": rng.randrange(1, 60_000),
    }
    return UsageEvent(**(fields | given))


def _reported(workspace_id: str, entities: Entities) -> str | None:
    return None if workspace_id == entities.default_workspace_id else workspace_id


def _scaled(day: Day, count: int) -> Iterator[UsageEvent]:
    """One event for each of `count` combinations of key, workspace, model, tier and window.

    Written out flat, because benchmarks draw millions of them.
    """
    entities, bits = day.plan.entities, day.rng("scale").getrandbits
    keys = [key for key in entities.api_keys if key["name"].startswith("service-")]
    homes = [(key["id"], home_of(key, entities)) for key in keys]
    places = [(key, home, _reported(home, entities)) for key, home in homes]
    width = len(SCALE_COMBINATIONS)
    minutes = [day.at(minute) for minute in range(_LAST_MINUTE)]
    for number in range(count):
        key, home, reported = places[number // width]
        model, tier, window = SCALE_COMBINATIONS[number % width]
        draw = bits(96)
        yield UsageEvent(
            minutes[number * 7 % _LAST_MINUTE],
            home,
            reported,
            key,
            None,
            None,
            model,
            tier,
            window,
            "not_available" if model in MODELS_WITHOUT_GEO else "global",
            "standard",
            draw & 0x7FFFF,
            draw >> 20 & 0x1FFFFF,
            draw >> 41 & 0x3FFFF,
            draw >> 59 & 0x1FFFF,
            (draw >> 76 & 0xFFFF) + 1,
            draw >> 92 & 0xF,
        )


# --- Claude Code ------------------------------------------------------------------------------


def _minted_key_events(day: Day) -> Iterator[UsageEvent]:
    """People whose Claude Code runs on the API, each through the key minted for them."""
    rng = day.rng("claude code")
    for person in day.plan.entities.people:
        if person.claude_code_key is None:
            continue
        for session in _sessions(rng, day, person):
            yield from _calls(rng, day, session, person.claude_code_key["id"])


def _ci_events(day: Day) -> Iterator[UsageEvent]:
    """Claude Code in CI: the actor is an API key, named and not identified."""
    rng, entities = day.rng("ci"), day.plan.entities
    closed = {w["id"] for w in entities.workspaces if w["archived_at"] is not None}
    keys = [key for key in entities.api_keys if key["name"].endswith("/ CI")]
    for key in [key for key in keys if home_of(key, entities) not in closed][:2]:
        remote = True if day.day >= day.plan.remote_since else None
        session = Session("api_actor", key["name"], "api", None, "non-interactive", remote)
        home = home_of(key, entities)
        yield from _calls(rng, day, session, key["id"], home)


def _seat_events(day: Day) -> Iterator[UsageEvent]:
    """Subscription sessions, and sessions of API customers that called no model."""
    rng = day.rng("seats")
    for number, person in enumerate(day.plan.entities.people):
        if person.claude_code_key is None:
            for session in _sessions(rng, day, person):
                yield from _calls(rng, day, session, None)
        elif day.plan.groups is None and (number + day.day.toordinal()) % 7 == 3:
            yield _without_model(rng, day, _session(day, person, "idle-terminal", False))


def _sessions(rng: random.Random, day: Day, person: Person) -> Iterator[Session]:
    """None to three; in a scaled organization always one."""
    if day.plan.groups is not None:
        yield _session(day, person, person.terminals[0], day.day.day % 2 == 0)
    elif rng.random() < (0.25 if day.is_weekend else 0.85):
        yield _session(day, person, person.terminals[0], False)
        if rng.random() < 0.3:
            yield _session(day, person, person.terminals[0], True)
        if rng.random() < 0.4:
            yield _session(day, person, person.terminals[1], False)


def _session(day: Day, person: Person, terminal: str, is_remote: bool) -> Session:
    return Session(
        actor_type="user_actor",
        actor=person.user["email"],
        customer_type="api" if person.claude_code_key else "subscription",
        subscription_type=person.subscription_type,
        terminal_type=terminal,
        is_remote=is_remote if day.day >= day.plan.remote_since else None,
    )


def _calls(
    rng: random.Random, day: Day, session: Session, key: str | None, home: str | None = None
) -> Iterator[UsageEvent]:
    """The model calls of one session, of one or two models."""
    workspace = home or day.plan.entities.claude_code_workspace_id
    count = 1 if day.plan.groups is not None else rng.randrange(1, 4)
    for model in rng.choices(MODELS[:3], k=count):
        yield _event(
            rng,
            day,
            workspace,
            api_key_id=key,
            model=model,
            inference_geo="global",
            session=session,
        )


def _without_model(rng: random.Random, day: Day, session: Session) -> UsageEvent:
    nothing = {
        "model": None,
        "uncached_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "ephemeral_5m_input_tokens": 0,
        "ephemeral_1h_input_tokens": 0,
        "output_tokens": 0,
    }
    home = day.plan.entities.claude_code_workspace_id
    return _event(rng, day, home, inference_geo="global", session=session, **nothing)


# --- what the usage report does not count -------------------------------------------------------


def _services(day: Day) -> Iterator[ServiceCost]:
    """Code execution and agent sessions, in fractions of a cent."""
    rng, entities = day.rng("services"), day.plan.entities
    for workspace in entities.workspaces[:4]:
        for cost_type, digits in (("code_execution", 6), ("session_usage", 8)):
            if rng.random() < 0.5:
                cents = Decimal(rng.randrange(10**digits)).scaleb(3 - digits)
                reported = _reported(workspace["id"], entities)
                yield ServiceCost(workspace["id"], reported, cost_type, cents)
