"""Who spent it, and whether the reports agree: on random lakes, and in simulated worlds.

python -m tests.infra.test_reconciliation    rewrites the results in docs/reconciliation.md
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from operator import mul
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st

from anthropic_lake.query.catalog import CATALOG
from infra.generate.view_columns import create_catalog
from tests.contract.lab import TODAY as LAB_TODAY
from tests.contract.lab import Lab
from tests.lakes import build_lake
from tests.ledger import entry
from tests.query.conftest import stored
from tests.query.cookbook import ROOT, _table, answer
from tests.simulator import AdminApiServer, Organization
from tests.simulator.analytics import Pricing
from tests.simulator.analytics_endpoints import Analytics
from tests.simulator.attribution import Use
from tests.simulator.usage import UNBILLED_TIERS

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


near_a_cent = st.sampled_from([Decimal(text) for text in ("0", "1", "1.0000000001", "-1", "2")])


@st.composite
def amounts(draw: st.DrawFn, *fields: str) -> Row:
    """Return amounts in one currency, in cents and in dollars; some are negative."""
    currency = draw(st.sampled_from(["USD", "USD", "USD", "EUR", None]))
    money: Row = {"currency": currency}
    for field in fields:
        cents = draw(near_a_cent | st.decimals(-(10**7), 10**7, places=10))
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


@settings(max_examples=15)
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


@settings(max_examples=15)
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


# --- whether the reports agree, on random lakes

FIGURES = (
    "cost_report_usd",
    "analytics_usd",
    "analytics_list_usd",
    "allocated_usd",
    "claude_code_estimate_usd",
)
BY_WORKSPACE = "actor,cost_type,token_type,workspace_id"
USD = ("usd", "list_usd")

Group = tuple[date, str | None, str | None]


@st.composite
def cost_rows(draw: st.DrawFn) -> Row:
    """Return a row of cost_report, which has null for the default workspace."""
    return {
        "date": draw(days),
        "organization_id": draw(organizations),
        "workspace_id": draw(st.sampled_from(["w1", "w2", "gone", None])),
        **draw(amounts("amount")),
    }


@st.composite
def estimates(draw: st.DrawFn) -> Row:
    """Return a record of Claude Code."""
    money = draw(amounts("amount"))
    return {
        "date": draw(days),
        "organization_id": draw(organizations),
        "estimated_cost_amount_usd": money["amount_usd"],
    }


owners: st.SearchStrategy[list[str | None]] = st.sampled_from(
    [[ORGANIZATION], [None], [ORGANIZATION, "org-2"]]
)
groupings = st.sampled_from([BY_WORKSPACE] * 3 + ["actor", "rbac_group_id,workspace_id"])


@st.composite
def ledgers(draw: st.DrawFn) -> Rows:
    """Return what was read of each day: not all of it, and grouped in one way or another."""
    entries = []
    for organization in draw(owners):
        for asset in ("cost_report", "analytics_cost", "claude_code_usage"):
            for day in draw(st.sets(days)) if draw(st.booleans()) else DAYS:
                row = entry(
                    asset,
                    day,
                    organization_id=organization,
                    is_final=draw(st.integers(0, 4)) > 0,
                    grouped_by=draw(groupings),
                )
                entries.append({**row, "date": day.replace(day=1)})
    return entries


def reconciled(lake: Lake) -> dict[Group, tuple[Any, ...]]:
    """Return the figures, the difference and the explanation of each group, worked out by hand."""
    owners = {row["organization_id"] for row in lake["sync_days"]} - {None}
    own = owners.pop() if len(owners) == 1 else None

    def owner(row: Row) -> str | None:
        return row.get("organization_id", ORGANIZATION) or own

    defaults = {owner(row): "w-default" for row in lake["workspaces"] if row["name"] == "Default"}
    billed = {(row["date"], row["workspace_id"]) for row in lake["cost_report"]}
    sums: dict[Group, dict[str, Decimal]] = {}

    def add(row: Row, workspace_id: str | None, **figures: Decimal | None) -> None:
        if None not in figures.values():
            group = sums.setdefault((row["date"], owner(row), workspace_id), {})
            for name, usd in figures.items():
                group[name] = group.get(name, Decimal()) + (usd or 0)

    for row in lake["cost_report"]:
        named = row["workspace_id"] or defaults.get(owner(row))
        add(row, named, cost_report_usd=row["amount_usd"])
    for row in lake["analytics_cost"]:
        is_known = owner(row) in defaults or (row["date"], row["workspace_id"]) in billed
        figures = {f"analytics_{name}": row[name.replace("usd", "amount_usd")] for name in USD}
        add(row, row["workspace_id"] if is_known else None, **figures)
    for row in lake["claude_code_usage"]:
        add(row, None, claude_code_estimate_usd=row["estimated_cost_amount_usd"])

    def explained(group: Group, figures: dict[str, Decimal]) -> tuple[Any, ...]:
        day, organization, _ = group
        entries = [row for row in lake["sync_days"] if owner(row) == organization]
        return explanation(day, figures, entries)

    return {
        group: (*map(figures.get, FIGURES), *explained(group, figures))
        for group, figures in sums.items()
    }


def explanation(
    day: date, figures: dict[str, Decimal], entries: Rows
) -> tuple[Decimal | None, str]:
    """Return the difference and the explanation of one group."""
    compared = [figures[name] for name in ("analytics_usd", "cost_report_usd") if name in figures]
    difference = figures.get("analytics_usd", Decimal()) - figures.get("cost_report_usd", 0)
    analytics = [row for row in entries if row["asset"] == "analytics_cost"]
    if "analytics_usd" not in figures and not any(row["day"] <= day for row in analytics):
        return None, "not offered"
    final = {row["asset"] for row in entries if row["day"] == day and row["is_final"]}
    if not {"analytics_cost", "cost_report"} <= final:
        return difference if compared else None, "open"
    groupings = {row["grouped_by"] for row in analytics if row["day"] == day}
    if not compared or groupings != {BY_WORKSPACE}:
        return None, "grouping"
    return difference, "equal" if abs(difference) <= Decimal("0.01") else "unexplained"


@settings(max_examples=30)
@given(
    snapshots,
    st.lists(cost_rows(), max_size=8),
    st.lists(analytics_rows(), max_size=8),
    st.lists(estimates(), max_size=3),
    ledgers(),
)
def test_each_day_organization_and_workspace_is_one_row_that_is_explained(
    ask: Ask, lake: Lake, costs: Rows, analytics: Rows, claude_code: Rows, ledger: Rows
) -> None:
    lake = lake | {"cost_report": costs, "analytics_cost": analytics}
    lake |= {"claude_code_usage": claude_code, "sync_days": ledger}
    columns = ", ".join(FIGURES)
    sql = f"SELECT date, organization_id, workspace_id, {columns}, difference_usd, explanation"
    found = ask(lake, f"{sql} FROM cost_reconciliation")
    assert {row[:3]: row[3:] for row in found} == reconciled(lake)
    assert len(found) == len({row[:3] for row in found})


# --- whether they agree, in simulated worlds

ASSETS = ("workspaces", "usage_report", "cost_report", "analytics_cost", "claude_code_usage")
START = LAB_TODAY - timedelta(days=4)


class World:
    """A lake of five days, the last one open, read from a simulated organization."""

    def __init__(self, folder: Path) -> None:
        self.organization = Organization.invent(seed=3, today=LAB_TODAY, days=5)
        self._folder = folder
        self._days = [START + timedelta(days=number) for number in range(4)]

    def sync(self, analytics: Analytics | None = None, **environment: str) -> None:
        with AdminApiServer(self.organization, analytics=analytics) as api:
            lab = Lab(api, self._folder, environment=environment)
            for asset in ASSETS:
                lab.run(asset)

    def sync_without_analytics(self) -> None:
        with AdminApiServer(self.organization, not_offered={"analytics": 404}) as api:
            lab = Lab(api, self._folder)
            for asset in ("workspaces", "cost_report", "analytics_cost"):
                lab.run(asset)

    def rows(self, where: str = "workspace_id IS NOT NULL AND explanation <> 'open'") -> Rows:
        """Return rows of the view: by default those that compare, of days that are final."""
        sql = f"SELECT * FROM cost_reconciliation WHERE {where} ORDER BY date, workspace_id"
        found = self.ask(sql)
        assert found
        return found

    def ask(self, sql: str) -> Rows:
        found: Rows = answer(sql, stored(self._folder)).to_pylist()
        return found

    def usd(
        self, is_counted: Callable[[Use], bool], *, enterprise: bool = False
    ) -> dict[tuple[date, str | None], Decimal]:
        """Return what tokens cost at list price, by day and workspace."""
        sums: dict[tuple[date, str | None], Decimal] = {}
        for day in self._days:
            for use in self.organization.uses(day, enterprise=enterprise):
                if is_counted(use):
                    cents = sum(map(mul, use.counts, use.prices), Decimal())
                    group = (day, use.workspace_id)
                    sums[group] = sums.get(group, Decimal()) + cents / 100
        return {group: usd for group, usd in sums.items() if usd}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "lake")


def explanations(rows: Rows) -> set[str]:
    return {row["explanation"] for row in rows}


def test_without_discounts_the_reports_are_equal(world: World) -> None:
    world.sync()
    rows = world.rows()
    assert explanations(rows) == {"equal"}
    assert len({row["workspace_id"] for row in rows}) > 3
    assert {row["difference_usd"] for row in rows} == {0}


def test_the_day_that_is_not_over_is_open(world: World) -> None:
    world.sync()
    assert explanations(world.rows(f"date = DATE '{LAB_TODAY}'")) == {"open"}


def test_a_discount_is_the_difference_of_amount_and_list_amount(world: World) -> None:
    world.sync(Analytics(Pricing(discount=Decimal("0.1"))))
    rows = world.rows()
    assert "unexplained" in explanations(rows)
    for row in rows:
        paid, at_list = row["analytics_usd"], row["analytics_list_usd"]
        assert row["cost_report_usd"] == at_list
        assert row["difference_usd"] == paid - at_list <= 0


def test_priority_tier_is_what_the_cost_report_leaves_out(world: World) -> None:
    world.sync(Analytics(Pricing(has_priority=True)))
    found = {(row["date"], row["workspace_id"]): row["difference_usd"] for row in world.rows()}
    priority = world.usd(lambda use: use.service_tier in UNBILLED_TIERS)
    assert priority
    assert {group: usd for group, usd in found.items() if usd} == priority


def test_use_of_claude_enterprise_is_in_the_row_of_no_workspace(world: World) -> None:
    world.sync(Analytics(has_enterprise=True))
    assert explanations(world.rows()) == {"equal"}
    rows = world.rows("workspace_id IS NULL AND explanation = 'unexplained'")
    found = {(row["date"], row["workspace_id"]): row["difference_usd"] for row in rows}
    assert found == world.usd(lambda use: use.workspace_id is None, enterprise=True)
    assert {row["cost_report_usd"] for row in rows} == {None}


def test_without_the_reports_by_person_there_is_nothing_to_compare(world: World) -> None:
    world.sync_without_analytics()
    rows = world.rows("true")
    assert explanations(rows) == {"not offered"}
    assert {row["difference_usd"] for row in rows} == {None}
    assert all(row["cost_report_usd"] for row in rows)


@pytest.mark.parametrize("group_by", ["actor,model", "workspace_id,rbac_group_id"])
def test_groupings_that_cannot_be_compared_are_named(world: World, group_by: str) -> None:
    world.sync(ANALYTICS_GROUP_BY=group_by)
    rows = world.rows("explanation <> 'open'")
    assert explanations(rows) == {"grouping"}
    assert {row["difference_usd"] for row in rows} == {None}


def test_hours_are_compared_as_days(world: World) -> None:
    world.sync(ANALYTICS_BUCKET_WIDTH="1h")
    assert explanations(world.rows()) == {"equal"}


def test_a_default_workspace_that_no_list_names_is_the_row_of_no_workspace(world: World) -> None:
    organization = world.organization
    default = organization.default_workspace_id
    organization.workspaces[:] = [each for each in organization.workspaces if each["id"] != default]
    world.sync()
    rows = world.rows("explanation <> 'open' AND cost_report_usd IS NOT NULL")
    assert explanations(rows) == {"equal"}
    assert None in {row["workspace_id"] for row in rows}
    assert default not in {row["workspace_id"] for row in rows}


def test_what_is_allocated_is_what_the_keys_cost(world: World) -> None:
    world.sync()
    by_key = world.ask(
        "SELECT date, workspace_id, sum(cost_usd) AS allocated_usd FROM cost_by_api_key "
        "WHERE method = 'tokens' GROUP BY date, workspace_id"
    )
    expected = {(row["date"], row["workspace_id"]): row["allocated_usd"] for row in by_key}
    rows = world.rows("true")
    found = {(row["date"], row["workspace_id"]): row["allocated_usd"] for row in rows}
    assert {group: usd for group, usd in found.items() if usd is not None} == expected
    assert expected


def test_the_estimate_of_claude_code_stands_once_a_day(world: World) -> None:
    world.sync()
    rows = world.rows("claude_code_estimate_usd IS NOT NULL")
    estimates = world.ask(
        "SELECT date, sum(estimated_cost_amount_usd) AS usd FROM claude_code_usage GROUP BY date"
    )
    assert {row["workspace_id"] for row in rows} == {None}
    assert {row["date"]: row["claude_code_estimate_usd"] for row in rows} == {
        row["date"]: row["usd"] for row in estimates if row["usd"] is not None
    }


# --- the page

PAGE = ROOT / "docs" / "reconciliation.md"
_ANSWERED = re.compile(r"```sql\n(?P<sql>.*?)```\n\n(?P<table>(?:\|[^\n]*\n)+)", re.DOTALL)


def rendered(text: str, folder: Path) -> str:
    """Return the page with the result of each statement below it."""
    lake = stored(folder)

    def section(block: re.Match[str]) -> str:
        result = "\n".join(_table(answer(block["sql"], lake)))
        return f"```sql\n{block['sql']}```\n\n{result}\n"

    return _ANSWERED.sub(section, text)


def test_the_page_has_the_figures_of_the_demo_lake(tmp_path: Path) -> None:
    build_lake(tmp_path / "lake")
    text = PAGE.read_text(encoding="utf-8")
    assert text.count("```sql") == len(_ANSWERED.findall(text))
    assert rendered(text, tmp_path / "lake") == text, (
        "run `python -m tests.infra.test_reconciliation`"
    )


def main() -> None:
    with TemporaryDirectory() as name:
        folder = Path(name) / "lake"
        build_lake(folder)
        text = rendered(PAGE.read_text(encoding="utf-8"), folder)
        PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
