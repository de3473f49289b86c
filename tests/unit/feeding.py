"""Feed an answer of the API to the whole way of a row, and look whether every leaf arrives."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import pyarrow as pa

from anthropic_lake.api.client import AdminApi
from anthropic_lake.assets import ASSETS, Asset, Kind
from anthropic_lake.errors import ApiError, LakeError
from anthropic_lake.extract.batch import AnswerFields, Extracted
from anthropic_lake.extract.extraction import Extraction
from anthropic_lake.rows.day import Day, days
from anthropic_lake.schema.table import Column, Table
from anthropic_lake.schema.types import ESTIMATE, INTEGER, JSON, MONEY, TIMESTAMP, Type
from tests.simulator import Organization
from tests.unit.fakes import Asked, Reply, talk

DAY = date(2026, 11, 20)
Json = dict[str, Any]
_PAGING = {"data", "has_more", "next_page", "first_id", "last_id"}
_BOUNDS = {"starting_at", "ending_at"}
_REFRESHED = "data_refreshed_at"
_NOTHING = [("NoneType", None), ("dict", "{}"), ("list", "[]")]


@dataclass(frozen=True)
class Fed:
    """What arrives of an answer.

    Args:
        tables: The rows of each table.
        fields: What belongs to no record, by path.
    """

    tables: list[pa.Table]
    fields: Json


def feed(asset: Asset, body: bytes) -> Fed | LakeError:
    """Return what arrives of an answer that an asset's endpoint gives, or the named refusal.

    Anything else that is raised is what a fuzzer looks for.
    """

    def answer(asked: Asked) -> Reply:
        if asset.fan_out and asked.path == asset.fan_out.workspaces.path:
            workspaces = [] if asset.path else [{"id": "wrkspc_01"}]
            return Reply({"data": workspaces, "has_more": False, "last_id": "wrkspc_01"})
        return Reply(body)

    api = talk(answer, asset=asset.name, time_left=lambda: 2.0).api  # few retries
    try:
        items = list(days(asset, _extract(asset, api)))
    except LakeError as error:
        return error
    found = [item for item in items if isinstance(item, Day)]
    if not found:
        return ApiError(f"{asset.name}: the day did not come whole")
    (day,) = found
    fields: Json = {}
    for item in items:
        fields |= item.fields if isinstance(item, AnswerFields) else {}
    return day.error or Fed([day.take_rows(table) for table in asset.tables], fields)


def _extract(asset: Asset, api: AdminApi) -> Iterator[Extracted]:
    extraction = Extraction(asset, api)
    if not asset.kind.dated:
        return extraction.snapshot(DAY)
    end = DAY + timedelta(days=1)
    return extraction.days(DAY, end, complete_end=end)


def lost(asset: Asset, body: bytes, fed: Fed) -> list[tuple[str, object]]:
    """Return the leaves of an accepted answer that do not arrive at their own path.

    A leaf has to be in the column of its path, in the type of that column, or under its dotted path
    in `extra`, as often as the API sent it. This reads rows and JSON by the tables' declarations
    alone, so it knows nothing of how the product reads them.
    """
    pairs = zip(asset.tables, fed.tables, strict=True)
    arrived = Counter(leaf for pair in pairs for leaf in _kept(*pair))
    arrived.update(_leaves_by_path(fed.fields))
    return sorted((sent(asset, body) - arrived).elements(), key=repr)


def sent(asset: Asset, body: bytes) -> Counter[tuple[str, object]]:
    """Return the leaves of an answer: their dotted paths, and their values as a column has them."""
    leaves = Counter[tuple[str, object]]()
    answer = json.loads(body, parse_float=Decimal)
    if asset.name == "organization":
        return Counter(_expected(asset, answer))
    in_buckets, timed = (asset.kind is kind for kind in (Kind.TIME_BUCKETS, Kind.TIMED_ROWS))
    leaves.update(_others(answer, _PAGING | ({_REFRESHED} if timed else set()), "page"))
    shared = {_REFRESHED: answer.get(_REFRESHED)} if timed else {}
    records = [
        Counter(_expected(asset, shared | record))
        for whole in answer["data"]
        if not in_buckets
        for record in _unnested(asset, whole)
    ]
    if not asset.kind.dated:  # equal records of a snapshot are one row
        records = [record for n, record in enumerate(records) if record not in records[:n]]
    for record in records:
        leaves.update(record)
    for bucket in answer["data"] if in_buckets else []:
        results = bucket.pop("results")
        for result in results:
            leaves.update(_expected(asset, result))
        leaves.update(_others(bucket, _BOUNDS, "time_bucket"))
        for name in _BOUNDS:
            leaves.update(_expected_of_bound(asset, name, bucket[name], results))
    return leaves


def _unnested(asset: Asset, record: Json) -> list[Json]:
    """A record, or one for each element of the list that its table unnests."""
    name = asset.tables[0].unnest
    elements = record.get(name) if name else None
    return [record | {str(name): [element]} for element in elements] if elements else [record]


def _expected_of_bound(
    asset: Asset, name: str, bound: str, results: list[Json]
) -> Iterator[tuple[str, object]]:
    """A time bucket's bound: in the column, and in `extra` of a row that has another one."""
    own = [result.get(name) for result in results]
    if None in own:
        yield from _expected(asset, {name: bound})
    if any(value not in (None, bound) for value in own):
        yield from _leaves(bound, f"time_bucket.{name}")


