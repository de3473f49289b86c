"""What the saved questions answer, on lakes of rows made for the case."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from anthropic_lake.lake.layout import object_key
from anthropic_lake.lake.local import LocalLake
from anthropic_lake.lake.objects import ANYTHING, put_rows
from anthropic_lake.query.catalog import TABLES, saved_query
from tests.lakes import TODAY
from tests.ledger import entry, write_ledger
from tests.query.conftest import stored
from tests.query.cookbook import answer, statement

YESTERDAY = TODAY - timedelta(days=1)
LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)
KEY_AND_WORKSPACE = "api_key_id,workspace_id"
FULL = "api_key_id,context_window,model,service_tier,workspace_id"

Row = dict[str, Any]
Asked = Callable[[str], list[Row]]


@pytest.fixture
def rows() -> dict[str, list[Row]]:
    """The rows of the lake by table; a row's day is yesterday unless it says another."""
    return defaultdict(list)


@pytest.fixture
def asked(rows: dict[str, list[Row]], tmp_path: Path) -> Asked:
    """Asks a saved question, or a statement, of a lake of these rows."""

    def ask(question: str) -> list[Row]:
        for table in TABLES:
            days: dict[date, list[Row]] = defaultdict(list)
            for row in rows.get(table.name, []):
                days[row.get("date", YESTERDAY)].append(row)
            for day, of_day in days.items():
                content = pa.Table.from_pylist(of_day, schema=table.schema)
                key = object_key(table.name, day)
                put_rows(LocalLake(tmp_path), table, key, content, {}, replaces=ANYTHING)
        sql = question if " " in question else statement(question)
        found: list[Row] = answer(sql, stored(tmp_path)).to_pylist()
        return found

    return ask


def only(found: list[Row], *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(row[column] for column in columns) for row in found]


# --- workspaces of one name


@pytest.fixture
def namesakes(rows: dict[str, list[Row]]) -> None:
    """Two workspaces called Research, with a key called CI each, the first twice as dear."""
    for number, cents in (("1", 200), ("2", 100)):
        names = {"workspace_id": f"w{number}", "api_key_id": f"k{number}"}
        archived = datetime.combine(YESTERDAY, time(), UTC)
        rows["workspaces"].append({"id": f"w{number}", "name": "Research", "archived_at": archived})
        rows["api_keys"].append({"id": f"k{number}", "name": "CI"})
        rows["cost_report"].append(
            {
                "workspace_id": f"w{number}",
                "currency": "USD",
                "amount_cents": Decimal(cents),
                "amount_usd": Decimal(cents) / 100,
            }
        )
        usage = {"model": "m", "uncached_input_tokens": cents, "output_tokens": 1}
        rows["usage_report"].append({"grouped_by": KEY_AND_WORKSPACE, **names, **usage})
        for tokens in ("cache_read_input_tokens", "cache_creation_ephemeral_5m_input_tokens"):
            rows["usage_report"][-1][tokens] = 0
        rows["usage_report"][-1]["cache_creation_ephemeral_1h_input_tokens"] = 0


@pytest.mark.usefixtures("namesakes")
@pytest.mark.parametrize(
    ("question", "figure", "expected"),
    [
        ("spend_by_workspace", "this_month_usd", [2, 1]),
        ("archived_workspaces", "usd", [2, 1]),
        ("cache_hit_ratio", "input_tokens", [200, 100]),
        ("tokens_by_api_key", "input_tokens", [200, 100]),
    ],
)
def test_workspaces_of_one_name_stay_apart(
    question: str, figure: str, expected: list[int], asked: Asked
) -> None:
    found = only(asked(question), "workspace_name", "workspace_id", figure)
    assert found == [("Research", "w1", expected[0]), ("Research", "w2", expected[1])]


