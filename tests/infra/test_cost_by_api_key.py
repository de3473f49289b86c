"""How the view cost_by_api_key splits cost, in DuckDB on rows made for the case and at random."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anthropic_lake.query.catalog import CATALOG
from infra.generate.view_columns import create_catalog
from tests.simulator import Organization

TODAY = datetime.now(UTC).date()
LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)
UNIT = Decimal("0.000000000001")
FULL = "api_key_id,context_window,model,service_tier,workspace_id"
COARSE = "api_key_id,model,workspace_id"
COUNTERS = {
    "uncached_input_tokens": "uncached_input_tokens",
    "cache_read_input_tokens": "cache_read_input_tokens",
    "cache_creation.ephemeral_5m_input_tokens": "cache_creation_ephemeral_5m_input_tokens",
    "cache_creation.ephemeral_1h_input_tokens": "cache_creation_ephemeral_1h_input_tokens",
    "output_tokens": "output_tokens",
}
Row = dict[str, Any]


@dataclass(frozen=True)
class Lake:
    """Tables in memory with the views over them."""

    connection: duckdb.DuckDBPyConnection

    def add(self, table: str, **row: object) -> None:
        row = {"date": TODAY, "organization_id": "org-1"} | row
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        self.connection.execute(
            f"INSERT INTO {table} ({names}) VALUES ({marks})", list(row.values())
        )

    def charge(self, usd: object, **row: object) -> None:
        """Add a row of the cost report; by default for output tokens in one slice."""
        amount = Decimal(str(usd))
        money = {"amount_usd": amount, "amount_cents": amount * 100, "currency": "USD"}
        words = {"cost_type": "tokens", "token_type": "output_tokens"}
        self.add("cost_report", **SLICE | money | words | row)

    def use(self, key: str | None, tokens: int, **row: object) -> None:
        """Add a row of the usage report; by default output tokens in the same slice."""
        used = {"api_key_id": key, "output_tokens": tokens, "grouped_by": FULL}
        self.add("usage_report", **SLICE | used | row)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql).fetchall()

    def split(self, *columns: str) -> list[tuple[Any, ...]]:
        """The view's rows, in the order of these columns."""
        return self.ask(f"SELECT {', '.join(columns)} FROM cost_by_api_key ORDER BY ALL")

    def clear(self) -> None:
        for table in ("cost_report", "usage_report"):
            self.connection.execute(f"DELETE FROM {table}")


SLICE = {
    "workspace_id": "w1",
    "model": "m",
    "service_tier": "standard",
    "context_window": "0-200k",
}


@pytest.fixture
def lake() -> Iterator[Lake]:
    with duckdb.connect() as connection:
        create_catalog(connection, CATALOG)
        yield Lake(connection)


# --- shares


def test_cost_is_split_by_the_tokens_of_the_keys(lake: Lake) -> None:
    lake.charge(3)
    lake.use("k1", 100)
    lake.use("k2", 200)
    assert lake.split("api_key_id", "tokens", "cost_usd", "method") == [
        ("k1", 100, 1, "tokens"),
        ("k2", 200, 2, "tokens"),
    ]


def test_the_largest_share_takes_what_remains(lake: Lake) -> None:
    lake.charge(1)
    for key, tokens in (("k1", 2), ("k2", 3), ("k3", 2)):
        lake.use(key, tokens)
    small = Decimal("0.285714285714")  # 2 / 7, rounded down
    rows = lake.split("api_key_id", "cost_usd")
    assert rows == [("k1", small), ("k2", 1 - 2 * small), ("k3", small)]


def test_of_equal_shares_the_first_key_takes_what_remains(lake: Lake) -> None:
    lake.charge("0.000000000002")
    for key in ("k3", "k1", "k2"):
        lake.use(key, 5)
    assert lake.split("api_key_id", "cost_usd") == [("k1", 2 * UNIT), ("k2", 0), ("k3", 0)]


