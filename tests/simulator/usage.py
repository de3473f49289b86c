"""What was used, at the finest grain, and what it costs by an invented price list."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import cache

DIMENSIONS = (
    "account_id",
    "api_key_id",
    "context_window",
    "inference_geo",
    "model",
    "service_account_id",
    "service_tier",
    "speed",
    "workspace_id",
)
COUNTERS = (
    "uncached_input_tokens",
    "cache_read_input_tokens",
    "ephemeral_5m_input_tokens",
    "ephemeral_1h_input_tokens",
    "output_tokens",
    "web_search_requests",
)
# The cost report's token types, in the order of the first five counters.
TOKEN_TYPES = (
    "uncached_input_tokens",
    "cache_read_input_tokens",
    "cache_creation.ephemeral_5m_input_tokens",
    "cache_creation.ephemeral_1h_input_tokens",
    "output_tokens",
)
MODELS = (
    "claude-sonnet-4-5-20250929",
    "claude-opus-4-5-20251101",
    "claude-haiku-4-5-20251001",
    "claude-sonnet-4-6",
    "claude-opus-4-1-20250805",
)
# Models from before February 2026 report no inference geography.
MODELS_WITHOUT_GEO = frozenset({"claude-opus-4-1-20250805"})
CONTEXT_WINDOWS = ("0-200k", "200k-1M")
SERVICE_TIERS = ("standard", "batch", "priority", "priority_on_demand", "flex", "flex_discount")
INFERENCE_GEOS = ("global", "us", "not_available")
SPEEDS = ("standard", "fast")
# Priority Tier is billed elsewhere: its tokens are in the usage report, its cost in no report.
UNBILLED_TIERS = frozenset({"priority", "priority_on_demand"})

WEB_SEARCH_CENTS = Decimal(1)

_USD_PER_MILLION = {  # input, output
    "claude-sonnet-4-5-20250929": (Decimal(3), Decimal(15)),
    "claude-opus-4-5-20251101": (Decimal(5), Decimal(25)),
    "claude-haiku-4-5-20251001": (Decimal(1), Decimal(5)),
    "claude-sonnet-4-6": (Decimal(3), Decimal(15)),
    "claude-opus-4-1-20250805": (Decimal(15), Decimal(75)),
}
_TIER_FACTOR = {
    "batch": Decimal("0.5"),
    "flex": Decimal("0.75"),
    "flex_discount": Decimal("0.4"),
}
_CACHE_READ, _CACHE_5M, _CACHE_1H = Decimal("0.1"), Decimal("1.25"), Decimal(2)
_CENTS_PER_USD_PER_MILLION = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Session:
    """Who used Claude Code, and where: the grain of the Claude Code report within a day."""

    actor_type: str
    actor: str
    customer_type: str
    subscription_type: str | None
    terminal_type: str
    is_remote: bool | None

    @property
    def actor_json(self) -> dict[str, str]:
        name = "email_address" if self.actor_type == "user_actor" else "api_key_name"
        return {"type": self.actor_type, name: self.actor}


@dataclass(frozen=True, slots=True)
class UsageEvent:
    """The use of one minute by one combination of all dimensions.

    `workspace_id` is null for the default workspace, as in the legacy reports;
    `real_workspace_id` never is. `model` is null only for a Claude Code session
    that called no model (such events are in no usage report).
    """

    starting_at: datetime
    real_workspace_id: str
    workspace_id: str | None
    api_key_id: str | None
    account_id: str | None
    service_account_id: str | None
    model: str | None
    service_tier: str
    context_window: str
    inference_geo: str
    speed: str
    uncached_input_tokens: int = 0
    cache_read_input_tokens: int = 0
    ephemeral_5m_input_tokens: int = 0
    ephemeral_1h_input_tokens: int = 0
    output_tokens: int = 0
    web_search_requests: int = 0
    session: Session | None = None

    @property
    def tokens(self) -> tuple[int, int, int, int, int]:
        """The counts of TOKEN_TYPES, in their order."""
        return (
            self.uncached_input_tokens,
            self.cache_read_input_tokens,
            self.ephemeral_5m_input_tokens,
            self.ephemeral_1h_input_tokens,
            self.output_tokens,
        )

    @property
    def list_cents(self) -> dict[str, Decimal]:
        """Cents by token type at list price, billed or not."""
        if self.model is None:
            return {}
        prices = cents_per_token(
            self.model, self.service_tier, self.context_window, self.inference_geo, self.speed
        )
        return {
            name: count * price
            for name, count, price in zip(TOKEN_TYPES, self.tokens, prices, strict=True)
            if count
        }

    @property
    def cost_cents(self) -> dict[str, Decimal]:
        """Cents by token type as the cost report counts them: nothing for Priority Tier."""
        return {} if self.service_tier in UNBILLED_TIERS else self.list_cents

    def times(self, factor: int) -> UsageEvent:
        """The same event with every counter multiplied."""
        return replace(self, **{name: getattr(self, name) * factor for name in COUNTERS})

    def part(self, number: int, parts: int) -> UsageEvent:
        """One of the parts into which the event is divided; together they count the same."""
        counts = {name: getattr(self, name) for name in COUNTERS}
        shares = {
            name: value * (number + 1) // parts - value * number // parts
            for name, value in counts.items()
        }
        return replace(self, **shares)


@dataclass(frozen=True, slots=True)
class ServiceCost:
    """A day's cost of something that the usage report does not count, in cents."""

    real_workspace_id: str
    workspace_id: str | None
    cost_type: str
    cents: Decimal

    def times(self, factor: int) -> ServiceCost:
        return replace(self, cents=self.cents * factor)


@cache
def cents_per_token(
    model: str, service_tier: str, context_window: str, inference_geo: str, speed: str
) -> tuple[Decimal, ...]:
    """Price of one token of each of TOKEN_TYPES, in cents."""
    usd_input, usd_output = _USD_PER_MILLION[model]
    factor = _CENTS_PER_USD_PER_MILLION * _TIER_FACTOR.get(service_tier, Decimal(1))
    factor *= Decimal("1.1") if inference_geo == "us" else 1
    factor *= 6 if speed == "fast" else 1
    long = context_window == "200k-1M"
    price_in = usd_input * factor * (2 if long else 1)
    price_out = usd_output * factor * (Decimal("1.5") if long else 1)
    caches = (price_in * rate for rate in (_CACHE_READ, _CACHE_5M, _CACHE_1H))
    return (price_in, *caches, price_out)