def test_unused_keys_say_whose_they_are(rows: dict[str, list[Row]], asked: Asked) -> None:
    for number in ("1", "2"):
        rows["workspaces"].append({"id": f"w{number}", "name": "Research"})
        key = {"id": f"k{number}", "name": "CI", "status": "active", "created_at": LONG_AGO}
        rows["api_keys"].append({**key, "scope_workspace_id": f"w{number}"})
    found = only(asked("unused_api_keys"), "api_key_name", "api_key_id", "workspace_id")
    assert found == [("CI", "k1", "w1"), ("CI", "k2", "w2")]


# --- addresses


def test_who_is_active_is_active_however_the_address_is_written(
    rows: dict[str, list[Row]], asked: Asked
) -> None:
    for id_, email in (("u1", "Ada@Example.com"), ("u2", "Bob@Example.com")):
        rows["users"].append({"id": id_, "email": email, "added_at": LONG_AGO})
    for address in ("ada@example.com", "ADA@EXAMPLE.COM"):
        rows["claude_code_usage"].append(
            {"actor_email_address": address, "core_metrics_num_sessions": 1}
        )
    assert only(asked("inactive_users"), "email") == [("Bob@Example.com",)]
    assert only(asked("claude_code_people"), "person", "sessions") == [("ada@example.com", 2)]
    assert only(asked("claude_code_weeks"), "people") == [(1,)]


# --- currencies


@pytest.mark.parametrize("currency", ["EUR", "usd", None])
@pytest.mark.parametrize(
    ("question", "figure"),
    [
        ("spend_by_workspace", "this_month_usd"),
        ("spend_by_model", "cost_usd"),
        ("archived_workspaces", "usd"),
        ("month_to_date", "spent_usd"),
    ],
)
def test_what_is_not_in_dollars_is_counted_and_named(
    question: str, figure: str, currency: str | None, rows: dict[str, list[Row]], asked: Asked
) -> None:
    rows["workspaces"].append({"id": "w1", "name": "Research", "archived_at": LONG_AGO})
    dollars = {"currency": "USD", "amount_usd": Decimal(1)}
    for money in (dollars, {"currency": currency}):
        rows["cost_report"].append(
            {"workspace_id": "w1", "model": "m", "amount_cents": Decimal(100), **money}
        )
    columns = (figure, "costs_in_other_currencies", "other_currency")
    assert only(asked(question), *columns) == [(1, 1, currency)]
    by_currency = asked("SELECT currency, sum(cost) AS cost FROM cost_daily GROUP BY currency")
    assert dict(only(by_currency, "currency", "cost")) == {currency: 1, "USD": 1}


@pytest.mark.parametrize("question", ["claude_code_people", "claude_code_pull_requests"])
def test_estimates_that_are_not_in_dollars_are_counted_and_named(
    question: str, rows: dict[str, list[Row]], asked: Asked
) -> None:
    dollars = {"estimated_cost_currency": "USD", "estimated_cost_amount_usd": Decimal(1)}
    for money in (dollars, {"estimated_cost_currency": "EUR"}):
        rows["claude_code_usage"].append(
            {
                "actor_email_address": "ada@example.com",
                "estimated_cost_amount_cents": Decimal(100),
                **money,
            }
        )
    columns = ("estimated_cost_usd", "estimates_in_other_currencies", "other_currency")
    assert only(asked(question), *columns) == [(1, 1, "EUR")]


# --- several organizations


def test_each_organization_has_its_own_month(rows: dict[str, list[Row]], asked: Asked) -> None:
    for organization, usd in (("o1", 2), ("o2", 3)):
        cost = {"organization_id": organization, "currency": "USD", "amount_usd": Decimal(usd)}
        rows["cost_report"].append({"amount_cents": Decimal(100 * usd), **cost})
    found = only(asked("month_to_date"), "organization_id", "spent_usd", "budget_usd")
    assert found == [("o2", 3, 10000), ("o1", 2, 10000)]


# --- people who are gone, and who do nothing


