"""The source of the dbt package follows from the catalog, and its tests run on every warehouse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from anthropic_lake.assets import ASSETS
from anthropic_lake.query.catalog import CATALOG, TABLES, VIEWS
from anthropic_lake.schema.table import PARTITION
from infra.generate.__main__ import ROOT
from infra.generate.dbt import KEYS, OWN_VALUES
from infra.generate.snowflake import RESERVED
from infra.generate.view_columns import view_columns

Node = dict[str, Any]

SOURCE: Node = yaml.safe_load((ROOT / "dbt/models/sources.yml").read_text())["sources"][0]
RELATIONS: dict[str, Node] = {node["name"]: node for node in SOURCE["tables"]}
COLUMNS = {
    table.name: [(each.name, each.type.trino) for each in (PARTITION, *table.all_columns)]
    for table in TABLES
} | {
    name: [(column, type_.trino) for column, type_ in columns]
    for name, columns in view_columns(CATALOG).items()
}


def data_tests(name: str) -> Iterator[tuple[str, list[str], Node]]:
    """The tests of a table or view: the kind, the columns, and what else is said."""
    relation = RELATIONS[name]
    for column in relation["columns"]:
        for test in column.get("data_tests", []):
            ((kind, node),) = test.items() if isinstance(test, dict) else [(test, {})]
            yield kind, [column["name"]], node
    for test in relation.get("data_tests", []):
        ((kind, node),) = test.items()
        yield kind, node["arguments"]["columns"], node


def test_the_source_has_every_table_and_view_with_every_column() -> None:
    assert {
        name: [(column["name"], column["data_type"]) for column in node["columns"]]
        for name, node in RELATIONS.items()
    } == COLUMNS


def test_tables_and_the_columns_of_tables_and_latest_snapshots_are_described() -> None:
    assert all(node["description"] for node in RELATIONS.values())
    names = [table.name for table in TABLES] + [name for name in RELATIONS if "_current" in name]
    assert all(column["description"] for name in names for column in RELATIONS[name]["columns"])


@pytest.mark.parametrize("name", RELATIONS)
def test_what_is_tested_has_a_day_and_no_reserved_names(name: str) -> None:
    columns = {column for column, _ in COLUMNS[name]}
    for _, tested, _ in data_tests(name):
        assert PARTITION.name in columns  # a project bounds all tests by it
        assert set(tested) <= columns - RESERVED  # a reserved one is quoted in Snowflake alone


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_what_a_run_must_find_is_tested_to_be_there(table: Any) -> None:
    tested = {columns[0] for kind, columns, _ in data_tests(table.name) if kind == "not_null"}
    assert tested == {column.name for column in table.all_columns if column.required}


@pytest.mark.parametrize("asset", ASSETS.values(), ids=lambda asset: asset.name)
def test_a_snapshot_and_its_latest_one_are_tested_by_their_keys(asset: Any) -> None:
    for table in asset.tables:
        keys = [columns for kind, columns, _ in data_tests(table.name) if kind.startswith("unique")]
        names = list(table.identity)
        if asset.kind.dated:
            assert keys == []  # the API does not promise that the key of a report is unique
            continue
        assert keys == [["date", *names]]
        latest = [kind_and_columns[:2] for kind_and_columns in data_tests(f"{table.name}_current")]
        assert latest == [("unique" if len(names) == 1 else "unique_combination", names)]


def test_another_value_of_ours_is_an_error_and_one_of_the_vendor_s_a_warning() -> None:
    for name in RELATIONS:
        for kind, (column, *_), node in data_tests(name):
            if kind == "accepted_values":
                is_ours = column in OWN_VALUES.get(name, {})
                assert node["config"]["severity"] == ("error" if is_ours else "warn")


def test_our_values_and_keys_are_those_of_the_catalog() -> None:
    texts = {view.name: view.sql.replace("'", "`") for view in VIEWS}
    for name, columns in OWN_VALUES.items():
        for column, values in columns.items():
            (comment,) = (
                node.get("description") or texts[name]
                for node in RELATIONS[name]["columns"]
                if node["name"] == column
            )
            assert [value for value in values if f"`{value}`" not in comment] == []
    for name, key in KEYS.items():
        assert set(key) <= {column for column, _ in COLUMNS[name]}


def test_every_table_of_an_asset_and_no_other_may_become_too_old() -> None:
    fresh = {name: node["config"] for name, node in RELATIONS.items() if "config" in node}
    assert fresh.keys() == {table.name for asset in ASSETS.values() for table in asset.tables}
    for asset in ASSETS.values():
        for table in asset.tables:
            query = fresh[table.name]["loaded_at_query"]
            assert f"last_read_at('{asset.name}'" in query
            assert ("may_be_unavailable" in query) is asset.offered_to_some
