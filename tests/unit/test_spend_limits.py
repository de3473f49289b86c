"""Spend limits: amounts in cents and dollars, and what is capped in whole."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from anthropic_lake.assets import ASSETS
from anthropic_lake.rows.arrow import FieldError, to_arrow
from anthropic_lake.rows.general import GeneralRecords

Json = dict[str, Any]
(TABLE,) = ASSETS["spend_limits"].tables
LIMIT: Json = {
    "id": "spl_01",
    "type": "spend_limit",
    "amount": "50000",
    "currency": "USD",
    "period": "monthly",
    "is_enabled": True,
    "scope": {"type": "workspace", "workspace_id": "wrkspc_01"},
    "created_at": "2026-10-01T00:00:00Z",
    "updated_at": "2026-10-02T00:00:00Z",
}


def row(**fields: Any) -> tuple[Json, int]:
    """The row of a limit, and how much of it is unknown."""
    rows, unknown = to_arrow(TABLE, GeneralRecords([LIMIT | fields]))
    (found,) = rows.to_pylist()
    return found, unknown


@pytest.mark.parametrize(
    ("amount", "currency", "cents", "dollars"),
    [
        ("50000", "USD", "50000", "500"),
        ("0", "USD", "0", "0"),
        ("1", "USD", "1", "0.01"),
        ("50000", "EUR", "50000", None),
        ("9" * 26, "USD", "9" * 26, "9" * 24 + ".99"),
        (None, "USD", None, None),
        ("50000", None, "50000", None),
    ],
)
def test_an_amount_is_kept_in_cents_and_given_in_dollars(
    amount: str | None, currency: str | None, cents: str | None, dollars: str | None
) -> None:
    found, _ = row(amount=amount, currency=currency)
    assert found["amount_cents"] == (cents and Decimal(cents))
    assert found["amount_usd"] == (dollars and Decimal(dollars))


@pytest.mark.parametrize("amount", ["50,000", "", "NaN", [], True])
def test_what_is_no_amount_is_refused(amount: object) -> None:
    with pytest.raises(FieldError) as caught:
        row(amount=amount)
    assert caught.value.field == "amount"


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ({"type": "organization"}, ("organization", None, None)),
        ({"type": "usage_tier"}, ("usage_tier", None, None)),
        ({"type": "workspace", "workspace_id": "w"}, ("workspace", "w", None)),
        ({"type": "user", "user_id": "u"}, ("user", None, "u")),
        ({"type": "seat_tier", "seat_tier": "premium"}, ("seat_tier", None, None)),
        ({"type": "rbac_group", "rbac_group_id": "g"}, ("rbac_group", None, None)),
        ({"type": "organization_service", "service": "s"}, ("organization_service", None, None)),
        (None, (None, None, None)),
    ],
)
def test_what_is_capped_is_kept_whole_and_its_usual_fields_are_columns(
    scope: Json | None, expected: tuple[str | None, ...]
) -> None:
    found, unknown = row(scope=scope)
    names = ("scope_type", "scope_workspace_id", "scope_user_id")
    assert tuple(found[name] for name in names) == expected
    assert found["scope"] == (scope and json.dumps(scope, separators=(",", ":"), sort_keys=True))
    assert (found["extra"], unknown) == (None, 0)


def test_a_new_kind_of_scope_is_kept_and_counted() -> None:
    found, unknown = row(scope={"type": "project", "project_id": "p"}, period="yearly")
    assert (found["scope_type"], found["period"], unknown) == ("project", "yearly", 2)
    assert json.loads(found["scope"]) == {"type": "project", "project_id": "p"}
