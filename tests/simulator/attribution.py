"""A day's use as the analytics pair counts it: every event with who is behind it and where.

For each workspace the tokens are the usage report's, and the prices the cost report's.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from itertools import count
from typing import Any, NamedTuple

from tests.simulator.days import Day
from tests.simulator.identities import NOBODY, Actor, AgentSession, Directory
from tests.simulator.reports import midnight
from tests.simulator.usage import TOKEN_TYPES, ServiceCost, UsageEvent, cents_per_token

Json = dict[str, Any]
Prices = tuple[Decimal, ...]

CLAUDE_TAG_CATEGORIES = ("engaged", "proactive", "scheduled", "monitoring", "dm")
_ENTERPRISE_PRODUCTS = (
    "claude_code",
    "claude_tag",
    "chat",
    "cowork",
    "chat_cowork_unified",
    "claude_design",
    "claude_in_chrome",
    "office_agent",
)

_FREE: Prices = (Decimal(),) * len(TOKEN_TYPES)
_NO_SERVICE = (Decimal(), Decimal())


class Use(NamedTuple):
    """What one event comes to: what it used, at which prices, and all dimensions.

    Args:
        counts: Of the usage report's six counters.
        requests: Of the API; of a sandbox its execution spans.
        prices: Cents of one token of each type.
        services: Cents of code execution and of agent sessions.
    """

    starting_at: datetime
    counts: tuple[int, ...]
    requests: int
    prices: Prices
    services: tuple[Decimal, Decimal]
    actor: Actor
    organization_id: str
    agent_id: str | None = None
    api_key_id: str | None = None
    claude_tag_category: str | None = None
    claude_tag_user_id: str | None = None
    context_window: str | None = None
    deployment_id: str | None = None
    environment_id: str | None = None
    inference_geo: str | None = None
    model: str | None = None
    product: str | None = None
    rbac_group_id: str | None = None
    service_tier: str | None = None
    session_id: str | None = None
    slack_channel_id: str | None = None
    speed: str | None = None
    user_profile_id: str | None = None
    workspace_id: str | None = None

    @property
    def actor_type(self) -> str | None:
        return self.actor.type

    @property
    def actor_id(self) -> str | None:
        return self.actor.id


# --- attribution ------------------------------------------------------------------------------


class Attribution:
    """The uses of one organization's days."""

    def __init__(self, organization_id: str, directory: Directory) -> None:
        self.organization_id, self.directory = organization_id, directory

    def uses(self, day: Day) -> Iterator[Use]:
        """All that the older reports count, too, in the order of the events."""
        numbers, sessions = count(), count()
        for event in day.stream():
            actor = self.directory.actor(event)
            if actor is None:
                yield from self._anonymous(event, day, next(numbers))
            elif event.service_account_id is not None:
                yield self._managed(event, actor, next(sessions))
            else:
                yield self._use(event, actor, self._product(event, actor))
        for service in day.services:
            yield self._service(service, day)

    def enterprise_uses(self, day: Day) -> Iterator[Use]:
        """What people use on claude.ai, which has neither workspace nor service tier."""
        for number, event in enumerate(day.seats, 3 * day.day.toordinal()):
            if event.model is None:
                continue
            product = _ENTERPRISE_PRODUCTS[number % len(_ENTERPRISE_PRODUCTS)]
            actor = self.directory.user(str(event.session and event.session.actor))
            use = self._use(event, actor, product, workspace_id=None, service_tier=None)
            yield self._claude_tag(use, number) if product == "claude_tag" else use

    def _claude_tag(self, use: Use, number: int) -> Use:
        """Claude in Slack: who asked, and where. What it does unasked is nobody's."""
        category = CLAUDE_TAG_CATEGORIES[number % len(CLAUDE_TAG_CATEGORIES)]
        channel = None if category == "dm" else self.directory.slack_channels[number % 2]
        use = use._replace(claude_tag_category=category, slack_channel_id=channel)
        if category in ("monitoring", "proactive"):
            return use._replace(actor=NOBODY)
        return use._replace(claude_tag_user_id=f"U0{number % 9:09d}")

    def _use(self, event: UsageEvent, actor: Actor, product: str, **more: Any) -> Use:
        geo = None if event.inference_geo == "not_available" else event.inference_geo
        key = event.api_key_id
        profile = None if key is None else self.directory.profiles.get(key)
        use = Use(
            event.starting_at,
            (*event.tokens, event.web_search_requests),
            1 + event.output_tokens // 1000,
            _prices(event),
            _NO_SERVICE,
            actor,
            self.organization_id,
            api_key_id=key,
            context_window=event.context_window,
            inference_geo=geo,
            model=event.model,
            product=product,
            service_tier=event.service_tier,
            speed=event.speed,
            user_profile_id=profile,
            workspace_id=event.real_workspace_id,
        )
        return use._replace(**more) if more else use

    def _anonymous(self, event: UsageEvent, day: Day, number: int) -> Iterator[Use]:
        """The Console's, or a federated caller's; shared by those whom nobody can render."""
        actors = self.directory.anonymous(day.day, number)
        for actor, part in zip(actors, _shares(event, len(actors)), strict=True):
            product = "messages_api" if actor.type else "claude_console"
            yield self._use(part, actor, "other" if actor is NOBODY else product)

    def _managed(self, event: UsageEvent, actor: Actor, number: int) -> Use:
        return self._use(event, actor, "managed_agents_api", **self._session(event, number))

    def _product(self, event: UsageEvent, actor: Actor) -> str:
        if actor is self.directory.security:
            return "cc_security_autopatch"
        if event.session is not None:
            return "claude_code"
        return "message_batches_api" if event.service_tier == "batch" else "messages_api"

    def _session(self, event: UsageEvent, number: int) -> Json:
        held: AgentSession = self.directory.agent_sessions[number % 2]
        return {
            "agent_id": held.agent_id,
            "environment_id": held.environment_id,
            "deployment_id": held.deployment_id,
            "session_id": f"sesn_01{event.starting_at:%Y%m%d}{number:014d}",
        }

    def _service(self, service: ServiceCost, day: Day) -> Use:
        """A sandbox, of no product and no model, or the time of an agent's session."""
        sandbox = service.cost_type == "code_execution"
        cents = (service.cents, Decimal()) if sandbox else (Decimal(), service.cents)
        session = None if sandbox else self.directory.agent_sessions[0]
        return Use(
            midnight(day.day),
            (0,) * 6,
            1 + int(service.cents) if sandbox else 0,
            _FREE,
            cents,
            NOBODY,
            self.organization_id,
            agent_id=session.agent_id if session else None,
            environment_id=session.environment_id if session else None,
            deployment_id=session.deployment_id if session else None,
            product=None if sandbox else "managed_agents_api",
            workspace_id=service.real_workspace_id,
        )


def _prices(event: UsageEvent) -> Prices:
    if event.model is None:
        return _FREE
    return cents_per_token(
        event.model,
        event.service_tier,
        event.context_window,
        event.inference_geo,
        event.speed,
    )


def _shares(event: UsageEvent, parts: int) -> list[UsageEvent]:
    """The event in parts that sum to it."""
    if parts == 1:
        return [event]
    return [event.part(number, parts) for number in range(parts)]
