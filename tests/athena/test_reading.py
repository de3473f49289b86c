"""What is read of a lake, and that files of all ages are read together."""

from __future__ import annotations

import copy
import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from trino.exceptions import TrinoUserError

from anthropic_lake.lake.aws import S3Lake
from anthropic_lake.lake.layout import object_key
from anthropic_lake.lake.objects import write_day
from anthropic_lake.query.catalog import TABLES
from anthropic_lake.schema.table import Column, Table
from anthropic_lake.schema.types import INTEGER
from tests.athena.conftest import TODAY, Deployed, Listed

DAY = TODAY - timedelta(days=20)
THREE_DAYS = [TODAY - timedelta(days=days) for days in (3, 2, 1)]
MONTHS = [TODAY.replace(day=1), (TODAY.replace(day=1) - timedelta(days=1)).replace(day=1)]
SINCE = f"date >= DATE '{THREE_DAYS[0]}'"
AT = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
DIGITS = Decimal("12345678901234567890123456.123456789012")  # all 38


def table(name: str) -> Table:
    return next(each for each in TABLES if each.name == name)


def put(deployed: Deployed, written: Table, day: date, *rows: dict[str, Any]) -> None:
    lake = S3Lake(deployed.aws.client("s3"), deployed.bucket, "")
    table_rows = pa.Table.from_pylist(list(rows), schema=written.schema)
    standing = lake.head(object_key(written.name, day))
    write_day(lake, written, day, table_rows, {}, standing=standing)


# --- pruning


def read_days(deployed: Deployed, sql: str) -> dict[str, list[tuple[str, str]]]:
    """The ranges of days that a statement reads of each table, as its plan says."""
    [[plan]] = deployed.ask(f"EXPLAIN (TYPE IO, FORMAT JSON) {sql}").rows
    return {
        each["table"]["schemaTable"]["table"]: [
            (days["low"].get("value", ""), days["high"].get("value", ""))
            for constraint in each["constraint"]["columnConstraints"]
            if constraint["columnName"] == "date"
            for days in constraint["domain"]["ranges"]
        ]
        for each in json.loads(plan)["inputTableColumnInfos"]
    }


@pytest.mark.parametrize("name", ["usage_report", "cost_report", "claude_code_usage"])
def test_a_day_is_one_object(name: str, deployed: Deployed) -> None:
    found = deployed.ask(f"SELECT * FROM {name} WHERE date = DATE '{DAY}'")
    assert found.rows
    assert found.bytes_read == deployed.size(name, DAY)


@pytest.mark.parametrize(
    ("view", "column", "name"),
    [
        ("cost_daily", "date", "cost_report"),
        ("usage_daily", "date", "usage_report"),
        ("usage_hourly", "date", "usage_report"),
        ("claude_code_daily", "date", "claude_code_usage"),
        ("claude_code_daily_by_model", "date", "claude_code_model_usage"),
        ("focus_cost_and_usage", "x_Date", "cost_report"),
        ("focus_cost_and_usage", "x_Date", "usage_report"),
    ],
)
def test_a_day_of_a_view_is_a_day_of_its_table(
    view: str, column: str, name: str, deployed: Deployed
) -> None:
    read = read_days(deployed, f"SELECT * FROM {view} WHERE {column} = DATE '{DAY}'")
    assert read[name] == [(str(DAY), str(DAY))]


def test_a_current_view_looks_at_three_months(aged: Deployed, listed: Listed) -> None:
    with listed() as prefixes:
        aged.ask("SELECT * FROM users_current")
    tables = Counter(prefix.split("/")[0] for prefix in prefixes)
    assert tables.keys() == {"asset=users", "asset=sync_days"}
    assert tables["asset=users"] <= 92
    assert {prefix for prefix in prefixes if "sync_days" in prefix} == {
        f"asset=sync_days/date={month}/" for month in MONTHS
    }


def test_coverage_looks_at_the_months_of_the_ledger(aged: Deployed, listed: Listed) -> None:
    with listed() as prefixes:
        aged.ask("SELECT * FROM coverage")
    months = {
        f"{year}-{month:02}-01" for year in range(2023, TODAY.year + 1) for month in range(1, 13)
    }
    expected = {f"asset=sync_days/date={month}/" for month in months if month <= str(TODAY)}
    assert prefixes.keys() == expected


def test_a_month_of_two_years_lists_only_its_partitions(aged: Deployed, listed: Listed) -> None:
    first = TODAY - timedelta(days=400)
    days = [first + timedelta(days=number) for number in range(31)]
    put(aged, table("usage_report"), days[0])
    with listed() as prefixes:
        aged.ask(
            "SELECT count(*) FROM usage_report "
            f"WHERE date BETWEEN DATE '{days[0]}' AND DATE '{days[-1]}'"
        )
    assert prefixes.keys() == {f"asset=usage_report/date={day}/" for day in days}
    assert prefixes[f"asset=usage_report/date={days[0]}/"] == 1
    assert max(prefixes.values()) <= 2  # an empty answer is asked for again


