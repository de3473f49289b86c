"""The fast way of reading records gives what the general way gives, or leaves them to it."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from anthropic_lake import strict_json
from anthropic_lake.assets import ASSETS
from anthropic_lake.rows import FieldError, to_arrow
from anthropic_lake.schema import Table
from anthropic_lake.uniform import uniform_rows
from tests.unit.test_rows_properties import records

TABLES = [table for asset in ASSETS.values() for table in asset.tables]
(USAGE,) = ASSETS["usage_report"].tables
DAY = {"starting_at": "2026-11-01T00:00:00Z", "ending_at": "2026-11-02T00:00:00Z"}
COUNTERS: dict[str, Any] = {
    "uncached_input_tokens": 1,
    "cache_read_input_tokens": 2,
    "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4},
    "output_tokens": 5,
    "server_tool_use": {"web_search_requests": 6},
    "model": "m",
}
WRONG = ["1e14", "-0", "1.0", "2.5", '"5"', "true", "null", "[]", "{}", str(2**63), "NaN", "1E2"]


def general(table: Table, texts: list[bytes], shared: dict[str, Any]) -> pa.Table | None:
    """The rows by the general way, None where it refuses them."""
    try:
        return to_arrow(table, strict_json.values(texts), shared)[0]
    except (FieldError, strict_json.InvalidJson):
        return None


def agree(table: Table, texts: list[bytes], shared: dict[str, Any]) -> bool:
    """Check that the fast way does not differ, and say whether it was taken."""
    fast = uniform_rows(table, [Raw(text) for text in texts], shared)
    if fast is None:
        return False
    slow = general(table, texts, shared)
    assert slow is not None
    assert fast.schema == slow.schema
    assert fast.to_pylist() == slow.to_pylist()
    return True


def compact(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def test_the_rows_of_a_report_take_the_fast_way() -> None:
    assert agree(USAGE, [compact(COUNTERS)] * 3, {**DAY, "organization_id": "org-1"})


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
@given(data=st.data())
def test_any_records_are_read_the_same_both_ways(table: Table, data: st.DataObject) -> None:
    texts = [compact(data.draw(records(table))) for _ in range(data.draw(st.integers(1, 3)))]
    agree(table, texts, {"organization_id": "org-1"})


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
    assert uniform_rows(USAGE, [Raw(text.replace(old, new))], DAY) is None


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
