"""Every table and view, as template.yaml declares it, over the objects that the functions wrote."""

from __future__ import annotations

import pytest

from anthropic_lake.lake.reading import StoredLake
from anthropic_lake.query.catalog import CATALOG, TABLES, VIEWS
from anthropic_lake.schema.table import PARTITION, Table
from anthropic_lake.schema.types import Type
from infra.generate.view_columns import view_columns
from tests.athena.conftest import TODAY, Deployed, in_duckdb
from tests.athena.engines import same, same_in_athena


def declared(columns: list[tuple[str, Type]]) -> dict[str, str]:
    return {name: type_.trino.replace(",", ", ") for name, type_ in columns}


def in_order(table: Table) -> list[tuple[str, Type]]:
    """A table's columns; Athena adds those of the partition at the end."""
    return [(column.name, column.type) for column in (*table.all_columns, PARTITION)]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_table_is_read_to_the_last_digit(
    table: Table, deployed: Deployed, lake: StoredLake
) -> None:
    sql = f"SELECT * FROM {table.name}"
    found, expected = deployed.ask(sql, microseconds=True), in_duckdb(sql, lake)
    assert expected.rows
    assert list(found.columns) == expected.columns
    same(found.rows, expected.rows)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_table_has_the_declared_columns(table: Table, deployed: Deployed) -> None:
    month = TODAY.replace(day=1)  # the ledger's partition
    found = deployed.ask(f"SELECT * FROM {table.name} WHERE date >= DATE '{month}'")
    assert list(found.columns.items()) == list(declared(in_order(table)).items())
    assert found.rows


@pytest.mark.parametrize("view", [view.name for view in VIEWS])
def test_a_view_has_the_declared_columns_and_equals_duckdbs(
    view: str, deployed: Deployed, lake: StoredLake
) -> None:
    sql = f"SELECT * FROM {view}"
    found, expected = deployed.ask(sql), in_duckdb(sql, lake)
    assert expected.rows or view == "cost_anomalies"  # it takes more days than this lake has
    assert list(found.columns.items()) == list(declared(view_columns(CATALOG)[view]).items())
    assert list(found.columns) == [column.lower() for column in expected.columns]
    same_in_athena(found.rows, expected.rows)


def test_nothing_else_is_in_the_database(deployed: Deployed) -> None:
    found = {row[0] for row in deployed.ask("SHOW TABLES").rows}
    assert found == {table.name for table in TABLES} | {view.name for view in VIEWS}


def test_every_column_has_its_comment(deployed: Deployed) -> None:
    for table in TABLES:
        described = deployed.ask(f"DESCRIBE {table.name}").rows
        comments = {name: comment for name, _, _, comment in described}
        assert comments == {each.name: each.comment for each in (*table.all_columns, PARTITION)}


def test_both_engines_mean_the_same_day(deployed: Deployed) -> None:
    assert deployed.ask("SELECT current_date").rows == [(TODAY,)]
