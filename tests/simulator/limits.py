"""Rate limits and spend limits: invented ones, and the endpoints that list them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from tests.simulator.invention import ALPHABET, Entities, precise
from tests.simulator.pages import dumps, page_offset, page_token
from tests.simulator.parameters import ApiError, Parameters, either
from tests.simulator.usage import MODELS
from tests.simulator.wire import Request

if TYPE_CHECKING:
    from tests.simulator.endpoints import Answers

Json = dict[str, Any]

SPEND_LIMIT_READS = "spend-limit-reads-2026-09-26"
GROUP_TYPES = ("batch", "files", "model_group", "skills", "token_count", "web_search")
SCOPE_TYPES = (
    "organization",
    "organization_service",
    "rbac_group",
    "seat_tier",
    "usage_tier",
    "user",
    "workspace",
)
RATE_LIMIT_PARAMETERS = ("group_type", "limit", "page")
SPEND_LIMIT_PARAMETERS = ("limit", "page", "scope_type", "scope_type[]", "workspace_id")

# The version whose rate limits still say `group_type` beside `group`.
_FIRST_VERSION = "2023-06-01"
_FAMILIES = (
    ("Claude Sonnet 4.x", "claude-sonnet"),
    ("Claude Opus 4.x", "claude-opus"),
    ("Claude Haiku 4.x", "claude-haiku"),
)
_OF_MODELS = (
    ("requests_per_minute", 4000),
    ("input_tokens_per_minute_cache_aware", 2_000_000),
    ("output_tokens_per_minute", 400_000),
)
_OF_SURFACES = {
    "batch": (("requests_per_minute", 4000), ("batch_requests_in_queue", 500_000)),
    "token_count": (("requests_per_minute", 8000),),
    "files": (("requests_per_minute", 500),),
    "skills": (("requests_per_minute", 500),),
    "web_search": (("tool_uses_per_second", 30),),
}


# --- inventions -------------------------------------------------------------------------------


class LimitInventor:
    """Draws limits from a source of its own: the entities stay what they were."""

    def __init__(self, seed: int, today: date, entities: Entities) -> None:
        self._rng = random.Random(f"{seed}/limits")
        self._today, self._entities = today, entities

    def rate_limits(self) -> list[Json]:
        """One entry for each family of models, then for each other surface of the API."""
        families = [
            self._rate_limit(
                {"type": "model_group", "display_name": name},
                [model for model in MODELS if model.startswith(prefix)],
                _OF_MODELS,
            )
            for name, prefix in _FAMILIES
        ]
        surfaces = [
            self._rate_limit({"type": kind}, None, limits) for kind, limits in _OF_SURFACES.items()
        ]
        return families + surfaces

    def overrides(self, rate_limits: Sequence[Json]) -> dict[str, dict[str, dict[str, int]]]:
        """By workspace, by entry, by limiter: of every other workspace, a lower and a new limit."""
        lower, unknown = rate_limits[0], rate_limits[1]
        return {
            workspace["id"]: {
                lower["id"]: {"requests_per_minute": 50 * self._rng.randrange(1, 20)},
                unknown["id"]: {"input_tokens_per_minute": 1000 * self._rng.randrange(1, 99)},
            }
            for workspace in self._entities.workspaces[2::2]
        }

    def spend_limits(self) -> list[Json]:
        """Every kind of scope and period, with and without an amount, newest first."""
        workspaces, users = self._entities.workspaces, self._entities.users
        scopes: list[tuple[Json, str | None, str]] = [
            ({"type": "organization"}, "5000000", "monthly"),
            ({"type": "usage_tier"}, "20000000", "monthly"),
            ({"type": "workspace", "workspace_id": workspaces[0]["id"]}, None, "monthly"),
            ({"type": "workspace", "workspace_id": workspaces[1]["id"]}, "0", "weekly"),
            ({"type": "seat_tier", "seat_tier": "premium"}, "10000", "monthly"),
            ({"type": "rbac_group", "rbac_group_id": self._id("rbac_group")}, "250000", "weekly"),
            ({"type": "organization_service", "service": "claude_code"}, None, "monthly"),
        ]
        scopes += [({"type": "user", "user_id": u["id"]}, "2500", "daily") for u in users[:2]]
        return [self._spend_limit(number, *limit) for number, limit in enumerate(scopes)]

    def _rate_limit(
        self, group: Json, models: list[str] | None, limits: Sequence[tuple[str, int]]
    ) -> Json:
        return {
            "id": self._id("rl"),
            "type": "rate_limit",
            "group": {"id": _group_id(group), **group},
            "models": models,
            "limits": [{"type": kind, "value": value} for kind, value in limits],
        }

    def _spend_limit(self, number: int, scope: Json, amount: str | None, period: str) -> Json:
        end = datetime(self._today.year, self._today.month, self._today.day, tzinfo=UTC)
        created = end - timedelta(days=30 + 9 * number, seconds=self._rng.randrange(86_400))
        return {
            "id": self._id("spl"),
            "type": "spend_limit",
            "amount": amount,
            "currency": "USD",
            "period": period,
            "is_enabled": scope["type"] != "organization",
            "scope": scope,
            "created_at": precise(created),
            "updated_at": precise(created + timedelta(days=number)),
        }

    def _id(self, prefix: str) -> str:
        return f"{prefix}_01" + "".join(self._rng.choices(ALPHABET, k=22))


def _group_id(group: Json) -> str:
    """A group's own identifier: the same in every organization."""
    name = str(group.get("display_name", group["type"]))
    return "rlg_01" + "".join(char for char in name if char.isalnum()).ljust(22, "1")


