"""Whatever shape an answer has, every leaf of it is kept at its place, or it is refused by name."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anthropic_lake.assets import ASSETS
from anthropic_lake.errors import ApiUnavailable, ContractBroken, LakeError
from anthropic_lake.schema.types import JSON
from tests.unit.feeding import DAY, Fed, feed, lost, samples, sent

SAMPLES = samples()
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["1e3", "12.5", "2026-11-20", "2026-11-20T00:00:00Z", "USD", "\ud800", "\0"])
)
values = st.recursive(
    scalars,
    lambda parts: (
        st.lists(parts, max_size=3) | st.dictionaries(st.text(max_size=6), parts, max_size=3)
    ),
    max_leaves=6,
)


KINDS_OF_CHANGE = (
    "add",
    "add",
    "add",
    "add",
    "like",
    "like",
    "rename",
    "delete",
    "replace",
    "wrap",
)
ALIKE: dict[type, st.SearchStrategy[Any]] = {
    str: st.text(max_size=8),
    int: st.integers(0, 2**63 - 1),
    bool: st.booleans(),
}


@st.composite
def pages(draw: st.DrawFn, name: str) -> bytes:
    """A page of an asset with some changes, most of which a lake should keep."""
    page = copy.deepcopy(SAMPLES[name])
    for _ in range(draw(st.integers(0, 6))):
        _change(draw, page)
    separators = draw(st.sampled_from([(",", ":"), (", ", ": ")]))  # only compact text is typed
    text = json.dumps(page, ensure_ascii=draw(st.booleans()), separators=separators)
    return text.encode(errors="surrogatepass")


def _change(draw: st.DrawFn, page: Any) -> None:
    """Change one thing in an object or a list of a page."""
    container = draw(st.sampled_from(list(_containers(page))))
    keys = list(container) if isinstance(container, dict) else list(range(len(container)))
    change = draw(st.sampled_from(KINDS_OF_CHANGE))
    if change == "add" or not keys:
        _add(draw, container)
        return
    key = draw(st.sampled_from(keys))
    value = container[key]
    if change == "like":
        container[key] = draw(ALIKE.get(type(value), st.just(value)))
    elif change == "replace":
        container[key] = draw(values)
    elif change == "wrap":
        container[key] = [value]
    elif change == "rename" and isinstance(container, dict):
        container[f"{key}{draw(st.text(max_size=3))}"] = container.pop(key)
    else:
        del container[key]


def _add(draw: st.DrawFn, container: Any) -> None:
    """Add a field to an object; to a list, one more of its kind."""
    if isinstance(container, dict):
        container[draw(st.text(max_size=6))] = draw(values)
    elif container and isinstance(container[0], dict):
        container.append(copy.deepcopy(container[0]))
    else:
        container.append(draw(values))


def _containers(value: Any) -> Any:
    if isinstance(value, dict | list):
        yield value
        for part in value.values() if isinstance(value, dict) else value:
            yield from _containers(part)


@pytest.mark.parametrize("name", ASSETS)
@settings(max_examples=100)
@given(data=st.data())
def test_every_leaf_arrives_or_the_answer_is_refused_by_name(
    name: str, data: st.DataObject
) -> None:
    body = data.draw(pages(name))
    found = feed(ASSETS[name], body)
    if not isinstance(found, LakeError):
        assert lost(ASSETS[name], body, found) == []


@pytest.mark.parametrize("name", ASSETS)
def test_a_column_that_is_emptied_is_noticed(name: str) -> None:
    """The proof is worth something: whatever a reader drops from a plain page is missed."""
    body = json.dumps(SAMPLES[name]).encode()
    fed = feed(ASSETS[name], body)
    assert not isinstance(fed, LakeError), fed
    assert lost(ASSETS[name], body, fed) == []
    paths = {path for path, _ in sent(ASSETS[name], body)}
    for number, (table, rows) in enumerate(zip(ASSETS[name].tables, fed.tables, strict=True)):
        whole = tuple(f"{c.paths[0]}." for c in table.all_columns if c.type is JSON)
        held = [c.paths[0] for c in table.all_columns if not c.usd_where]
        for index, column in enumerate(table.all_columns):
            path = f"{table.explode}[].{column.paths[0]}" if table.explode else column.paths[0]
            twice = held.count(column.paths[0]) > 1 or path.startswith(whole)
            summed = ("[]." in column.paths[0] and not table.unnest) or column.usd_where
            if path in paths and not summed and not twice:
                nulls = pa.nulls(len(rows), rows.schema.types[index])
                without = [*fed.tables]
                without[number] = rows.set_column(index, column.name, nulls)
                assert lost(ASSETS[name], body, Fed(without, {})), column.name


# --- how the API may drift, case by case


MISSING = object()


def edited(name: str, path: str, value: object) -> bytes:
    """A page with one field changed: of the `page`, of its `bucket`, or of its first record."""
    page = copy.deepcopy(SAMPLES[name])
    record = page["data"][0] if "data" in page else page
    levels = {"page": page, "bucket": record}
    scope, _, rest = path.partition("/")
    *parents, field = (rest or path).split(".")
    place = levels[scope] if rest else record["results"][0] if "results" in record else record
    for parent in parents:
        place = place[parent]
    if value is MISSING:
        del place[field]
    else:
        place[field] = value
    deep = b"[" * 10_000 + b"]" * 10_000
    return json.dumps(page).encode().replace(b'"TEN THOUSAND DEEP"', deep)


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("users", "name", MISSING),
        ("users", "badge", {"deep": [{"er": 1}]}),
        ("users", "deep", json.loads('{"a":' * 100 + "1" + "}" * 100)),
        ("users", "role", "archduke"),
        ("users", "name", "a\0b"),
        ("users", "name", "\x1b[31m\r\n"),
        ("users", "name", "x" * (1 << 20)),
        ("api_keys", "principal", {"id": "user_1", "type": "user"}),  # of August
        ("api_keys", "principal", {"type": "user_actor", "user_id": "user_1"}),
        ("api_keys", "principal", {"type": "robot", "robot_id": "r_1"}),
        ("api_keys", "principal", {"user_id": "user_1", "id": "user_2"}),  # one column for both
        ("api_keys", "principal", {"user_id": None, "id": {"new": "shape"}}),
        ("api_keys", "workspace_id", "another"),
        ("workspaces", "data_residency", {"allowed_inference_geos": "unrestricted"}),
        ("workspaces", "data_residency", {"allowed_inference_geos": ["us"]}),
        ("usage_report", "cache_creation", MISSING),
        ("usage_report", "server_tool_use", None),
        ("usage_report", "cache_creation.ephemeral_24h_input_tokens", 5),
        ("usage_report", "output_tokens", 2**53 + 1),
        ("usage_report", "output_tokens", 2**63 - 1),
        ("usage_report", "new_tokens", 2**80),
        ("usage_report", "ratio", 0.1),
        ("usage_report", "bucket/note", {"partial": True}),
        ("usage_report", "bucket/model", "of the time bucket"),
        ("usage_report", "time_bucket", {"note": 1}),
        ("usage_report", "starting_at", f"{DAY}T12:00:00Z"),
        ("cost_report", "ending_at", f"{DAY}T12:00:00Z"),
        ("users", "page/truncated", True),
        ("usage_report", "page/warning", {"text": ["a", "b"]}),
        ("claude_code_usage", "page/nothing", None),
        ("workspace_members", "page/note", 7),
        ("cost_report", "currency", "EUR"),
        ("cost_report", "amount", "12345678901234567890.1234567890"),
        ("claude_code_usage", "date", f"{DAY}"),
        ("claude_code_usage", "actor", {"type": "robot", "serial": 7}),
        ("claude_code_usage", "tool_actions", {f"t{n}": {"accepted": n} for n in range(5000)}),
        *(
            (
                "claude_code_usage",
                "model_breakdown",
                [{"estimated_cost": {"amount": amount, "currency": "USD"}}],
            )
            for amount in ("1.5", 0.30000000000000004, "0.30000000000000004", 7e-11, 5e-324)
        ),
    ],
)
def test_drift_is_kept(name: str, path: str, value: object) -> None:
    body = edited(name, path, value)
    fed = feed(ASSETS[name], body)
    assert not isinstance(fed, LakeError), fed
    assert lost(ASSETS[name], body, fed) == []


def test_fields_of_one_name_are_kept_apart() -> None:
    page = copy.deepcopy(SAMPLES["usage_report"])
    page["data"][0] |= {"note": "of the time bucket", "time_bucket.note": "of it, too"}
    row = page["data"][0]["results"][0]
    row |= {"note": "of the row", "time_bucket.note": "with a dot", "time_bucket": {"note": 1}}
    row["cache_creation"] |= {"new.tokens": 1, "new": {"tokens": 2}}
    row["cache_creation.new"] = {"tokens": 3}
    body = json.dumps(page).encode()
    fed = feed(ASSETS["usage_report"], body)
    assert not isinstance(fed, LakeError), fed
    assert lost(ASSETS["usage_report"], body, fed) == []


@pytest.mark.parametrize(
    ("name", "path", "value", "field"),
    [
        ("users", "page/data", [5], "data[]"),
        ("users", "page/data", [None], "data[]"),
        ("users", "id", MISSING, "id"),
        ("users", "name", {"first": "A"}, "name"),
        ("users", "added_at", "2026-01-01T00:00:00", "added_at"),
        ("users", "added_at", "9999-12-31T23:59:59-05:00", "added_at"),
        ("users", "page/data", [{"id": "a", "name": "x"}, {"id": "a", "name": "y"}], "id"),
        ("api_keys", "scope", [], "scope"),
        ("workspaces", "data_residency", "us", "data_residency"),
        ("usage_report", "output_tokens", "7", "output_tokens"),
        ("usage_report", "output_tokens", 1.5, "output_tokens"),
        ("usage_report", "output_tokens", 2**63, "output_tokens"),
        ("usage_report", "cache_creation", "none", "cache_creation"),
        ("usage_report", "page/data", [[]], "data[]"),
        ("usage_report", "bucket/results", None, "data[].results"),
        ("usage_report", "bucket/results", [5], "data[]"),
        ("invites", "email", {}, "email"),
        ("usage_report", "bucket/starting_at", None, "starting_at"),
        ("usage_report", "bucket/starting_at", f"{DAY}", "starting_at"),
        ("usage_report", "bucket/starting_at", "2026-01-01T00:00:00Z", "starting_at"),
        ("usage_report", "bucket/ending_at", MISSING, "ending_at"),
        ("usage_report", "bucket/ending_at", "2027-01-01T00:00:00Z", "starting_at"),
        ("cost_report", "amount", MISSING, "amount"),
        ("cost_report", "amount", None, "amount"),
        ("cost_report", "amount", "Infinity", "amount"),
        ("cost_report", "amount", "0." + "1" * 13, "amount"),
        ("claude_code_usage", "date", "2026-11-19T00:00:00Z", "date"),
        ("claude_code_usage", "date", "today", "date"),
        ("claude_code_usage", "actor", "someone@example.com", "actor"),
        ("claude_code_usage", "core_metrics.num_sessions", "many", "core_metrics.num_sessions"),
        ("claude_code_usage", "model_breakdown", "none", "model_breakdown"),
        (
            "claude_code_usage",
            "model_breakdown",
            [{"estimated_cost": {"amount": 1e26}}],
            "model_breakdown[].estimated_cost.amount",
        ),
    ],
)
def test_what_cannot_be_a_row_is_refused_by_name(
    name: str, path: str, value: object, field: str
) -> None:
    error = feed(ASSETS[name], edited(name, path, value))
    assert isinstance(error, ContractBroken)
    assert (error.field, error.request_id) == (field, "req_001")
    assert str(error).startswith(f"{name}: ")
    assert "req_001" in str(error)
    assert "example.com" not in str(error)
    assert len(str(error)) < 1000


@pytest.mark.parametrize(
    ("path", "value"), [("name", "\ud800"), ("deep", "TEN THOUSAND DEEP")], ids=["half", "deep"]
)
def test_what_no_reader_of_json_takes_is_refused_by_name(path: str, value: str) -> None:
    error = feed(ASSETS["users"], edited("users", path, value))
    assert isinstance(error, ApiUnavailable)
    assert re.match(r"users: .*req_", str(error))
    assert len(str(error)) < 1000
