"""Who spent it, and whether the reports agree: on random lakes, and on simulated worlds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st

from anthropic_lake.query.catalog import CATALOG
from infra.generate.view_columns import create_catalog

TODAY = datetime.now(UTC).date()
DAYS = [TODAY - timedelta(days=number) for number in range(1, 4)]
ORGANIZATION = "org-1"
PERSON = {"actor_type": "user_actor", "actor_user_id": "u1"}

Row = dict[str, Any]
Rows = list[Row]
Lake = dict[str, Rows]
Ask = Callable[[Lake, str], list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    """Asks a statement of a lake of these rows, by table."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        create_catalog(connection, CATALOG)

        def ask(lake: Lake, sql: str) -> list[tuple[Any, ...]]:
            connection.begin()
            try:
                for table, rows in lake.items():
                    for row in rows:
                        insert(connection, table, row)
                (translated,) = sqlglot.transpile(sql, read="trino", write="duckdb")
                return connection.execute(translated).fetchall()
            finally:
                connection.rollback()

        yield ask


def insert(connection: duckdb.DuckDBPyConnection, table: str, row: Row) -> None:
    row = {"date": DAYS[0], "organization_id": ORGANIZATION} | row
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(row.values()))


# --- random lakes

workspace_ids = st.sampled_from(["w-default", "w1", "w2", "gone"])
organizations = st.sampled_from([ORGANIZATION, ORGANIZATION, "org-2", None])
days = st.sampled_from(DAYS)
actors = st.sampled_from(
    [
        {},
        PERSON | {"actor_email_address": "Ada@Example.com", "actor_name": "Ada"},
        {"actor_type": "user_actor", "actor_user_id": "u2", "actor_name": "Deleted User"},
        {"actor_type": "service_account_actor", "actor_service_account_id": "svac_1"},
        {"actor_type": "api_actor", "actor_api_key_id": "k1"},
        {"actor_type": "api_actor", "actor_api_key_id": "k2"},
        {"actor_type": "federated_actor", "actor_federated_subject": "repo:a"},
        {"actor_type": "federated_actor", "actor_provider": '{"type":"oidc"}'},
        {"actor_type": "federated_actor"},
    ]
)


@st.composite
def amounts(draw: st.DrawFn, *fields: str) -> Row:
    """Return amounts in one currency, in cents and in dollars; some are negative."""
    currency = draw(st.sampled_from(["USD", "USD", "USD", "EUR", None]))
    money: Row = {"currency": currency}
    for field in fields:
        cents = draw(st.decimals(-(10**7), 10**7, places=draw(st.integers(0, 10))))
        money[f"{field}_cents"] = cents
        money[f"{field}_usd"] = cents / 100 if currency == "USD" else None
    return money


@st.composite
def analytics_rows(draw: st.DrawFn) -> Row:
    """Return a row of analytics_cost; what is not grouped by, is null."""
    return {
        "date": draw(days),
        "organization_id": draw(organizations),
        "workspace_id": draw(st.none() | workspace_ids),
        "api_key_id": draw(st.sampled_from(["k1", None])),
        "model": draw(st.sampled_from(["m1", None])),
        "product": draw(st.sampled_from(["messages_api", "chat", None])),
        "cost_type": draw(st.sampled_from(["tokens", "web_search"])),
        "token_type": draw(st.sampled_from(["output_tokens", None])),
        **draw(actors),
        **draw(amounts("amount", "list_amount")),
    }


LONG_AGO = datetime(2025, 1, 1)  # noqa: DTZ001  catalogs keep UTC
RESEARCH = {"id": "w1", "name": "Research", "created_at": LONG_AGO}
DEFAULT = {"id": "w-default", "name": "Default", "created_at": LONG_AGO}
NAMESAKE = {"id": "w1", "name": "Default", "created_at": LONG_AGO + timedelta(days=1)}

snapshots: st.SearchStrategy[Lake] = st.fixed_dictionaries(
    {
        "workspaces": st.sampled_from(
            [[], [RESEARCH], [DEFAULT, NAMESAKE] * 2, [DEFAULT | {"organization_id": None}]]
        ),
        "api_keys": st.sampled_from([[], [{"id": "k1", "name": "CI"}] * 2]),
    }
)


