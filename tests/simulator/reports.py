"""The three reports, aggregated from events: usage, cost and Claude Code."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from operator import add, attrgetter
from typing import Any, TypeVar

from tests.simulator.usage import (
    COUNTERS,
    DIMENSIONS,
    TOKEN_TYPES,
    UNBILLED_TIERS,
    WEB_SEARCH_CENTS,
    ServiceCost,
    Session,
    UsageEvent,
    cents_per_token,
)

Json = dict[str, Any]
_Key = TypeVar("_Key", bound=Hashable)

BUCKET_WIDTHS = {"1d": timedelta(days=1), "1h": timedelta(hours=1), "1m": timedelta(minutes=1)}
_COUNTS = attrgetter(*COUNTERS)


def timestamp(moment: datetime) -> str:
    """RFC 3339 to the second, as in report buckets."""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def snap(moment: datetime, bucket_width: str) -> datetime:
    """The start of the time bucket that holds the moment."""
    whole = moment.replace(second=0, microsecond=0)
    if bucket_width == "1m":
        return whole
    return whole.replace(minute=0, hour=0 if bucket_width == "1d" else whole.hour)


def summed(
    events: Iterable[UsageEvent], key_of: Callable[[UsageEvent], _Key]
) -> dict[_Key, tuple[int, ...]]:
    """Totals of the six counters by a key."""
    sums: dict[_Key, tuple[int, ...]] = {}
    for event in events:
        key, counts = key_of(event), _COUNTS(event)
        known = sums.get(key)
        sums[key] = counts if known is None else tuple(map(add, known, counts))
    return sums


# --- usage_report ---------------------------------------------------------------------------


def usage_results(
    events: Iterable[UsageEvent], group_by: Sequence[str], bucket_width: str
) -> dict[datetime, bytes]:
    """The `results` array of every time bucket that has usage, as JSON, by its start."""
    template = _usage_template(tuple(group_by))
    buckets: defaultdict[datetime, list[bytes]] = defaultdict(list)
    for (start, key), counts in summed(events, _bucket_key(group_by, bucket_width)).items():
        row = template % (*counts, *map(quoted, key))
        buckets[start].append(row.encode())
    return {start: b"[" + b",".join(rows) + b"]" for start, rows in buckets.items()}


def _bucket_key(
    group_by: Sequence[str], bucket_width: str
) -> Callable[[UsageEvent], tuple[datetime, tuple[str | None, ...]]]:
    dimensions = _values_of(group_by)
    start_of = cache(lambda moment: snap(moment, bucket_width))
    return lambda event: (start_of(event.starting_at), dimensions(event))


def _values_of(names: Sequence[str]) -> Callable[[UsageEvent], tuple[str | None, ...]]:
    """Like attrgetter, but always a tuple."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda event: tuple(getattr(event, name) for name in names)


@cache
def _usage_template(group_by: tuple[str, ...]) -> str:
    """A row with %-places for the six counters, then for the grouped dimensions in order.

    Other dimensions are null; `speed` is there only when it is grouped by.
    """
    others = [name for name in DIMENSIONS if name not in group_by and name != "speed"]
    places = [f'"{name}":%s' for name in group_by] + [f'"{name}":null' for name in others]
    dimensions = ",".join(places)
    return (
        '{"uncached_input_tokens":%d,"cache_read_input_tokens":%d,'
        '"cache_creation":{"ephemeral_5m_input_tokens":%d,"ephemeral_1h_input_tokens":%d},'
        '"output_tokens":%d,"server_tool_use":{"web_search_requests":%d},' + dimensions + "}"
    )


@cache
def quoted(text: str | None) -> str:
    return json.dumps(text, ensure_ascii=False)


# --- cost_report ----------------------------------------------------------------------------

_PRICED_BY = (
    "workspace_id",
    "model",
    "service_tier",
    "context_window",
    "inference_geo",
    "speed",
)
_TOKEN_WORDS = {
    "uncached_input_tokens": "Input Tokens",
    "cache_read_input_tokens": "Input Tokens, Cache Hit",
    "cache_creation.ephemeral_5m_input_tokens": "Input Tokens, Cache Write (5m)",
    "cache_creation.ephemeral_1h_input_tokens": "Input Tokens, Cache Write (1h)",
    "output_tokens": "Output Tokens",
}
_SERVICE_WORDS = {
    "web_search": "Web Search Usage",
    "code_execution": "Code Execution Usage",
    "session_usage": "Session Usage: agent runtime",
}


@dataclass(frozen=True, slots=True)
class CostLine:
    """What one row of the cost report is about; all but `workspace_id` belongs to `description`."""

    workspace_id: str | None
    description: str | None = None
    cost_type: str | None = None
    model: str | None = None
    service_tier: str | None = None
    context_window: str | None = None
    token_type: str | None = None
    inference_geo: str | None = None

    def grouped(self, group_by: Sequence[str]) -> CostLine:
        line = self if "description" in group_by else CostLine(self.workspace_id)
        return line if "workspace_id" in group_by else replace(line, workspace_id=None)


_COST_FIELDS = tuple(field.name for field in fields(CostLine))


