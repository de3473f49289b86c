"""The tables and assets of the code are those of the design, column by column."""

from pathlib import Path

import pyarrow as pa
import pytest

from anthropic_lake.api.paging import Paging
from anthropic_lake.assets import ASSETS, Kind
from anthropic_lake.query.catalog import TABLES
from anthropic_lake.schema.table import PARTITION, Table

TYPES = {
    "": pa.string(),
    "int": pa.int64(),
    "time": pa.timestamp("us", "UTC"),
    "date": pa.date32(),
    "bool": pa.bool_(),
    "money": pa.decimal128(38, 12),
}
Columns = list[tuple[str, pa.DataType]]


def designed() -> dict[str, dict[str, Columns]]:
    """Read the hand-made copy of the design's list."""
    found: dict[str, dict[str, Columns]] = {}
    part: Columns = []
    for line in (Path(__file__).parent / "design_tables.txt").read_text().splitlines():
        words = line.partition("#")[0].split()
        if words[:1] == ["table"]:
            table = found.setdefault(words[1], {})
            continue
        if words[:1] in (["key"], ["columns"], ["later"]):
            part = table.setdefault(words.pop(0), [])
        for word in words:
            name, _, kind = word.partition(":")
            part.append((name, TYPES[kind]))
    return found


DESIGNED = designed()
BY_NAME = {table.name: table for table in TABLES}


def test_the_code_has_the_tables_of_the_design_and_no_others() -> None:
    assert [table.name for table in TABLES] == list(DESIGNED)


@pytest.mark.parametrize("name", DESIGNED)
def test_a_table_has_the_columns_of_the_design_in_their_order_and_types(name: str) -> None:
    organization, extra = ("organization_id", pa.string()), ("extra", pa.string())
    columns, later = DESIGNED[name]["columns"], DESIGNED[name].get("later", [])
    expected = [*DESIGNED[name]["key"], organization, *columns, extra, *later]
    schema = BY_NAME[name].schema
    assert list(zip(schema.names, schema.types, strict=True)) == expected


@pytest.mark.parametrize("name", DESIGNED)
def test_a_table_is_sorted_by_the_key_of_the_design(name: str) -> None:
    key = [column.name for column in BY_NAME[name].key]
    assert key == [column for column, _ in DESIGNED[name]["key"]]


def test_the_date_comes_from_the_key_and_never_from_a_file() -> None:
    assert PARTITION.name == "date"
    assert not any("date" in table.schema.names for table in TABLES)


@pytest.mark.parametrize(
    ("name", "kind", "paging", "path", "tables", "params"),
    [
        ("organization", Kind.SNAPSHOT, Paging.NONE, "me", ["organization"], {}),
        (
            "workspaces",
            Kind.SNAPSHOT,
            Paging.AFTER_ID,
            "workspaces",
            ["workspaces"],
            {"include_archived": "true", "include_default": "true"},
        ),
        ("api_keys", Kind.SNAPSHOT, Paging.AFTER_ID, "api_keys", ["api_keys"], {}),
        ("invites", Kind.SNAPSHOT, Paging.AFTER_ID, "invites", ["invites"], {}),
        ("users", Kind.SNAPSHOT, Paging.AFTER_ID, "users", ["users"], {}),
        (
            "workspace_members",
            Kind.SNAPSHOT,
            Paging.AFTER_ID,
            "",
            ["workspace_members"],
            {},
        ),
        (
            "usage_report",
            Kind.TIME_BUCKETS,
            Paging.PAGE_TOKEN,
            "usage_report/messages",
            ["usage_report"],
            {},
        ),
        ("cost_report", Kind.TIME_BUCKETS, Paging.PAGE_TOKEN, "cost_report", ["cost_report"], {}),
        (
            "claude_code_usage",
            Kind.DAYS,
            Paging.PAGE_TOKEN,
            "usage_report/claude_code",
            ["claude_code_usage", "claude_code_model_usage"],
            {},
        ),
        (
            "analytics_usage",
            Kind.TIMED_ROWS,
            Paging.TOKEN_ALONE,
            "analytics/usage",
            ["analytics_usage"],
            {},
        ),
        (
            "analytics_cost",
            Kind.TIMED_ROWS,
            Paging.TOKEN_ALONE,
            "analytics/cost",
            ["analytics_cost"],
            {},
        ),
        ("rate_limits", Kind.SNAPSHOT, Paging.TOKEN_ALONE, "rate_limits", ["rate_limits"], {}),
        ("spend_limits", Kind.SNAPSHOT, Paging.TOKEN_ALONE, "spend_limits", ["spend_limits"], {}),
    ],
)
def test_an_asset_is_asked_for_as_the_design_says(
    name: str, kind: Kind, paging: Paging, path: str, tables: list[str], params: dict[str, str]
) -> None:
    asset = ASSETS[name]
    assert asset.kind is kind
    assert asset.paging is paging
    assert asset.path == (f"/v1/organizations/{path}" if path else "")
    assert [table.name for table in asset.tables] == tables
    assert dict(asset.params) == params


