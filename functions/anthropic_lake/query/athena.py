"""SQL in a deployed stack: Athena through boto3, its pages as Arrow."""

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
"""Price of a terabyte scanned on demand, in most regions, as of 2026-11."""

_MB, _TB = 1 << 20, 1 << 40
_LEAST_MB = 10  # what a query is charged for at least; more is rounded up to whole megabytes
_POLL_SECONDS = 0.5
_RUNNING = {"QUEUED", "RUNNING"}
_MISSING_TABLE = re.compile(r"TABLE_NOT_FOUND.*'[^']*?(?P<name>[^'.]+)' does not exist")
_NOT_ALLOWED = ("access denied", "insufficient", "not authorized", "permission")
_RIGHTS = (
    "Athena needs athena:StartQueryExecution, GetQueryExecution and GetQueryResults on the "
    "workgroup, glue:GetDatabase, GetTable and GetPartitions on the database, and s3:GetObject "
    "and ListBucket on the data bucket and on the bucket of the results"
)
_ARROW = {
    "boolean": pa.bool_(),
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "real": pa.float32(),
    "double": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),  # the lake's are UTC; Athena's have no zone
    "timestamp with time zone": pa.timestamp("us", "UTC"),
}


@dataclass(frozen=True)
class Statistics:
    """What a query took.

    Args:
        state: Its state in Athena's words.
        scanned_bytes: Bytes read so far.
        seconds: Since it was submitted.
        reused: Whether the result is that of an earlier query, which costs nothing.
        statement: Kind of statement in Athena's words; only `DML` is charged.
    """

    state: str
    scanned_bytes: int
    seconds: float
    reused: bool
    statement: str

    @property
    def cost_usd(self) -> Decimal:
        """On-demand price of the query, which provisioned capacity or a discount would change."""
        if self.reused or self.statement != "DML":
            return Decimal(0)
        megabytes = max(_LEAST_MB, -(-self.scanned_bytes // _MB))
        return USD_PER_TB * megabytes * _MB / _TB


def query(
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
        athena: The client.
        workgroup: Where it is run; it says where results are kept.
        database: Where the tables are.
        progress: Told of every look at the query.

    Returns:
        The result, page after page, and what it took.

    Raises:
        QueryError: Athena does not take the statement, or it failed.
        SettingsError: AWS cannot be used as it is set up.
    """
    with _explaining():
        query_id = athena.start_query_execution(
            QueryString=sql,
            WorkGroup=workgroup,
            QueryExecutionContext={"Database": database},
        )["QueryExecutionId"]
        took = _wait(athena, query_id, progress)
        return _result(athena, query_id), took


@contextmanager
def _explaining() -> Iterator[None]:
    """Turn AWS's errors into ours."""
    try:
        yield
    except ClientError as error:
        text = error.response.get("Error", {}).get("Message", str(error))
        if error.response.get("Error", {}).get("Code") == "InvalidRequestException":
            raise QueryError(f"Athena does not take the query: {text}") from error
        raise aws_failure(error, f"cannot query Athena. {_RIGHTS}") from error
    except BotoCoreError as error:
        raise aws_failure(error, "cannot reach Athena. Set AWS_REGION and AWS_PROFILE") from error


def _wait(
    athena: "AthenaClient", query_id: str, progress: Callable[[Statistics], None]
) -> Statistics:
    """Wait for the end of a query; when we are interrupted it is stopped too."""
    try:
        while True:
            execution = athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
            now = _statistics(execution)
            progress(now)
            if now.state not in _RUNNING:
                break
            time.sleep(_POLL_SECONDS)
    except BaseException:
        with suppress(ClientError, BotoCoreError):
            athena.stop_query_execution(QueryExecutionId=query_id)
        raise
    if now.state != "SUCCEEDED":
        raise _failure(execution)
    return now


def _statistics(execution: "QueryExecutionTypeDef") -> Statistics:
    """Read what a query took so far."""
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
    """Say why a query ended badly."""
    status = execution["Status"]
    reason = status.get("StateChangeReason", "Athena does not say why")
    if missing := _MISSING_TABLE.search(reason):
        return QueryError(unknown_table(missing["name"]))
    if any(word in reason.lower() for word in _NOT_ALLOWED):
        reason = f"{reason}. {_RIGHTS}"
    return QueryError(f"the query {status['State'].lower()} in Athena: {reason}")


def _result(athena: "AthenaClient", query_id: str) -> pa.RecordBatchReader:
    """Page through a result; the first row of a SELECT's repeats the columns' names."""
    pages = iter(athena.get_paginator("get_query_results").paginate(QueryExecutionId=query_id))
    first = next(pages)["ResultSet"]
    columns = first.get("ResultSetMetadata", {}).get("ColumnInfo", [])
    rows = first.get("Rows", [])
    if rows and _texts(rows[0], len(columns)) == [column["Name"] for column in columns]:
        rows = rows[1:]
    schema = pa.schema([pa.field(column["Name"], _type(column)) for column in columns])
    later = (page["ResultSet"]["Rows"] for page in pages)
    batches = (_batch(columns, schema, page) for page in _explained(chain([rows], later)))
    return pa.RecordBatchReader.from_batches(schema, batches)


def _explained(pages: Iterable[list["RowTypeDef"]]) -> Iterator[list["RowTypeDef"]]:
    """Give pages, with errors turned into ours."""
    with _explaining():
        yield from pages


def _texts(row: "RowTypeDef", width: int) -> list[str | None]:
    """Give the values of a row; null where Athena leaves one out."""
    values = [each.get("VarCharValue") for each in row.get("Data", [])]
    return values + [None] * (width - len(values))


def _type(column: "ColumnInfoTypeDef") -> pa.DataType:
    """Give the Arrow type of a column; what it has no name for stays text."""
    if column["Type"] == "decimal":
        return pa.decimal128(column["Precision"], column["Scale"])
    return _ARROW.get(column["Type"], pa.string())


def _batch(
    columns: Sequence["ColumnInfoTypeDef"], schema: pa.Schema, rows: list["RowTypeDef"]
) -> pa.RecordBatch:
    """Make a batch from a page of texts."""
    texts = [_texts(row, len(columns)) for row in rows]
    arrays = [
        _array(column["Type"], field.type, [row[index] for row in texts])
        for index, (column, field) in enumerate(zip(columns, schema, strict=True))
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _array(name: str, kind: pa.DataType, texts: Sequence[str | None]) -> pa.Array:
    """Read the texts of one column."""
    if name == "timestamp":
        texts = [text and f"{text}Z" for text in texts]
    if name == "timestamp with time zone":
        return pa.array([text and _zoned(text) for text in texts], kind)
    return pa.array(texts, pa.string()).cast(kind)


def _zoned(text: str) -> datetime:
    """Read a time such as `2026-11-22 06:00:00.000 Europe/Berlin`."""
    moment, _, zone = text.rpartition(" ")
    if zone[0] in "+-":
        return datetime.fromisoformat(moment + zone)
    return datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
