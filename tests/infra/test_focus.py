"""Tokens and prices of the charges in the FOCUS view, on rows made for the case and at random."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anthropic_lake.query.catalog import CATALOG
from infra.generate.view_columns import create_catalog

TODAY = datetime.now(UTC).date()
LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)
UNIT = Decimal("0.000000000001")
FULL = "api_key_id,context_window,model,service_tier,workspace_id"
COUNTERS = {
    "uncached_input_tokens": "uncached_input_tokens",
    "cache_read_input_tokens": "cache_read_input_tokens",
    "cache_creation.ephemeral_5m_input_tokens": "cache_creation_ephemeral_5m_input_tokens",
    "cache_creation.ephemeral_1h_input_tokens": "cache_creation_ephemeral_1h_input_tokens",
    "output_tokens": "output_tokens",
}
CELL = {"workspace_id": "w1", "model": "m", "service_tier": "standard", "context_window": "0-200k"}
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
        self.add("cost_report", **CELL | money | words | row)

    def use(self, tokens: int, **row: object) -> None:
        """Add a row of the usage report; by default output tokens in the same slice."""
        self.add("usage_report", **CELL | {"output_tokens": tokens, "grouped_by": FULL} | row)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql).fetchall()

    def focus(self, *columns: str) -> list[tuple[Any, ...]]:
        """The view's rows, in the order of these columns."""
        return self.ask(f"SELECT {', '.join(columns)} FROM focus_cost_and_usage ORDER BY ALL")


@pytest.fixture(scope="module")
def tables() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        create_catalog(connection, CATALOG)
        yield connection


@pytest.fixture
def lake(tables: duckdb.DuckDBPyConnection) -> Iterator[Lake]:
    tables.begin()
    yield Lake(tables)
    tables.rollback()


# --- quantities and prices


def test_a_charge_has_the_tokens_of_its_slice_and_their_price(lake: Lake) -> None:
    lake.charge(6)
    for key in ("k1", "k2", None):
        lake.use(500_000, api_key_id=key)
    price = ("ListUnitPrice", "ContractedUnitPrice")
    columns = ("ConsumedQuantity", "ConsumedUnit", "PricingQuantity", "PricingUnit", *price)
    assert lake.focus(*columns) == [
        (1_500_000, "Tokens", Decimal("1.5"), "1000000 Tokens", 4, 4),
    ]


@pytest.mark.parametrize("cost_type", ["web_search", "code_execution", "session_usage", None])
def test_of_what_has_no_tokens_the_money_is_priced(cost_type: str | None, lake: Lake) -> None:
    nothing = dict.fromkeys(("model", "service_tier", "context_window", "token_type"))
    lake.charge(7, cost_type=cost_type, **nothing)
    lake.use(1)
    columns = ("ConsumedQuantity", "ConsumedUnit", "PricingQuantity", "PricingUnit")
    assert lake.focus(*columns, "ListUnitPrice") == [(None, None, 7, "USD", 1)]


def test_each_token_type_has_its_own_tokens(lake: Lake) -> None:
    for number, (token_type, counter) in enumerate(COUNTERS.items(), 1):
        lake.charge(number, token_type=token_type)
        lake.use(0, **{counter: 10 * number})
    assert lake.focus("ConsumedQuantity", "SkuMeter") == [
        (10 * number, token_type) for number, token_type in enumerate(COUNTERS, 1)
    ]


@pytest.mark.parametrize("dimension", [*CELL, "date", "organization_id"])
def test_tokens_of_another_slice_do_not_count(dimension: str, lake: Lake) -> None:
    lake.charge(1)
    lake.use(2)
    other = TODAY - timedelta(days=1) if dimension == "date" else "other"
    lake.use(4, **{dimension: other})
    assert lake.focus("ConsumedQuantity") == [(2,)]


def test_each_tier_and_window_has_its_own_tokens(lake: Lake) -> None:
    for tier in ("standard", "batch"):
        for number, window in enumerate(("0-200k", "200k-1M"), len(tier)):
            lake.charge(1, service_tier=tier, context_window=window)
            lake.use(number, service_tier=tier, context_window=window)
    assert lake.focus("x_ServiceTier", "x_ContextWindow", "ConsumedQuantity") == [
        ("batch", "0-200k", 5),
        ("batch", "200k-1M", 6),
        ("standard", "0-200k", 8),
        ("standard", "200k-1M", 9),
    ]


