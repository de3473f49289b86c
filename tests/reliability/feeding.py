"""Feed an answer of the API to the whole way of a row, and look whether every leaf arrives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import pyarrow as pa

from anthropic_lake.assets import ASSETS, Asset
from anthropic_lake.errors import LakeError
from anthropic_lake.extract.days import extract_days
from anthropic_lake.extract.snapshots import extract_snapshot
from anthropic_lake.rows.day import days
from tests.simulator import Organization
from tests.unit.fakes import Asked, Reply, talk

DAY = date(2026, 11, 20)
Json = dict[str, Any]


def feed(asset: Asset, body: bytes) -> list[pa.Table] | LakeError:
    """Give the rows of an asset whose endpoint answers with the body, or the named refusal.

    Anything else that is raised is what a fuzzer looks for.
    """

    def answer(asked: Asked) -> Reply:
        if asset.fan_out is not None and asked.path == asset.fan_out.path:
            return Reply({"data": [{"id": "wrkspc_01"}], "has_more": False, "last_id": "wrkspc_01"})
        return Reply(body)

    api = talk(answer, asset=asset.name, time_left=lambda: 2.0).api  # few retries
    try:
        if asset.kind.dated:
            end = DAY + timedelta(days=1)
            extracted = extract_days(asset, api, DAY, end, complete_end=end)
        else:
            extracted = extract_snapshot(asset, api, DAY)
        (day,) = days(asset, extracted)
        return [day.take_rows(table) for table in asset.tables]
    except LakeError as error:
        return error


def lost(body: bytes, tables: list[pa.Table]) -> list[object]:
    """Give the leaves of the records that stand in no row, neither in a column nor in `extra`."""
    arrived: set[object] = set()
    for table in tables:
        for row in table.to_pylist():
            for name, value in row.items():
                arrived |= _forms(value)
                if isinstance(value, str) and (value[:1] in '{["' or name == "extra"):
                    arrived |= {form for leaf in _json_leaves(value) for form in _forms(leaf)}
    arrived |= _forms(DAY.isoformat()) | _forms(f"{DAY}T00:00:00Z")  # the partition says it
    answer = json.loads(body, parse_float=Decimal)
    records = answer.get("data", [answer])
    return [leaf for leaf in _leaves(records) if not _forms(leaf) & arrived]


def _json_leaves(text: str) -> list[object]:
    try:
        return list(_leaves(json.loads(text, parse_float=Decimal)))
    except ValueError:
        return []


def _leaves(value: Any) -> Iterator[object]:
    """Every value that is neither null nor a container."""
    if isinstance(value, dict):
        for below in value.values():
            yield from _leaves(below)
    elif isinstance(value, list):
        for below in value:
            yield from _leaves(below)
    elif value is not None:
        yield value


def _forms(value: object) -> set[object]:
    """The ways in which a value may stand in a column: a text also as the time or amount it is."""
    if isinstance(value, bool):
        return {f"it is {value}"}
    if isinstance(value, int | Decimal):
        return {Decimal(value)}
    if isinstance(value, datetime):
        return {value}
    forms: set[object] = {value if isinstance(value, str) else str(value)}
    text = str(value)
    with suppress(InvalidOperation):
        forms.add(Decimal(text))
    with suppress(ValueError):
        then = datetime.fromisoformat(text)
        forms.add(then if then.tzinfo else then.replace(tzinfo=UTC))
    return forms


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
    }
    pages: dict[str, Json] = {
        name: {"data": found[:3], "has_more": False, "next_page": None, "last_id": None}
        for name, found in lists.items()
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