@given(snapshots, st.lists(analytics_rows(), max_size=12))
def test_the_cost_of_all_actors_is_the_vendors_to_the_last_digit(
    ask: Ask, lake: Lake, rows: Rows
) -> None:
    lake = {**lake, "analytics_cost": rows}
    key = "date, organization_id, workspace_id, model, product, cost_type, token_type, currency"
    expected: dict[tuple[Any, ...], list[Decimal | None]] = {}
    for row in rows:
        group = tuple(row[name] for name in key.split(", "))
        sums = expected.setdefault(group, [None, None])
        for number, name in enumerate(("amount_usd", "list_amount_usd")):
            if row[name] is not None:
                sums[number] = (sums[number] or Decimal()) + row[name]
    found = ask(
        lake, f"SELECT {key}, sum(cost_usd), sum(list_cost_usd) FROM cost_by_actor GROUP BY {key}"
    )
    assert {row[:-2]: list(row[-2:]) for row in found} == expected


@given(snapshots, st.lists(analytics_rows(), max_size=12))
def test_no_actor_has_two_rows_of_one_kind_of_cost(ask: Ask, lake: Lake, rows: Rows) -> None:
    lake = {**lake, "analytics_cost": rows * 2}
    key = (
        "date, organization_id, actor_type, actor_id, api_key_id, workspace_id, model, product, "
        "cost_type, token_type, currency"
    )
    repeated = f"SELECT {key} FROM cost_by_actor GROUP BY {key} HAVING count(*) > 1"
    assert ask(lake, repeated) == []


# --- who an actor is


def cost_of(row: Row, usd: str = "1") -> Row:
    return {"currency": "USD", "amount_usd": Decimal(usd), **row}


@pytest.mark.parametrize(
    ("actor", "id_", "name"),
    [
        (PERSON | {"actor_email_address": "Ada@Example.com"}, "u1", "ada@example.com"),
        (PERSON | {"actor_name": "Deleted User"}, "u1", "Deleted User"),
        (PERSON, "u1", "u1"),
        ({"actor_type": "api_actor", "actor_api_key_id": "k1"}, "k1", "CI"),
        ({"actor_type": "api_actor", "actor_api_key_id": "k2"}, "k2", "k2"),
        (
            {"actor_type": "service_account_actor", "actor_service_account_id": "svac_1"},
            "svac_1",
            "svac_1",
        ),
        (
            {"actor_type": "federated_actor", "actor_federated_subject": "repo:a"},
            "repo:a",
            "repo:a",
        ),
        (
            {"actor_type": "federated_actor", "actor_provider": '{"type":"oidc"}'},
            '{"type":"oidc"}',
            '{"type":"oidc"}',
        ),
        ({"actor_type": "user_actor"}, None, None),
        ({}, None, None),
    ],
)
def test_an_actor_has_an_identifier_and_a_name(actor: Row, id_: str, name: str, ask: Ask) -> None:
    lake = {"analytics_cost": [cost_of(actor)], "api_keys": [{"id": "k1", "name": "CI"}]}
    found = ask(lake, "SELECT actor_type, actor_id, actor_name FROM cost_by_actor")
    assert found == [(actor.get("actor_type"), id_, name)]


def test_what_nobody_spent_stays_a_row_of_its_own(ask: Ask) -> None:
    lake = {"analytics_cost": [cost_of(PERSON), cost_of({}, "2"), cost_of({}, "4")]}
    found = ask(lake, "SELECT actor_id, cost_usd FROM cost_by_actor ORDER BY cost_usd")
    assert found == [("u1", 1), (None, 6)]


def test_the_hours_of_a_day_add_up_for_a_person(ask: Ask) -> None:
    hours = [cost_of({**PERSON, "bucket_width": "1h"}, "0.000000000001")] * 24
    found = ask({"analytics_cost": hours}, "SELECT actor_id, cost_usd FROM cost_by_actor")
    assert found == [("u1", Decimal("0.000000000024"))]


def test_use_of_claude_enterprise_is_not_the_default_workspaces(ask: Ask) -> None:
    lake = {
        "workspaces": [{"id": "w-default", "name": "Default"}],
        "analytics_cost": [cost_of({"workspace_id": id_}) for id_ in ("w-default", "w1", None)],
    }
    found = ask(lake, "SELECT workspace_id, workspace_name FROM cost_by_actor ORDER BY 1")
    assert found == [("w-default", "Default"), ("w1", "w1"), (None, None)]


def test_a_cost_in_another_currency_is_a_row_of_its_own(ask: Ask) -> None:
    euros = PERSON | {"currency": "EUR", "amount_cents": Decimal(100)}
    lake = {"analytics_cost": [cost_of(PERSON), euros]}
    found = ask(lake, "SELECT actor_id, cost_usd, currency FROM cost_by_actor ORDER BY currency")
    assert found == [("u1", None, "EUR"), ("u1", 1, "USD")]
