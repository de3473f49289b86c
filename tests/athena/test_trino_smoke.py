"""Trino reads what a Glue table like the template's says, on objects like the extractor's."""

import base64
import io
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from trino.exceptions import TrinoUserError

from tests.athena.trino import Trino

DATABASE = "toy"
BUCKET = "toy-lake"
COLUMNS = {
    "id": "string",
    "tokens": "bigint",
    "is_remote": "boolean",
    "at": "timestamp",
    "amount_usd": "decimal(38,12)",
}
SCHEMA = pa.schema(
    {
        "id": pa.string(),
        "tokens": pa.int64(),
        "is_remote": pa.bool_(),
        "at": pa.timestamp("us", "UTC"),
        "amount_usd": pa.decimal128(38, 12),
    }
)
GROWN = SCHEMA.append(pa.field("extra", pa.string()))
AT = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
USD = Decimal("12345678901234567890123456.123456789012")  # all 38 digits


def row(name: str, **more: object) -> dict[str, object]:
    return {"id": name, "tokens": 2**62, "is_remote": True, "at": AT, "amount_usd": USD, **more}


class Toy:
    """A Glue database and a bucket, filled by hand."""

    def __init__(self, endpoint: str) -> None:
        session = boto3.Session("testing", "testing", region_name="us-east-1")
        self.s3: Any = session.client("s3", endpoint_url=endpoint)
        self.glue: Any = session.client("glue", endpoint_url=endpoint)
        self.s3.create_bucket(Bucket=BUCKET)
        self.glue.create_database(DatabaseInput={"Name": DATABASE})

    def table(self, name: str, columns: dict[str, str]) -> None:
        location = f"s3://{BUCKET}/lake/asset={name}/"
        parquet = "org.apache.hadoop.hive.ql.io.parquet"
        self.glue.create_table(
            DatabaseName=DATABASE,
            TableInput={
                "Name": name,
                "TableType": "EXTERNAL_TABLE",
                "Parameters": {
                    "EXTERNAL": "TRUE",
                    "classification": "parquet",
                    "projection.enabled": "true",
                    "projection.date.type": "date",
                    "projection.date.format": "yyyy-MM-dd",
                    "projection.date.range": "2025-12-20,2026-01-20",
                    "storage.location.template": f"{location}date=${{date}}/",
                },
                "PartitionKeys": [{"Name": "date", "Type": "date"}],
                "StorageDescriptor": {
                    "Columns": [{"Name": name, "Type": kind} for name, kind in columns.items()],
                    "Location": location,
                    "InputFormat": f"{parquet}.MapredParquetInputFormat",
                    "OutputFormat": f"{parquet}.MapredParquetOutputFormat",
                    "SerdeInfo": {"SerializationLibrary": f"{parquet}.serde.ParquetHiveSerDe"},
                },
            },
        )

    def view(self, name: str, sql: str, columns: dict[str, str], owner: str | None) -> None:
        definition = {
            "originalSql": sql,
            "catalog": "awsdatacatalog",
            "schema": DATABASE,
            "columns": [{"name": name, "type": kind} for name, kind in columns.items()],
        }
        encoded = base64.b64encode(json.dumps(definition).encode()).decode()
        self.glue.create_table(
            DatabaseName=DATABASE,
            TableInput={
                "Name": name,
                "TableType": "VIRTUAL_VIEW",
                "Parameters": {"presto_view": "true", "comment": "Presto View"},
                "StorageDescriptor": {
                    "Columns": [{"Name": name, "Type": "string"} for name in columns],
                    "SerdeInfo": {},
                },
                "ViewOriginalText": f"/* Presto View: {encoded} */",
                "ViewExpandedText": "/* Presto View */",
                **({"Owner": owner} if owner else {}),
            },
        )

    def put(self, name: str, day: str, rows: list[dict[str, Any]], schema: pa.Schema) -> None:
        body = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), body, compression="zstd")
        key = f"lake/asset={name}/date={day}/{name}.parquet"
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body.getvalue())