# --- files of all ages


def test_a_table_without_objects_has_no_rows(aged: Deployed) -> None:
    for each in TABLES:
        if each.name not in WRITTEN:
            sql = f"SELECT count(*) FROM {each.name} WHERE {SINCE}"
            assert aged.ask(sql).rows == [(0,)], each.name


def test_a_view_without_objects_has_no_rows(aged: Deployed) -> None:
    sql = f"SELECT * FROM cost_daily WHERE date = DATE '{TODAY}'"
    assert aged.ask(sql).rows == []


WRITTEN = ("invites", "workspaces", "claude_code_model_usage")
"""The tables of the aged stack that these tests fill."""


def test_a_day_that_is_empty_stands_between_others(aged: Deployed) -> None:
    invites = table("invites")
    first, empty, last = THREE_DAYS
    put(aged, invites, first, {"id": "a"}, {"id": "b"})
    put(aged, invites, empty)
    put(aged, invites, last, {"id": "c"})
    found = aged.ask(f"SELECT date, count(*) FROM invites WHERE {SINCE} GROUP BY 1 ORDER BY 1")
    assert found.rows == [(first, 2), (last, 1)]


def test_files_from_before_and_after_a_new_column_are_read_together(aged: Deployed) -> None:
    old = table("workspaces")
    new = replace(old, later_columns=(Column("budget", INTEGER, "Invented."),))
    put(aged, old, THREE_DAYS[0], {"id": "old", "name": "Old"})
    put(aged, new, THREE_DAYS[1], {"id": "new", "name": "New", "budget": 3})
    sql = f"SELECT * FROM workspaces WHERE {SINCE} ORDER BY date"
    before = aged.ask(sql)  # the function is deployed before the catalog
    assert [row[0] for row in before.rows] == ["old", "new"]
    assert "budget" not in before.columns
    append_to_catalog(aged, "workspaces", {"Name": "budget", "Type": INTEGER.glue})
    after = aged.ask(sql)
    assert list(after.columns) == [*(each.name for each in new.all_columns), "date"]
    assert [row[-2:] for row in after.rows] == [(None, THREE_DAYS[0]), (3, THREE_DAYS[1])]


def append_to_catalog(deployed: Deployed, name: str, column: dict[str, str]) -> None:
    """Do what an update of the stack does."""
    [declared] = [
        resource.properties
        for resource in deployed.stack.of("AWS::Glue::Table")
        if resource.properties["TableInput"]["Name"] == name
    ]
    changed = copy.deepcopy(declared)
    changed["TableInput"]["StorageDescriptor"]["Columns"].append(column)
    deployed.aws.client("glue").update_table(**changed)


def test_every_digit_and_every_microsecond_is_kept(aged: Deployed) -> None:
    models = table("claude_code_model_usage")
    row = {"model": "m", "tokens_output": 2**62, "estimated_cost_amount_usd": DIGITS}
    put(aged, models, THREE_DAYS[0], row)
    sql = (
        "SELECT tokens_output, estimated_cost_amount_usd, -estimated_cost_amount_usd "
        f"FROM claude_code_model_usage WHERE {SINCE}"
    )
    assert aged.ask(sql).rows == [(2**62, DIGITS, DIGITS.copy_negate())]


def test_athena_rounds_to_milliseconds(aged: Deployed) -> None:
    day = THREE_DAYS[0] - timedelta(days=1)
    put(aged, table("workspaces"), day, {"id": "a", "created_at": AT})
    sql = f"SELECT created_at FROM workspaces WHERE date = DATE '{day}'"
    assert aged.ask(sql).columns == {"created_at": "timestamp(3)"}
    assert aged.ask(sql).rows == [(AT.replace(microsecond=679_000, tzinfo=None),)]
    assert aged.ask(sql, microseconds=True).rows == [(AT.replace(tzinfo=None),)]


def test_a_view_without_an_owner_would_be_refused(aged: Deployed) -> None:
    """Why the template says who owns a view; Athena itself does not mind."""
    glue = aged.aws.client("glue")
    database = aged.stack.outputs["DatabaseName"]
    found = glue.get_table(DatabaseName=database, Name="coverage")["Table"]
    kept = ("StorageDescriptor", "TableType", "Parameters", "ViewOriginalText", "ViewExpandedText")
    view = {"Name": "nobodys", **{name: found[name] for name in kept}}
    glue.create_table(DatabaseName=database, TableInput=view)
    with pytest.raises(TrinoUserError, match="Run-as identity must be set"):
        aged.ask("SELECT * FROM nobodys")
