"""How the API may drift, case by case: kept whole or refused by name."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from anthropic_lake.assets import ASSETS
from anthropic_lake.errors import ContractBroken, LakeError
from tests.reliability.feeding import feed, lost, samples

Json = dict[str, Any]
SAMPLES = samples()
Edit = Callable[[Json], object]


def _body(name: str, edit: Edit) -> bytes:
    """A page whose first record is edited."""
    page = copy.deepcopy(SAMPLES[name])
    record = page["data"][0] if "data" in page else page
    edit(record["results"][0] if "results" in record else record)
    return json.dumps(page).encode()


def _put(path: str, value: object) -> Edit:
    def edit(record: Json) -> None:
        *parents, name = path.split(".")
        for parent in parents:
            record = record[parent]
        record[name] = value

    return edit


def _drop(name: str) -> Edit:
    return lambda record: record.pop(name)


KEPT: dict[str, tuple[str, Edit]] = {
    "a field removed": ("users", _drop("name")),
    "a nested object removed": ("usage_report", _drop("cache_creation")),
    "a nested object null": ("usage_report", _put("server_tool_use", None)),
    "a field added": ("users", _put("badge", {"deep": [{"er": 1}]})),
    "a field added deep inside": (
        "usage_report",
        _put("cache_creation.ephemeral_24h_input_tokens", 5),
    ),
    "nested a hundred deep": ("users", _put("deep", json.loads('{"a":' * 100 + "1" + "}" * 100))),
    "an unknown enumerated value": ("users", _put("role", "archduke")),
    "the union of August": ("api_keys", _put("principal", {"id": "user_1", "type": "user"})),
    "the newer union": (
        "api_keys",
        _put("principal", {"type": "user_actor", "user_id": "user_1"}),
    ),
    "the newest union": ("api_keys", _put("principal", {"type": "robot", "robot_id": "r_1"})),
    "geos as text": (
        "workspaces",
        _put("data_residency", {"allowed_inference_geos": "unrestricted"}),
    ),
    "geos as a list": ("workspaces", _put("data_residency", {"allowed_inference_geos": ["us"]})),
    "an integer beyond 2^53": ("usage_report", _put("output_tokens", 2**53 + 1)),
    "the largest integer": ("usage_report", _put("output_tokens", 2**63 - 1)),
    "an unknown integer beyond int64": ("usage_report", _put("new_tokens", 2**80)),
    "an unknown decimal": ("usage_report", _put("ratio", 0.1)),
    "a text of 1 MB": ("users", _put("name", "x" * (1 << 20))),
    "a NUL": ("users", _put("name", "a\0b")),
    "control characters": ("users", _put("name", "\x1b[31m\r\n")),
    "an estimate as text": (
        "claude_code_usage",
        _put("model_breakdown", [{"estimated_cost": {"amount": "1.5", "currency": "USD"}}]),
    ),
    "thousands of tools": (
        "claude_code_usage",
        _put("tool_actions", {f"tool_{n}": {"accepted": n, "rejected": 1} for n in range(5000)}),
    ),
    "an unknown actor": ("claude_code_usage", _put("actor", {"type": "robot", "serial": 7})),
    "an amount in another currency": ("cost_report", _put("currency", "EUR")),
    "a long amount": ("cost_report", _put("amount", "12345678901234567890.1234567890")),
}

REFUSED: dict[str, tuple[str, Edit]] = {
    "an identity removed": ("users", _drop("id")),
    "an integer beyond int64": ("usage_report", _put("output_tokens", 2**63)),
    "a fraction of a token": ("usage_report", _put("output_tokens", 1.5)),
    "a number as text": ("usage_report", _put("output_tokens", "7")),
    "an object instead of a text": ("users", _put("name", {"first": "A"})),
    "a text instead of an object": ("usage_report", _put("cache_creation", "none")),
    "more digits than money holds": ("cost_report", _put("amount", "0." + "1" * 13)),
    "an infinite amount": ("cost_report", _put("amount", "Infinity")),
    "an amount removed": ("cost_report", _drop("amount")),
    "a time without a zone": ("users", _put("added_at", "2026-01-01T00:00:00")),
    "a lone surrogate": ("users", _put("name", "\ud800")),
    "another day's record": ("claude_code_usage", _put("date", "2026-11-19T00:00:00Z")),
    "a list of models that is none": ("claude_code_usage", _put("model_breakdown", "none")),
    "nested ten thousand deep": ("users", _put("deep", "DEEP")),
}


@pytest.mark.parametrize("case", KEPT)
def test_it_is_kept(case: str) -> None:
    name, edit = KEPT[case]
    body = _body(name, edit)
    found = feed(ASSETS[name], body)
    assert not isinstance(found, LakeError), found
    assert lost(body, found) == []


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_by_name(case: str) -> None:
    name, edit = REFUSED[case]
    body = _body(name, edit).replace(b'"DEEP"', b"[" * 10_000 + b"]" * 10_000)
    found = feed(ASSETS[name], body)
    assert isinstance(found, LakeError)
    assert name in str(found)
    if isinstance(found, ContractBroken):
        assert "req_" in str(found)
    assert len(str(found)) < 1000
