"""Uniform records are read the fast way, to the same rows as the general way reads them."""

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from anthropic_lake import strict_json
from anthropic_lake.assets import ASSETS
from anthropic_lake.rows import to_arrow
from anthropic_lake.schema import Table
from anthropic_lake.uniform import uniform_rows

USAGE = ASSETS["usage_report"].tables[0]
SHARED = {
    "starting_at": "2026-01-01T00:00:00Z",
    "ending_at": "2026-01-02T00:00:00Z",
    "grouped_by": "model",
    "bucket_width": "1d",
    "organization_id": None,
}
TEXTS = st.none() | st.text(st.characters(codec="utf-8"), max_size=8)
COUNTS = st.none() | st.integers(-(2**63), 2**63 - 1)
RECORDS = st.fixed_dictionaries(
    {
        "cache_creation": st.fixed_dictionaries(
            {},
            optional={"ephemeral_5m_input_tokens": COUNTS, "ephemeral_1h_input_tokens": COUNTS},
        ),
        "server_tool_use": st.fixed_dictionaries({"web_search_requests": COUNTS}),
    },
    optional={
        "workspace_id": TEXTS,
        "model": TEXTS,
        "speed": TEXTS,
        "organization_id": TEXTS,
        "bucket_width": TEXTS,
        "output_tokens": COUNTS,
        "uncached_input_tokens": COUNTS,
    },
)


def compact(record: object) -> Raw:
    """Write a record as the API does: without white space, and without needless escapes."""
    return Raw(json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode())


def both_ways(table: Table, texts: list[Raw]) -> tuple[pa.Table | None, pa.Table]:
    """Read texts the fast way and the general way."""
    general, _ = to_arrow(table, strict_json.values(texts), SHARED)
    return uniform_rows(table, texts, SHARED), general


@given(st.lists(RECORDS, min_size=1, max_size=5))
def test_uniform_records_give_the_rows_that_the_general_way_gives(
    records: list[dict[str, Any]],
) -> None:
    fast, general = both_ways(USAGE, list(map(compact, records)))
    assert fast is not None
    assert fast.equals(general)


UNIFORM = '{"cache_creation":{},"server_tool_use":{},"output_tokens":1,"model":"m"}'


@pytest.mark.parametrize(
    "text",
    [
        UNIFORM.replace('"model"', '"new":1,"model"'),
        UNIFORM.replace('"cache_creation":{}', '"cache_creation":{"new":1}'),
        UNIFORM.replace('"model"', '"model":"lost","model"'),
        UNIFORM.replace('"output_tokens":1', '"output_tokens":1.0'),
        UNIFORM.replace('"output_tokens":1', '"output_tokens":"1"'),
        UNIFORM.replace('"output_tokens":1', f'"output_tokens":{2**63}'),
        UNIFORM.replace('"cache_creation":{}', '"cache_creation":null'),
        UNIFORM.replace(":", ": "),
        "[]",
    ],
    ids=[
        "an unknown field",
        "an unknown field below",
        "a key twice",
        "a whole number with a fraction",
        "a wrong type",
        "a number that is too large",
        "a null object",
        "white space",
        "no object",
    ],
)
def test_whatever_is_not_uniform_is_left_to_the_general_way(text: str) -> None:
    assert uniform_rows(USAGE, [Raw(UNIFORM.encode())], SHARED) is not None
    assert uniform_rows(USAGE, [Raw(UNIFORM.encode()), Raw(text.encode())], SHARED) is None


def test_an_unknown_field_of_the_time_bucket_is_left_to_the_general_way() -> None:
    assert uniform_rows(USAGE, [Raw(UNIFORM.encode())], SHARED | {"new": 1}) is None


@pytest.mark.parametrize("asset", ["users", "organization", "workspace_members"])
def test_tables_of_plain_values_have_a_fast_way(asset: str) -> None:
    (table,) = ASSETS[asset].tables
    record = {column.paths[0]: "x" for column in table.key}
    assert uniform_rows(table, [compact(record)], {}) is not None


@pytest.mark.parametrize("asset", ["api_keys", "cost_report", "workspaces"])
def test_tables_with_other_columns_have_none(asset: str) -> None:
    (table,) = ASSETS[asset].tables
    assert uniform_rows(table, [], {}) is None
