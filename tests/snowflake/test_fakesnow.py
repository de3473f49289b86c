"""The load path, the delete-and-reload and the views run, and give what DuckDB gives."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from anthropic_lake.catalog import PARTITION, TABLES, VIEWS
from anthropic_lake.lake import LocalLake, S3Lake, object_key, write_day
from anthropic_lake.schema import Table
from infra.snowflake_ddl import name
from tests.aws.embedded import EmbeddedAws
from tests.lakes import HISTORY_START, RESTATED, TODAY, build_lake, upload
from tests.snowflake.conftest import Snowflake, SnowflakeError, duckdb_rows
from tests.snowflake.scripts import SCRIPTS, kind, reload_statements, statements

BUCKET, PREFIX = "snowflake-lake", "lake/anthropic"
NOT_EXECUTED = (
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

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("snowflake")]


class Loaded:
    """A lake in a folder and in S3, and its native tables and views in Snowflake."""

    def __init__(self, folder: Path, snowflake: Snowflake, aws: EmbeddedAws) -> None:
        self.folder = folder
        self.snowflake = snowflake
        self._lakes = LocalLake(folder), S3Lake(aws.client("s3"), BUCKET, PREFIX)

    def reload(self, first: date, end: date, tables: Iterable[Table] = TABLES) -> None:
        """Do what the procedure does."""
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
            assert write_day(lake, table, day, change(old), {}).changed

    def rows(self, table: Table) -> list[tuple[Any, ...]]:
        """All rows of a table with the columns of the other catalogs."""
        columns = [each.name for each in (*table.all_columns, PARTITION)]
        quoted = ", ".join(map(name, columns))
        return self.snowflake.execute(f"SELECT {quoted} FROM loaded.{name(table.name)}").rows

    def expected(self, table: Table) -> list[tuple[Any, ...]]:
        columns = [each.name for each in (*table.all_columns, PARTITION)]
        quoted = ", ".join(f'"{column}"' for column in columns)
        return duckdb_rows(f'SELECT {quoted} FROM "{table.name}"', self.folder, TODAY).rows


@pytest.fixture(scope="module")
def loaded(
    snowflake: Snowflake, aws: EmbeddedAws, tmp_path_factory: pytest.TempPathFactory
) -> Loaded:
    folder = tmp_path_factory.mktemp("snowflake") / "lake"
    build_lake(folder)
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    upload(folder, s3, BUCKET, PREFIX)
    for script in ("02_stage.sql", "05_copy.sql", "04_views.sql"):
        for sql in statements(script):
            if kind(sql) not in NOT_EXECUTED:
                snowflake.execute(sql.replace("SYSDATE()", f"'{TODAY}'::TIMESTAMP_NTZ"))
    lake = Loaded(folder, snowflake, aws)
    lake.reload(HISTORY_START, TODAY + timedelta(days=1))
    return lake


def table(wanted: str) -> Table:
    return next(each for each in TABLES if each.name == wanted)


def plain(value: Any) -> Any:
    """A value as both engines give it: instants without a zone, all numbers exact."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    return value


def same(found: list[tuple[Any, ...]], expected: list[tuple[Any, ...]]) -> None:
    """Both have the same rows, each as often."""
    left, right = (Counter(tuple(map(plain, row)) for row in rows) for rows in (found, expected))
    assert left == right


def test_fakesnow_refuses_what_is_listed(snowflake: Snowflake) -> None:
    texts = [sql for script in SCRIPTS for sql in statements(script)]
    assert set(NOT_EXECUTED) <= set(map(kind, texts))
    for sql in texts:
        if kind(sql) in NOT_EXECUTED:
            with pytest.raises(SnowflakeError):
                snowflake.execute(sql)


@pytest.mark.parametrize("each", TABLES, ids=lambda each: each.name)
def test_a_loaded_table_equals_duckdbs(loaded: Loaded, each: Table) -> None:
    expected = loaded.expected(each)
    assert expected
    same(loaded.rows(each), expected)


@pytest.mark.parametrize("view", [view.name for view in VIEWS])
def test_a_view_equals_duckdbs(loaded: Loaded, view: str) -> None:
    found = loaded.snowflake.execute(f"SELECT * FROM loaded.{view}")
    expected = duckdb_rows(f'SELECT * FROM "{view}"', loaded.folder, TODAY)
    assert expected.rows
    assert found.columns == [column.lower() for column in expected.columns]
    same(found.rows, expected.rows)


