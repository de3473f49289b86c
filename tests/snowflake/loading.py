"""A lake loaded into Snowflake's native tables, with the views over them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from anthropic_lake.lake.allocation import ALLOCATION_RULES, RULES_DAY
from anthropic_lake.lake.aws import S3Lake
from anthropic_lake.lake.layout import object_key
from anthropic_lake.lake.local import LocalLake
from anthropic_lake.lake.objects import write_day
from anthropic_lake.query.catalog import TABLES
from anthropic_lake.schema.table import PARTITION, Table
from infra.generate.snowflake import identifier
from tests.aws.embedded import EmbeddedAws
from tests.lakes import upload
from tests.snowflake.conftest import Snowflake, duckdb_rows
from tests.snowflake.scripts import kind, reload_statements, statements

BUCKET, PREFIX = "snowflake-lake", "lake/anthropic"
NOT_EXECUTED = (
    "ALTER FILE FORMAT",
    "ALTER SESSION SET TIMEZONE",
    "ALTER SESSION UNSET TIMEZONE",
    "ALTER STAGE",
    "ALTER TASK",
    "CREATE EXTERNAL TABLE",
    "CREATE PROCEDURE",
    "CREATE ROLE",
    "CREATE STORAGE INTEGRATION",
    "CREATE TASK",
    "DESCRIBE STORAGE INTEGRATION",
    "GRANT ROLE",
    "GRANT SELECT ON ALL EXTERNAL TABLES IN SCHEMA",
    "GRANT SELECT ON ALL TABLES IN SCHEMA",
    "GRANT SELECT ON ALL VIEWS IN SCHEMA",
    "GRANT SELECT ON FUTURE EXTERNAL TABLES IN SCHEMA",
    "GRANT SELECT ON FUTURE TABLES IN SCHEMA",
    "GRANT SELECT ON FUTURE VIEWS IN SCHEMA",
    "GRANT USAGE ON DATABASE",
    "GRANT USAGE ON SCHEMA",
    "GRANT USAGE ON WAREHOUSE",
    "SELECT DISTINCT",
    "SHOW EXTERNAL TABLES IN SCHEMA",
)
"""Kinds of statements that fakesnow refuses."""


class Loaded:
    """A lake in a folder and in S3, and its native tables and views in Snowflake."""

    def __init__(self, folder: Path, snowflake: Snowflake, aws: EmbeddedAws, today: date) -> None:
        self.folder = folder
        self.snowflake = snowflake
        self.today = today
        self._lakes = LocalLake(folder), S3Lake(aws.client("s3"), BUCKET, PREFIX)

    def reload(self, first: date, end: date, tables: Iterable[Table] = TABLES) -> None:
        """Do what the procedure does, from the first day of the month."""
        first = first.replace(day=1)
        days = [
            (first + timedelta(days=number)).isoformat() for number in range((end - first).days)
        ]
        self.snowflake.execute("BEGIN TRANSACTION")
        for table in tables:
            for sql in reload_statements(table.name, days, end.isoformat()):
                self.snowflake.execute(sql)
        self.snowflake.execute("COMMIT")

    def restate(self, table: Table, day: date, change: Callable[[pa.Table], pa.Table]) -> None:
        """Overwrite a day's object in the folder and in S3."""
        old = pq.read_table(self.folder / object_key(table.name, day), partitioning=None)
        for lake in self._lakes:
            standing = lake.head(object_key(table.name, day))
            assert write_day(lake, table, day, change(old), {}, standing=standing).was_put

    def rows(self, table: Table) -> list[tuple[Any, ...]]:
        """All rows of a table with the columns of the other catalogs."""
        columns = [each.name for each in (*table.all_columns, PARTITION)]
        quoted = ", ".join(map(identifier, columns))
        return self.snowflake.execute(f"SELECT {quoted} FROM loaded.{identifier(table.name)}").rows

    def expected(self, table: Table) -> list[tuple[Any, ...]]:
        columns = [each.name for each in (*table.all_columns, PARTITION)]
        quoted = ", ".join(f'"{column}"' for column in columns)
        return duckdb_rows(f'SELECT {quoted} FROM "{table.name}"', self.folder, self.today).rows


def load(folder: Path, snowflake: Snowflake, aws: EmbeddedAws, today: date, first: date) -> Loaded:
    """Load a lake as the scripts do, by what fakesnow can execute of them.

    Args:
        folder: The lake.
        snowflake: Where it is loaded.
        aws: Where its objects are put first.
        today: What the views take for the current day.
        first: First day of the lake.
    """
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    upload(folder, s3, BUCKET, PREFIX)
    for script in ("02_stage.sql", "05_copy.sql", "04_views.sql"):
        for sql in statements(script):
            if kind(sql) not in NOT_EXECUTED:
                snowflake.execute(sql.replace("SYSDATE()", f"'{today}'::TIMESTAMP_NTZ"))
    lake = Loaded(folder, snowflake, aws, today)
    lake.reload(first, today + timedelta(days=1))
    lake.reload(RULES_DAY, RULES_DAY + timedelta(days=1), [ALLOCATION_RULES])
    return lake
