"""SQL on a laptop: DuckDB reads the objects of a lake directly."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import duckdb
import pyarrow as pa
import sqlglot

from anthropic_lake.errors import QueryError
from anthropic_lake.lake.reading import StoredLake
from anthropic_lake.query.catalog import TABLES, VIEWS, View, unknown_table
from anthropic_lake.schema.table import Table

_TABLES_AND_VIEWS: tuple[Table | View, ...] = (*TABLES, *VIEWS)
_ROWS_PER_BATCH = 10_000
_TRINO_TYPES = {
    "HUGEINT": "BIGINT",  # DuckDB's sum of integers
    "INTEGER": "BIGINT",
    "TIMESTAMP": "TIMESTAMPTZ",  # Trino's has no zone; all times of the lake are UTC
}
_UNKNOWN_TABLE = re.compile(r'Table with name "?(?P<name>[^\s"]+)"? does not exist')


@contextmanager
def query(
    sql: str, lake: StoredLake, *, today: date | None = None
) -> Iterator[pa.RecordBatchReader]:
    """Run SQL in DuckDB's dialect over the tables and views of a lake.

    Args:
        sql: One statement, or several; the last one gives the result.
        lake: The lake to query. A table is listed only if the statement needs it, and only the
            days that its predicates on `date` select are read.
        today: The day that `current_date` returns, in views too; None: the current day, UTC.

    Yields:
        The batches of the result; without columns if the statement has no result.

    Raises:
        QueryError: DuckDB refuses the statement, or it failed.
        StorageError: The lake cannot be read.
    """
    with _translated_errors(), duckdb.connect() as session:
        session.execute("SET TimeZone = 'UTC'")
        if today:
            session.execute(f"CREATE MACRO current_date() AS DATE '{today}'")
        for relation in _needed(session, sql):
            if isinstance(relation, Table):
                session.register(relation.name, lake.dataset(relation))
            else:
                _create_view(session, relation)
        yield _batches(session.sql(sql))


@contextmanager
def _translated_errors() -> Iterator[None]:
    """Raise QueryError for an error of DuckDB or Arrow."""
    try:
        yield
    except duckdb.Error as error:
        match = _UNKNOWN_TABLE.search(str(error))
        raise QueryError(unknown_table(match["name"]) if match else str(error)) from error
    except pa.ArrowException as error:
        raise QueryError(f"the result cannot be read or written: {error}") from error


def _needed(session: duckdb.DuckDBPyConnection, sql: str) -> Iterator[Table | View]:
    """Return the tables and views of a statement, dependencies first; everything if unsure."""
    try:
        names = {name.lower() for name in session.get_table_names(sql)}
    except duckdb.Error:  # several statements, a mistake, or a join that needs the columns
        names = set()
    if not names or not names <= {relation.name for relation in _TABLES_AND_VIEWS}:
        return iter(_TABLES_AND_VIEWS)
    for view in reversed(VIEWS):
        if view.name in names:
            names |= {other.name for other in _TABLES_AND_VIEWS if view.reads(other.name)}
    return (relation for relation in _TABLES_AND_VIEWS if relation.name in names)


def _create_view(session: duckdb.DuckDBPyConnection, view: View) -> None:
    """Create a view from its SQL in Trino's dialect, with the column types of Trino."""
    relation = session.sql(sqlglot.transpile(view.sql, read="trino", write="duckdb")[0])
    casts = [
        f'CAST("{name}" AS {_TRINO_TYPES[str(column_type)]}) AS "{name}"'
        for name, column_type in zip(relation.columns, relation.types, strict=True)
        if str(column_type) in _TRINO_TYPES
    ]
    typed = relation.project(f"* REPLACE ({', '.join(casts)})") if casts else relation
    typed.create_view(view.name)


def _batches(result: duckdb.DuckDBPyRelation | None) -> pa.RecordBatchReader:
    """Return the batches of a result; no batches if the statement has no result."""
    if result is None:
        return pa.RecordBatchReader.from_batches(pa.schema([]), [])
    reader = result.to_arrow_reader(_ROWS_PER_BATCH)
    return pa.RecordBatchReader.from_batches(reader.schema, _translated(reader))


def _translated(batches: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """Yield batches; raise QueryError for the OSError of a query that fails while it is read."""
    try:
        yield from batches
    except OSError as error:
        raise QueryError(str(error)) from error