# --- endpoints --------------------------------------------------------------------------------


def rate_limits(answers: Answers, request: Request, query: Parameters) -> bytes:
    model = query.one("model")
    listed = [
        entry
        for entry in _of_type(answers.organization.rate_limits, query)
        if model is None or model in (entry["models"] or ())
    ]
    if model is not None and not listed:
        raise ApiError(f"No rate limits for model {model}", 404)
    return _page([_shaped(entry, answers, request) for entry in listed], request, query, None)


def workspace_rate_limits(answers: Answers, request: Request, query: Parameters) -> bytes:
    workspace_id = unquote(request.path.split("/")[4])
    organization = answers.organization
    known = next((w for w in organization.workspaces if w["id"] == workspace_id), None)
    if known is None or workspace_id in answers.missing_rate_limits:
        raise ApiError("Workspace not found", 404)
    if known["archived_at"] is not None:
        raise ApiError("Workspace is archived")
    overrides = organization.rate_limit_overrides.get(workspace_id, {})
    inherited = query.flag("include_inherited")
    listed = [
        _shaped(entry, answers, request)
        | {"limits": limits, "rate_limit_id": entry["id"], "type": "workspace_rate_limit"}
        | {"workspace_id": workspace_id}
        for entry in _of_type(organization.rate_limits, query)
        if (limits := _limits(entry, overrides.get(entry["id"], {}), inherited=inherited))
    ]
    for entry in listed:
        del entry["id"]
    return _page(listed, request, query, None)


def spend_limits(answers: Answers, request: Request, query: Parameters) -> bytes:
    scope_types = either(query, "scope_type", SCOPE_TYPES)
    workspace = query.one("workspace_id")
    listed = [
        limit
        for limit in answers.organization.spend_limits
        if (not scope_types or limit["scope"]["type"] in scope_types)
        and workspace in (None, limit["scope"].get("workspace_id"))
    ]
    return _page(listed, request, query, 20)


def _of_type(entries: Sequence[Json], query: Parameters) -> list[Json]:
    kind = query.choice("group_type", GROUP_TYPES, None)
    return [entry for entry in entries if kind in (None, entry["group"]["type"])]


def _shaped(entry: Json, answers: Answers, request: Request) -> Json:
    """The entry as the request's version has it."""
    first_version = request.headers.get("anthropic-version") == _FIRST_VERSION
    older = first_version and answers.has_group_type
    return entry | ({"group_type": entry["group"]["type"]} if older else {})


def _limits(entry: Json, overrides: dict[str, int], *, inherited: bool) -> list[Json]:
    """A workspace's own values, and with them those that it inherits."""
    of_organization = {limit["type"]: limit["value"] for limit in entry["limits"]}
    return [
        {
            "type": kind,
            "value": overrides.get(kind, of_organization.get(kind)),
            "org_limit": of_organization.get(kind),
            "source": {"type": "workspace" if kind in overrides else "organization"},
        }
        for kind in of_organization | overrides
        if inherited or kind in overrides
    ]


def _page(
    listed: Sequence[Json], request: Request, query: Parameters, default: int | None
) -> bytes:
    """A page without `has_more`; of everything where no limit is given and none is the default."""
    limit = query.limit(default or max(1, len(listed)), 1000)
    start = int(page_offset(request, query) or 0)
    stop = start + limit
    token = page_token(request, str(stop)) if stop < len(listed) else None
    return dumps({"data": listed[start:stop], "next_page": token})
