"""Every SQL statement of the documentation runs on the demo lake.

test_ask.py asks the cookbook's saved queries, and compares their answers with what is written.
"""

from pathlib import Path

import pytest

from anthropic_lake.lake.reading import StoredLake
from tests.query.cookbook import SAVED_QUERIES, answer, documented, sections


@pytest.mark.parametrize(
    ("page", "sql"), [pytest.param(*each, id=each[0].stem) for each in documented()]
)
def test_a_statement_of_the_documentation_runs(page: Path, sql: str, lake: StoredLake) -> None:
    assert answer(sql, lake).num_columns


def test_every_named_query_is_in_the_cookbook() -> None:
    assert sorted(sections()) == list(SAVED_QUERIES)