def test_at_one_price_each_key_pays_exactly_that(lake: Lake) -> None:
    price = Decimal("0.00000375")
    tokens = {"k1": 1, "k2": 3_333_333_333, "k3": 77_777}
    lake.charge(price * sum(tokens.values()))
    for key, count in tokens.items():
        lake.use(key, count)
    assert dict(lake.split("api_key_id", "cost_usd")) == {
        key: price * count for key, count in tokens.items()
    }


def test_a_refund_is_split_as_well(lake: Lake) -> None:
    lake.charge(5)
    lake.charge(-6, description="Refund")
    lake.use("k1", 1)
    lake.use("k2", 2)
    shares = dict(lake.split("api_key_id", "cost_usd"))
    assert shares == {"k1": Decimal("-0.333333333334"), "k2": Decimal("-0.666666666666")}


def test_hours_and_rows_of_a_key_are_one_share(lake: Lake) -> None:
    lake.charge(3)
    for hour in range(3):
        lake.use("k1", 10, bucket_width="1h", starting_at=datetime(2026, 1, 1, hour, tzinfo=UTC))
    assert lake.split("api_key_id", "tokens", "cost_usd") == [("k1", 30, 3)]


# --- slices


def test_each_token_type_has_its_own_tokens(lake: Lake) -> None:
    for number, (token_type, counter) in enumerate(COUNTERS.items(), 1):
        lake.charge(number, token_type=token_type)
        lake.use(f"k{number}", 0, **{counter: number})
    rows = lake.split("api_key_id", "token_type", "tokens", "cost_usd")
    expected = [(f"k{number}", name, number, number) for number, name in enumerate(COUNTERS, 1)]
    assert rows == expected


@pytest.mark.parametrize("dimension", [*SLICE, "date", "organization_id"])
def test_tokens_of_another_slice_do_not_count(dimension: str, lake: Lake) -> None:
    lake.charge(1)
    lake.use("k1", 1)
    other = TODAY - timedelta(days=1) if dimension == "date" else "other"
    lake.use("k2", 1, **{dimension: other})
    assert lake.split("api_key_id", "cost_usd") == [("k1", 1)]


@pytest.mark.parametrize("dimension", ["service_tier", "context_window"])
def test_a_cost_that_names_no_tier_or_window_is_split_over_all_of_them(
    dimension: str, lake: Lake
) -> None:
    lake.charge(2)
    lake.charge(8, **{dimension: None})
    lake.use("k1", 1)
    lake.use("k2", 3, **{dimension: "other"})
    rows = lake.split("api_key_id", "tokens", "cost_usd")
    assert rows == [("k1", 1, 4), ("k2", 3, 6)]  # tokens count once


def test_tokens_count_once_when_neither_tier_nor_window_is_named(lake: Lake) -> None:
    for tier in ("standard", None):
        for window in ("0-200k", None):
            lake.charge(1, service_tier=tier, context_window=window)
    lake.use("k1", 7)
    assert lake.split("tokens", "cost_usd") == [(7, 4)]


def test_tiers_and_windows_of_a_key_are_one_row(lake: Lake) -> None:
    for tier in ("standard", "batch"):
        for window in ("0-200k", "200k-1M"):
            lake.charge(1, service_tier=tier, context_window=window)
            lake.use("k1", 5, service_tier=tier, context_window=window)
    assert lake.split("api_key_id", "tokens", "cost_usd") == [("k1", 20, 4)]


def test_the_default_workspace_is_the_null_of_both_reports(lake: Lake) -> None:
    lake.add("workspaces", id="w0", name="Default", created_at=LONG_AGO)
    lake.charge(1, workspace_id=None)
    lake.use("k1", 1, workspace_id=None)
    assert lake.split("workspace_id", "workspace_name", "api_key_id") == [("w0", "Default", "k1")]