def test_the_views_know_the_current_date(loaded: Loaded) -> None:
    views = [sql for sql in statements("04_views.sql") if "SYSDATE()" in sql]
    assert views
    for number, sql in enumerate(views):
        create = re.sub(r"VIEW \w+", f"VIEW loaded.now_{number}", sql, count=1)
        loaded.snowflake.execute(create)
        loaded.snowflake.execute(f"SELECT COUNT(*) FROM loaded.now_{number}")
    [(today,)] = loaded.snowflake.execute("SELECT CAST(SYSDATE() AS DATE)").rows
    assert isinstance(today, date)


def test_each_row_names_its_object(loaded: Loaded) -> None:
    result = loaded.snowflake.execute("SELECT DISTINCT object_key, date FROM loaded.usage_report")
    for key, day in result.rows:
        assert key.endswith(f"{PREFIX}/{object_key('usage_report', day)}")


def test_reloading_twice_does_the_same(loaded: Loaded) -> None:
    users = table("users")
    before = loaded.rows(users)
    for _ in range(2):
        loaded.reload(TODAY, TODAY + timedelta(days=1), [users])
    same(loaded.rows(users), before)


def doubled(rows: pa.Table) -> pa.Table:
    """A restated day: one row gone, one more, and other figures in all."""
    tokens = pc.multiply(rows["output_tokens"], 2)
    at = rows.schema.get_field_index("output_tokens")
    changed = rows.set_column(at, rows.schema.field(at), tokens)
    new = changed.slice(1, 1)
    at = rows.schema.get_field_index("model")
    new = new.set_column(at, rows.schema.field(at), pa.array(["claude-new"]))
    return pa.concat_tables([changed.slice(1), new])


def test_a_restated_day_is_right_after_a_reload(loaded: Loaded) -> None:
    usage = table("usage_report")
    before = loaded.rows(usage)
    loaded.restate(usage, RESTATED, doubled)
    assert Counter(loaded.rows(usage)) == Counter(before)  # nothing happens by itself
    loaded.reload(RESTATED, RESTATED + timedelta(days=1), [usage])
    after = loaded.rows(usage)
    same(after, loaded.expected(usage))
    assert max(Counter(after).values()) == max(Counter(before).values())
    assert [row for row in after if row[-1] != RESTATED] == [
        row for row in before if row[-1] != RESTATED
    ]


def test_a_day_that_shrank_to_nothing_is_empty_after_a_reload(loaded: Loaded) -> None:
    cost = table("cost_report")
    loaded.restate(cost, RESTATED, lambda rows: rows.slice(0, 0))
    assert any(row[-1] == RESTATED for row in loaded.rows(cost))
    loaded.reload(RESTATED - timedelta(days=3), RESTATED + timedelta(days=3), [cost])
    same(loaded.rows(cost), loaded.expected(cost))
    assert not any(row[-1] == RESTATED for row in loaded.rows(cost))


def test_copying_a_restated_object_alone_would_keep_the_old_rows_too(loaded: Loaded) -> None:
    members, day = table("workspace_members"), TODAY
    before = sum(row[-1] == day for row in loaded.rows(members))
    loaded.restate(members, day, lambda rows: rows.slice(1))
    delete, *copy = reload_statements(
        members.name, [day.isoformat()], (day + timedelta(days=1)).isoformat()
    )
    for sql in copy:
        loaded.snowflake.execute(sql)
    assert sum(row[-1] == day for row in loaded.rows(members)) == 2 * before - 1
    for sql in (delete, *copy):
        loaded.snowflake.execute(sql)
    same(loaded.rows(members), loaded.expected(members))


def test_a_failed_reload_leaves_everything(loaded: Loaded) -> None:
    invites = table("invites")
    before = loaded.rows(invites)
    delete, copy, _ = reload_statements(invites.name, [TODAY.isoformat()], "2026-11-23")
    loaded.snowflake.execute("BEGIN TRANSACTION")
    loaded.snowflake.execute(delete)
    with pytest.raises(SnowflakeError):
        loaded.snowflake.execute(copy.replace("lake.objects/", "lake.no_such_stage/"))
    loaded.snowflake.execute("ROLLBACK")
    same(loaded.rows(invites), before)