def cost_rows(
    events: Iterable[UsageEvent], services: Iterable[ServiceCost], group_by: Sequence[str]
) -> list[Json]:
    """The rows of one day of the cost report; amounts are strings in cents."""
    sums: defaultdict[CostLine, Decimal] = defaultdict(Decimal)
    for line, cents in [*_token_costs(events), *_service_costs(services)]:
        sums[line.grouped(group_by)] += cents
    return [
        {"amount": format(cents, "f"), "currency": "USD"}
        | {name: getattr(line, name) for name in _COST_FIELDS}
        for line, cents in sums.items()
    ]


def _token_costs(events: Iterable[UsageEvent]) -> Iterable[tuple[CostLine, Decimal]]:
    priced_by = attrgetter(*_PRICED_BY)
    for (workspace, model, tier, window, geo, speed), counts in summed(events, priced_by).items():
        if counts[-1]:
            line = CostLine(workspace, _SERVICE_WORDS["web_search"], "web_search")
            yield line, counts[-1] * WEB_SEARCH_CENTS
        if tier in UNBILLED_TIERS:
            continue
        prices = cents_per_token(model, tier, window, geo, speed)
        for token_type, count, price in zip(TOKEN_TYPES, counts[:-1], prices, strict=True):
            if count:
                yield _token_line(workspace, model, tier, window, token_type, geo), count * price


@cache
def _token_line(
    workspace: str | None, model: str, tier: str, window: str, token_type: str, geo: str
) -> CostLine:
    # Flex has no value of its own in the report's service_tier: only the description tells.
    words = [tier.replace("_", " ")] if tier != "standard" else []
    words += [window] if window != "0-200k" else []
    words += [geo] if geo == "us" else []
    suffix = f" ({', '.join(words)})" if words else ""
    return CostLine(
        workspace_id=workspace,
        description=f"{model} Usage - {_TOKEN_WORDS[token_type]}{suffix}",
        cost_type="tokens",
        model=model,
        service_tier=tier if tier in ("standard", "batch") else None,
        context_window=window,
        token_type=token_type,
        inference_geo=geo,
    )


def _service_costs(services: Iterable[ServiceCost]) -> Iterable[tuple[CostLine, Decimal]]:
    for service in services:
        words = _SERVICE_WORDS[service.cost_type]
        yield CostLine(service.workspace_id, words, service.cost_type), service.cents


# --- claude_code_usage ----------------------------------------------------------------------

_TOOLS = ("edit_tool", "multi_edit_tool", "write_tool", "notebook_edit_tool", "browser_tool")


def claude_code_records(
    events: Iterable[UsageEvent], day: date, organization_id: str, seed: int, *, drift: bool
) -> list[Json]:
    """One record per session: the tokens are the events' own, the activity is invented."""
    sessions: defaultdict[Session, list[UsageEvent]] = defaultdict(list)
    for event in events:
        if event.session is not None:
            sessions[event.session].append(event)
    return [
        _record(session, members, day, organization_id, seed, drift)
        for session, members in sessions.items()
    ]


def _record(
    session: Session,
    events: Sequence[UsageEvent],
    day: date,
    organization_id: str,
    seed: int,
    drift: bool,
) -> Json:
    rng = random.Random(f"{seed}/{day}/{session}")
    record: Json = {
        "date": timestamp(midnight(day)),
        "organization_id": organization_id,
        "actor": session.actor_json,
        "customer_type": session.customer_type,
        "terminal_type": session.terminal_type,
        "core_metrics": _core_metrics(rng),
        "tool_actions": _tool_actions(rng),
        "model_breakdown": _model_breakdown(events, drift and rng.random() < 0.2),
    }
    if session.actor_type == "user_actor":
        record["subscription_type"] = session.subscription_type
    if session.is_remote is not None:
        record["is_remote"] = session.is_remote
    return record


def _core_metrics(rng: random.Random) -> Json:
    return {
        "num_sessions": rng.randrange(1, 9),
        "lines_of_code": {"added": rng.randrange(0, 2500), "removed": rng.randrange(0, 900)},
        "commits_by_claude_code": rng.randrange(0, 12),
        "pull_requests_by_claude_code": rng.randrange(0, 4),
    }


def _tool_actions(rng: random.Random) -> Json:
    return {
        tool: {"accepted": rng.randrange(0, 120), "rejected": rng.randrange(0, 20)}
        for tool in _TOOLS[: rng.randrange(0, len(_TOOLS) + 1)]
    }


def _model_breakdown(events: Sequence[UsageEvent], as_text: bool) -> list[Json]:
    models: defaultdict[str, list[UsageEvent]] = defaultdict(list)
    for event in events:
        if event.model is not None:
            models[event.model].append(event)
    return [
        {
            "model": model,
            "tokens": _tokens(members),
            "estimated_cost": {"currency": "USD", "amount": _estimate(members, as_text)},
        }
        for model, members in models.items()
    ]


def _tokens(events: Sequence[UsageEvent]) -> dict[str, int]:
    plain, read, five_minutes, hour, output = map(
        sum, zip(*(event.tokens for event in events), strict=True)
    )
    return {
        "input": plain,
        "output": output,
        "cache_read": read,
        "cache_creation": five_minutes + hour,
    }


def _estimate(events: Sequence[UsageEvent], as_text: bool) -> float | str:
    """Cents; a JSON number, which some sources show as a string. Exact within 15 digits."""
    cents = sum((sum(event.list_cents.values()) for event in events), Decimal())
    return format(cents, "f") if as_text else float(cents)
