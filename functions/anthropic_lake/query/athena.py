"""SQL in a deployed stack: Athena runs it, and the pages of the result become Arrow."""

import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pyarrow as pa
from botocore.exceptions import BotoCoreError, ClientError

from anthropic_lake.errors import QueryError, aws_failure
from anthropic_lake.query.catalog import unknown_table

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_athena.type_defs import ColumnInfoTypeDef, QueryExecutionTypeDef, RowTypeDef

USD_PER_TB = Decimal(5)
"""On-demand price of a scanned terabyte in most regions, as of 2026-11."""

_MB, _TB = 1 << 20, 1 << 40
_MIN_CHARGED_MB = 10  # Athena charges at least this, and whole megabytes
_POLL_SECONDS = 0.5
_UNFINISHED_STATES = {"QUEUED", "RUNNING"}
_MISSING_TABLE = re.compile(r"TABLE_NOT_FOUND.*'[^']*?(?P<name>[^'.]+)' does not exist")
_DENIED_WORDS = ("access denied", "insufficient", "not authorized", "permission")
_NEEDED_PERMISSIONS = (
    "Athena needs athena:StartQueryExecution, GetQueryExecution and GetQueryResults on the "
    "workgroup, glue:GetDatabase, GetTable and GetPartitions on the database, and s3:GetObject "
    "and ListBucket on the data bucket and on the bucket of the results"
)
_ARROW_TYPES = {
    "boolean": pa.bool_(),
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "real": pa.float32(),
    "double": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),  # Athena's has no zone; the lake's are UTC
    "timestamp with time zone": pa.timestamp("us", "UTC"),
}


