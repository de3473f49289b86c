"""Trino, DuckDB and Snowflake give the same rows of every view, on the same lake."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from anthropic_lake.lake.reading import StoredLake
from anthropic_lake.query.catalog import VIEWS
from tests.athena.conftest import HISTORY_START, TODAY, Deployed, in_duckdb
from tests.athena.engines import same, same_in_athena
from tests.aws.embedded import EmbeddedAws
from tests.snowflake.conftest import fakesnow
from tests.snowflake.loading import Loaded, load


@pytest.fixture(scope="module")
def loaded(lake: StoredLake) -> Iterator[Loaded]:
    """The deployed stack's lake, copied into an account where no policy binds fakesnow."""
    with EmbeddedAws() as account, fakesnow(account) as session:
        yield load(Path(lake.root), session, account, TODAY, HISTORY_START)


@pytest.mark.parametrize("view", [view.name for view in VIEWS])
def test_a_view_is_the_same_in_all_three(
    view: str, deployed: Deployed, lake: StoredLake, loaded: Loaded
) -> None:
    here = in_duckdb(f'SELECT * FROM "{view}"', lake)
    athena = deployed.ask(f'SELECT * FROM "{view}"')
    snowflake = loaded.snowflake.execute(f"SELECT * FROM loaded.{view}")
    assert here.rows or view == "cost_anomalies"  # it takes more days than this lake has
    same(snowflake.rows, here.rows)
    same_in_athena(athena.rows, here.rows)