@pytest.fixture(scope="module")
def toy(aws_endpoint: str) -> Toy:
    toy = Toy(aws_endpoint)
    toy.table("usage", COLUMNS)
    toy.put("usage", "2026-01-01", [row("a"), row("b")], SCHEMA)
    toy.put("usage", "2026-01-02", [row("c")], SCHEMA)
    toy.put("usage", "2026-01-03", [], SCHEMA)
    toy.table("nothing_yet", COLUMNS)
    toy.table("grown", {**COLUMNS, "extra": "string"})
    toy.put("grown", "2026-01-01", [row("old")], SCHEMA)
    toy.put("grown", "2026-01-02", [row("new", extra="{}")], GROWN)
    sql = "SELECT date, sum(amount_usd) AS amount_usd, max(at) AS at FROM usage GROUP BY 1"
    columns = {"date": "date", "amount_usd": "decimal(38,12)", "at": "timestamp(3)"}
    toy.view("daily", sql, columns, owner="anthropic-lake")
    toy.view("daily_of_nobody", sql, columns, owner=None)
    return toy


def rows(trino: Trino, sql: str, **options: Any) -> Sequence[tuple[Any, ...]]:
    return trino.query(sql, schema=DATABASE, **options).rows


def test_every_type_is_read_as_declared(toy: Toy, trino: Trino) -> None:
    result = trino.query("SELECT * FROM usage WHERE id = 'c'", schema=DATABASE)
    assert result.columns == {
        "id": "varchar",
        "tokens": "bigint",
        "is_remote": "boolean",
        "at": "timestamp(3)",
        "amount_usd": "decimal(38, 12)",
        "date": "date",
    }
    milliseconds = AT.replace(microsecond=679_000, tzinfo=None)  # Athena has no more; it rounds
    assert result.rows == [("c", 2**62, True, milliseconds, USD, date(2026, 1, 2))]


def test_the_files_hold_microseconds(toy: Toy, trino: Trino) -> None:
    result = trino.query(
        "SELECT at FROM usage WHERE id = 'c'",
        schema=DATABASE,
        session=Trino.TIMESTAMP_MICROSECONDS,
    )
    assert result.columns == {"at": "timestamp(6)"}
    assert result.rows == [(AT.replace(tzinfo=None),)]


def test_a_date_reads_one_object(toy: Toy, trino: Trino) -> None:
    day = trino.query("SELECT * FROM usage WHERE date = DATE '2026-01-02'", schema=DATABASE)
    key = "lake/asset=usage/date=2026-01-02/usage.parquet"
    assert [row[0] for row in day.rows] == ["c"]
    assert day.bytes_read == toy.s3.head_object(Bucket=BUCKET, Key=key)["ContentLength"]


def test_a_date_is_pruned_before_the_scan(toy: Toy, trino: Trino) -> None:
    [[plan]] = rows(trino, "EXPLAIN SELECT * FROM usage WHERE date = DATE '2026-01-02'")
    assert "date := date:date:PARTITION_KEY\n               :: [[2026-01-02]]" in plan


def test_an_empty_day_has_no_rows(toy: Toy, trino: Trino) -> None:
    assert rows(trino, "SELECT * FROM usage WHERE date = DATE '2026-01-03'") == []


def test_a_table_without_objects_has_no_rows(toy: Toy, trino: Trino) -> None:
    assert rows(trino, "SELECT count(*) FROM nothing_yet") == [(0,)]


def test_old_and_new_files_are_read_together(toy: Toy, trino: Trino) -> None:
    both = rows(trino, "SELECT id, extra FROM grown ORDER BY date")
    assert both == [("old", None), ("new", "{}")]


def test_a_view_of_the_catalog_is_queried(toy: Toy, trino: Trino) -> None:
    result = trino.query("SELECT * FROM daily ORDER BY date", schema=DATABASE)
    assert result.columns == {"date": "date", "amount_usd": "decimal(38, 12)", "at": "timestamp(3)"}
    assert [(day, usd) for day, usd, _ in result.rows] == [
        (date(2026, 1, 1), Decimal("24691357802469135780246912.246913578024")),
        (date(2026, 1, 2), USD),
    ]


def test_a_view_without_an_owner_is_refused(toy: Toy, trino: Trino) -> None:
    with pytest.raises(TrinoUserError, match="Run-as identity must be set"):
        rows(trino, "SELECT * FROM daily_of_nobody")
