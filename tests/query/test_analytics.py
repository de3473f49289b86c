"""DuckDB over the reports by person and the limits: every row as its object has it."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from anthropic_lake.lake.reading import StoredLake
from anthropic_lake.query.catalog import TABLES
from anthropic_lake.query.duckdb import query
from anthropic_lake.schema.table import Table
from tests.athena.engines import in_files, same
from tests.lakes import TODAY
from tests.simulator import Organization

DAY = TODAY - timedelta(days=12)


def rows(sql: str, lake: StoredLake) -> list[tuple[Any, ...]]:
    with query(sql, lake, today=TODAY) as result:
        return [tuple(row.values()) for row in result.read_all().to_pylist()]


def declared(name: str) -> Table:
    return next(table for table in TABLES if table.name == name)


def values(folder: Path, name: str, column: str) -> list[Any]:
    """What a column has in the objects of a table, nulls left out."""
    at = [each.name for each in declared(name).all_columns].index(column)
    return [row[at] for row in in_files(folder, declared(name)) if row[at] is not None]


@pytest.mark.parametrize(
    "name", ["analytics_cost", "analytics_usage", "rate_limits", "spend_limits"]
)
def test_every_row_is_as_its_object_has_it(name: str, folder: Path, lake: StoredLake) -> None:
    expected = in_files(folder, declared(name))
    assert expected
    same(rows(f"SELECT * FROM {name}", lake), expected)


def test_the_cost_by_person_is_exact(folder: Path, lake: StoredLake) -> None:
    [found] = rows("SELECT sum(amount_cents), sum(amount_usd) FROM analytics_cost", lake)
    cents = sum(values(folder, "analytics_cost", "amount_cents"))
    assert found == (cents, cents / 100)
    assert all(isinstance(amount, Decimal) for amount in found)


def test_the_cost_by_person_adds_up_to_the_bill_of_each_workspace(
    lake: StoredLake, organization: Organization
) -> None:
    cents: Counter[str] = Counter()
    for row in organization.cost_rows(DAY):
        workspace_id = row["workspace_id"] or organization.default_workspace_id
        cents[workspace_id] += Decimal(row["amount"])  # type: ignore[assignment]
    found = rows(
        "SELECT workspace_id, sum(amount_cents) FROM analytics_cost "
        f"WHERE date = '{DAY}' GROUP BY workspace_id",
        lake,
    )
    assert dict(found) == cents


def test_the_tokens_by_person_are_those_of_the_organization(
    lake: StoredLake, organization: Organization
) -> None:
    names = ("uncached_input_tokens", "cache_read_input_tokens", "output_tokens")
    sums = ", ".join(f"sum({name})" for name in names)
    events = organization.events(DAY)
    assert rows(f"SELECT {sums} FROM analytics_usage WHERE date = '{DAY}'", lake) == [
        tuple(sum(getattr(event, name) for event in events) for name in names)
    ]


def test_where_a_federated_actor_comes_from_is_json(folder: Path, lake: StoredLake) -> None:
    found = rows(
        "SELECT actor_provider ->> '$.type', count(*) FROM analytics_cost "
        "WHERE actor_provider IS NOT NULL GROUP BY 1",
        lake,
    )
    providers = values(folder, "analytics_cost", "actor_provider")
    assert dict(found) == Counter(json.loads(text)["type"] for text in providers)
    assert len(found) > 1


def test_a_spend_limit_is_in_cents_and_in_dollars(lake: StoredLake) -> None:
    found = rows("SELECT amount_cents, amount_usd FROM spend_limits_current", lake)
    amounts = [(cents, usd) for cents, usd in found if cents is not None]
    assert amounts
    assert all(usd == cents / 100 for cents, usd in amounts)


def test_a_workspace_has_the_limits_of_its_organization(lake: StoredLake) -> None:
    found = rows(
        "SELECT own.org_limit, general.value FROM rate_limits_current own "
        "JOIN rate_limits_current general ON general.workspace_id IS NULL "
        "AND general.group_id = own.group_id AND general.limiter = own.limiter "
        "WHERE own.workspace_id IS NOT NULL AND own.org_limit IS NOT NULL",
        lake,
    )
    assert found
    assert all(org_limit == value for org_limit, value in found)
