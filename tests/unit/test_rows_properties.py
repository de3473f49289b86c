"""Whatever the API sends: money is exact or refused, and no leaf of a record is lost."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal, localcontext
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from anthropic_lake import strict_json
from anthropic_lake.assets import ASSETS
from anthropic_lake.rows.arrow import FieldError, to_arrow
from anthropic_lake.rows.general import GeneralRecords
from anthropic_lake.schema.table import Column, Table
from anthropic_lake.schema.types import (
    BOOLEAN,
    ESTIMATE,
    INTEGER,
    JSON,
    MONEY,
    STRING,
    TIMESTAMP,
    Type,
)

Json = dict[str, Any]
TABLES = [table for asset in ASSETS.values() for table in asset.tables if not table.explode]
DAY = {"starting_at": "2026-11-01T00:00:00Z", "ending_at": "2026-11-02T00:00:00Z"}
(COST,) = ASSETS["cost_report"].tables
PARENT, CHILD = ASSETS["claude_code_usage"].tables

plain_decimals = st.decimals(allow_nan=False, allow_infinity=False).map(lambda d: format(d, "f"))
exponents = st.builds(
    "{}{}{}{}".format,
    st.integers(-(10**30), 10**30),
    st.sampled_from(["", ".0", ".5", ".000000000001", ".123456789012345"]),
    st.sampled_from(["e", "E"]),
    st.integers(-45, 45),
)
held = st.builds(
    lambda digits, places: format(Decimal(digits).scaleb(-places), "f"),
    st.integers(-(10**24), 10**24),
    st.integers(0, 10),
)
amounts = plain_decimals | exponents | held


def cost(amount: object) -> Json | None:
    """The row of an amount, None where it is refused."""
    record = {**DAY, "amount": amount, "currency": "USD"}
    try:
        rows, _ = to_arrow(COST, GeneralRecords([record]))
    except FieldError:
        return None
    (row,) = rows.to_pylist()
    return dict(row)


@given(amounts)
def test_money_is_exact_or_refused_and_never_rounded(text: str) -> None:
    row = cost(text)
    if row is not None:
        with localcontext(prec=200):
            assert row["amount_cents"] == Decimal(text)
            assert row["amount_usd"] * 100 == Decimal(text)


@given(held)
def test_money_that_both_columns_hold_is_never_refused(text: str) -> None:
    assert cost(text) is not None


@given(text=amounts)
def test_a_number_and_its_text_are_the_same_money(text: str) -> None:
    number = strict_json.value(_as_number(text))
    assert cost(number) == cost(text)


def _as_number(text: str) -> bytes:
    """A text as a JSON number, which begins with no zero."""
    return re.sub(r"^(-?)0+(?=\d)", r"\1", text).encode()


@given(st.text())
def test_any_text_is_exact_money_or_refused(text: str) -> None:
    row = cost(text)
    assert row is None or row["amount_cents"] == Decimal(text)


def estimates(texts: list[str]) -> tuple[list[Json], list[Json]]:
    """The rows of a session and of its models, which have these estimates."""
    models = [{"estimated_cost": {"amount": text, "currency": "USD"}} for text in texts]
    record = {"model_breakdown": models}
    parent, child = (to_arrow(table, GeneralRecords([record]))[0] for table in (PARENT, CHILD))
    return parent.to_pylist(), child.to_pylist()


@given(st.lists(held, max_size=6))
def test_the_sum_over_models_is_exact(texts: list[str]) -> None:
    ((session,), _) = estimates(texts)
    with localcontext(prec=200):
        assert session["estimated_cost_amount_cents"] == sum(map(Decimal, texts))


@given(st.lists(st.floats(-1e20, 1e20).map(repr), max_size=6))
def test_any_float_is_an_estimate_whose_exact_text_is_kept(texts: list[str]) -> None:
    (session,), models = estimates(texts)
    cents = [model["estimated_cost_amount_cents"] for model in models]
    extras = [json.loads(model["extra"] or "{}") for model in models]
    with localcontext(prec=400):
        for text, value, extra in zip(texts, cents, extras, strict=True):
            assert abs(value - Decimal(text)) <= Decimal("5e-13")
            is_exact = value == Decimal(text)
            assert extra == ({} if is_exact else {"estimated_cost.amount": text})
        assert session["estimated_cost_amount_cents"] == sum(cents)


# --- records for other tests


names = st.text('abc_é".\\', min_size=1, max_size=4).map("new_".__add__)
news = st.dictionaries(
    names,
    st.integers(0, 9) | st.text("xyz", max_size=3) | st.lists(st.booleans(), max_size=2),
    max_size=2,
)
SAMPLES: dict[Type, Callable[[int], Any]] = {
    STRING: "text {}".format,
    INTEGER: lambda number: number,
    BOOLEAN: lambda number: bool(number % 2),
    TIMESTAMP: "2026-01-02T03:04:05.{:06}Z".format,
    MONEY: "{}.25".format,
    ESTIMATE: "{}.75".format,
    JSON: lambda number: {f"key {number}": [number]},
}


def _paths(table: Table) -> list[tuple[str, Column]]:
    """The places of a record's own values, all that a column may take its value from."""
    whole = {column.paths[0] for column in table.all_columns if column.type is JSON}
    columns = {
        path: column
        for column in table.all_columns
        for path in column.paths
        if column.name != "extra"
        and "[]" not in path
        and not column.usd_where
        and path.partition(".")[0] not in whole - {path}
    }
    return list(columns.items())


@st.composite
def records(draw: st.DrawFn, table: Table) -> Json:
    """A record with some of the table's fields, and unknown ones at any depth."""
    paths = _paths(table)
    chosen = draw(st.sets(st.sampled_from([path for path, _ in paths])))
    record: Json = draw(news)
    for number, (path, column) in enumerate(paths):
        if path not in chosen and not column.required:
            continue
        *parents, name = path.split(".")
        place = record
        for parent in parents:
            place = place[parent] if parent in place else place.setdefault(parent, draw(news))
        place[name] = SAMPLES[column.type](number)
    return record