@pytest.mark.parametrize("silent", ["cost_report", "usage_report"])
def test_a_missing_organization_is_the_lakes_own(silent: str, lake: Lake) -> None:
    lake.add("sync_days", date=TODAY.replace(day=1), asset="users", day=TODAY)
    whose = dict.fromkeys(("cost_report", "usage_report"), "org-1") | {silent: None}
    lake.charge(1, organization_id=whose["cost_report"])
    lake.use("k1", 1, organization_id=whose["usage_report"])
    assert lake.split("organization_id", "api_key_id") == [("org-1", "k1")]


# --- what cannot be split


@pytest.mark.parametrize("cost_type", ["web_search", "code_execution", "session_usage", None])
def test_what_has_no_tokens_is_unallocated(cost_type: str | None, lake: Lake) -> None:
    nothing = dict.fromkeys(("model", "service_tier", "context_window", "token_type"))
    lake.charge(1, cost_type=cost_type, **nothing)
    lake.use("k1", 1)
    columns = ("api_key_id", "api_key_name", "cost_type", "tokens", "cost_usd", "method")
    assert lake.split(*columns) == [(None, None, cost_type, None, 1, "unallocated")]


@pytest.mark.parametrize("grouped_by", ["", "model,workspace_id", "api_key_id,model", "account_id"])
def test_usage_of_another_grouping_leaves_its_cost_unallocated(grouped_by: str, lake: Lake) -> None:
    lake.charge(1)
    lake.use("k1", 1, grouped_by=grouped_by)
    assert lake.split("api_key_id", "cost_usd", "method") == [(None, 1, "unallocated")]


def test_usage_without_tiers_answers_only_a_cost_without_one(lake: Lake) -> None:
    lake.charge(1)
    lake.charge(2, service_tier=None, context_window=None)
    lake.use("k1", 1, grouped_by=COARSE, service_tier=None, context_window=None)
    assert lake.split("api_key_id", "cost_usd") == [("k1", 2), (None, 1)]


def test_tokens_that_are_all_zero_split_nothing(lake: Lake) -> None:
    lake.charge(1)
    lake.use("k1", 0)
    assert lake.split("api_key_id", "cost_usd", "method") == [(None, 1, "unallocated")]


def test_only_dollars_are_split(lake: Lake) -> None:
    lake.charge(1)
    lake.charge(1, currency="EUR", amount_usd=None)
    lake.use("k1", 4)
    assert lake.split("method", "currency", "tokens", "cost_usd", "cost") == [
        ("tokens", "USD", 4, 1, 1),
        ("unallocated", "EUR", None, None, 1),
    ]


# --- names


def test_a_key_has_its_name_and_its_owner(lake: Lake) -> None:
    for _ in range(2):  # an identifier that stands twice multiplies nothing
        lake.add("api_keys", id="k1", name="CI", created_by_id="u1")
        lake.add("users", id="u1", email="Ada@Example.com")
        lake.add("workspaces", id="w1", name="Research")
    lake.charge(3)
    for key in ("k1", "k2", None):
        lake.use(key, 1)
    columns = ("api_key_id", "api_key_name", "key_owner_id", "key_owner_email", "workspace_name")
    assert lake.split(*columns, "cost_usd") == [
        ("k1", "CI", "u1", "ada@example.com", "Research", 1),
        ("k2", "k2", None, None, "Research", 1),
        (None, "Console", None, None, "Research", 1),
    ]


# --- random lakes

DAYS = [TODAY - timedelta(days=number) for number in range(3)]
USUAL = SLICE | {"date": DAYS[0], "organization_id": "org-1", "cost_type": "tokens"}
USUAL |= {"token_type": "uncached_input_tokens", "currency": "USD"}
OTHERS: dict[str, list[Any]] = {
    "date": DAYS[1:],
    "organization_id": ["org-2", None],
    "workspace_id": [None],
    "model": ["m2", None],
    "service_tier": ["batch", None],
    "context_window": ["200k-1M", None],
    "cost_type": ["web_search", None],
    "token_type": ["cache_read_input_tokens", "new_tokens", None],
    "currency": ["EUR", None],
}