@pytest.mark.parametrize(
    ("name", "path", "params", "of_workspaces", "only_active"),
    [
        ("workspace_members", "members", {}, {"include_archived": "true"}, False),
        (
            "rate_limits",
            "rate_limits",
            {"include_inherited": "true"},
            {"include_default": "true"},
            True,
        ),
    ],
)
def test_an_asset_is_asked_for_workspace_by_workspace_as_the_design_says(
    name: str, path: str, params: dict[str, str], of_workspaces: dict[str, str], only_active: bool
) -> None:
    fan_out = ASSETS[name].fan_out
    assert fan_out
    assert fan_out.path == f"/v1/organizations/workspaces/{{workspace_id}}/{path}"
    assert dict(fan_out.params) == params
    assert fan_out.workspaces.name == "workspaces"
    assert dict(fan_out.workspaces.params) == of_workspaces
    assert fan_out.only_active is only_active


def test_only_these_assets_are_asked_for_workspace_by_workspace() -> None:
    fanned_out = {name for name, asset in ASSETS.items() if asset.fan_out}
    assert fanned_out == {"workspace_members", "rate_limits"}


def test_only_these_assets_are_offered_to_some_organizations_and_only_they_need_a_beta() -> None:
    offered = {name: asset.beta for name, asset in ASSETS.items() if asset.offered_to_some}
    assert offered == {
        "analytics_usage": "analytics-usage-cost-2026-08-24",
        "analytics_cost": "analytics-usage-cost-2026-08-24",
        "rate_limits": None,
        "spend_limits": "spend-limit-reads-2026-09-26",
    }
    assert not any(asset.beta for asset in ASSETS.values() if not asset.offered_to_some)


def test_there_are_thirteen_assets() -> None:
    assert len(ASSETS) == 13
    assert all(name == asset.name for name, asset in ASSETS.items())


@pytest.mark.parametrize(
    ("name", "group_by", "width", "lookback"),
    [
        (
            "usage_report",
            {"api_key_id", "workspace_id", "model", "service_tier", "context_window"},
            "1d",
            30,
        ),
        ("cost_report", {"workspace_id", "description"}, "1d", 30),
        ("claude_code_usage", None, None, 3),
        *(
            (name, {"actor", "api_key_id", "workspace_id", "model", "product"}, "1d", 30)
            for name in ("analytics_usage", "analytics_cost")
        ),
    ],
)
def test_a_dated_asset_has_the_grouping_and_lookback_of_the_design(
    name: str, group_by: set[str] | None, width: str | None, lookback: int
) -> None:
    shape = ASSETS[name].time_buckets
    assert (set(shape.group_by) if shape else None) == group_by
    assert (shape.width if shape else None) == width
    assert ASSETS[name].lookback_days == lookback


@pytest.mark.parametrize(
    ("dimension", "columns"),
    [
        ("usage_report", ["account_id", "api_key_id", "context_window", "inference_geo", "model"]),
        ("usage_report", ["service_account_id", "service_tier", "speed", "workspace_id"]),
        ("cost_report", ["workspace_id", "description"]),
    ],
)
def test_every_dimension_that_can_be_grouped_by_is_a_column(
    dimension: str, columns: list[str]
) -> None:
    shape = ASSETS[dimension].time_buckets
    assert shape
    assert set(columns) <= set(shape.dimensions)
    assert set(shape.dimensions) <= set(BY_NAME[dimension].schema.names)


@pytest.mark.parametrize("name", ["analytics_usage", "analytics_cost"])
def test_every_dimension_of_analytics_is_a_column(name: str) -> None:
    shape = ASSETS[name].time_buckets
    assert shape
    assert len(shape.dimensions) == 20
    paths = {path for column in BY_NAME[name].key for path in column.paths}
    for dimension in (*shape.dimensions, *shape.always_by):
        is_object = any(path.startswith(f"group.{dimension}.") for path in paths)
        assert is_object or f"group.{dimension}" in paths


def _each_column() -> list[tuple[Table, str]]:
    return [(table, column.name) for table in TABLES for column in table.all_columns]


@pytest.mark.parametrize(("table", "name"), _each_column())
def test_a_column_is_in_lower_snake_case_and_says_what_it_means(table: Table, name: str) -> None:
    (column,) = (each for each in table.all_columns if each.name == name)
    assert name == name.lower()
    assert name.replace("_", "").isalnum()
    assert name != "amount"
    assert column.comment.endswith(".")