@dataclass(frozen=True)
class Statistics:
    """The state of a query and what it has used so far.

    Args:
        state: State of the query in Athena's words.
        scanned_bytes: Bytes read so far.
        seconds: Time since the query was submitted.
        reused: Whether the result comes from an earlier query, which costs nothing.
        statement: Kind of statement in Athena's words; only `DML` is charged.
    """

    state: str
    scanned_bytes: int
    seconds: float
    reused: bool
    statement: str

    @property
    def cost_usd(self) -> Decimal:
        """On-demand price of the query, without discounts or provisioned capacity."""
        if self.reused or self.statement != "DML":
            return Decimal(0)
        megabytes = max(_MIN_CHARGED_MB, -(-self.scanned_bytes // _MB))
        return USD_PER_TB * megabytes * _MB / _TB


def query_athena(
    sql: str,
    athena: "AthenaClient",
    *,
    workgroup: str,
    database: str,
    progress: Callable[[Statistics], None],
) -> tuple[pa.RecordBatchReader, Statistics]:
    """Run SQL in Athena's dialect.

    Args:
        sql: One statement.
        athena: The client of Athena.
        workgroup: The workgroup; it sets where results are stored.
        database: The database of the tables.
        progress: Called with the statistics each time the query is checked.

    Returns:
        The pages of the result, and the statistics of the finished query.

    Raises:
        QueryError: Athena refuses the statement, or it failed.
        SettingsError: AWS is not set up, or a permission is missing.
    """
    with _translated_errors():
        query_id = athena.start_query_execution(
            QueryString=sql,
            WorkGroup=workgroup,
            QueryExecutionContext={"Database": database},
        )["QueryExecutionId"]
        statistics = _wait(athena, query_id, progress)
        return _result(athena, query_id), statistics


@contextmanager
def _translated_errors() -> Iterator[None]:
    """Raise an error of this package for an error of boto3."""
    try:
        yield
    except ClientError as error:
        text = error.response.get("Error", {}).get("Message", str(error))
        if error.response.get("Error", {}).get("Code") == "InvalidRequestException":
            raise QueryError(f"Athena does not take the query: {text}") from error
        raise aws_failure(error, f"cannot query Athena. {_NEEDED_PERMISSIONS}") from error
    except BotoCoreError as error:
        raise aws_failure(
            error, "cannot reach Athena. Set AWS_DEFAULT_REGION and AWS_PROFILE"
        ) from error


def _wait(
    athena: "AthenaClient", query_id: str, progress: Callable[[Statistics], None]
) -> Statistics:
    """Wait for the end of a query, and stop it if the wait is interrupted."""
    try:
        while True:
            execution = athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
            statistics = _statistics(execution)
            progress(statistics)
            if statistics.state not in _UNFINISHED_STATES:
                break
            time.sleep(_POLL_SECONDS)
    except BaseException:
        with suppress(ClientError, BotoCoreError):
            athena.stop_query_execution(QueryExecutionId=query_id)
        raise
    if statistics.state != "SUCCEEDED":
        raise _failure(execution)
    return statistics


def _statistics(execution: "QueryExecutionTypeDef") -> Statistics:
    """Return the statistics of a query."""
    figures = execution.get("Statistics", {})
    reuse = figures.get("ResultReuseInformation", {})
    return Statistics(
        state=execution["Status"]["State"],
        scanned_bytes=figures.get("DataScannedInBytes", 0),
        seconds=figures.get("TotalExecutionTimeInMillis", 0) / 1000,
        reused=reuse.get("ReusedPreviousResult", False),
        statement=execution.get("StatementType", "DML"),
    )


def _failure(execution: "QueryExecutionTypeDef") -> QueryError:
    """Return the error of a query that failed or was cancelled."""
    status = execution["Status"]
    reason = status.get("StateChangeReason", "Athena does not say why")
    if missing := _MISSING_TABLE.search(reason):
        return QueryError(unknown_table(missing["name"]))
    if any(word in reason.lower() for word in _DENIED_WORDS):
        reason = f"{reason}. {_NEEDED_PERMISSIONS}"
    return QueryError(f"the query {status['State'].lower()} in Athena: {reason}")


def _result(athena: "AthenaClient", query_id: str) -> pa.RecordBatchReader:
    """Return the pages of a result, without the first row if it repeats the column names."""
    pages = iter(athena.get_paginator("get_query_results").paginate(QueryExecutionId=query_id))
    first = next(pages)["ResultSet"]
    columns = first.get("ResultSetMetadata", {}).get("ColumnInfo", [])
    rows = first.get("Rows", [])
    if rows and _texts(rows[0], len(columns)) == [column["Name"] for column in columns]:
        rows = rows[1:]
    schema = pa.schema([pa.field(column["Name"], _type(column)) for column in columns])
    later = (page["ResultSet"]["Rows"] for page in pages)
    batches = (_batch(columns, schema, page) for page in _translated(chain([rows], later)))
    return pa.RecordBatchReader.from_batches(schema, batches)


def _translated(pages: Iterable[list["RowTypeDef"]]) -> Iterator[list["RowTypeDef"]]:
    """Yield pages; raise an error of this package for an error of boto3."""
    with _translated_errors():
        yield from pages


def _texts(row: "RowTypeDef", width: int) -> list[str | None]:
    """Return the values of a row, None for a value that Athena leaves out."""
    values = [cell.get("VarCharValue") for cell in row.get("Data", [])]
    return values + [None] * (width - len(values))


def _type(column: "ColumnInfoTypeDef") -> pa.DataType:
    """Return the Arrow type of a column; text for a type that is not listed here."""
    if column["Type"] == "decimal":
        return pa.decimal128(column["Precision"], column["Scale"])
    return _ARROW_TYPES.get(column["Type"], pa.string())


def _batch(
    columns: Sequence["ColumnInfoTypeDef"], schema: pa.Schema, rows: list["RowTypeDef"]
) -> pa.RecordBatch:
    """Return the rows of a page as a batch."""
    texts = [_texts(row, len(columns)) for row in rows]
    arrays = [
        _array(column["Type"], field.type, [row[index] for row in texts])
        for index, (column, field) in enumerate(zip(columns, schema, strict=True))
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _array(athena_type: str, arrow_type: pa.DataType, texts: Sequence[str | None]) -> pa.Array:
    """Return the texts of one column as an array."""
    if athena_type == "timestamp":
        texts = [text and f"{text}Z" for text in texts]
    if athena_type == "timestamp with time zone":
        return pa.array([text and _zoned_time(text) for text in texts], arrow_type)
    return pa.array(texts, pa.string()).cast(arrow_type)


def _zoned_time(text: str) -> datetime:
    """Return the instant of a text such as `2026-11-22 06:00:00.000 Europe/Berlin`."""
    local_time, _, zone = text.rpartition(" ")
    if zone[0] in "+-":
        return datetime.fromisoformat(local_time + zone)
    return datetime.fromisoformat(local_time).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
