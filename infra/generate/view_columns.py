"""The columns of the views, derived from their SQL: DuckDB binds it to empty tables."""

from __future__ import annotations

from functools import cache

import duckdb
import sqlglot

from anthropic_lake.query.catalog import Catalog
from anthropic_lake.schema.table import PARTITION, Table
from anthropic_lake.schema.types import (
    BOOLEAN,
    DATE,
    DOUBLE,
    INTEGER,
    MONEY,
    STRING,
    TIMESTAMP,
    Type,
)

TYPES = {
    "VARCHAR": STRING,
    "BIGINT": INTEGER,
    "BOOLEAN": BOOLEAN,
    "DATE": DATE,
    "TIMESTAMP": TIMESTAMP,  # catalogs keep UTC and no zone
    "DECIMAL(38,12)": MONEY,
    "DOUBLE": DOUBLE,
}
"""The type of a column by DuckDB's name for it."""


@cache
def view_columns(catalog: Catalog) -> dict[str, list[tuple[str, Type]]]:
    """Return the names (in lower case, as Glue keeps them) and types of every view's columns.

    Raises:
        KeyError: A view has a column of a type that is not in `TYPES`.
    """
    with duckdb.connect() as connection:
        create_catalog(connection, catalog)
        return {view.name: _columns(connection, view.name) for view in catalog.views}


def create_catalog(connection: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """Create every table, empty, and every view."""
    for table in catalog.tables:
        connection.execute(_create(table))
    for view in catalog.views:
        (translated,) = sqlglot.transpile(view.sql, read="trino", write="duckdb")
        connection.execute(f"CREATE VIEW {view.name} AS {translated}")


def _create(table: Table) -> str:
    """Return the statement that creates an empty table."""
    names = {type_.arrow: name for name, type_ in TYPES.items()}
    columns = ", ".join(
        f"{column.name} {names[column.type.arrow]}" for column in (*table.all_columns, PARTITION)
    )
    return f"CREATE TABLE {table.name} ({columns})"


def _columns(connection: duckdb.DuckDBPyConnection, name: str) -> list[tuple[str, Type]]:
    """Return the columns of a view."""
    described = connection.execute(f"DESCRIBE {name}").fetchall()
    return [(column.lower(), TYPES[kind]) for column, kind, *_ in described]
