"""What the views make of what is in the lake, in DuckDB on rows made for the case."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pytest
import sqlglot
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anthropic_lake.query.catalog import CATALOG
from infra.generate.view_columns import create_catalog
from tests.ledger import entry

TODAY = datetime.now(UTC).date()
YESTERDAY = TODAY - timedelta(days=1)
ORGANIZATION = "org-1"
ALL = "api_key_id,context_window,model,service_tier,workspace_id"

Add = Callable[..., None]
Ask = Callable[[str], list[tuple[Any, ...]]]
Read = Callable[..., None]


@pytest.fixture(scope="module")
def catalog() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        create_catalog(connection, CATALOG)
        yield connection


@pytest.fixture
def connection(catalog: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """Every table, empty, and every view: making them takes longer than most tests."""
    catalog.begin()
    yield catalog
    catalog.rollback()


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
def read(add: Add) -> Callable[..., None]:
    """Note in the ledger that a day was read; by default a final one of the history."""

    def read(asset: str, day: date, **columns: object) -> None:
        add("sync_days", **(entry(asset, day) | {"date": day.replace(day=1)} | columns))

    return read


# --- the latest snapshot


def test_the_latest_snapshot_is_the_current_one(add: Add, ask: Ask) -> None:
    add("users", date=YESTERDAY, id="u1", name="then")
    add("users", date=YESTERDAY, id="u2")
    add("users", id="u1", name="now")
    assert ask("SELECT date, id, name FROM users_current") == [(TODAY, "u1", "now")]


def test_a_snapshot_that_found_nothing_is_current_too(add: Add, ask: Ask, read: Read) -> None:
    add("invites", date=YESTERDAY, id="i1")
    read("invites", YESTERDAY)
    assert ask("SELECT id FROM invites_current") == [("i1",)]
    read("users", TODAY)
    assert ask("SELECT id FROM invites_current") == [("i1",)]
    read("invites", TODAY)
    assert ask("SELECT id FROM invites_current") == []


@pytest.mark.parametrize("days", [1, 40, 400])
def test_a_snapshot_of_a_day_to_come_hides_nothing(
    days: int, add: Add, ask: Ask, read: Read
) -> None:
    to_come = TODAY + timedelta(days=days)
    add("users", date=YESTERDAY, id="u1")
    read("users", YESTERDAY)
    add("users", date=to_come, id="u2")
    read("users", to_come)
    assert ask("SELECT id FROM users_current") == [("u1",)]


def test_a_snapshot_that_the_ledger_does_not_know_yet_is_current(
    add: Add, ask: Ask, read: Read
) -> None:
    read("users", YESTERDAY)
    add("users", date=YESTERDAY, id="u1")
    add("users", id="u2")
    assert ask("SELECT id FROM users_current") == [("u2",)]


def test_an_identifier_that_stands_twice_counts_once(add: Add, ask: Ask) -> None:
    for name in ("b", "a"):
        add("users", id="u1", name=name)
        add("workspace_members", workspace_id="w1", user_id="u1", workspace_role=name)
    add("workspace_members", workspace_id="w2", user_id="u1")
    assert ask("SELECT id, name FROM users_current") == [("u1", "a")]
    assert ask("SELECT count(*) FROM workspace_members_current") == [(2,)]


def test_limits_without_a_group_are_told_apart(add: Add, ask: Ask) -> None:
    for models in ("opus", "haiku"):
        add("rate_limits", group_type="models", models=models, limiter="requests_per_minute")
    assert ask("SELECT count(*) FROM rate_limits_current") == [(2,)]


def test_an_identifier_that_stands_twice_multiplies_no_money(add: Add, ask: Ask) -> None:
    for name in ("Research", "Default"):
        for _ in range(2):
            add("workspaces", id=f"w-{name}", name=name, created_at=midnight(YESTERDAY))
            add("api_keys", id="k1", name="CI", created_by_id="u1")
            add("users", id="u1", email="ada@example.com")
            add("organization", id=ORGANIZATION, name="Example")
    for workspace in ("w-Research", None):
        add("cost_report", workspace_id=workspace, amount_usd=Decimal(1), amount_cents=Decimal(100))
        add(
            "usage_report", grouped_by=ALL, workspace_id=workspace, api_key_id="k1", output_tokens=1
        )
    add("claude_code_usage", actor_api_key_name="CI", estimated_cost_amount_usd=Decimal(1))
    assert ask("SELECT sum(cost_usd) FROM cost_daily") == [(2,)]
    assert ask("SELECT sum(BilledCost) FROM focus_cost_and_usage") == [(2,)]
    assert ask("SELECT sum(output_tokens) FROM usage_daily") == [(2,)]
    assert ask("SELECT sum(estimated_cost_usd) FROM claude_code_daily") == [(1,)]


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


@pytest.mark.parametrize("silent", ["workspaces", "cost_report"])
def test_a_missing_organization_is_the_lakes_own(
    silent: str, add: Add, ask: Ask, read: Read
) -> None:
    read("cost_report", YESTERDAY, organization_id=ORGANIZATION)
    read("users", YESTERDAY)  # without a header
    whose: dict[str, str | None] = dict.fromkeys(("workspaces", "cost_report"), ORGANIZATION)
    whose[silent] = None
    for id_, name in (("w1", "Research"), ("w0", "Default")):
        add("workspaces", organization_id=whose["workspaces"], id=id_, name=name)
    for workspace in ("w1", None):
        organization = whose["cost_report"]
        add("cost_report", organization_id=organization, workspace_id=workspace, amount_usd=1)
    assert ask(
        "SELECT organization_id, workspace_name, cost_usd FROM cost_daily ORDER BY workspace_name"
    ) == [(ORGANIZATION, "Default", 1), (ORGANIZATION, "Research", 1)]


def test_a_missing_organization_is_nobodys_where_there_are_several(
    add: Add, ask: Ask, read: Read
) -> None:
    for number, organization in enumerate(("org-1", "org-2")):
        read("cost_report", TODAY - timedelta(days=number), organization_id=organization)
        add("workspaces", organization_id=organization, id=f"w{number}", name="Default")
        add("organization", organization_id=organization, id=organization)
    add("cost_report", organization_id=None, amount_usd=Decimal(1), amount_cents=Decimal(100))
    assert ask("SELECT workspace_id, cost_usd FROM cost_daily") == [(None, 1)]
    assert ask("SELECT BillingAccountId, BilledCost FROM focus_cost_and_usage") == [(None, 1)]


def test_workspaces_of_one_name_stay_apart(add: Add, ask: Ask) -> None:
    for workspace in ("w1", "w2"):
        add("workspaces", id=workspace, name="Research")
        add("cost_report", workspace_id=workspace, amount_usd=Decimal(1))
    assert ask("SELECT workspace_id, workspace_name FROM cost_daily ORDER BY workspace_id") == [
        ("w1", "Research"),
        ("w2", "Research"),
    ]


def test_another_currency_stands_by_itself_and_is_named(add: Add, ask: Ask) -> None:
    add("cost_report", currency="USD", amount_usd=Decimal("0.5"), amount_cents=Decimal(50))
    for currency in ("EUR", "usd", None):
        add("cost_report", currency=currency, amount_cents=Decimal("120.5"))
    assert ask("SELECT currency, cost_usd, cost FROM cost_daily ORDER BY currency") == [
        ("EUR", None, Decimal("1.205")),
        ("USD", Decimal("0.5"), Decimal("0.5")),
        ("usd", None, Decimal("1.205")),
        (None, None, Decimal("1.205")),
    ]
    currencies = ask("SELECT BillingCurrency FROM focus_cost_and_usage ORDER BY 1")
    assert currencies == [("EUR",), ("USD",), ("usd",), (None,)]


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


@pytest.mark.parametrize(("width", "minutes"), [("1h", 60), ("1m", 20)])
def test_time_buckets_within_a_day_add_up_to_hours(
    width: str, minutes: int, add: Add, ask: Ask
) -> None:
    for number in range(24 * 60 // minutes):
        start = midnight(TODAY) + timedelta(minutes=number * minutes)
        add("usage_report", starting_at=start, bucket_width=width, grouped_by="", output_tokens=1)
    assert ask("SELECT date, hour_start, output_tokens FROM usage_hourly ORDER BY hour_start") == [
        (TODAY, midnight(TODAY) + timedelta(hours=hour), 60 // minutes) for hour in range(24)
    ]


def test_a_day_that_was_read_whole_has_no_hours(add: Add, ask: Ask) -> None:
    add(
        "usage_report",
        starting_at=midnight(YESTERDAY),
        date=YESTERDAY,
        bucket_width="1d",
        grouped_by="",
        output_tokens=2,
    )
    assert ask("SELECT date, hour_start, output_tokens FROM usage_hourly") == [(YESTERDAY, None, 2)]


def test_a_ratio_comes_with_what_it_divides(add: Add, ask: Ask) -> None:
    for model, read, others in (("a", 90, 10), ("b", 0, 900)):
        add(
            "usage_report",
            grouped_by="model",
            model=model,
            cache_read_input_tokens=read,
            uncached_input_tokens=others - 2,
            cache_creation_ephemeral_5m_input_tokens=1,
            cache_creation_ephemeral_1h_input_tokens=1,
        )
    for view in ("usage_daily", "usage_hourly"):
        assert ask(
            f"SELECT cache_read_input_tokens, input_tokens, cache_hit_ratio FROM {view} ORDER BY 1"
        ) == [(0, 900, 0.0), (90, 100, 0.9)]


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


def test_an_api_customer_and_a_subscriber_are_told_apart(add: Add, ask: Ask) -> None:
    for customer_type in ("api", "subscription", "api"):
        person = {"actor_email_address": "ada@example.com", "customer_type": customer_type}
        for table in ("claude_code_usage", "claude_code_model_usage"):
            add(table, **person, tokens_output=1)
    for view in ("claude_code_daily", "claude_code_daily_by_model"):
        assert ask(f"SELECT customer_type, output_tokens FROM {view} ORDER BY customer_type") == [
            ("api", 2),
            ("subscription", 1),
        ]


def test_the_models_of_a_person_are_a_row_each(add: Add, ask: Ask) -> None:
    add("users", id="u1", email="Ada@Example.com")
    add("api_keys", id="k1", name="CI", created_by_id="u1")
    actors = [{"actor_email_address": "ADA@example.com"}, {"actor_api_key_name": "CI"}]
    for actor in actors:
        for model, tokens in (("m1", 1), ("m2", 2), ("m2", 4)):
            add(
                "claude_code_model_usage",
                **actor,
                model=model,
                tokens_input=tokens,
                tokens_cache_read=10 * tokens,
                estimated_cost_amount_usd=Decimal(tokens) / 4,
            )
    columns = "person, model, input_tokens, cache_read_tokens, estimated_cost_usd"
    assert ask(f"SELECT {columns} FROM claude_code_daily_by_model ORDER BY model") == [
        ("ada@example.com", "m1", 2, 20, Decimal("0.5")),
        ("ada@example.com", "m2", 12, 120, 3),
    ]


ACTORS = [
    {"actor_email_address": "ada@example.com"},
    {"actor_email_address": "ADA@example.com"},
    {"actor_api_key_name": "CI"},
    {"actor_api_key_name": "shared"},
    {"actor_api_key_name": "gone"},
    {},
]
claude_code_records = st.lists(
    st.fixed_dictionaries(
        {
            "actor": st.sampled_from(ACTORS),
            "date": st.sampled_from([TODAY, YESTERDAY]),
            "organization_id": st.sampled_from([ORGANIZATION, "org-2", None]),
            "customer_type": st.sampled_from(["api", "subscription", None]),
            "model": st.sampled_from(["m1", "m2", None]),
            "tokens_output": st.one_of(st.none(), st.integers(0, 10**9)),
            "estimated_cost_amount_usd": st.one_of(st.none(), st.decimals(-9, 9, places=12)),
        }
    ),
    max_size=12,
)


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(claude_code_records)
def test_persons_multiply_no_tokens_and_no_cost(
    connection: duckdb.DuckDBPyConnection, add: Add, ask: Ask, records: list[dict[str, Any]]
) -> None:
    for table in ("users", "api_keys", "claude_code_usage", "claude_code_model_usage"):
        connection.execute(f"DELETE FROM {table}")
    for _ in range(2):  # an identifier that stands twice
        add("users", id="u1", email="Ada@Example.com")
        add("api_keys", id="k1", name="CI", created_by_id="u1")
    for key, creator in (("k2", "u1"), ("k3", "u2")):
        add("api_keys", id=key, name="shared", created_by_id=creator)
    for record in records:
        row = {name: value for name, value in record.items() if name != "actor"}
        add("claude_code_model_usage", **row, **record["actor"])
        row.pop("model")
        add("claude_code_usage", **row, **record["actor"])
    grain = "date, organization_id, customer_type"
    views = ("claude_code_daily", "claude_code_daily_by_model")
    sums = [
        ask(
            f"SELECT {grain}, sum(output_tokens), sum(estimated_cost_usd) FROM {view} "
            f"GROUP BY {grain} ORDER BY {grain}"
        )
        for view in views
    ]
    source = ask(
        f"SELECT {grain}, sum(tokens_output), sum(estimated_cost_amount_usd) "
        f"FROM claude_code_usage GROUP BY {grain} ORDER BY {grain}"
    )
    for view, more in zip(views, ("", ", model"), strict=True):
        key = f"{grain}, person{more}"
        assert ask(f"SELECT 1 FROM {view} GROUP BY {key} HAVING count(*) > 1") == []
    assert sums == [source, source]


def test_edits_of_all_tools_are_counted(add: Add, ask: Ask) -> None:
    add(
        "claude_code_usage",
        actor_email_address="ada@example.com",
        tool_actions_edit_tool_accepted=3,
        tool_actions_write_tool_accepted=2,
        tool_actions_edit_tool_rejected=1,
    )
    assert ask("SELECT edits_accepted, edits_rejected FROM claude_code_daily") == [(5, 1)]


def test_an_address_is_one_person_however_it_is_written(add: Add, ask: Ask) -> None:
    add("users", id="u1", email="Ada@Example.com")
    add("api_keys", id="k1", name="CI", created_by_id="u1")
    for actor in ("ada@example.com", "ADA@example.com"):
        add("claude_code_usage", actor_email_address=actor, core_metrics_num_sessions=1)
    add("claude_code_usage", actor_api_key_name="CI", core_metrics_num_sessions=1)
    assert ask("SELECT person, sessions FROM claude_code_daily") == [("ada@example.com", 3)]


def test_an_estimate_in_another_currency_is_counted_and_named(add: Add, ask: Ask) -> None:
    person = {"actor_email_address": "ada@example.com"}
    cents = "estimated_cost_amount_cents"
    usd = {"estimated_cost_currency": "USD", "estimated_cost_amount_usd": Decimal(1)}
    add("claude_code_usage", **person, **usd, **{cents: Decimal(100)})
    add("claude_code_usage", **person, **{cents: Decimal(100)}, estimated_cost_currency="EUR")
    add("claude_code_usage", **person, **{cents: Decimal(0)})  # no model was used
    columns = "estimated_cost_usd, estimates_in_other_currencies, other_currency"
    assert ask(f"SELECT {columns} FROM claude_code_daily") == [(1, 1, "EUR")]


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


def test_a_focus_row_without_an_organization_is_the_lakes_own(
    add: Add, ask: Ask, read: Read
) -> None:
    read("cost_report", YESTERDAY, organization_id=ORGANIZATION)
    add("organization", id=ORGANIZATION, name="Example")
    add("cost_report", organization_id=None, amount_cents=Decimal(1))
    columns = "BillingAccountId, BillingAccountName, SubAccountName"
    assert ask(f"SELECT {columns} FROM focus_cost_and_usage") == [(ORGANIZATION, "Example", None)]


# --- coverage


def coverage(ask: Ask) -> dict[date, str]:
    return dict(ask("SELECT date, status FROM coverage ORDER BY date"))


def days_ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def test_each_day_from_the_first_until_today_is_final_open_or_missing(ask: Ask, read: Read) -> None:
    read("cost_report", days_ago(4))
    read("cost_report", days_ago(2), is_final=False)
    read("cost_report", days_ago(1))
    assert coverage(ask) == {
        days_ago(4): "final",
        days_ago(3): "missing",
        days_ago(2): "open",
        days_ago(1): "final",
        TODAY: "open",
    }


def test_todays_snapshot_is_final_once_it_is_taken(ask: Ask, read: Read) -> None:
    read("users", YESTERDAY)
    assert coverage(ask) == {YESTERDAY: "final", TODAY: "open"}
    read("users", TODAY)
    assert coverage(ask) == {YESTERDAY: "final", TODAY: "final"}


@pytest.mark.parametrize("island", [date(1926, 3, 1), date(2020, 3, 1), date(2023, 3, 1)])
def test_an_island_is_not_in_the_calendar(island: date, ask: Ask, read: Read) -> None:
    for number in range(31):
        read("cost_report", island + timedelta(days=number), in_history=False)
    read("cost_report", YESTERDAY)
    assert coverage(ask) == {YESTERDAY: "final", TODAY: "open"}


def test_without_a_history_the_calendar_starts_at_the_first_day_since_2023(
    ask: Ask, read: Read
) -> None:
    read("cost_report", date(1926, 3, 1), in_history=False)
    read("cost_report", days_ago(2), in_history=False)
    assert coverage(ask) == {days_ago(2): "final", YESTERDAY: "missing", TODAY: "open"}


def test_a_day_to_come_is_not_in_the_calendar(ask: Ask, read: Read) -> None:
    read("cost_report", YESTERDAY)
    for days in (1, 14, 60):
        read("cost_report", TODAY + timedelta(days=days))
    assert coverage(ask) == {YESTERDAY: "final", TODAY: "open"}


def test_the_assets_have_calendars_of_their_own(ask: Ask, read: Read) -> None:
    read("cost_report", days_ago(1))
    read("usage_report", TODAY)
    counted = ask("SELECT asset, count(*) FROM coverage GROUP BY asset ORDER BY asset")
    assert counted == [("cost_report", 2), ("usage_report", 1)]


def test_the_run_that_read_a_day_last_is_named(ask: Ask, read: Read) -> None:
    last = midnight(TODAY)
    read("users", YESTERDAY, last_run_id="b", last_read_at=last)
    assert ask("SELECT date, status, last_run_id, last_read_at FROM coverage ORDER BY date") == [
        (YESTERDAY, "final", "b", last),
        (TODAY, "open", None, None),
    ]
