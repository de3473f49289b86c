"""What the lake has to hold, from the organization alone, by none of the extractor's row code.

A row is compared by the columns that stand for one field of the API's record, and by the sums over
a record's list; the copies that the extractor adds (dollars, `grouped_by`, ...) have tests of their
own.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from anthropic_lake.assets import Asset
from anthropic_lake.schema.table import Column, Table
from anthropic_lake.schema.types import ESTIMATE, INTEGER, JSON, MONEY, TIMESTAMP
from tests.simulator import Organization
from tests.simulator.analytics import COMPONENTS, DIMENSIONS
from tests.simulator.attribution import Use
from tests.simulator.organization import before
from tests.simulator.reports import BUCKET_WIDTHS, midnight, timestamp, usage_results
from tests.simulator.usage import TOKEN_TYPES, UNBILLED_TIERS, WEB_SEARCH_CENTS

Json = dict[str, Any]
Rows = tuple[tuple[Any, ...], ...]
"""All rows of a day, sorted."""

_ADDED = {"extra", "organization_id", "grouped_by", "bucket_width"}
_ABSENT = object()
_DELAY = {"claude_code_usage": timedelta(hours=1)}


def reach(asset: Asset, now: datetime) -> datetime:
    """Until when the API has what happened by a moment."""
    return now - _DELAY.get(asset.name, timedelta())


def whole(asset: Asset, day: date, now: datetime) -> bool:
    """Whether the API has the whole of a day."""
    return reach(asset, now) >= midnight(day + timedelta(days=1))


def rows(asset: Asset, table: Table, organization: Organization, day: date, now: datetime) -> Rows:
    """What a day of a table holds when it is read at a moment."""
    until = None if whole(asset, day, now) else reach(asset, now)
    records = list(_RECORDS[asset.name](asset, organization, day, until))
    if table.explode:
        records = [parent | each for parent in records for each in parent[table.explode]]
    if table.unnest:
        records = [
            parent | {f"{table.unnest}[]": e} for parent in records for e in parent[table.unnest]
        ]
    return _sorted(tuple(_expected(c, record) for c in _compared(table)) for record in records)


def stored(table: Table, body: bytes) -> Rows:
    """What an object holds; reading it proves that it is a whole Parquet file."""
    return _stored(table, body)


@lru_cache(maxsize=4096)
def _stored(table: Table, body: bytes) -> Rows:
    found = pq.read_table(pa.BufferReader(body), partitioning=None, use_threads=False)
    assert found.schema.equals(table.schema), f"{table.name} has another schema"
    columns = [[_read(c, v) for v in found[c.name].to_pylist()] for c in _compared(table)]
    return _sorted(zip(*columns, strict=True))


def _sorted(found: Iterable[tuple[Any, ...]]) -> Rows:
    return tuple(sorted(found, key=repr))


@lru_cache
def _compared(table: Table) -> tuple[Column, ...]:
    return tuple(
        c for c in table.all_columns if c.name not in _ADDED and not c.usd_where and c.in_digest
    )


def _read(column: Column, value: Any) -> Any:
    if value is None or column.type is not JSON:
        return value
    return json.dumps(json.loads(value), sort_keys=True)


def _expected(column: Column, record: Json) -> Any:
    """The value of a column in a record of the API."""
    if "[]." in column.paths[0] and column.paths[0].partition(".")[0] not in record:
        return _combined(column, record)
    found = (_at(record, path.split(".")) for path in column.paths)
    return _typed(column, next((value for value in found if value is not _ABSENT), None))


def _combined(column: Column, record: Json) -> Any:
    """The sum over a list, or the one text that all its elements share."""
    name, _, path = column.paths[0].partition("[].")
    values = [_typed(column, _at(each, path.split("."))) for each in record[name]]
    if column.type in (INTEGER, ESTIMATE):
        return sum(values, Decimal(0) if column.type is ESTIMATE else 0)
    return values[0] if len(set(values)) == 1 else None


def _at(record: Json, names: list[str]) -> Any:
    value: Any = record
    for name in names:
        value = value.get(name, _ABSENT) if isinstance(value, dict) else _ABSENT
    return value


def _typed(column: Column, value: Any) -> Any:
    if value is None or value is _ABSENT:
        return None
    if column.type is TIMESTAMP:
        return datetime.fromisoformat(value)
    if column.type in (MONEY, ESTIMATE):
        return Decimal(str(value))
    return json.dumps(value, sort_keys=True) if column.type is JSON else value


# --- the records of each asset -----------------------------------------------------------------


def _listed(name: str) -> Any:
    return lambda _asset, organization, _day, _until: getattr(organization, name)


def _me(_asset: Asset, organization: Organization, _day: date, _until: object) -> list[Json]:
    return [{"id": organization.id, "type": "organization", "name": organization.name}]


def _members(_asset: Asset, organization: Organization, _day: date, _until: object) -> list[Json]:
    return [member for members in organization.members.values() for member in members]


def _usage(
    asset: Asset, organization: Organization, day: date, until: datetime | None
) -> Iterator[Json]:
    assert asset.time_buckets
    events = before(organization.day(day).stream(), until)
    results = usage_results(events, asset.time_buckets.group_by, "1d")
    yield from _with_bounds(day, json.loads(results.get(midnight(day), b"[]")))


def _cost(
    _asset: Asset, organization: Organization, day: date, until: datetime | None
) -> Iterator[Json]:
    yield from _with_bounds(
        day, organization.cost_rows(day, ("workspace_id", "description"), until)
    )


def _with_bounds(day: date, records: Iterable[Json]) -> Iterator[Json]:
    start = midnight(day)
    bounds = {
        "starting_at": timestamp(start),
        "ending_at": timestamp(start + timedelta(days=1)),
        "bucket_width": "1d",
    }
    for record in records:
        yield bounds | record


def _analytics(
    asset: Asset, organization: Organization, day: date, until: datetime | None
) -> Iterator[Json]:
    """Sums of the day's use by time bucket and dimensions."""
    by = asset.time_buckets
    assert by
    width = BUCKET_WIDTHS[by.width]
    figures_of = _costs if asset.name == "analytics_cost" else _counts
    users = {user["id"]: user for user in organization.users}
    sums: dict[Any, Counter[Any]] = {}
    for use in organization.uses(day):
        if until is None or use.starting_at < until:
            start = use.starting_at - (use.starting_at - midnight(day)) % width
            values = tuple(getattr(use, name) for name in by.group_by)
            sums.setdefault((start, values), Counter()).update(figures_of(use))
    for (start, values), sum_of in sums.items():
        group: Json = dict.fromkeys(DIMENSIONS) | dict(zip(by.group_by, values, strict=True))
        if group["actor"] is not None:
            group["actor"] = group["actor"].json(users)
        bounds = {"starting_at": timestamp(start), "ending_at": timestamp(start + width)}
        for more in _reported(asset, sum_of):
            yield bounds | more | {"group": group | more.get("group", {})}