def test_a_price_is_exact_to_its_last_digit(lake: Lake) -> None:
    cost, tokens = Decimal("1234567.890123456789"), 7
    lake.charge(cost)
    lake.use(tokens)
    [(price,)] = lake.focus("ListUnitPrice")
    assert price == (cost * 1_000_000 / tokens).quantize(UNIT)


def test_charges_of_a_slice_share_its_tokens_by_their_dollars(lake: Lake) -> None:
    lake.charge(1, description="global")
    lake.charge(2, description="us", inference_geo="us")
    lake.use(1000)
    assert lake.focus("ChargeDescription", "ConsumedQuantity") == [("global", 333), ("us", 667)]


def test_charges_that_look_the_same_share_as_well(lake: Lake) -> None:
    for _ in range(3):
        lake.charge(1)
    lake.use(4)
    assert lake.focus("ConsumedQuantity") == [(1,), (1,), (2,)]


def test_a_charge_that_names_no_tier_has_the_tokens_of_the_tiers_that_no_other_names(
    lake: Lake,
) -> None:
    lake.charge(3)
    lake.charge(1, service_tier=None)
    lake.use(100)
    lake.use(40, service_tier="flex")
    assert lake.focus("x_ServiceTier", "ConsumedQuantity") == [("standard", 100), (None, 40)]


def test_shares_are_of_the_dollars_of_the_slice_that_has_the_tokens(lake: Lake) -> None:
    for description in ("a", "b"):
        lake.charge(1, description=description)
    lake.charge(100, service_tier=None)
    lake.use(10)
    assert lake.focus("BilledCost", "ConsumedQuantity") == [(1, 5), (1, 5), (100, None)]


def test_of_two_slices_the_tokens_are_those_of_the_one_that_names_the_tier(lake: Lake) -> None:
    lake.charge(1, context_window=None)
    lake.charge(1, service_tier=None)
    lake.charge(1, service_tier=None, context_window=None)
    lake.use(8)
    assert lake.focus("x_ServiceTier", "x_ContextWindow", "ConsumedQuantity") == [
        ("standard", None, 8),
        (None, "0-200k", None),
        (None, None, None),
    ]


def test_tokens_of_priority_tier_count_only_where_a_charge_names_it(lake: Lake) -> None:
    lake.charge(3, service_tier=None)
    lake.use(7, service_tier="flex")
    lake.use(11, service_tier="priority")
    lake.use(13, service_tier="priority_on_demand")
    assert lake.focus("ConsumedQuantity") == [(7,)]
    lake.charge(1, service_tier="priority")
    assert lake.focus("ConsumedQuantity") == [(7,), (11,)]


@pytest.mark.parametrize("grouped_by", ["", "model", "api_key_id,workspace_id", "account_id"])
def test_usage_without_workspace_or_model_gives_no_tokens(grouped_by: str, lake: Lake) -> None:
    lake.charge(1)
    lake.use(1, grouped_by=grouped_by)
    assert lake.focus("ConsumedQuantity", "PricingUnit") == [(None, "USD")]


def test_usage_needs_no_key(lake: Lake) -> None:
    lake.charge(1, service_tier=None, context_window=None)
    lake.use(5, grouped_by="model,workspace_id", service_tier=None, context_window=None)
    assert lake.focus("ConsumedQuantity") == [(5,)]


def test_a_charge_of_nothing_has_tokens_at_no_price(lake: Lake) -> None:
    lake.charge(0)
    lake.use(5)
    assert lake.focus("ConsumedQuantity", "ListUnitPrice") == [(5, 0)]


def test_a_refund_and_another_currency_have_no_tokens(lake: Lake) -> None:
    lake.charge(2)
    lake.charge(-1, description="Refund")
    lake.charge(1, currency="EUR", amount_usd=None)
    lake.use(5)
    columns = ("BilledCost", "BillingCurrency", "ConsumedQuantity", "PricingQuantity")
    assert lake.focus(*columns, "ListUnitPrice") == [
        (-1, "USD", None, -1, 1),
        (1, "EUR", None, 1, 1),
        (2, "USD", 5, Decimal("0.000005"), 400_000),
    ]


def test_the_default_workspace_is_the_null_of_both_reports(lake: Lake) -> None:
    lake.add("workspaces", id="w0", name="Default", created_at=LONG_AGO)
    lake.charge(1, workspace_id=None)
    lake.use(3, workspace_id=None)
    assert lake.focus("SubAccountId", "ConsumedQuantity") == [("w0", 3)]


