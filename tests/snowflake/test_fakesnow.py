"""The load path, the delete-and-reload and the views run, and give what DuckDB gives."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from anthropic_lake.lake.layout import object_key
from anthropic_lake.query.catalog import TABLES, VIEWS
from anthropic_lake.schema.table import Table
from tests.athena.engines import same
from tests.aws.embedded import EmbeddedAws
from tests.lakes import HISTORY_START, RESTATED, TODAY, build_lake
from tests.snowflake.conftest import Snowflake, SnowflakeError, duckdb_rows
from tests.snowflake.loading import NOT_EXECUTED, PREFIX, Loaded, load
from tests.snowflake.scripts import SCRIPTS, kind, reload_statements, statements

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def loaded(
    snowflake: Snowflake, aws: EmbeddedAws, tmp_path_factory: pytest.TempPathFactory
) -> Loaded:
    folder = tmp_path_factory.mktemp("snowflake") / "lake"
    build_lake(folder)
    return load(folder, snowflake, aws, TODAY, HISTORY_START)


def table(wanted: str) -> Table:
    return next(each for each in TABLES if each.name == wanted)


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
    other_days = [[row for row in rows if row[-1] != RESTATED] for rows in (after, before)]
    same(*other_days)


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


def run_gate(snowflake: Snowflake) -> list[tuple[Any, ...]]:
    """Run what fakesnow executes of the gate, and return the rows of its answers."""
    checks = [sql for sql in statements("07_check.sql") if kind(sql) not in NOT_EXECUTED]
    assert len(checks) == 2
    return [row for sql in checks for row in snowflake.execute(sql).rows]


def test_the_gate_passes_when_each_row_is_on_its_day(loaded: Loaded) -> None:
    assert run_gate(loaded.snowflake) == [(0,), (0,)]


@pytest.mark.parametrize("report", ["usage_report", "cost_report", "analytics_cost"])
@pytest.mark.parametrize("change", ["starting_at = DATEADD(HOUR, -8, starting_at)", "date = NULL"])
def test_the_gate_fails_when_a_row_is_on_another_day(
    change: str, report: str, loaded: Loaded
) -> None:
    failure = pytest.raises(SnowflakeError, match=r"FAILED: \d+ rows are not on their UTC day")
    with changed(loaded.snowflake, f"UPDATE {report} SET {change}"), failure:
        run_gate(loaded.snowflake)


def test_the_gate_fails_when_nothing_was_loaded(loaded: Loaded) -> None:
    reports = ("usage_report", "cost_report", "analytics_usage", "analytics_cost")
    failure = pytest.raises(SnowflakeError, match="FAILED: 0 rows")
    with changed(loaded.snowflake, *(f"DELETE FROM {report}" for report in reports)), failure:
        run_gate(loaded.snowflake)


@contextmanager
def changed(snowflake: Snowflake, *changes: str) -> Iterator[None]:
    """Change the tables for a time."""
    snowflake.execute("BEGIN TRANSACTION")
    try:
        for sql in changes:
            snowflake.execute(sql)
        yield
    finally:
        snowflake.execute("ROLLBACK")


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
