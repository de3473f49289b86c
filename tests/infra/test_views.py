"""What the views make of what is in the lake, in DuckDB on rows made for the case."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pytest
import sqlglot

from anthropic_lake.query.catalog import CATALOG
from infra.generate.view_columns import create_catalog

TODAY = datetime.now(UTC).date()
YESTERDAY = TODAY - timedelta(days=1)
ORGANIZATION = "org-1"
ALL = "api_key_id,context_window,model,service_tier,workspace_id"

Add = Callable[..., None]
Ask = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        create_catalog(connection, CATALOG)
        yield connection


@pytest.fixture
def add(connection: duckdb.DuckDBPyConnection) -> Add:
    def add(table: str, **row: object) -> None:
        row = {"date": TODAY, "organization_id": ORGANIZATION} | row
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(row.values()))

    return add


@pytest.fixture
def ask(connection: duckdb.DuckDBPyConnection) -> Ask:
    def ask(sql: str) -> list[tuple[Any, ...]]:
        (translated,) = sqlglot.transpile(sql, read="trino", write="duckdb")
        return connection.execute(translated).fetchall()

    return ask


def midnight(day: date) -> datetime:
    return datetime.combine(day, time())


@pytest.fixture
def run(add: Add) -> Callable[..., None]:
    """Record a run; by default one that did all of a scheduled day."""

    def run(asset: str, start: date, days: int, **row: object) -> None:
        end = start + timedelta(days=days)
        written = row.get("days_written", days)
        assert isinstance(written, int)
        defaults = {
            "run_id": f"{asset}-{start}",
            "asset": asset,
            "trigger": "schedule",
            "status": "succeeded",
            "started_at": midnight(TODAY),
            "finished_at": midnight(TODAY),
            "interval_start": start,
            "interval_end": end,
            "days_written": days,
            "last_synced_date": start + timedelta(days=written - 1),
        }
        add("sync_runs", **(defaults | row))

    return run


# --- the latest snapshot


def test_the_latest_snapshot_is_the_current_one(add: Add, ask: Ask) -> None:
    add("users", date=YESTERDAY, id="u1", name="then")
    add("users", date=YESTERDAY, id="u2")
    add("users", id="u1", name="now")
    assert ask("SELECT date, id, name FROM users_current") == [(TODAY, "u1", "now")]


def test_a_snapshot_that_found_nothing_is_current_too(
    add: Add, ask: Ask, run: Callable[..., None]
) -> None:
    add("invites", date=YESTERDAY, id="i1")
    run("invites", YESTERDAY, 1)
    assert ask("SELECT id FROM invites_current") == [("i1",)]
    run("invites", TODAY, 1, status="failed", days_written=0)
    assert ask("SELECT id FROM invites_current") == [("i1",)]
    run("invites", TODAY, 1)
    assert ask("SELECT id FROM invites_current") == []


def test_a_snapshot_is_current_for_weeks_after_the_last_run(add: Add, ask: Ask) -> None:
    add("users", date=TODAY - timedelta(days=30), id="u1")
    assert ask("SELECT id FROM users_current") == [("u1",)]


# --- cost


@pytest.fixture
def workspaces(add: Add) -> None:
    add("workspaces", id="w1", name="Research", created_at=midnight(YESTERDAY))
    add("workspaces", id="w0", name="Default", created_at=midnight(YESTERDAY))


@pytest.mark.usefixtures("workspaces")
def test_cost_is_named_by_workspace_and_the_default_one_too(add: Add, ask: Ask) -> None:
    for workspace in ("w1", None, "gone"):
        add("cost_report", workspace_id=workspace, amount_usd=Decimal("0.1"))
    add("cost_report", workspace_id=None, amount_usd=Decimal("0.2"))
    assert ask(
        "SELECT workspace_id, workspace_name, cost_usd FROM cost_daily ORDER BY workspace_name"
    ) == [
        ("w0", "Default", Decimal("0.3")),
        ("w1", "Research", Decimal("0.1")),
        ("gone", "gone", Decimal("0.1")),
    ]


def test_the_default_workspace_needs_no_list_of_workspaces(add: Add, ask: Ask) -> None:
    add("cost_report", workspace_id=None, amount_usd=Decimal(1))
    assert ask("SELECT workspace_id, workspace_name FROM cost_daily") == [(None, "Default")]


@pytest.mark.usefixtures("workspaces")
def test_names_of_another_organization_are_not_used(add: Add, ask: Ask) -> None:
    add("cost_report", organization_id="org-2", workspace_id="w1", amount_usd=Decimal(1))
    add("cost_report", organization_id="org-2", workspace_id=None, amount_usd=Decimal(2))
    rows = ask("SELECT workspace_id, workspace_name FROM cost_daily ORDER BY cost_usd")
    assert rows == [("w1", "w1"), (None, "Default")]


def test_rows_without_an_organization_are_named_too(add: Add, ask: Ask) -> None:
    add("workspaces", organization_id=None, id="w1", name="Research")
    add("cost_report", organization_id=None, workspace_id="w1", amount_usd=Decimal(1))
    assert ask("SELECT workspace_name FROM cost_daily") == [("Research",)]


# --- usage


@pytest.mark.usefixtures("workspaces")
def test_short_time_buckets_add_up_to_days(add: Add, ask: Ask) -> None:
    for hour in range(24):
        add(
            "usage_report",
            starting_at=midnight(TODAY) + timedelta(hours=hour),
            bucket_width="1h",
            grouped_by=ALL,
            workspace_id="w1",
            uncached_input_tokens=1,
            cache_read_input_tokens=6,
            cache_creation_ephemeral_5m_input_tokens=2,
            cache_creation_ephemeral_1h_input_tokens=1,
            output_tokens=5,
        )
    columns = "uncached_input_tokens, cache_creation_input_tokens, output_tokens, cache_hit_ratio"
    assert ask(f"SELECT {columns} FROM usage_daily") == [(24, 72, 120, 0.6)]


def test_different_groupings_stand_side_by_side(add: Add, ask: Ask) -> None:
    add("usage_report", date=YESTERDAY, grouped_by="model", model="m", output_tokens=1)
    add("usage_report", grouped_by="model,workspace_id", model="m", output_tokens=2)
    add("usage_report", date=YESTERDAY, grouped_by="", output_tokens=4)
    columns = "date, grouped_by, model, workspace_name, output_tokens"
    assert ask(f"SELECT {columns} FROM usage_daily ORDER BY output_tokens") == [
        (YESTERDAY, "model", "m", None, 1),
        (TODAY, "model,workspace_id", "m", "Default", 2),
        (YESTERDAY, "", None, None, 4),
    ]


def test_keys_have_names_and_no_key_is_the_console(add: Add, ask: Ask) -> None:
    add("api_keys", id="k1", name="CI")
    for key in ("k1", "k2", None):
        add("usage_report", grouped_by="api_key_id", api_key_id=key)
    add("usage_report", grouped_by="account_id", account_id="a")
    assert ask("SELECT api_key_id, api_key_name FROM usage_daily ORDER BY 2") == [
        ("k1", "CI"),
        (None, "Console"),
        ("k2", "k2"),
        (None, None),
    ]


def test_no_input_has_no_cache_hit_ratio(add: Add, ask: Ask) -> None:
    add("usage_report", grouped_by="", uncached_input_tokens=0, cache_read_input_tokens=0)
    assert ask("SELECT cache_hit_ratio FROM usage_daily") == [(None,)]


# --- Claude Code


def test_a_person_is_one_row_a_day_whatever_the_terminal_and_key(add: Add, ask: Ask) -> None:
    add("users", id="u1", email="ada@example.com")
    add("api_keys", id="k1", name="claude_code_key_ada", created_by_id="u1")
    add("api_keys", id="k2", name="shared", created_by_id="u1")
    add("api_keys", id="k3", name="shared", created_by_id="u2")
    session = {"core_metrics_num_sessions": 1, "estimated_cost_amount_usd": Decimal("0.5")}
    add("claude_code_usage", actor_email_address="ada@example.com", terminal_type="a", **session)
    add("claude_code_usage", actor_email_address="ada@example.com", terminal_type="b", **session)
    add("claude_code_usage", actor_api_key_name="claude_code_key_ada", **session)
    add("claude_code_usage", actor_api_key_name="shared", **session)
    columns = "person, sessions, estimated_cost_usd"
    assert ask(f"SELECT {columns} FROM claude_code_daily ORDER BY person") == [
        ("ada@example.com", 3, Decimal("1.5")),
        ("shared", 1, Decimal("0.5")),
    ]


def test_edits_of_all_tools_are_counted(add: Add, ask: Ask) -> None:
    add(
        "claude_code_usage",
        actor_email_address="ada@example.com",
        tool_actions_edit_tool_accepted=3,
        tool_actions_write_tool_accepted=2,
        tool_actions_edit_tool_rejected=1,
    )
    assert ask("SELECT edits_accepted, edits_rejected FROM claude_code_daily") == [(5, 1)]


# --- FOCUS


@pytest.mark.usefixtures("workspaces")
def test_a_focus_row_is_exact_and_complete(add: Add, ask: Ask) -> None:
    add("organization", id=ORGANIZATION, name="Example")
    day = date(2026, 2, 27)
    add(
        "cost_report",
        date=day,
        starting_at=midnight(day),
        ending_at=midnight(day) + timedelta(days=1),
        workspace_id=None,
        description="Claude Sonnet input",
        currency="USD",
        amount_cents=Decimal("123.789120000001"),
    )
    columns = (
        "BillingAccountId, BillingAccountName, SubAccountId, SubAccountName, BillingPeriodStart, "
        "BillingPeriodEnd, ChargePeriodStart, ChargePeriodEnd, BillingCurrency, ChargeCategory"
    )
    assert ask(f"SELECT {columns} FROM focus_cost_and_usage") == [
        (
            *(ORGANIZATION, "Example", "w0", "Default"),
            *(datetime(2026, 2, 1), datetime(2026, 3, 1)),  # noqa: DTZ001  catalogs keep UTC
            *(datetime(2026, 2, 27), datetime(2026, 2, 28)),  # noqa: DTZ001
            *("USD", "Usage"),
        )
    ]
    (costs,) = ask("SELECT BilledCost, EffectiveCost, ListCost FROM focus_cost_and_usage")
    assert set(costs) == {Decimal("1.237891200000")}


def test_a_focus_row_without_an_organization_is_the_lakes_own(add: Add, ask: Ask) -> None:
    add("organization", id=ORGANIZATION, name="Example")
    add("cost_report", organization_id=None, amount_cents=Decimal(1))
    columns = "BillingAccountId, BillingAccountName, SubAccountName"
    assert ask(f"SELECT {columns} FROM focus_cost_and_usage") == [(ORGANIZATION, "Example", None)]


# --- coverage


def coverage(ask: Ask) -> dict[date, str]:
    return dict(ask("SELECT date, status FROM coverage ORDER BY date"))


def days_ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def test_today_is_open_and_the_days_before_are_final(ask: Ask, run: Callable[..., None]) -> None:
    run("cost_report", days_ago(2), 3, last_synced_date=YESTERDAY)
    assert coverage(ask) == {days_ago(2): "final", YESTERDAY: "final", TODAY: "open"}


def test_days_that_no_run_wrote_are_missing(ask: Ask, run: Callable[..., None]) -> None:
    run("cost_report", days_ago(5), 6, status="partial", days_written=2)
    run("cost_report", days_ago(1), 2, status="failed", days_written=0, last_synced_date=None)
    assert coverage(ask) == {
        days_ago(5): "final",
        days_ago(4): "final",
        days_ago(3): "missing",
        days_ago(2): "missing",
        days_ago(1): "missing",
        TODAY: "open",
    }


def test_a_day_that_was_not_over_when_it_was_read_is_open(
    ask: Ask, run: Callable[..., None]
) -> None:
    last = {"started_at": midnight(days_ago(1)), "last_synced_date": days_ago(2)}
    run("usage_report", days_ago(2), 2, **last)
    assert coverage(ask) == {days_ago(2): "final", days_ago(1): "open", TODAY: "open"}


def test_a_backfill_makes_old_days_final(ask: Ask, run: Callable[..., None]) -> None:
    run("usage_report", days_ago(40), 2, trigger="interval", last_synced_date=None)
    statuses = coverage(ask)
    assert [statuses[days_ago(40)], statuses[days_ago(39)]] == ["final", "final"]
    assert statuses[days_ago(38)] == "missing"


def test_the_last_run_that_read_a_day_is_named(ask: Ask, run: Callable[..., None]) -> None:
    first, last = midnight(YESTERDAY), midnight(TODAY)
    run("users", YESTERDAY, 1, run_id="a", started_at=first, finished_at=first)
    run("users", YESTERDAY, 1, run_id="b", started_at=last, finished_at=last)
    assert ask("SELECT date, status, last_run_id, last_read_at FROM coverage ORDER BY date") == [
        (YESTERDAY, "final", "b", last),
        (TODAY, "open", None, None),
    ]