def test_a_leaver_is_a_person_who_is_not_listed_any_more(
    rows: dict[str, list[Row]], asked: Asked
) -> None:
    before = YESTERDAY - timedelta(days=1)
    rows["users"] = [
        {"id": "u1", "email": "Ada@Example.com", "date": before},
        {"id": "u2", "email": "bob@example.com", "date": before},
        {"id": "u2", "email": "bob@example.com"},
    ]
    creators = [
        ("u1", "user"),
        ("u2", "user"),
        ("u3", None),
        ("s1", "service_account"),
        (None, None),
    ]
    for number, (creator, kind) in enumerate(creators):
        for status in ("active", "inactive", "archived", "expired"):
            key = {"id": f"{status}{number}", "name": "CI", "status": status}
            rows["api_keys"].append({**key, "created_by_id": creator, "created_by_type": kind})
    found = only(asked("leavers_with_active_key"), "left_by", "last_listed", "api_key_id")
    assert sorted(found, key=str) == [
        ("ada@example.com", before, "active0"),
        ("u3", None, "active2"),
    ]


def test_an_idle_seat_is_one_that_was_long_enough_without_use(
    rows: dict[str, list[Row]], asked: Asked
) -> None:
    lately = datetime.combine(YESTERDAY, time(), UTC)
    people = [
        ("ada", "claude_code_user", LONG_AGO),
        ("bob", "claude_code_user", LONG_AGO),
        ("cleo", "claude_code_user", lately),
        ("dan", "developer", LONG_AGO),
        ("eve", "claude_code_user", LONG_AGO),
    ]
    for name, role, added_at in people:
        user = {"id": name, "email": f"{name}@example.com", "role": role, "added_at": added_at}
        rows["users"].append(user)
    for name, day in (("Ada", YESTERDAY), ("Eve", TODAY - timedelta(days=40))):
        record = {"actor_email_address": f"{name}@Example.com", "core_metrics_num_sessions": 1}
        rows["claude_code_usage"].append({**record, "date": day})
    idle = only(asked("idle_claude_code_seats"), "email")
    assert idle == [("bob@example.com",), ("eve@example.com",)]
    in_50_days = saved_query("idle_claude_code_seats").filled({"days": "50"})
    assert only(asked(in_50_days), "email") == [("bob@example.com",)]


# --- what no key can be named for


def test_unallocated_cost_has_a_cause_and_its_whole_sum(
    rows: dict[str, list[Row]], asked: Asked, tmp_path: Path
) -> None:
    groupings = {
        "no usage of the model in the workspace": FULL,
        "usage is not grouped by context window and service tier": KEY_AND_WORKSPACE + ",model",
        "usage is not grouped by API key, model and workspace": "model,workspace_id",
        "usage of the day was not read": None,
    }
    days = [YESTERDAY - timedelta(days=number) for number in range(len(groupings))]
    tokens = {"cost_type": "tokens", "token_type": "output_tokens", "model": "m"}
    for number, day in enumerate(days):
        rows["cost_report"].append(priced(Decimal(2**number), date=day, **tokens))
    rows["cost_report"] += [
        priced(Decimal(16), cost_type="web_search"),
        priced(Decimal(32), cost_type="code_execution"),
        priced(Decimal(64), **tokens) | {"currency": "EUR", "amount_usd": None},
        priced(Decimal(128), **tokens | {"model": "used"}),
    ]
    used = {"grouped_by": FULL, "api_key_id": "k1", "model": "used", "output_tokens": 1}
    rows["usage_report"].append(used)
    write_ledger(
        tmp_path,
        [
            entry("usage_report", day, grouped_by=grouping)
            for day, grouping in zip(days, groupings.values(), strict=True)
            if grouping
        ],
    )
    found = asked("unallocated_by_cause")
    assert {row["cause"]: row["cost_usd"] for row in found if row["cost_type"] == "tokens"} == {
        **{cause: 2**number for number, cause in enumerate(groupings)},
        "not in US dollars": None,
    }
    no_tokens = [row for row in found if row["cause"] == "has no tokens"]
    assert only(no_tokens, "cost_type", "cost_usd") == [("code_execution", 32), ("web_search", 16)]
    [total] = asked("SELECT sum(cost_usd) AS usd FROM cost_by_api_key WHERE method = 'unallocated'")
    assert sum(row["cost_usd"] or 0 for row in found) == total["usd"] == 63


