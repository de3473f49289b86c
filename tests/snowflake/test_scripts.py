"""What infra/snowflake says, whether or not anything here can run it."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from anthropic_lake.query.catalog import TABLES, VIEWS, View
from anthropic_lake.schema.table import PARTITION, Column
from anthropic_lake.schema.types import TIMESTAMP
from infra.generate.snowflake import day_expression, select
from tests.snowflake.scripts import FOLDER, SCRIPTS, VALUES, kind, reload_statements, statements

ROOT = Path(__file__).parents[2]

UNPARSED = {
    "ALTER FILE FORMAT": "sqlglot alters no file formats",
    "ALTER STAGE": "sqlglot alters no stages",
    "ALTER TASK": "sqlglot knows no tasks",
    "CREATE TASK": "sqlglot knows no tasks",
    "CREATE ROLE": "sqlglot knows no roles",
    "GRANT ROLE": "sqlglot knows no grants of roles",
    "GRANT SELECT ON ALL EXTERNAL TABLES IN SCHEMA": "sqlglot grants on one object at a time",
    "GRANT SELECT ON ALL TABLES IN SCHEMA": "sqlglot grants on one object at a time",
    "GRANT SELECT ON ALL VIEWS IN SCHEMA": "sqlglot grants on one object at a time",
    "GRANT SELECT ON FUTURE EXTERNAL TABLES IN SCHEMA": "sqlglot grants on one object at a time",
    "GRANT SELECT ON FUTURE TABLES IN SCHEMA": "sqlglot grants on one object at a time",
    "GRANT SELECT ON FUTURE VIEWS IN SCHEMA": "sqlglot grants on one object at a time",
    "SHOW EXTERNAL TABLES IN SCHEMA": "sqlglot shows no external tables",
}
"""Statements that sqlglot keeps as text because it does not know them, and why."""


@pytest.fixture(autouse=True)
def quiet() -> None:
    logging.getLogger("sqlglot").setLevel(logging.ERROR)  # it warns of each one in UNPARSED


def parsed(script: str) -> list[exp.Expr]:
    return [sqlglot.parse_one(text, read="snowflake") for text in statements(script)]


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_statement_parses(script: str) -> None:
    for text in statements(script):
        tree = sqlglot.parse_one(text, read="snowflake")
        assert isinstance(tree, exp.Command) == (kind(text) in UNPARSED), text
        assert tree.find(exp.Command) in (None, tree), text


def test_no_exception_is_idle() -> None:
    assert set(UNPARSED) <= {kind(text) for script in SCRIPTS for text in statements(script)}


def test_what_reload_executes_parses() -> None:
    trees = [
        sqlglot.parse_one(text, read="snowflake")
        for text in reload_statements("usage_report", ["2026-11-01"], "2026-11-02")
    ]
    assert [type(tree) for tree in trees] == [exp.Delete, exp.Copy, exp.Update]


def test_the_integration_is_the_one_that_the_stack_prints() -> None:
    template = (ROOT / "template.yaml").read_text()
    (printed,) = re.findall(r"CREATE STORAGE INTEGRATION[^;]+;", template)
    printed = re.sub(r"'arn:[^']+:role/\S+'", repr(VALUES["role_arn"]), printed)
    printed = re.sub(r"'s3://[^']+'", repr(VALUES["data_location"]), printed)
    create, _ = statements("01_integration.sql")
    assert create.split() == printed.removesuffix(";").split()


def columns_of(create: exp.Expr) -> list[tuple[str, str]]:
    definitions = create.find_all(exp.ColumnDef)
    return [(each.name.lower(), each.args["kind"].sql("snowflake")) for each in definitions]


def declared(columns: tuple[Column, ...]) -> list[tuple[str, str]]:
    types = [sqlglot.parse_one(each.type.snowflake, into=exp.DataType) for each in columns]
    return [
        (column.name, kind.sql("snowflake")) for column, kind in zip(columns, types, strict=True)
    ]


def creates(script: str) -> dict[str, exp.Expr]:
    tables = [
        tree for tree in parsed(script) if isinstance(tree, exp.Create) and tree.find(exp.Schema)
    ]
    return {tree.find(exp.Table).name.lower(): tree for tree in tables if tree.kind == "TABLE"}  # type: ignore[union-attr]


def test_there_is_an_external_table_for_each_table() -> None:
    found = creates("03_external_tables.sql")
    assert list(found) == [table.name for table in TABLES]
    for table in TABLES:
        expected = declared((*table.all_columns, PARTITION))
        assert columns_of(found[table.name]) == expected


def test_there_is_a_native_table_for_each_table() -> None:
    found = creates("05_copy.sql")
    assert list(found) == [table.name for table in TABLES]
    for table in TABLES:
        expected = declared((*table.all_columns, PARTITION))
        assert columns_of(found[table.name]) == [*expected, ("object_key", "VARCHAR")]


def test_an_external_column_names_the_column_of_the_file() -> None:
    for text in statements("03_external_tables.sql"):
        for name, path in re.findall(r'^  (\S+) .+ AS \(.*?value:"(\w+)"', text, re.MULTILINE):
            assert name.strip('"').lower() == path


def test_an_instant_is_shown_in_utc_in_any_session() -> None:
    texts = "\n".join(statements("03_external_tables.sql"))
    instants = [c for table in TABLES for c in table.all_columns if c.type is TIMESTAMP]
    assert texts.count("(CONVERT_TIMEZONE('UTC', value:") == len(instants) > 0
    assert "ALTER SESSION SET TIMEZONE = 'UTC'" in "\n".join(statements("05_copy.sql"))


@pytest.mark.parametrize("prefix", ["", "lake/", "old/asset=usage_report/"])
def test_a_day_is_read_from_the_name_of_the_object(prefix: str) -> None:
    (usage,) = (t for t in TABLES if t.name == "usage_report")
    key = f"{prefix}asset=usage_report/date=2026-11-22/usage_report.parquet"
    sql = day_expression(usage).replace("metadata$filename", f"'{key}'")
    with duckdb.connect() as session:
        session.execute("SELECT " + sqlglot.transpile(sql, "snowflake", "duckdb")[0])
        [(found,)] = session.fetchall()
    assert str(found)[:10] == "2026-11-22"


def test_the_scripts_can_be_run_again() -> None:
    """Snowflake refuses to replace a stage or a file format that external tables depend on."""
    creates = [
        text for script in SCRIPTS for text in statements(script) if text.startswith("CREATE")
    ]
    replaced = {kind(text) for text in creates if text.startswith("CREATE OR REPLACE")}
    assert replaced == {"CREATE EXTERNAL TABLE", "CREATE PROCEDURE", "CREATE TASK", "CREATE VIEW"}
    assert all("OR REPLACE" in text or "IF NOT EXISTS" in text for text in creates)


@pytest.mark.parametrize("script", ["03_external_tables.sql", "04_views.sql"])
def test_who_could_read_what_is_replaced_still_can(script: str) -> None:
    replaced = [
        tree
        for tree in parsed(script)
        if isinstance(tree, exp.Create) and tree.args["replace"] and tree.kind != "PROCEDURE"
    ]
    assert replaced
    assert all(tree.find(exp.CopyGrantsProperty) for tree in replaced)


def test_a_pattern_matches_below_any_location() -> None:
    """Whether Snowflake compares it with the whole location, or with what follows the path."""
    (copy,) = (
        text
        for text in reload_statements("users", ["2026-11-21", "2026-11-22"], "2026-11-23")
        if text.startswith("COPY")
    )
    external = statements("03_external_tables.sql")
    patterns = re.findall(r"PATTERN = '([^']+)'", "\n".join([copy, *external]))
    assert len(patterns) == 1 + len(TABLES)
    assert all(pattern.startswith(".*") for pattern in patterns)
    name = "date=2026-11-22/users.parquet"
    for before in ("", "asset=users/", "s3://bucket/lake/date=2026-11-20/asset=users/"):
        assert all(re.fullmatch(pattern, before + name) for pattern in patterns)
        assert not re.fullmatch(patterns[0], before + name.replace("-22", "-20"))
    within_the_days = "date=2026-11-22/asset=users/date=2026-11-20/users.parquet"
    assert not re.fullmatch(patterns[0], within_the_days)


def test_a_day_that_is_handed_to_a_procedure_is_a_date() -> None:
    pages = [*(FOLDER / script for script in SCRIPTS), ROOT / "docs" / "snowflake.md"]
    calls = re.findall(r"CALL \S+reload\((.+?)\);", "\n".join(map(Path.read_text, pages)))
    assert len(calls) >= 5
    for call in calls:
        for argument in call.split(", "):
            assert re.fullmatch(r"'[\d-]{10}'::DATE|CURRENT_DATE [+-] \d+", argument), call


@pytest.mark.parametrize("script", ["03_external_tables.sql", "05_copy.sql"])
def test_a_daily_task_runs_after_the_stacks_own_runs(script: str) -> None:
    task, resume = (text for text in statements(script) if " TASK " in text)
    assert f"SCHEDULE = 'USING CRON 0 {VALUES['task_hour']} * * * UTC'" in task
    (procedure,) = re.findall(r"CALL (\S+)\(", task)
    (definition,) = (text for text in statements(script) if kind(text) == "CREATE PROCEDURE")
    assert f" {procedure}(" in definition
    (name,) = re.findall(r"TASK (\S+)", task)
    assert resume == f"ALTER TASK {name} RESUME"


def test_the_daily_refresh_is_of_every_external_table() -> None:
    (procedure,) = (
        text for text in statements("03_external_tables.sql") if kind(text) == "CREATE PROCEDURE"
    )
    assert "FROM anthropic_lake.information_schema.external_tables" in procedure
    [statement] = re.findall(r"statement := (.+?);\n", procedure)
    pieces = [piece.strip() for piece in statement.split("||")]
    sql = "".join("USERS" if piece == "one.name" else piece[1:-1] for piece in pieces)
    assert sql == 'ALTER EXTERNAL TABLE anthropic_lake.lake."USERS" REFRESH'


def test_the_views_are_those_of_athena() -> None:
    created = [tree.find(exp.Table).name.lower() for tree in parsed("04_views.sql")]  # type: ignore[union-attr]
    assert created == [view.name for view in VIEWS]


@pytest.mark.parametrize(
    ("trino", "snowflake"),
    [
        ("current_date", "CAST(SYSDATE() AS DATE)"),
        ("DECIMAL '0.01'", "0.01"),
        ("CAST(date AS timestamp)", "CAST(date AS TIMESTAMPNTZ)"),
        ("trigger", '"TRIGGER"'),
        ("s.rows", 's."ROWS"'),
        ('"name"', "name"),
    ],
)
def test_a_view_means_the_same_in_snowflake(trino: str, snowflake: str) -> None:
    sql = select(View("v", "", f"SELECT {trino} AS x FROM t AS s"))
    assert " ".join(sql.split()) == f"SELECT {snowflake} AS x FROM t AS s"


def test_the_documentation_says_what_was_not_executed() -> None:
    from tests.snowflake.loading import NOT_EXECUTED

    text = (ROOT / "docs" / "snowflake.md").read_text()
    (section,) = re.findall(r"## What has not been executed\n(.+?)\n## ", text + "\n## ", re.DOTALL)
    assert set(re.findall(r"^- `([A-Z ]+)`", section, re.MULTILINE)) == set(NOT_EXECUTED)
