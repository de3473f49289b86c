"""The fast way of reading records gives what the general way gives, or leaves them to it."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anthropic_lake import strict_json
from anthropic_lake.assets import ASSETS, Asset
from anthropic_lake.rows.arrow import FieldError, to_arrow
from anthropic_lake.rows.general import GeneralRecords
from anthropic_lake.rows.typed import typed_records
from anthropic_lake.schema.table import Column, Table
from anthropic_lake.schema.types import INTEGER, JSON, MONEY, STRING, TIMESTAMP
from tests.unit.test_rows_properties import records

Tables = tuple[Table, ...]
Made = tuple[pa.Table, int]
USAGE = ASSETS["usage_report"].tables
CLAUDE_CODE = ASSETS["claude_code_usage"].tables
DAY = {"starting_at": "2026-11-01T00:00:00Z", "ending_at": "2026-11-02T00:00:00Z"}
COUNTERS: dict[str, Any] = {
    "uncached_input_tokens": 1,
    "cache_read_input_tokens": 2,
    "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4},
    "output_tokens": 5,
    "server_tool_use": {"web_search_requests": 6},
    "model": "m",
}
COST = {"amount": 1234, "currency": "USD"}


def some(values: st.SearchStrategy[Any], *names: str) -> st.SearchStrategy[dict[str, Any]]:
    """Objects that have any of the fields."""
    return st.fixed_dictionaries({}, optional=dict.fromkeys(names, values))


texts = st.sampled_from([None, "", "a", "b", 'é\n"', "USD", "2026-11-01"])
numbers = st.none() | st.integers(-(2**63), 2**63 - 1) | st.integers(-2, 2)
amounts = st.sampled_from(
    [None, 1, 0, "1.5", "-0.10", "1e3", 10**30, "x", "", '"', "NaN", "7e-11", "0.0000000000005"]
)
counts = some(numbers, "accepted", "rejected") | st.none()
elements = st.fixed_dictionaries(
    {},
    optional={
        "model": texts,
        "tokens": some(numbers, "input", "output", "cache_read", "cache_creation") | st.none(),
        "estimated_cost": st.fixed_dictionaries({}, optional={"amount": amounts, "currency": texts})
        | st.none(),
        "terminal_type": texts,
    },
)
sessions = st.fixed_dictionaries(
    {},
    optional={
        "date": texts,
        "actor": some(texts, "type", "email_address", "api_key_name") | st.none(),
        "terminal_type": texts,
        "is_remote": st.none() | st.booleans(),
        "core_metrics": some(numbers, "num_sessions", "commits_by_claude_code") | st.none(),
        "tool_actions": some(counts, "edit_tool", "write_tool", "mcp_tool") | st.none(),
        "model_breakdown": st.lists(elements, max_size=3) | st.none(),
    },
)
WRONG = ["1e14", "-0", "1.0", "2.5", '"5"', "true", "null", "[]", "{}", str(2**63), "NaN", "1E2"]


def general(tables: Tables, texts: list[bytes], shared: dict[str, Any]) -> list[Made] | None:
    """The rows by the general way, None where it refuses them."""
    try:
        records = GeneralRecords(strict_json.value(strict_json.joined(texts)), shared)
        return [to_arrow(table, records) for table in tables]
    except (FieldError, strict_json.InvalidJson):
        return None


def fast(tables: Tables, texts: list[bytes], shared: dict[str, Any]) -> list[Made] | None:
    """The rows by the fast way, None where it leaves them to the general one."""
    records = typed_records(tables, strict_json.joined(texts), shared)
    try:
        return [to_arrow(table, records) for table in tables] if records else None
    except FieldError:
        return None


def agree(tables: Tables, texts: list[bytes], shared: dict[str, Any]) -> bool:
    """Check that the fast way does not differ, and say whether it was taken."""
    found = fast(tables, texts, shared)
    if found is None:
        return False
    expected = general(tables, texts, shared)
    assert expected is not None
    for (rows, unknown), (same, as_many) in zip(found, expected, strict=True):
        assert rows.schema == same.schema
        assert rows.to_pylist() == same.to_pylist()
        assert unknown == as_many
    return True


def compact(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def test_the_rows_of_a_report_take_the_fast_way() -> None:
    assert agree(USAGE, [compact(COUNTERS)] * 3, {**DAY, "organization_id": "org-1"})


@pytest.mark.parametrize("bound", [None, DAY["starting_at"], "2026-11-01T06:00:00Z"])
def test_a_row_with_a_start_of_its_own_takes_the_general_way(bound: str | None) -> None:
    assert not agree(USAGE, [compact(COUNTERS), compact(COUNTERS | {"starting_at": bound})], DAY)


def test_the_records_of_claude_code_take_the_fast_way() -> None:
    spent = {"tokens": {"input": 1, "output": 2}, "estimated_cost": COST}
    record = {
        "date": "2026-11-01T00:00:00Z",
        "actor": {"type": "user_actor", "email_address": "ada@example.com"},
        "customer_type": "api",
        "is_remote": True,
        "core_metrics": {"num_sessions": 1, "lines_of_code": {"added": 2}},
        "tool_actions": {"write_tool": {"rejected": 3, "accepted": 4}},
        "model_breakdown": [{"model": "a", **spent}, {"model": "b", **spent}],
    }
    assert agree(CLAUDE_CODE, [compact(record), compact({"date": record["date"]})], {})


def test_the_rows_of_costs_take_the_fast_way() -> None:
    record = {"currency": "USD", "amount": "123.4567890123", "workspace_id": None, "model": "m"}
    shared = {**DAY, "organization_id": "org-1", "grouped_by": "workspace_id"}
    assert agree(ASSETS["cost_report"].tables, [compact(record)] * 3, shared)


@pytest.mark.parametrize(
    ("fields", "is_fast"),
    [
        ({"workspace_id": "w", "scope": {"type": "workspace", "workspace_id": "w"}}, True),
        ({"workspace_id": None, "scope": {"type": "workspace", "workspace_id": "w"}}, True),
        ({"scope": {"workspace_id": "w"}, "principal": None}, True),
        ({"principal": {"type": "user_actor", "user_id": "u"}}, True),
        ({"principal": {"type": "service_account", "id": "s"}}, True),
        ({"principal": {"user_id": None, "service_account_id": None, "id": None}}, True),
        ({"principal": {"user_id": "u", "id": "u"}}, True),
        ({"principal": {"user_id": "u", "id": "v"}}, False),
        ({"principal": {"user_id": None, "id": "v"}}, False),
        ({"principal": {"service_account_id": "s", "id": "v"}}, False),
    ],
)
def test_api_keys_take_the_fast_way_unless_a_value_would_be_lost(
    fields: dict[str, Any], is_fast: bool
) -> None:
    keys = [compact({"id": "apikey_1", **fields}), compact({"id": "apikey_2"})]
    assert agree(ASSETS["api_keys"].tables, keys, {"organization_id": "org-1"}) is is_fast


SEVERAL = Table(
    "several",
    "A table whose columns have several paths.",
    key=(Column("text", STRING, "Text.", path=("a.text", "text", "b.text")),),
    columns=(
        Column("number", INTEGER, "Number.", path=("number", "a.number")),
        Column("cents", MONEY, "Money.", path=("b.cents", "cents")),
        Column("whole", JSON, "JSON.", path=("whole", "b.whole")),
        Column("time", TIMESTAMP, "Time.", path=("time", "a.time")),
        Column("b_text", STRING, "A path that is another column's, too.", path="b.text"),
    ),
)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "text": texts,
    "number": st.sampled_from([None, 1, 2]),
    "cents": st.sampled_from([None, 1, "1", "1.0", "2"]),
    "whole": st.sampled_from([None, 1, True, [1], {"k": 1}, {"k": True}]),
    "time": st.sampled_from([None, "2026-11-01T00:00:00Z", "2026-11-01T01:00:00+01:00"]),
}


def fields(*names: str) -> st.SearchStrategy[dict[str, Any]]:
    """Objects that have any of the fields, with values of their own."""
    return st.fixed_dictionaries({}, optional={name: FIELDS[name] for name in names})


@given(
    st.lists(
        st.builds(
            lambda own, inner: own | inner,
            fields("text", "number", "cents", "whole", "time"),
            st.fixed_dictionaries(
                {},
                optional={
                    "a": st.none() | fields("text", "number", "time"),
                    "b": st.none() | fields("text", "cents", "whole"),
                },
            ),
        ),
        min_size=1,
        max_size=3,
    ),
    st.sampled_from([{}, {"text": None}, {"text": "shared"}, {"number": 3}]),
)
def test_columns_with_several_paths_are_read_the_same_both_ways(
    found: list[dict[str, Any]], shared: dict[str, Any]
) -> None:
    agree((SEVERAL,), list(map(compact, found)), shared)


def test_a_rounded_estimate_takes_the_general_way_and_one_that_fits_does_not() -> None:
    def session(amount: str) -> bytes:
        cost = compact({"amount": 0, "currency": "USD"}).replace(b"0", amount.encode())
        return b'{"model_breakdown":[{"estimated_cost":%b}]}' % cost

    assert agree(CLAUDE_CODE, [session("1.5"), session("7e-11")], {})
    assert not agree(CLAUDE_CODE, [session("1.5"), session("0.30000000000000004")], {})


def test_an_object_kept_whole_beside_a_plain_part_of_it_takes_the_general_way() -> None:
    part = Column("owner_id", STRING, "Part.", path="owner.id")
    table = Table("t", "", key=(part,), columns=(Column("owner", JSON, "Whole."),))
    text = compact({"owner": {"id": "u1", "kind": "user"}})
    assert fast((table,), [text], {}) is None
    found = general((table,), [text], {})
    assert found
    assert found[0][0]["owner"].to_pylist() == ['{"id":"u1","kind":"user"}']


@pytest.mark.parametrize("asset", ASSETS.values(), ids=lambda asset: asset.name)
@given(data=st.data())
def test_any_records_are_read_the_same_both_ways(asset: Asset, data: st.DataObject) -> None:
    table = asset.tables[0]
    texts = [compact(data.draw(records(table))) for _ in range(data.draw(st.integers(1, 3)))]
    agree(asset.tables, texts, {"organization_id": "org-1"})


@given(st.lists(sessions, min_size=1, max_size=4))
def test_any_activity_is_read_the_same_both_ways(found: list[dict[str, Any]]) -> None:
    agree(CLAUDE_CODE, list(map(compact, found)), {"organization_id": None})


@given(
    field=st.sampled_from([b'"output_tokens":5', b'"model":"m"', b'"ephemeral_5m_input_tokens":3']),
    value=st.sampled_from(WRONG).map(str.encode),
)
def test_a_value_of_another_kind_is_read_the_same_both_ways(field: bytes, value: bytes) -> None:
    text = compact(COUNTERS).replace(field, field[: field.index(b":") + 1] + value)
    agree(USAGE, [text], DAY)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"model":"m"', b'"model":"m","model":"m"'),
        (b'"output_tokens":5', b'"output_tokens":5,"output_tokens":6'),
        (b'"model":"m"', b'"model":"\\u0022","model":"m"'),
        (b'"web_search_requests":6', b'"web_search_requests":6,"web_search_requests":7'),
        # as long without the second key as it is with it, because the number gets longer
        (b'"output_tokens":5,', b'"output_tokens":1e14,"model":"",'),
        (b'"model":"m"', b'"model":"","model":"m","speed":"1"'),
    ],
)
def test_a_key_that_stands_twice_never_takes_the_fast_way(old: bytes, new: bytes) -> None:
    text = compact(COUNTERS)
    assert old in text
    assert fast(USAGE, [text.replace(old, new)], DAY) is None


@pytest.mark.parametrize("new", [b'"model" : "m"', b'"model":"\\u006d"', b'"model":"m\\/"'])
def test_other_ways_of_writing_the_same_are_read_the_same(new: bytes) -> None:
    agree(USAGE, [compact(COUNTERS).replace(b'"model":"m"', new)], DAY)


@given(tokens=st.integers(0, 16), names=st.lists(st.sampled_from(["model", "speed"]), max_size=3))
def test_no_mix_of_exponents_and_repeated_keys_is_taken_for_whole(
    tokens: int, names: list[str]
) -> None:
    pairs = "".join(f'"{name}":"",' for name in names)
    text = f'{{{pairs}"output_tokens":1e{tokens}}}'.encode()
    agree(USAGE, [text], DAY)