def _others(fields: Json, known: set[str], place: str) -> Iterator[tuple[str, object]]:
    """Every leaf of the fields that belong to no record."""
    for name, value in fields.items():
        if name not in known:
            yield from _leaves(value, f"{place}.{_escaped(name)}")


def _kept(table: Table, rows: pa.Table) -> Iterator[tuple[str, object]]:
    """Every leaf that the rows hold: its path, and its value."""
    prefix = f"{table.explode}[]." if table.explode else ""
    first_paths = {column.paths[0] for column in table.all_columns}
    for row in rows.to_pylist():
        for column in table.all_columns:
            value = row[column.name]
            if value is None or column.usd_where or _is_combined(table, column):
                continue
            if column.name == "extra":
                yield from _leaves_by_path(json.loads(value, parse_float=Decimal), prefix)
                continue
            later = (path for path in column.paths if path not in first_paths)
            for path in (column.paths[0], *later):
                if column.type is JSON:
                    yield from _leaves(json.loads(value, parse_float=Decimal), prefix + path)
                else:
                    yield prefix + path, _exact(value)


def _is_combined(table: Table, column: Column) -> bool:
    """Whether a column is made of all elements of a list."""
    return "[]." in column.paths[0] and not table.unnest


def _leaves_by_path(values: Json, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Every leaf of values that stand under their paths."""
    for path, part in values.items():
        yield from _leaves(part, prefix + path)


def _expected(asset: Asset, record: Any) -> Iterator[tuple[str, object]]:
    """Every leaf of a record, in the type of its column; a known field that is null is none."""
    if not record:
        return
    types = _types(asset)
    for path, value in _leaves(record):
        known = path in types or any(name.startswith(f"{path}.") for name in types)
        if path == asset.tables[0].partition_field or (known and value in _NOTHING):
            continue
        yield path, _typed(types[path], value) if path in types else value


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, object]]:
    """Every value that is not a container, and every empty container, with its dotted path."""
    if isinstance(value, dict) and value:
        for name, part in value.items():
            yield from _leaves(part, f"{path}.{_escaped(name)}" if path else _escaped(name))
    elif isinstance(value, list) and value:
        for part in value:
            yield from _leaves(part, f"{path}[]")
    else:
        yield path, _exact(value)


def _escaped(name: str) -> str:
    """A name as it stands in a path: its own dots are no separators."""
    return re.sub(r"[.\\]", r"\\\g<0>", name)


def _exact(value: object) -> object:
    """A value that equals no other kind of value: True is not 1, but 1.0 is."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return "number", Decimal(value)
    return type(value).__name__, str(value) if isinstance(value, dict | list) else value


@cache
def _types(asset: Asset) -> dict[str, Type]:
    """The type of each path that has a column of its own."""
    return {
        f"{table.explode}[].{path}" if table.explode else path: column.type
        for table in asset.tables
        for column in table.all_columns
        for path in column.paths
        if column.name != "extra" and not _is_combined(table, column)
    }


def _typed(kind: Type, exact: Any) -> object:
    """What a column of a type makes of a value."""
    _, value = exact
    if kind is JSON:
        return exact
    if kind is TIMESTAMP:
        return _exact(datetime.fromisoformat(value))
    if kind is ESTIMATE and Decimal(value) != round(Decimal(value), 12):
        return exact  # the column is rounded, so it stands in `extra` as it is
    if kind in (MONEY, ESTIMATE):
        return _exact(Decimal(value))
    return _exact(int(value) if kind is INTEGER else value)


_BUCKET = {
    "starting_at": f"{DAY}T00:00:00Z",
    "ending_at": f"{DAY + timedelta(days=1)}T00:00:00Z",
}
_ACTORS: list[Json | None] = [
    {
        "type": "user_actor",
        "user_id": "user_01",
        "email_address": "ada@example.com",
        "name": "Ada",
        "deleted": False,
    },
    {
        "type": "federated_actor",
        "provider": {"type": "gcp", "project_number": "1234"},
        "subject": "serviceAccount:ci@example.iam.gserviceaccount.com",
    },
    None,
]
_GROUPS = [
    {
        "actor": actor,
        "actor_type": None,
        "api_key_id": "apikey_01",
        "workspace_id": "wrkspc_01",
        "model": "claude-opus-5-5",
        "product": "messages_api",
        "inference_geo": None,
        "organization_id": None,
    }
    for actor in _ACTORS
]
_COST = {"amount": "12.345678", "list_amount": "13.5", "currency": "USD", "requests": None}
_USAGE = {
    "uncached_input_tokens": 5,
    "cache_read_input_tokens": 6,
    "cache_creation": {"ephemeral_5m_input_tokens": 7, "ephemeral_1h_input_tokens": 8},
    "output_tokens": 9,
    "total_tokens": 35,
    "server_tool_use": {"web_search_requests": 1},
    "requests": 3,
}


_OF_WORKSPACE = {
    "rate_limit_id": "rl_01",
    "workspace_id": "wrkspc_01",
    "type": "workspace_rate_limit",
    "group": {"id": "rlg_01", "type": "batch"},
    "group_type": "batch",
    "models": None,
    "limits": [
        {
            "type": "requests_per_minute",
            "value": 50,
            "org_limit": 4000,
            "source": {"type": "workspace"},
        },
        {
            "type": "batch_requests_in_queue",
            "value": 9,
            "org_limit": None,
            "source": {"type": "organization"},
        },
    ],
}
_OF_OLDER_TYPES = {
    "id": "rl_02",
    "type": "rate_limit",
    "group_type": "model_group",
    "models": ["claude-opus-5-5"],
    "limits": [{"type": "requests_per_minute", "value": 7}],
}


def samples() -> dict[str, Json]:
    """A page of each asset as the simulator has it, with at most three records."""
    organization = Organization.invent(today=DAY, days=2, people=3, workspaces=2)
    usage = organization.usage_report(DAY, ("api_key_id", "model"))[0]
    lists: dict[str, list[Json]] = {
        "workspaces": organization.workspaces,
        "api_keys": organization.api_keys,
        "invites": organization.invites,
        "users": organization.users,
        "workspace_members": next(found for found in organization.members.values() if found),
        "usage_report": [usage | {"results": usage["results"][:3]}],
        "cost_report": [_bucket(organization.cost_rows(DAY)[:3])],
        "claude_code_usage": organization.claude_code_records(DAY),
        "rate_limits": [*organization.rate_limits[:1], _OF_WORKSPACE, _OF_OLDER_TYPES],
        "spend_limits": organization.spend_limits[1:],
    }
    pages: dict[str, Json] = {
        name: {"data": found[:3], "has_more": False, "next_page": None, "last_id": None}
        for name, found in lists.items()
    }
    pages |= {
        f"analytics_{name}": {
            "data": [{**_BUCKET, "group": group, name: figures} for group in _GROUPS],
            "has_more": False,
            "next_page": None,
            _REFRESHED: f"{DAY + timedelta(days=1)}T04:00:00Z",
        }
        for name, figures in (("cost", _COST), ("usage", _USAGE))
    }
    me = {"id": organization.id, "type": "organization", "name": organization.name}
    return {"organization": me} | pages


def _bucket(rows: list[Json]) -> Json:
    end = DAY + timedelta(days=1)
    return {
        "starting_at": f"{DAY}T00:00:00Z",
        "ending_at": f"{end}T00:00:00Z",
        "results": rows,
    }


assert samples().keys() == ASSETS.keys()