def rows_like_the_usual_one(
    names: Sequence[str], figures: dict[str, st.SearchStrategy[Any]]
) -> st.SearchStrategy[list[Row]]:
    """Rows that differ in up to two dimensions, so that slices meet."""
    usual = {name: USUAL[name] for name in names}
    others = st.sampled_from([(name, value) for name in names for value in OTHERS[name]])
    dimensions = st.lists(others, max_size=2).map(lambda changed: usual | dict(changed))
    rows = st.builds(lambda row, drawn: row | drawn, dimensions, st.fixed_dictionaries(figures))
    return st.lists(rows, min_size=2, max_size=14)


cost_rows = rows_like_the_usual_one(
    list(OTHERS),
    {
        "amount_cents": st.decimals(-(10**7), 10**9, places=10),
        "description": st.sampled_from(["a", "b"]),
    },
)
usage_rows = rows_like_the_usual_one(
    list(OTHERS)[:6],
    {
        "api_key_id": st.sampled_from(["k1", "k2", "k3", None]),
        "uncached_input_tokens": st.one_of(st.none(), st.integers(0, 10**12)),
        "cache_read_input_tokens": st.integers(0, 3),
    },
)
groupings = st.tuples(*[st.sampled_from([FULL, FULL, FULL, COARSE, "model,workspace_id", ""])] * 3)


def grouped(row: Row, grouped_by: str) -> Row:
    """The row as the API gives it: a dimension that is not grouped by is null."""
    names = ("api_key_id", "context_window", "model", "service_tier", "workspace_id")
    hidden = dict.fromkeys(name for name in names if name not in grouped_by.split(","))
    return row | hidden | {"grouped_by": grouped_by}


def expected_shares(costs: Sequence[Row], uses: Sequence[Row]) -> dict[tuple[Any, ...], Decimal]:
    """The dollars of each key by day, organization, workspace, model, cost type and token type."""
    slices: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    for cost in costs:
        if cost["currency"] == "USD":
            slices[tuple(cost[name] for name in NAMES)] += cost["amount_cents"] / 100
    shares: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    for values, usd in slices.items():
        for key, share in split_slice(dict(zip(NAMES, values, strict=True)), usd, uses).items():
            shares[(*values[:6], *key)] += share
    return shares


NAMES = (
    *("date", "organization_id", "workspace_id", "model", "cost_type", "token_type"),
    *("service_tier", "context_window"),
)


def split_slice(charge: Row, usd: Decimal, uses: Sequence[Row]) -> dict[tuple[Any, str], Decimal]:
    """The shares of one slice by key and method."""
    tokens: dict[str | None, int] = defaultdict(int)
    for use in uses:
        if answers(use, charge):
            tokens[use["api_key_id"]] += use.get(COUNTERS[charge["token_type"]]) or 0
    total = sum(tokens.values())
    if not total:
        return {(None, "unallocated"): usd}
    keys = sorted(filter(tokens.get, tokens), key=lambda key: (-tokens[key], key or ""))
    shares = {
        key: (usd / UNIT * tokens[key] / total).to_integral_value(ROUND_FLOOR) * UNIT
        for key in keys
    }
    shares[keys[0]] += usd - sum(shares.values())
    return {(key, "tokens"): share for key, share in shares.items()}


def answers(use: Row, charge: Row) -> bool:
    """Whether a row of usage belongs to the slice of a charge."""
    same = all(use[name] == charge[name] for name in NAMES[:3])
    return (
        same
        and use["grouped_by"] in (FULL, COARSE)
        and charge["token_type"] in COUNTERS
        and None is not charge["model"] == use["model"]
        and all(charge[name] in (None, use[name]) for name in ("service_tier", "context_window"))
    )


