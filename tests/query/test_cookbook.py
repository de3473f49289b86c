"""Every SQL statement of the documentation runs on the demo lake and gives what is written."""

import re
from pathlib import Path

import pytest

from anthropic_lake.lake.reading import StoredLake
from tests.query.cookbook import (
    COOKBOOK,
    PARAMETERS,
    SAVED_QUERIES,
    answer,
    documented,
    rendered,
    statement,
)


@pytest.mark.parametrize(
    ("page", "sql"), [pytest.param(*each, id=each[0].stem) for each in documented()]
)
def test_a_statement_of_the_documentation_runs(page: Path, sql: str, lake: StoredLake) -> None:
    assert answer(sql, lake).num_columns


def test_the_cookbook_says_what_the_named_queries_are_and_give(lake: StoredLake) -> None:
    text = COOKBOOK.read_text(encoding="utf-8")
    assert rendered(text, lake) == text, "run `python -m tests.query.cookbook`"


def test_every_named_query_is_in_the_cookbook() -> None:
    shown = re.findall(r"<!-- query:(\w+) -->", COOKBOOK.read_text(encoding="utf-8"))
    assert sorted(shown) == list(SAVED_QUERIES)


@pytest.mark.parametrize("name", SAVED_QUERIES)
def test_a_named_query_has_an_answer(name: str, lake: StoredLake) -> None:
    assert answer(statement(name), lake).num_rows


def test_the_parameters_of_the_named_queries_are_known() -> None:
    texts = " ".join(saved.sql for saved in SAVED_QUERIES.values())
    assert set(re.findall(r"\$\{\w+\}", texts)) == set(PARAMETERS)