# --- what is priced


def test_a_price_is_known_by_all_that_it_depends_on(lake: Lake) -> None:
    lake.charge(1, inference_geo="us")
    lake.charge(2, service_tier=None, inference_geo=None)
    [first, second] = lake.focus("SkuId", "SkuPriceId", "SkuPriceDetails")
    assert first[:2] == ("m/output_tokens", "m/output_tokens/0-200k")
    assert second[:2] == ("m/output_tokens", "m/output_tokens/standard/0-200k/us")
    words = {"x_Model": "m", "x_TokenType": "output_tokens", "x_ContextWindow": "0-200k"}
    assert json.loads(first[2]) == words
    assert json.loads(second[2]) == words | {"x_ServiceTier": "standard", "x_InferenceGeo": "us"}


def test_what_has_no_model_is_known_by_its_cost_type(lake: Lake) -> None:
    nothing = dict.fromkeys(("model", "service_tier", "context_window", "token_type"))
    lake.charge(1, cost_type="web_search", **nothing)
    lake.charge(1, cost_type=None, description="Something new", **nothing)
    assert lake.focus("SkuId", "SkuPriceId", "SkuMeter", "SkuPriceDetails") == [
        ("Something new", "Something new", None, None),
        ("web_search", "web_search", "web_search", None),
    ]


def test_details_are_json_whatever_the_vendor_writes(lake: Lake) -> None:
    lake.charge(1, model='a "b" \\c', service_tier="d\\")
    [(details,)] = lake.focus("SkuPriceDetails")
    assert json.loads(details)["x_Model"] == 'a "b" \\c'
    assert json.loads(details)["x_ServiceTier"] == "d\\"


# --- random lakes

DAYS = [TODAY - timedelta(days=number) for number in range(3)]
USUAL: Row = CELL | {"date": DAYS[0], "organization_id": "org-1", "cost_type": "tokens"}
USUAL |= {"token_type": "uncached_input_tokens", "currency": "USD"}
OTHERS: dict[str, list[Any]] = {
    "date": DAYS[1:],
    "organization_id": ["org-2", None],
    "workspace_id": [None],
    "model": ["m2", None],
    "service_tier": ["batch", "priority", None],
    "context_window": ["200k-1M", None],
    "cost_type": ["web_search", None],
    "token_type": ["cache_read_input_tokens", "new_tokens", None],
    "currency": ["EUR", None],
}
USE_NAMES = tuple(OTHERS)[:6]
SLICE_NAMES = (*USE_NAMES, "token_type")


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
        "amount_cents": st.just(Decimal(0)) | st.decimals(-(10**7), 10**9, places=10),
        "description": st.sampled_from(["a", "b"]),
    },
)
use_rows = rows_like_the_usual_one(
    USE_NAMES,
    {
        "api_key_id": st.sampled_from(["k1", "k2", None]),
        "uncached_input_tokens": st.one_of(st.none(), st.integers(0, 10**12)),
        "cache_read_input_tokens": st.integers(0, 3),
    },
)
groupings = st.tuples(*[st.sampled_from([FULL, FULL, "model,workspace_id", "model", ""])] * 3)


def grouped(row: Row, grouped_by: str) -> Row:
    """The row as the API gives it: a dimension that is not grouped by is null."""
    hidden = dict.fromkeys(name for name in FULL.split(",") if name not in grouped_by.split(","))
    return row | hidden | {"grouped_by": grouped_by}


def has_tokens(charge: Row) -> bool:
    """Whether a charge may have tokens."""
    return bool(charge["currency"] == "USD" and charge["amount_cents"] >= 0)


def expected_tokens(charges: Sequence[Row], uses: Sequence[Row]) -> dict[tuple[Any, ...], int]:
    """The tokens of each slice: each use counts for the slice that names most of it."""
    slices = {slice_of(charge) for charge in charges if has_tokens(charge)}
    tokens: dict[tuple[Any, ...], int] = defaultdict(int)
    for use in uses:
        if not {"model", "workspace_id"} <= set(use["grouped_by"].split(",")):
            continue
        for token_type, counter in COUNTERS.items():
            named = slice_of(use | {"token_type": token_type})
            if use["model"] is not None and use.get(counter):
                fitting = [each for each in choices(named) if each in slices][:1]
                for each in fitting:
                    tokens[each] += use[counter]
    return tokens


def slice_of(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in SLICE_NAMES)