@pytest.fixture(scope="module")
def random_lake() -> Iterator[Lake]:
    with duckdb.connect() as connection:
        create_catalog(connection, CATALOG)
        lake = Lake(connection)
        for workspace in ("w1", "w0"):
            name = "Default" if workspace == "w0" else "One"
            lake.add("workspaces", id=workspace, name=name, created_at=LONG_AGO)
        lake.add("api_keys", id="k1", name="CI", created_by_id="u1")
        yield lake


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cost_rows, usage_rows, groupings)
def test_any_lake_is_split_to_the_last_digit(
    random_lake: Lake, costs: list[Row], uses: list[Row], by_day: tuple[str, str, str]
) -> None:
    random_lake.clear()
    uses = [grouped(use, by_day[DAYS.index(use["date"])]) for use in uses]
    for cost in costs:
        usd = cost["amount_cents"] / 100 if cost["currency"] == "USD" else None
        random_lake.add("cost_report", **cost, amount_usd=usd)
    for use in uses:
        random_lake.add("usage_report", **use)
    check_sums(random_lake)
    check_tokens(random_lake, uses)
    columns = "date, organization_id, nullif(workspace_id, 'w0'), model, cost_type, token_type"
    rows = random_lake.ask(
        f"SELECT {columns}, api_key_id, method, cost_usd FROM cost_by_api_key "
        "WHERE cost_usd IS NOT NULL"
    )
    assert len({row[:-1] for row in rows}) == len(rows)
    assert {row[:-1]: row[-1] for row in rows} == expected_shares(costs, uses)


def check_sums(lake: Lake) -> None:
    """The view has the totals of cost_daily wherever both have the dimensions."""
    dimensions = (
        "date, organization_id, workspace_id, workspace_name, model, cost_type, token_type, "
        "currency"
    )
    totals = [
        lake.ask(
            f"SELECT {dimensions}, sum(cost_usd), sum(cost) FROM {view} GROUP BY ALL ORDER BY ALL"
        )
        for view in ("cost_daily", "cost_by_api_key")
    ]
    assert totals[0] == totals[1]


def check_tokens(lake: Lake, uses: Sequence[Row]) -> None:
    """No token counts twice, however many slices it is in."""
    used: dict[tuple[Any, ...], int] = defaultdict(int)
    names = ("date", "organization_id", "workspace_id", "model", "api_key_id")
    for use in uses:
        used[tuple(use[name] for name in names)] += use["uncached_input_tokens"] or 0
    rows = lake.ask(
        "SELECT date, organization_id, nullif(workspace_id, 'w0'), model, api_key_id, sum(tokens) "
        "FROM cost_by_api_key WHERE method = 'tokens' AND cost_type = 'tokens' "
        "AND token_type = 'uncached_input_tokens' GROUP BY ALL"
    )
    assert all(tokens <= used[tuple(key)] for *key, tokens in rows)


def test_in_a_world_without_flex_tiers_all_but_a_twentieth_of_the_cost_finds_its_tokens(
    lake: Lake,
) -> None:
    organization = Organization.invent(days=3)
    for day in organization.days:
        named = [event for event in organization.events(day) if "flex" not in event.service_tier]
        organization.set_usage(day, named)
        for row in organization.cost_rows(day):
            words = {name: value for name, value in row.items() if name != "amount"}
            cents = Decimal(row["amount"])
            lake.add("cost_report", date=day, **words, amount_cents=cents, amount_usd=cents / 100)
        for bucket in organization.usage_report(day, FULL.split(",")):
            for row in bucket["results"]:
                flat = {name: row[name] for name in FULL.split(",")}
                flat |= {name: row[name] for name in COUNTERS if name in row}
                for name, tokens in row["cache_creation"].items():
                    flat[f"cache_creation_{name}"] = tokens
                lake.add("usage_report", date=day, grouped_by=FULL, **flat)
    [(found, whole)] = lake.ask(
        "SELECT sum(cost_usd) FILTER (method = 'tokens'), sum(cost_usd) FROM cost_by_api_key "
        "WHERE cost_type = 'tokens'"
    )
    assert found >= Decimal("0.95") * whole > 0


def test_an_empty_lake_has_no_cost(lake: Lake) -> None:
    lake.use("k1", 1)
    assert lake.split("date") == []
