"""The generated parts of dbt/: the source's tables and views, and how DuckDB makes them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import sqlglot
import yaml
from sqlglot import exp

from anthropic_lake.assets import Asset
from anthropic_lake.lake.allocation import ALLOCATION_RULES, MATCH_TYPES
from anthropic_lake.lake.ledger import SYNC_DAYS
from anthropic_lake.query.catalog import Catalog, View
from anthropic_lake.schema.table import PARTITION, Column, Table
from anthropic_lake.schema.types import TIMESTAMP, Type
from anthropic_lake.sync.runs import SYNC_RUNS
from infra.generate.text import fill
from infra.generate.view_columns import view_columns

OWN_VALUES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    ALLOCATION_RULES.name: {"match_type": MATCH_TYPES},
    "cost_allocation": {"method": (*MATCH_TYPES, "shared", "unallocated")},
    "cost_anomalies": {
        "series": ("organization", "workspace", "model"),
        "kind": ("new spend", "spike"),
    },
    "cost_by_api_key": {"method": ("tokens", "unallocated")},
    "cost_reconciliation": {
        "explanation": ("not offered", "open", "grouping", "equal", "unexplained")
    },
    "coverage": {"status": ("final", "open", "missing")},
    "sync_runs": {"status": ("succeeded", "partial", "failed", "unavailable")},
}
"""All values of columns that this project fills, by table or view; another one is an error.

The vendor's enumerations may grow, so another value of theirs is a warning.
"""

KEYS: Mapping[str, tuple[str, ...]] = {
    ALLOCATION_RULES.name: ("line",),
    SYNC_DAYS.name: ("asset", "day"),
    SYNC_RUNS.name: ("run_id",),
    "coverage": ("asset", "date"),
}
"""The columns that identify a row; those of snapshots follow from their tables."""

WARN_AFTER_HOURS = 30
"""As the alarm that an asset is behind."""

ERROR_AFTER_HOURS = 72

_LAKE = "{{ lake }}"
"""The schema of the lake in a macro of DuckDB's statements."""

_UTC = exp.Literal.string("UTC")

Node = dict[str, Any]


def tables(catalog: Catalog) -> str:
    """Return the tables of the source."""
    assets = {table.name: asset for asset in catalog.assets for table in asset.tables}
    return _yaml(_table(table, assets.get(table.name)) for table in catalog.tables)


def views(catalog: Catalog) -> str:
    """Return the views of the source."""
    columns = view_columns(catalog)
    snapshots = {
        f"{asset.name}_current": asset.tables[0] for asset in catalog.assets if not asset.kind.dated
    }
    return _yaml(
        _view(view, columns[view.name], snapshots.get(view.name)) for view in catalog.views
    )


def duckdb_tables(catalog: Catalog) -> str:
    """Return each table's columns with DuckDB's names of their types in the files."""
    return fill(
        "duckdb_tables.sql",
        table=[table.name for table in catalog.tables],
        columns=[
            json.dumps({column.name: _duckdb_type(column) for column in table.all_columns})
            for table in catalog.tables
        ],
    )


def duckdb_views(catalog: Catalog) -> str:
    """Return the statements that create the views, dependencies first."""
    names = {table.name for table in catalog.tables} | {view.name for view in catalog.views}
    statements = (
        fill("duckdb_view.sql", name=f"{_LAKE}.{view.name}", sql=_duckdb_select(view, names))
        for view in catalog.views
    )
    return fill("duckdb_views.sql", views="\n".join(statements))


def _table(table: Table, asset: Asset | None) -> Node:
    """Return a table; the lake's own ones are of no asset."""
    key = KEYS.get(table.name, ())
    if asset and not asset.kind.dated:
        key = (PARTITION.name, *table.identity)
    columns = (PARTITION, *table.all_columns)
    freshness = _freshness(asset) if asset else {}
    return _head(table, key) | freshness | _columns(table.name, key, columns)


def _view(view: View, columns: list[tuple[str, Type]], snapshot: Table | None) -> Node:
    """Return a view; a column of a latest snapshot means what that of its table does."""
    key = snapshot.identity if snapshot else KEYS.get(view.name, ())
    table_columns = (PARTITION, *snapshot.all_columns) if snapshot else ()
    comments = {column.name: column.comment for column in table_columns}
    described = [Column(name, type_, comments.get(name, "")) for name, type_ in columns]
    return _head(view, key) | _columns(view.name, key, described)


def _head(relation: Table | View, key: tuple[str, ...]) -> Node:
    """Return what a table or view is, and the test of its key if that is several columns."""
    test = {"unique_combination": {"arguments": {"columns": list(key)}}}
    return {
        "name": relation.name,
        "description": relation.comment,
        **({"data_tests": [test]} if len(key) > 1 else {}),
    }


def _columns(relation: str, key: tuple[str, ...], columns: Iterable[Column]) -> Node:
    """Return the columns of a table or view with the tests that their declarations allow."""
    own_values = OWN_VALUES.get(relation, {})
    nodes = []
    for column in columns:
        tests: list[str | Node] = []
        if column.required:
            tests.append("not_null")
        if key == (column.name,):
            tests.append("unique")
        if column.name in own_values:
            tests.append(_accepted_values(own_values[column.name], severity="error"))
        elif column.values:
            tests.append(_accepted_values(column.values, severity="warn"))
        node = {
            "name": column.name,
            "data_type": column.type.trino,
            "description": column.comment,
            "data_tests": tests,
        }
        nodes.append({name: value for name, value in node.items() if value})
    return {"columns": nodes}


def _accepted_values(values: tuple[str, ...], severity: str) -> Node:
    """Return the test that a column holds no other values; null is none."""
    return {
        "accepted_values": {
            "arguments": {"values": list(values)},
            "config": {"severity": severity},
        }
    }


def _freshness(asset: Asset) -> Node:
    """Return how old a table of an asset may become."""
    arguments = f"'{asset.name}'" + (", may_be_unavailable=true" if asset.offered_to_some else "")
    query = f"{{{{ anthropic_lake.last_read_at({arguments}) }}}}"
    freshness = {
        f"{severity}_after": {"count": hours, "period": "hour"}
        for severity, hours in (("warn", WARN_AFTER_HOURS), ("error", ERROR_AFTER_HOURS))
    }
    return {"config": {"freshness": freshness, "loaded_at_query": query}}


def _duckdb_type(column: Column) -> str:
    """Return what DuckDB calls the type of a column in the files."""
    return "TIMESTAMPTZ" if column.type is TIMESTAMP else column.type.trino.upper()


def _duckdb_select(view: View, names: set[str]) -> str:
    """Return a view's SELECT in DuckDB's dialect, in which it reads the schema of the lake.

    Args:
        view: The view.
        names: Every table and view of the lake.
    """

    def translate(node: exp.Expression) -> exp.Expression:
        if isinstance(node, exp.Table) and node.name in names:
            node.set("db", exp.to_identifier(_LAKE, quoted=False))
        if isinstance(node, exp.CurrentDate):  # that of the session's time zone
            return exp.cast(exp.AtTimeZone(this=exp.func("now"), zone=_UTC), "date")
        return node

    return sqlglot.parse_one(view.sql, read="trino").transform(translate).sql("duckdb", pretty=True)


def _yaml(nodes: Iterable[Node]) -> str:
    """Return YAML of mappings, an empty line between them."""
    texts = (
        yaml.safe_dump([node], sort_keys=False, allow_unicode=True, width=90).strip()
        for node in nodes
    )
    return "\n\n".join(texts)
