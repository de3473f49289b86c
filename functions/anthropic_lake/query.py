"""SQL on a laptop: DuckDB over the objects of a lake, where they stand."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache

import duckdb
import pyarrow as pa
import sqlglot
from sqlglot import exp

from anthropic_lake.catalog import TABLES, VIEWS, View
from anthropic_lake.errors import LakeError, QueryError
from anthropic_lake.reading import StoredLake
from anthropic_lake.schema import Table

_ROWS_AT_ONCE = 10_000
_UNKNOWN_TABLE = re.compile(r"Table with name \"?(?P<name>[^\s\"]+)\"? does not exist")
_CATALOG: Mapping[str, Table | View] = {each.name: each for each in (*TABLES, *VIEWS)}


@contextmanager
def query(sql: str, lake: StoredLake) -> Iterator[pa.RecordBatchReader]:
    """Run SQL in DuckDB's dialect over the tables and views of a lake.

    Args:
        sql: One statement, or several of which the last gives the result.
        lake: What is queried; each table is listed when the statement names it, and read as far
            as its predicates on `date` reach.

    Yields:
        The result, batch after batch; timestamps are UTC.

    Raises:
        QueryError: DuckDB does not take the statement, or it failed.
        StorageError: The lake cannot be read.
    """
    with duckdb.connect() as session, _explaining():
        session.sql("SET TimeZone = 'UTC'")
        _bind(session, lake, _named(session, sql))
        result = session.sql(sql)
        if result is None:
            yield pa.RecordBatchReader.from_batches(pa.schema([]), [])
        else:
            yield result.to_arrow_reader(_ROWS_AT_ONCE)


@contextmanager
def _explaining() -> Iterator[None]:
    """Turn DuckDB's errors into ours, with the name that was probably meant."""
    try:
        yield
    except duckdb.Error as error:
        text = str(error).strip()
        if match := _UNKNOWN_TABLE.search(text):
            text = unknown_table(match["name"])
        raise QueryError(text) from error
    except pa.ArrowException as error:
        raise QueryError(f"the lake cannot be read: {error}") from error


def unknown_table(name: str) -> str:
    """Say that there is no such table, and which ones are called nearly the same."""
    meant = difflib.get_close_matches(name.lower(), _CATALOG, cutoff=0.5)
    hint = f"did you mean {' or '.join(meant)}?" if meant else "see `anthropic-lake views`"
    return f"there is no table or view {name}: {hint}"


def _named(session: duckdb.DuckDBPyConnection, sql: str) -> Iterable[str]:
    """Give the names in the catalog that a statement may need, in the catalog's order."""
    try:
        names = {name.lower() for name in session.get_table_names(sql)}
    except duckdb.InvalidInputException:  # several statements
        return _CATALOG
    if not names <= _CATALOG.keys():
        return _CATALOG
    ...
