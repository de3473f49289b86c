"""The cost of each key on the demo lake: it adds up, and nearly all cost of tokens has a key."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import Any

from anthropic_lake.lake.reading import StoredLake
from tests.lakes import TODAY
from tests.query.cookbook import answer
from tests.simulator import Organization

FLEX = ("flex", "flex_discount")
DAY = TODAY - timedelta(days=12)


def rows(sql: str, lake: StoredLake) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in answer(sql, lake).to_pylist()]


def test_the_keys_and_what_is_unallocated_add_up_to_the_bill(lake: StoredLake) -> None:
    dimensions = "date, organization_id, workspace_id, workspace_name, model, cost_type, token_type"
    totals = (
        rows(f"SELECT {dimensions}, sum(cost_usd) FROM {view} GROUP BY ALL ORDER BY ALL", lake)
        for view in ("cost_daily", "cost_by_api_key")
    )
    assert next(totals) == next(totals)


def test_nine_tenths_of_the_cost_of_tokens_find_their_tokens(lake: StoredLake) -> None:
    [(found, whole)] = rows(
        "SELECT sum(CASE WHEN method = 'tokens' THEN cost_usd END), sum(cost_usd) "
        "FROM cost_by_api_key WHERE cost_type = 'tokens'",
        lake,
    )
    assert found >= Decimal("0.9") * whole > 0


def test_a_day_by_itself_has_its_own_total(lake: StoredLake) -> None:
    day = f"SELECT * FROM cost_by_api_key WHERE date = DATE '{DAY}'"
    [whole] = rows(f"SELECT sum(cost_usd) FROM cost_daily WHERE date = DATE '{DAY}'", lake)
    assert rows(f"SELECT sum(cost_usd) FROM ({day})", lake) == [whole]


def test_a_share_is_near_what_the_key_used_at_its_own_prices(
    lake: StoredLake, organization: Organization
) -> None:
    cents: Counter[str | None] = Counter()
    for event in organization.events(DAY):
        if event.service_tier not in FLEX:
            cents[event.api_key_id] += sum(event.cost_cents.values())  # type: ignore[assignment]
    shares = dict(
        rows(
            "SELECT api_key_id, sum(cost_usd) FROM cost_by_api_key "
            f"WHERE date = DATE '{DAY}' AND method = 'tokens' GROUP BY api_key_id",
            lake,
        )
    )
    whole = sum(cents.values())
    off = sum(abs(shares.get(key, 0) * 100 - usd) for key, usd in cents.items())
    assert 0 < off < whole * Decimal("0.25")  # geographies, speeds and flex share slices
