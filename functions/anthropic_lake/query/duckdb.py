"""SQL on a laptop: DuckDB over the objects of a lake, where they stand."""

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

_CATALOG: tuple[Table | View, ...] = (*TABLES, *VIEWS)
_ROWS_AT_ONCE = 10_000
_AS_IN_TRINO = {
    "HUGEINT": "BIGINT",  # DuckDB's sum of integers
    "INTEGER": "BIGINT",
    "TIMESTAMP": "TIMESTAMPTZ",  # without a zone in Trino; all of the lake's times are UTC
}
_UNKNOWN_TABLE = re.compile(r'Table with name "?(?P<name>[^\s"]+)"? does not exist')


@contextmanager
def query(
    sql: str, lake: StoredLake, *, today: date | None = None
) -> Iterator[pa.RecordBatchReader]:
    """Run SQL in DuckDB's dialect over the tables and views of a lake.

    Args:
        sql: One statement, or several of which the last gives the result.
        lake: What is queried; a table is listed when the statement needs it, and read as far as
            its predicates on `date` reach.
        today: What `current_date` stands for, in the views too; None: the current day, UTC.

    Yields:
        The result, batch after batch; it has no columns where a statement has no result.

    Raises:
        QueryError: DuckDB does not take the statement, or it failed.
        StorageError: The lake cannot be read.
    """
    with _explaining(), duckdb.connect() as session:
        session.execute("SET TimeZone = 'UTC'")
        if today:
            session.execute(f"CREATE MACRO current_date() AS DATE '{today}'")
        for each in _needed(session, sql):
            if isinstance(each, Table):
                session.register(each.name, lake.dataset(each))
            else:
                _create_view(session, each)
        yield _batches(session.sql(sql))


@contextmanager
def _explaining() -> Iterator[None]:
    """Turn DuckDB's errors into ours."""
    try:
        yield
    except duckdb.Error as error:
        unknown = _UNKNOWN_TABLE.search(str(error))
        raise QueryError(unknown_table(unknown["name"]) if unknown else str(error)) from error
    except pa.ArrowException as error:
        raise QueryError(f"the result cannot be read or written: {error}") from error


def _needed(session: duckdb.DuckDBPyConnection, sql: str) -> Iterator[Table | View]:
    """Give what a statement reads, each after what it is made of; all when in doubt."""
    try:
        names = {name.lower() for name in session.get_table_names(sql)}
    except duckdb.Error:  # several statements, a mistake, or a join that needs the columns
        names = set()
    if not names or not names <= {each.name for each in _CATALOG}:
        return iter(_CATALOG)
    for view in reversed(VIEWS):
        if view.name in names:
            names |= {each.name for each in _CATALOG if view.reads(each.name)}
    return (each for each in _CATALOG if each.name in names)


def _create_view(session: duckdb.DuckDBPyConnection, view: View) -> None:
    """Create a view from its SQL in Trino's dialect, with the types that Trino gives it."""
    body = session.sql(sqlglot.transpile(view.sql, read="trino", write="duckdb")[0])
    casts = [
        f'CAST("{name}" AS {_AS_IN_TRINO[str(kind)]}) AS "{name}"'
        for name, kind in zip(body.columns, body.types, strict=True)
        if str(kind) in _AS_IN_TRINO
    ]
    typed = body.project(f"* REPLACE ({', '.join(casts)})") if casts else body
    typed.create_view(view.name)


def _batches(result: duckdb.DuckDBPyRelation | None) -> pa.RecordBatchReader:
    """Give a result's batches, and none where a statement has no result."""
    if result is None:
        return pa.RecordBatchReader.from_batches(pa.schema([]), [])
    reader = result.to_arrow_reader(_ROWS_AT_ONCE)
    return pa.RecordBatchReader.from_batches(reader.schema, _explained(reader))


def _explained(batches: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """Give batches; what fails while DuckDB computes them comes as an OSError."""
    try:
        yield from batches
    except OSError as error:
        raise QueryError(str(error)) from error
