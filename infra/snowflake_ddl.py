"""The generated parts of infra/snowflake: tables from their definitions, views from their SQL."""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import indent

import sqlglot
from sqlglot import exp

from anthropic_lake.query.catalog import TABLES, VIEWS, View
from anthropic_lake.schema.table import PARTITION, Column, Table
from anthropic_lake.schema.types import TIMESTAMP

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

EXTERNAL_TABLE = """\
CREATE OR REPLACE EXTERNAL TABLE {name} (
{columns}
)
  PARTITION BY (date)
  LOCATION = @objects/asset={table}/
  AUTO_REFRESH = TRUE
  PATTERN = '.*[.]parquet'
  FILE_FORMAT = (FORMAT_NAME = 'anthropic_lake.lake.parquet_file')
  COPY GRANTS
  COMMENT = {comment};
"""

NATIVE_TABLE = """\
CREATE TABLE IF NOT EXISTS {name} (
{columns}
)
  COMMENT = {comment};
"""

VIEW = """\
CREATE OR REPLACE VIEW {name}
  COMMENT = {comment}
AS
{sql};
"""

OBJECT_KEY = "object_key VARCHAR COMMENT 'Object of the data bucket that the row comes from.'"


def external_tables() -> str:
    """Give the external tables: one per table, read from the objects' Parquet."""
    return "\n".join(map(_external_table, TABLES))


def native_tables() -> str:
    """Give the native tables: the same columns, and where each row comes from."""
    return "\n".join(map(_native_table, TABLES))


def views() -> str:
    """Give the views, each after those that it reads."""
    return "\n".join(map(_view, VIEWS))


def name(of: str) -> str:
    """Write a name as Snowflake takes it: a reserved word quoted, in the case names have there."""
    return f'"{of.upper()}"' if of in RESERVED else of


def select(view: View) -> str:
    """Give a view's SELECT in Snowflake's dialect."""
    tree = sqlglot.parse_one(view.sql, read="trino")
    return tree.transform(_translated).sql("snowflake", pretty=True)


def _external_table(table: Table) -> str:
    """Give one external table, its columns in the order of the other catalogs."""
    columns = [
        *(_column(column, _value(column)) for column in table.all_columns),
        _column(PARTITION, _day(table)),
    ]
    return EXTERNAL_TABLE.format(
        name=name(table.name),
        table=table.name,
        columns=_lines(columns),
        comment=_text(table.comment),
    )


def _native_table(table: Table) -> str:
    """Give one native table."""
    columns = [*map(_column, (*table.all_columns, PARTITION)), OBJECT_KEY]
    return NATIVE_TABLE.format(
        name=name(table.name), columns=_lines(columns), comment=_text(table.comment)
    )


def _view(view: View) -> str:
    """Give one view."""
    return VIEW.format(
        name=name(view.name), comment=_text(view.comment), sql=indent(select(view), "  ")
    )


def _column(column: Column, value: str = "") -> str:
    """Give one column, computed where it has a value."""
    computed = f" AS ({value})" if value else ""
    return f"{name(column.name)} {column.type.snowflake}{computed} COMMENT {_text(column.comment)}"


def _value(column: Column) -> str:
    """Read a column from the file; an instant becomes the wall clock of UTC, in any session."""
    raw = f'value:"{column.name}"'
    if column.type is TIMESTAMP:
        return f"CONVERT_TIMEZONE('UTC', {raw}::TIMESTAMP_LTZ(6))::{column.type.snowflake}"
    return f"{raw}::{column.type.snowflake}"


def _day(table: Table) -> str:
    """Read the partition from an object's name, whatever the prefix of the lake."""
    after = f"SPLIT_PART(metadata$filename, 'asset={table.name}/date=', 2)"
    return f"TO_DATE(SPLIT_PART({after}, '/', 1), 'YYYY-MM-DD')"


def _lines(columns: Iterable[str]) -> str:
    """Put each column on a line."""
    return indent(",\n".join(columns), "  ")


def _text(text: str) -> str:
    """Quote a text."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def _translated(node: exp.Expression) -> exp.Expression:
    """Mend what means something else in Snowflake than in Trino, and sqlglot leaves alone."""
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
        return exp.cast(node.copy(), "bigint")  # FLATTEN gives a VARIANT
    if isinstance(node, exp.GenerateSeries):
        for bound in ("start", "end"):
            node.set(bound, _whole(node.args[bound]))
    return node


def _series(column: exp.Column) -> set[str]:
    """Give the aliases of the generated series that a column may come from."""
    select = column.find_ancestor(exp.Select)
    unnests = select.find_all(exp.Unnest) if select else ()
    return {unnest.alias for unnest in unnests}


def _whole(bound: exp.Expression) -> exp.Expression:
    """Say that the bound of a series is a whole number, where it does not say so itself."""
    return bound if isinstance(bound, exp.Literal) else exp.cast(bound, "bigint")


def _is_decimal_literal(cast: exp.Cast) -> bool:
    """Tell a literal such as DECIMAL '0.01'."""
    to = cast.to
    return to.this is exp.DataType.Type.DECIMAL and not to.expressions and cast.this.is_string
