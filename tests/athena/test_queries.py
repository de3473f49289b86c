"""The named queries of the stack, and the statements of the documentation, as Athena's engine."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest

from anthropic_lake.lake.reading import StoredLake
from anthropic_lake.query.catalog import CATALOG
from anthropic_lake.query.needs import coverage_check, needs
from tests import lakes
from tests.athena.conftest import TODAY, Deployed, in_duckdb
from tests.athena.engines import same_in_athena
from tests.query.cookbook import documented

_DATE = re.compile(r"DATE '(?P<day>\d{4}-\d{2}-\d{2})'")
NAMES = [query.name for query in CATALOG.saved_queries]
STATEMENTS = [pytest.param(sql, id=page.stem) for page, sql in documented()]


@pytest.fixture(scope="module")
def named(deployed: Deployed) -> dict[str, str]:
    """The SQL of the workgroup's named queries, with the stack's parameters in it."""
    athena = deployed.aws.client("athena")
    workgroup = deployed.stack.outputs["WorkgroupName"]
    identifiers = athena.list_named_queries(WorkGroup=workgroup)["NamedQueryIds"]
    queries: list[dict[str, Any]] = [
        athena.get_named_query(NamedQueryId=identifier)["NamedQuery"] for identifier in identifiers
    ]
    assert {query["Database"] for query in queries} == {deployed.stack.outputs["DatabaseName"]}
    return {query["Name"]: query["QueryString"] for query in queries}


def test_the_stack_has_all_of_them(named: dict[str, str]) -> None:
    assert sorted(named) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_named_query_gives_what_duckdb_gives(
    name: str, named: dict[str, str], deployed: Deployed, lake: StoredLake
) -> None:
    compare(named[name], deployed, lake)


def test_what_the_questions_need_is_the_same_for_both(
    named: dict[str, str], deployed: Deployed, lake: StoredLake
) -> None:
    wanted = list(dict.fromkeys(need for sql in named.values() for need in needs(sql)))
    assert wanted
    compare(coverage_check(wanted), deployed, lake)


@pytest.mark.parametrize("sql", STATEMENTS)
def test_a_statement_of_the_documentation_gives_what_duckdb_gives(
    sql: str, deployed: Deployed, lake: StoredLake
) -> None:
    compare(moved(sql), deployed, lake)


def compare(sql: str, deployed: Deployed, lake: StoredLake) -> None:
    found, expected = deployed.ask(sql), in_duckdb(sql, lake)
    assert list(found.columns) == [column.lower() for column in expected.columns]
    same_in_athena(found.rows, expected.rows, ordered="ORDER BY" in sql)


def moved(sql: str) -> str:
    """A statement whose days are as far from today as the written ones are from the demo lake's."""

    def move(match: re.Match[str]) -> str:
        return f"DATE '{date.fromisoformat(match['day']) + (TODAY - lakes.TODAY)}'"

    return _DATE.sub(move, sql)