def _counts(use: Use) -> dict[Any, Any]:
    """The counters of the usage report, by number, and requests."""
    return {**dict(enumerate(use.counts)), "requests": use.requests}


def _costs(use: Use) -> dict[Any, Any]:
    """Cents by kind of cost and of token; Priority Tier is billed elsewhere."""
    tokens = [count * price for count, price in zip(use.counts, use.prices, strict=False)]
    if use.service_tier in UNBILLED_TIERS:
        tokens = [Decimal()] * len(tokens)
    others = [use.counts[-1] * WEB_SEARCH_CENTS, *use.services]
    return dict(zip(COMPONENTS, [*tokens, *others], strict=True))


def _reported(asset: Asset, figures: Counter[Any]) -> Iterator[Json]:
    """What a group's records have for themselves; one without figures has no record."""
    if asset.name == "analytics_cost":
        for (cost_type, token_type), cents in figures.items():
            if cents:
                kinds = {"cost_type": cost_type, "token_type": token_type}
                amounts = {"amount": cents, "list_amount": cents, "currency": "USD"}
                yield {"group": kinds, "cost": amounts}
    elif any(figures.values()):
        names = [*TOKEN_TYPES, "server_tool_use.web_search_requests"]
        usage: Json = {"requests": figures["requests"]}
        for number, name in enumerate(names):
            place, _, leaf = name.rpartition(".")
            (usage.setdefault(place, {}) if place else usage)[leaf] = figures[number]
        yield {"usage": usage | {"total_tokens": sum(figures[n] for n in range(len(TOKEN_TYPES)))}}


def _rate_limits(
    _asset: Asset, organization: Organization, _day: date, _until: object
) -> Iterator[Json]:
    """The organization's own, and those that its active workspaces have or inherit."""
    yield from organization.rate_limits
    for workspace in organization.workspaces:
        if workspace["archived_at"] is None:
            of_workspace = organization.rate_limit_overrides.get(workspace["id"], {})
            for entry in organization.rate_limits:
                yield _of_workspace(workspace["id"], entry, of_workspace.get(entry["id"], {}))


def _of_workspace(workspace_id: str, entry: Json, overrides: dict[str, int]) -> Json:
    """An entry of the organization with a workspace's own values."""
    inherited = {limit["type"]: limit["value"] for limit in entry["limits"]}
    limits = [
        {
            "type": limiter,
            "value": value,
            "org_limit": inherited.get(limiter),
            "source": {"type": "workspace" if limiter in overrides else "organization"},
        }
        for limiter, value in (inherited | overrides).items()
    ]
    return entry | {
        "workspace_id": workspace_id,
        "type": "workspace_rate_limit",
        "limits": limits,
    }


def _claude_code(
    _asset: Asset, organization: Organization, day: date, until: datetime | None
) -> list[Json]:
    return organization.claude_code_records(day, until)


_RECORDS: dict[str, Any] = {
    "organization": _me,
    "workspaces": _listed("workspaces"),
    "api_keys": _listed("api_keys"),
    "invites": _listed("invites"),
    "users": _listed("users"),
    "workspace_members": _members,
    "usage_report": _usage,
    "cost_report": _cost,
    "claude_code_usage": _claude_code,
    "analytics_usage": _analytics,
    "analytics_cost": _analytics,
    "rate_limits": _rate_limits,
    "spend_limits": _listed("spend_limits"),
}
