"""The generated parts of infra/snowflake: tables from their definitions, views from their SQL."""

from __future__ import annotations

import sqlglot
from sqlglot import exp

from anthropic_lake.lake.layout import DAY_PREFIX, partition_prefix, table_prefix
from anthropic_lake.query.catalog import Catalog, View
from anthropic_lake.schema.table import PARTITION, Column, Table
from anthropic_lake.schema.types import TIMESTAMP
from anthropic_lake.sync.runs import SYNC_RUNS
from infra.generate.text import fill

_RESERVED = """
account all alter and any as between by case cast check column connect connection constraint
create cross current current_date current_time current_timestamp current_user database delete
distinct drop else exists false following for from full grant group gscluster having ilike in
increment inner insert intersect into is issue join lateral left like localtime localtimestamp
minus natural not null of on or order organization qualify regexp revoke right rlike row rows
sample schema select set some start table tablesample then to trigger true try_cast union unique
update using values view when whenever where with
"""
RESERVED = frozenset(_RESERVED.split())
"""Words that Snowflake takes for something else than a name (its page on reserved keywords)."""

ZONES = ("Pacific/Pago_Pago", "Pacific/Kiritimati")
"""The session time zones farthest from UTC, to the west and to the east."""


def stage(_: Catalog) -> str:
    """Return the stage over the lake, and a query that shows that Snowflake may read it."""
    layout = partition_prefix("<table>", "<day>")
    return fill("stage.sql", layout=layout, runs=table_prefix(SYNC_RUNS.name))


def external_tables(catalog: Catalog) -> str:
    """Return the external tables: one per table, read from the objects' Parquet."""
    return "\n\n".join(map(_external_table, catalog.tables))


def native_tables(catalog: Catalog) -> str:
    """Return the native tables: the same columns, and the object of each row."""
    return "\n\n".join(map(_native_table, catalog.tables))


def load(_: Catalog) -> str:
    """Return the statements of the procedure that load the objects of some days of a table."""
    return fill("load.sql", table=table_prefix("' || name || '"), day=DAY_PREFIX)


def views(catalog: Catalog) -> str:
    """Return the views, dependencies first."""
    return "\n\n".join(map(_view, catalog.views))


def check(catalog: Catalog) -> str:
    """Return the statements that fail if a row is not on its day of UTC, in any session."""
    timed = [
        identifier(table.name)
        for table in catalog.tables
        if "starting_at" in {column.name for column in table.all_columns}
    ]
    selects = [fill("checked_table.sql", name=name) for name in timed]
    tables = "\nUNION ALL\n".join(selects)
    return "\n\n".join(fill("check.sql", zone=zone, tables=tables) for zone in ZONES)


def identifier(name: str) -> str:
    """Write a name as Snowflake takes it: a reserved word quoted, in the case names have there."""
    return f'"{name.upper()}"' if name in RESERVED else name


def select(view: View) -> str:
    """Return a view's SELECT in Snowflake's dialect."""
    tree = sqlglot.parse_one(view.sql, read="trino")
    return tree.transform(_translate).sql("snowflake", pretty=True)


def day_expression(table: Table) -> str:
    """Return what reads the day from an object's name, whatever the prefix of the lake."""
    before = _text(table_prefix(table.name) + DAY_PREFIX)
    after = f"SPLIT_PART(metadata$filename, {before}, 2)"
    return f"TO_DATE(SPLIT_PART({after}, '/', 1), 'YYYY-MM-DD')"


def _external_table(table: Table) -> str:
    """Return one external table, its columns in the order of the other catalogs."""
    columns = [
        *(_column(column, _value(column)) for column in table.all_columns),
        _column(PARTITION, day_expression(table)),
    ]
    return fill(
        "external_table.sql",
        name=identifier(table.name),
        location=table_prefix(table.name),
        columns=",\n".join(columns),
        comment=_text(table.comment),
    )


def _native_table(table: Table) -> str:
    """Return one native table."""
    return fill(
        "native_table.sql",
        name=identifier(table.name),
        column=[_column(column) for column in (*table.all_columns, PARTITION)],
        comment=_text(table.comment),
    )


def _view(view: View) -> str:
    """Return one view."""
    return fill(
        "view.sql", name=identifier(view.name), comment=_text(view.comment), sql=select(view)
    )


def _column(column: Column, value: str = "") -> str:
    """Return one column; with a value, a computed one."""
    computed = f" AS ({value})" if value else ""
    comment = _text(column.comment)
    return f"{identifier(column.name)} {column.type.snowflake}{computed} COMMENT {comment}"


def _value(column: Column) -> str:
    """Read a column from the file; an instant becomes the wall clock of UTC, in any session."""
    raw = f'value:"{column.name}"'
    if column.type is TIMESTAMP:
        return f"CONVERT_TIMEZONE('UTC', {raw}::TIMESTAMP_LTZ(6))::{column.type.snowflake}"
    return f"{raw}::{column.type.snowflake}"


def _text(text: str) -> str:
    """Quote a text."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def _translate(node: exp.Expression) -> exp.Expression:
    """Replace what means something else in Snowflake than in Trino and sqlglot leaves alone."""
    if isinstance(node, exp.Identifier):
        reserved = node.name.lower() in RESERVED
        return exp.to_identifier(node.name.upper() if reserved else node.name, quoted=reserved)
    if isinstance(node, exp.CurrentDate):  # that of the session's time zone
        return exp.cast(exp.Anonymous(this="SYSDATE"), "date")
    if isinstance(node, exp.DataType) and node.this is exp.DataType.Type.TIMESTAMP:
        return exp.DataType.build("TIMESTAMPNTZ")  # the account says what TIMESTAMP means
    if isinstance(node, exp.Cast) and _is_decimal_literal(node):
        return exp.Literal.number(node.this.name)  # DECIMAL alone has no digits after the point
    if isinstance(node, exp.Column) and node.table in _series(node):
        return exp.cast(node.copy(), "bigint")  # FLATTEN returns a VARIANT
    if isinstance(node, exp.GenerateSeries):
        for bound in ("start", "end"):
            node.set(bound, _whole(node.args[bound]))
    return node


def _series(column: exp.Column) -> set[str]:
    """Return the aliases of the generated series that a column may come from."""
    select = column.find_ancestor(exp.Select)
    unnests = select.find_all(exp.Unnest) if select else ()
    return {unnest.alias for unnest in unnests}


def _whole(bound: exp.Expression) -> exp.Expression:
    """Cast the bound of a series to a whole number, unless it is a literal."""
    return bound if isinstance(bound, exp.Literal) else exp.cast(bound, "bigint")


def _is_decimal_literal(cast: exp.Cast) -> bool:
    """Return whether a cast is a literal such as DECIMAL '0.01'."""
    to = cast.to
    return to.this is exp.DataType.Type.DECIMAL and not to.expressions and cast.this.is_string
