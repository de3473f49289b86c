"""SQL on a laptop: DuckDB reads the objects of a lake directly."""

import glob
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from tempfile import TemporaryDirectory
from threading import Thread
from typing import TypeVar

import duckdb
import pyarrow as pa
import sqlglot

from anthropic_lake.errors import QueryError, StillAtWork
from anthropic_lake.lake.layout import partition_prefix
from anthropic_lake.lake.reading import StoredLake
from anthropic_lake.query.catalog import TABLES, VIEWS, View, unknown_table
from anthropic_lake.schema.table import PARTITION, Column, Table
from anthropic_lake.schema.types import TIMESTAMP

_TABLES_AND_VIEWS: tuple[Table | View, ...] = (*TABLES, *VIEWS)
_ROWS_PER_BATCH = 10_000
_INTERRUPT_SECONDS = 0.5
_MEMORY_MB_PER_THREAD = 200
_TRINO_TYPES = {
    "HUGEINT": "BIGINT",  # DuckDB's sum of integers
    "INTEGER": "BIGINT",
    "TIMESTAMP": "TIMESTAMPTZ",  # without a zone in Trino; all of the lake's times are UTC
}
_FILES_VIEW = """
CREATE VIEW {table} AS
SELECT *, TRY_CAST(substr(filename, {day_at}, 10) AS DATE) AS {date}
FROM read_parquet(
    getvariable('{variable}'), schema = MAP {{{columns}}}, hive_partitioning = false
)
"""
_UNKNOWN_TABLE = re.compile(r'Table with name "?(?P<name>[^\s"]+)"? does not exist')

Result = TypeVar("Result")


@dataclass(frozen=True)
class _Question:
    """What is asked of a lake; the arguments of `query`."""

    sql: str
    lake: StoredLake
    today: date | None
    safe: bool


@contextmanager
def query(
    sql: str, lake: StoredLake, *, today: date | None = None, safe: bool = False
) -> Iterator[pa.RecordBatchReader]:
    """Run SQL in DuckDB's dialect over the tables and views of a lake.

    DuckDB works in a thread of its own, so that Ctrl-C ends the query while it computes.

    Args:
        sql: One statement, or several of which the last gives the result.
        lake: What is queried; a table is listed when the statement needs it, and read as far as
            its predicates on `date` reach.
        today: What `current_date` stands for, in the views too; None: the current day, UTC.
        safe: Take SELECT statements only, and let them read nothing but the lake: no other file,
            no network, no extension. Without it, SQL reads and writes files as the user may.

    Yields:
        The result, batch after batch; it has no columns where a statement has no result.

    Raises:
        QueryError: DuckDB does not take the statement, or it failed.
        SettingsError: There is no lake.
        StorageError: The lake cannot be read.
        KeyboardInterrupt: Ctrl-C; the query has ended.
        StillAtWork: Ctrl-C, and it goes on in its thread: a file system does not answer.
    """
    question = _Question(sql, lake, today, safe)
    with _translated_errors(), TemporaryDirectory(prefix="anthropic-lake-") as spill_folder:
        worker = _Worker(duckdb.connect(config={"temp_directory": spill_folder}))
        with worker:
            reader = worker.run(lambda: _answer(worker.session, question))
            if reader is None:
                yield pa.RecordBatchReader.from_batches(pa.schema([]), [])
            else:
                yield pa.RecordBatchReader.from_batches(reader.schema, _batches(worker, reader))


class _Worker:
    """Runs calls of DuckDB in threads, where they do not keep Ctrl-C from Python.

    Args:
        session: What the calls use; it is closed at the end, unless Ctrl-C finds it still at work:
            closing it would wait for that.
    """

    def __init__(self, session: duckdb.DuckDBPyConnection) -> None:
        self.session = session
        self._is_busy = False

    def __enter__(self) -> None:
        """Do nothing; leaving closes the session."""

    def __exit__(self, *_: object) -> None:
        """Close the session."""
        if not self._is_busy:
            self.session.close()

    def run(self, call: Callable[[], Result]) -> Result:
        """Return what a call returns, or raise what it raises."""
        outcome: Future[Result] = Future()
        thread = Thread(target=_settle, args=(outcome, call), daemon=True)
        thread.start()
        try:
            return outcome.result()
        except KeyboardInterrupt:
            self.session.interrupt()
            try:
                outcome.exception(_INTERRUPT_SECONDS)
            except TimeoutError:
                self._is_busy = True
                raise StillAtWork from None
            raise


def _settle(outcome: Future[Result], call: Callable[[], Result]) -> None:
    """Run a call and keep its result, or its error, for the thread that waits."""
    try:
        outcome.set_result(call())
    except BaseException as error:  # noqa: BLE001  it is raised where the result is waited for
        outcome.set_exception(error)


@contextmanager
def _translated_errors() -> Iterator[None]:
    """Raise QueryError for an error of DuckDB or Arrow."""
    try:
        yield
    except duckdb.Error as error:
        unknown = _UNKNOWN_TABLE.search(str(error))
        raise QueryError(unknown_table(unknown["name"]) if unknown else str(error)) from error
    except pa.ArrowException as error:
        raise QueryError(f"the result cannot be read or written: {error}") from error