def priced(usd: Decimal, **columns: object) -> Row:
    return {"amount_cents": 100 * usd, "amount_usd": usd, "currency": "USD", **columns}


# --- hours


def test_the_cost_of_a_day_is_split_over_its_hours(
    rows: dict[str, list[Row]], asked: Asked
) -> None:
    for hour, minute, model, tokens in (
        (3, 0, "m", 10),
        (3, 30, "m", 20),
        (4, 0, "m", 30),
        (4, 0, "n", 5),
    ):
        start = datetime.combine(YESTERDAY, time(hour, minute), UTC)
        buckets = {"starting_at": start, "bucket_width": "1m", "grouped_by": "model"}
        rows["usage_report"].append({**buckets, "model": model, "output_tokens": tokens})
    daily = {"starting_at": datetime.combine(YESTERDAY, time(), UTC), "bucket_width": "1d"}
    rows["usage_report"].append({**daily, "model": "m", "output_tokens": 1000})
    for usd, model in ((6, "m"), (1, "n"), (2, "unused")):
        cost = {"cost_type": "tokens", "token_type": "output_tokens", "model": model}
        rows["cost_report"].append(priced(Decimal(usd), **cost))
    rows["cost_report"].append(priced(Decimal(4), cost_type="web_search"))
    found = only(asked("tokens_by_hour"), "hour_start", "output_tokens", "estimated_cost_usd")
    assert [(start and start.hour, tokens, usd) for start, tokens, usd in found] == [
        (3, 30, 3.0),
        (4, 35, 4.0),
        (None, None, 6.0),
    ]


# --- the ledger


def test_a_restated_day_was_final_and_changed_lately(asked: Asked, tmp_path: Path) -> None:
    lately = datetime.combine(YESTERDAY, time(6, 30), UTC)
    changed = {"times_changed": 2, "last_changed_at": lately, "last_read_at": lately}
    days = {
        "restated": date(2026, 9, 3),
        "regrouped": date(2026, 11, 2),
        "open": YESTERDAY,
        "earlier": date(2026, 10, 2),
        "to_come": date(2026, 12, 24),
    }
    write_ledger(
        tmp_path,
        [
            entry("cost_report", days["restated"], **changed),
            entry("cost_report", days["regrouped"], **changed | {"times_changed": 0}),
            entry("cost_report", days["open"], **changed | {"times_changed": 0, "is_final": False}),
            entry(
                "cost_report",
                days["earlier"],
                **changed | {"last_changed_at": lately - timedelta(days=8)},
            ),
            entry("cost_report", days["to_come"], **changed),
            entry("usage_report", days["restated"], in_history=False, **changed),
        ],
    )
    assert only(asked("restated_days"), "asset", "date", "restated_at", "times_restated") == [
        ("cost_report", days["restated"], lately, 2),
        ("usage_report", days["restated"], lately, 2),
    ]


def test_incomplete_days_are_those_of_the_calendar(asked: Asked, tmp_path: Path) -> None:
    first = TODAY - timedelta(days=4)
    write_ledger(
        tmp_path,
        [
            entry("cost_report", date(2020, 3, 1), in_history=False),
            entry("cost_report", first),
            entry("cost_report", first + timedelta(days=2), is_final=False),
            entry("users", YESTERDAY),
        ],
    )
    assert only(asked("incomplete_days"), "asset", "status", "date") == [
        ("cost_report", "missing", first + timedelta(days=1)),
        ("cost_report", "open", first + timedelta(days=2)),
        ("cost_report", "missing", first + timedelta(days=3)),
    ]