def choices(named: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """The slices that a use may count for, the most precise first."""
    *others, tier, window, token_type = named
    pairs = [(tier, window), (tier, None)]
    if tier != "priority":
        pairs += [(None, window), (None, None)]
    return [(*others, *pair, token_type) for pair in pairs]


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cost_rows, use_rows, groupings)
def test_any_lake_keeps_its_cost_and_counts_its_tokens_once(
    tables: duckdb.DuckDBPyConnection,
    charges: list[Row],
    uses: list[Row],
    by_day: tuple[str, str, str],
) -> None:
    check_any_lake(tables, charges, uses, by_day)


@pytest.mark.slow
@pytest.mark.timeout(600)
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cost_rows, use_rows, groupings)
def test_very_many_lakes_keep_their_cost_and_count_their_tokens_once(
    tables: duckdb.DuckDBPyConnection,
    charges: list[Row],
    uses: list[Row],
    by_day: tuple[str, str, str],
) -> None:
    check_any_lake(tables, charges, uses, by_day)


def check_any_lake(
    tables: duckdb.DuckDBPyConnection,
    charges: list[Row],
    uses: list[Row],
    by_day: tuple[str, str, str],
) -> None:
    uses = [grouped(use, by_day[DAYS.index(use["date"])]) for use in uses]
    tables.begin()
    try:
        lake = Lake(tables)
        for charge in charges:
            usd = charge["amount_cents"] / 100 if charge["currency"] == "USD" else None
            lake.add("cost_report", **charge, amount_usd=usd)
        for use in uses:
            lake.add("usage_report", **use)
        rows = [dict(zip(COLUMNS, row, strict=True)) for row in lake.focus(*COLUMNS)]
    finally:
        tables.rollback()
    check_costs(rows, charges)
    check_tokens(rows, charges, uses)
    for row in rows:
        check_price(row)


COSTS = ("BilledCost", "EffectiveCost", "ContractedCost", "ListCost")
PRICES = ("ListUnitPrice", "ContractedUnitPrice")
FOCUS_NAMES = {
    "date": "x_Date",
    "organization_id": "BillingAccountId",
    "workspace_id": "SubAccountId",
    "model": "x_Model",
    "service_tier": "x_ServiceTier",
    "context_window": "x_ContextWindow",
    "token_type": "x_TokenType",
    "cost_type": "x_CostType",
    "currency": "BillingCurrency",
    "description": "ChargeDescription",
}
COLUMNS = (*FOCUS_NAMES.values(), *COSTS, *PRICES, "PricingQuantity", "ConsumedQuantity")


def check_costs(rows: Sequence[Row], charges: Sequence[Row]) -> None:
    """Every charge is one row with its cost, to the last digit."""
    expected = Counter(
        (*(charge[name] for name in FOCUS_NAMES), *[charge["amount_cents"] / 100] * len(COSTS))
        for charge in charges
    )
    names = (*FOCUS_NAMES.values(), *COSTS)
    assert Counter(tuple(row[name] for name in names) for row in rows) == expected


def check_tokens(rows: Sequence[Row], charges: Sequence[Row], uses: Sequence[Row]) -> None:
    """Each slice has its tokens, and its charges have them in proportion to their dollars."""
    expected = expected_tokens(charges, uses)
    counted: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        if row["ConsumedQuantity"] is not None:
            counted[tuple(row[FOCUS_NAMES[name]] for name in SLICE_NAMES)].append(row)
    assert expected == {
        key: sum(row["ConsumedQuantity"] for row in rows) for key, rows in counted.items()
    }
    dollars: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    for charge in filter(has_tokens, charges):
        dollars[slice_of(charge)] += charge["amount_cents"] / 100 + UNIT
    for key, of_slice in counted.items():
        for row in of_slice:
            share = (row["BilledCost"] + UNIT) / dollars[key]
            assert abs(row["ConsumedQuantity"] - expected[key] * share) <= 1


def check_price(row: Row) -> None:
    """Quantity times price is the cost, as far as 12 decimals of a price can tell."""
    price, quantity, tokens = row["ListUnitPrice"], row["PricingQuantity"], row["ConsumedQuantity"]
    assert price == row["ContractedUnitPrice"] >= 0
    if tokens is None:
        assert quantity * price == row["ListCost"]
    else:
        assert quantity * 1_000_000 == tokens == int(tokens) > 0
        assert abs(quantity * price - row["ListCost"]) <= quantity * UNIT / 2
