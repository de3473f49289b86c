"""What Athena's engine says of the lake is what happened in the simulated organization."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from anthropic_lake.assets import ASSETS
from anthropic_lake.lake.reading import StoredLake
from anthropic_lake.query.catalog import TABLES
from tests.athena.conftest import FINAL, MORNINGS, QUIET, RESTATED, TODAY, Deployed
from tests.athena.engines import in_files, same
from tests.simulator import Organization

DAYS = f"date BETWEEN DATE '{FINAL[0]}' AND DATE '{FINAL[-1]}'"
USD = Decimal("0.01")


def by_day(deployed: Deployed, select: str, table: str) -> dict[date, Any]:
    sql = f"SELECT date, {select} FROM {table} WHERE {DAYS} GROUP BY date"
    return {row[0]: row[1:] for row in deployed.ask(sql).rows}


def summed(records: Iterable[Any], *names: str) -> tuple[int, ...]:
    rows = list(records)
    return tuple(sum(getattr(row, name) for row in rows) for name in names)


def test_the_tokens_of_every_day(deployed: Deployed, organization: Organization) -> None:
    found = by_day(
        deployed,
        "sum(uncached_input_tokens), sum(cache_read_input_tokens), "
        "sum(cache_creation_ephemeral_5m_input_tokens), "
        "sum(cache_creation_ephemeral_1h_input_tokens), sum(output_tokens), "
        "sum(server_tool_use_web_search_requests)",
        "usage_report",
    )
    assert found == {
        day: summed(
            organization.events(day),
            "uncached_input_tokens",
            "cache_read_input_tokens",
            "ephemeral_5m_input_tokens",
            "ephemeral_1h_input_tokens",
            "output_tokens",
            "web_search_requests",
        )
        for day in FINAL
        if day != QUIET
    }


def test_the_cost_of_every_day_to_the_last_digit(
    deployed: Deployed, organization: Organization
) -> None:
    found = by_day(deployed, "count(*), sum(amount_cents), sum(amount_usd)", "cost_report")
    expected = {}
    for day in FINAL:
        amounts = [Decimal(row["amount"]) for row in organization.cost_rows(day)]
        expected[day] = (len(amounts), sum(amounts), sum(amounts) * USD)
    assert found == {day: row for day, row in expected.items() if row[0]}
    assert organization.revisions[RESTATED] == 1  # after it was read for the first time


def test_the_work_with_claude_code_of_every_day(
    deployed: Deployed, organization: Organization
) -> None:
    found = by_day(
        deployed,
        "count(*), sum(core_metrics_num_sessions), sum(tool_actions_edit_tool_accepted)",
        "claude_code_usage",
    )
    expected = {}
    for day in FINAL:
        records = organization.claude_code_records(day)
        edits = [record["tool_actions"].get("edit_tool") for record in records]
        expected[day] = (
            len(records),
            sum(record["core_metrics"]["num_sessions"] for record in records),
            sum(edit["accepted"] for edit in edits if edit),
        )
    assert found == {day: row for day, row in expected.items() if row[0]}


def test_the_models_used_with_claude_code(deployed: Deployed, organization: Organization) -> None:
    found = by_day(
        deployed,
        "count(*), sum(tokens_output), sum(estimated_cost_amount_cents)",
        "claude_code_model_usage",
    )
    expected = {}
    for day in FINAL:
        records = organization.claude_code_records(day)
        models = [model for record in records for model in record["model_breakdown"]]
        expected[day] = (
            len(models),
            sum(model["tokens"]["output"] for model in models),
            sum(Decimal(str(model["estimated_cost"]["amount"])) for model in models),
        )
    assert found == {day: row for day, row in expected.items() if row[0]}


@pytest.mark.parametrize("entities", ["users", "api_keys", "workspaces", "invites"])
def test_the_entities_of_today(
    entities: str, deployed: Deployed, organization: Organization
) -> None:
    sql = f"SELECT id FROM {entities} WHERE date = DATE '{TODAY}'"
    found = [row[0] for row in deployed.ask(sql).rows]
    assert sorted(found) == sorted(each["id"] for each in getattr(organization, entities))


def test_the_members_of_today(deployed: Deployed, organization: Organization) -> None:
    sql = f"SELECT workspace_id, user_id FROM workspace_members WHERE date = DATE '{TODAY}'"
    members = [each for members in organization.members.values() for each in members]
    expected = {(each["workspace_id"], each["user_id"]) for each in members}
    assert set(deployed.ask(sql).rows) == expected


@pytest.mark.parametrize(
    "name", ["analytics_cost", "analytics_usage", "rate_limits", "spend_limits"]
)
def test_every_row_is_as_its_object_has_it(name: str, deployed: Deployed, lake: StoredLake) -> None:
    table = next(each for each in TABLES if each.name == name)
    expected = in_files(Path(lake.root), table)
    assert expected
    same(deployed.ask(f"SELECT * FROM {name}", microseconds=True).rows, expected)


def test_the_cost_by_person_adds_up_to_the_bill_of_every_day(
    deployed: Deployed, organization: Organization
) -> None:
    found = by_day(deployed, "sum(amount_cents), sum(amount_usd)", "analytics_cost")
    expected = {}
    for day in FINAL:
        cents = sum(Decimal(row["amount"]) for row in organization.cost_rows(day))
        expected[day] = (cents, cents * USD)
    assert found == {day: row for day, row in expected.items() if row[0]}


def test_the_tokens_by_person_add_up_to_those_of_every_day(
    deployed: Deployed, organization: Organization
) -> None:
    found = by_day(deployed, "sum(uncached_input_tokens), sum(output_tokens)", "analytics_usage")
    assert found == {
        day: summed(organization.events(day), "uncached_input_tokens", "output_tokens")
        for day in FINAL
        if day != QUIET
    }


def test_where_a_federated_actor_comes_from_is_json(deployed: Deployed, lake: StoredLake) -> None:
    table = next(each for each in TABLES if each.name == "analytics_cost")
    at = [column.name for column in table.all_columns].index("actor_provider")
    providers = [row[at] for row in in_files(Path(lake.root), table) if row[at] is not None]
    found = deployed.ask(
        "SELECT json_extract_scalar(actor_provider, '$.type'), count(*) FROM analytics_cost "
        "WHERE actor_provider IS NOT NULL GROUP BY 1"
    )
    assert dict(found.rows) == Counter(json.loads(text)["type"] for text in providers)
    assert len(found.rows) > 1


def test_times_to_the_microsecond(deployed: Deployed, organization: Organization) -> None:
    sql = f"SELECT id, created_at FROM api_keys WHERE date = DATE '{TODAY}'"
    found = deployed.ask(sql, microseconds=True)
    assert found.columns["created_at"] == "timestamp(6)"
    expected = {
        key["id"]: datetime.fromisoformat(key["created_at"]).replace(tzinfo=None)
        for key in organization.api_keys
    }
    assert dict(found.rows) == expected
    assert any(at.microsecond % 1000 for at in expected.values())


def test_the_runs_of_three_mornings(deployed: Deployed) -> None:
    sql = (
        "SELECT asset, status FROM sync_runs "
        f"WHERE date >= DATE '{MORNINGS[0]:%Y-%m-%d}' AND trigger = 'schedule'"
    )
    runs = Counter(deployed.ask(sql).rows)
    assert runs.pop(("invites", "failed")) == 1
    assert runs == {(name, "succeeded"): 2 if name == "invites" else 3 for name in ASSETS}


def test_a_quiet_day_is_an_object_without_rows(deployed: Deployed) -> None:
    for table in (
        "usage_report",
        "cost_report",
        "claude_code_usage",
        "claude_code_model_usage",
        "analytics_usage",
        "analytics_cost",
    ):
        assert deployed.size(table, QUIET)
        assert deployed.ask(f"SELECT * FROM {table} WHERE date = DATE '{QUIET}'").rows == []