def _answer(session: duckdb.DuckDBPyConnection, question: _Question) -> pa.RecordBatchReader | None:
    """Run a statement; return its result, None where it has none."""
    question.lake.check_exists()
    _limit_memory(session)
    session.execute("SET TimeZone = 'UTC'")
    session.execute("SET python_enable_replacements = false")  # a name is never a Python variable
    if question.today:
        session.execute(f"CREATE MACRO current_date() AS DATE '{question.today}'")
    if question.safe:
        _lock(session, question)  # before DuckDB looks at the statement: binding opens files
    for relation in _needed(session, question.sql):
        if isinstance(relation, View):
            _create_view(session, relation)
        else:
            _open_table(session, relation, question.lake)
    return _reader(session.sql(question.sql))


def _limit_memory(session: duckdb.DuckDBPyConnection) -> None:
    """Let a session spill to the disk soon: by default it would first fill 80 % of the memory."""
    [threads] = session.execute("SELECT current_setting('threads')").fetchone() or [1]
    session.execute(f"SET memory_limit = '{threads * _MEMORY_MB_PER_THREAD}MB'")


def _reader(result: duckdb.DuckDBPyRelation | None) -> pa.RecordBatchReader | None:
    """Return a reader of a result, None where a statement has none."""
    return None if result is None else result.to_arrow_reader(_ROWS_PER_BATCH)


def _needed(session: duckdb.DuckDBPyConnection, sql: str) -> Iterator[Table | View]:
    """Return what a statement reads, dependencies first; everything if unsure."""
    try:
        names = {name.lower() for name in session.get_table_names(sql)}
    except duckdb.Error:  # several statements, a mistake, or a join that needs the columns
        names = set()
    if not names or not names <= {relation.name for relation in _TABLES_AND_VIEWS}:
        return iter(_TABLES_AND_VIEWS)
    for view in reversed(VIEWS):
        if view.name in names:
            names |= {relation.name for relation in _TABLES_AND_VIEWS if view.reads(relation.name)}
    return (relation for relation in _TABLES_AND_VIEWS if relation.name in names)


def _open_table(session: duckdb.DuckDBPyConnection, table: Table, lake: StoredLake) -> None:
    """Open a table: by DuckDB's own reader in a folder, by Arrow's everywhere else."""
    objects = lake.readable_objects(table)
    if lake.is_local and objects:
        _open_files(session, table, lake.root, [found.path for found in objects])
    else:
        session.register(table.name, lake.dataset(table, objects))


def _open_files(
    session: duckdb.DuckDBPyConnection, table: Table, root: str, paths: list[str]
) -> None:
    """Create a table over files, which are opened when their day is asked for.

    The columns are the declared ones; one that is younger than a file is null in its rows. The
    day stands at one place of every path, where DuckDB finds it without opening the file; an IN
    over a CAST, which may fail, it would not look at before.
    """
    columns = ", ".join(
        f"'{column.name}': {{'name': '{column.name}', 'type': '{_duckdb_type(column)}', "
        "'default_value': NULL}"
        for column in table.all_columns
    )
    day_at = len(f"{root}/{partition_prefix(table.name, '')}".removesuffix("/")) + 1
    variable = f"{table.name}_files"  # as text in the statement, many paths are slow to parse
    session.execute(f"SET VARIABLE {variable} = ?", [[glob.escape(path) for path in paths]])
    session.execute(
        _FILES_VIEW.format(
            table=table.name,
            day_at=day_at,
            date=PARTITION.name,
            variable=variable,
            columns=columns,
        )
    )


def _duckdb_type(column: Column) -> str:
    """Return what DuckDB calls the type of a column."""
    return "TIMESTAMPTZ" if column.type is TIMESTAMP else column.type.trino


def _create_view(session: duckdb.DuckDBPyConnection, view: View) -> None:
    """Create a view from its SQL in Trino's dialect, with the types that Trino gives it."""
    body = session.sql(sqlglot.transpile(view.sql, read="trino", write="duckdb")[0])
    casts = [
        f'CAST("{name}" AS {_TRINO_TYPES[str(kind)]}) AS "{name}"'
        for name, kind in zip(body.columns, body.types, strict=True)
        if str(kind) in _TRINO_TYPES
    ]
    typed = body.project(f"* REPLACE ({', '.join(casts)})") if casts else body
    typed.create_view(view.name)


def _lock(session: duckdb.DuckDBPyConnection, question: _Question) -> None:
    """Leave a session nothing but the lake to read, for good.

    DuckDB lets the folders that it may read be written too, hence the look at the statements.

    Raises:
        QueryError: There is another statement than SELECT.
    """
    kinds = {statement.type for statement in session.extract_statements(question.sql)}
    if kinds - {duckdb.StatementType.SELECT}:
        raise QueryError(
            "a safe query takes SELECT statements only, and PIVOT with its values named: "
            "rewrite it, or run it without the safety"
        )
    root = question.lake.root
    folders = [f"{root}/", f"{glob.escape(root)}/"] if question.lake.is_local else []
    session.execute("SET allowed_directories = ?", [folders])
    session.execute("SET enable_external_access = false")
    session.execute("SET lock_configuration = true")


def _batches(worker: _Worker, batches: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """Return batches; what fails while DuckDB computes them comes as an OSError."""
    try:
        while (batch := worker.run(lambda: next(batches, None))) is not None:
            yield batch
    except OSError as error:
        raise QueryError(str(error)) from error
