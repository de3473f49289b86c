"""A backfill is split into items of one asset and at most one month."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anthropic_lake.errors import SettingsError
from anthropic_lake.sync.backfill import items

REQUEST = {"assets": ["cost_report"], "interval_start": "2026-01-15", "interval_end": "2026-03-01"}


def item(asset: str, start: str, end: str) -> dict[str, str]:
    return {"asset": asset, "interval_start": start, "interval_end": end}


def test_an_interval_is_cut_where_months_begin() -> None:
    assert items(REQUEST, None) == {
        "items": [
            item("cost_report", "2026-01-15", "2026-02-01"),
            item("cost_report", "2026-02-01", "2026-03-01"),
        ]
    }


def test_every_asset_has_its_own_items() -> None:
    request = REQUEST | {"assets": ["usage_report", "claude_code_usage"]}
    assets = [each["asset"] for each in items(request, None)["items"]]
    assert assets == ["usage_report", "usage_report", "claude_code_usage", "claude_code_usage"]


dates = st.dates(date(2023, 1, 1), date(2030, 12, 31))


@given(start=dates, days=st.integers(1, 1000))
def test_the_items_are_the_interval_month_by_month(start: date, days: int) -> None:
    end = start + timedelta(days=days)
    request = REQUEST | {"interval_start": str(start), "interval_end": str(end)}
    made = items(request, None)["items"]
    edges = [each["interval_start"] for each in made] + [made[-1]["interval_end"]]
    assert edges == [str(start), *(each["interval_end"] for each in made)]
    assert edges[-1] == str(end)
    assert all(edge.endswith("-01") for edge in edges[1:-1])
    assert len({edge[:7] for edge in edges[:-1]}) == len(made)


def test_items_that_failed_are_taken_as_they_are() -> None:
    failed = item("cost_report", "2026-01-15", "2026-02-01")
    cause = {"items": [failed | {"outcome": "failed", "error": "BadKey"}]}
    assert items(cause, None) == {"items": [failed]}


def test_a_run_that_ran_out_of_time_leaves_its_rest() -> None:
    run = item("usage_report", "2026-01-01", "2026-02-01") | {"days_written": 9, "rows": 12}
    assert items({"run": run}, None) == {
        "items": [item("usage_report", "2026-01-10", "2026-02-01")]
    }


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (None, "cannot read the request"),
        ([], "cannot read the request"),
        ({}, "cannot read the request"),
        ({"assets": "cost_report"}, "cannot read the request"),
        (REQUEST | {"more": 1}, "cannot read the request"),
        ({"items": [{"asset": "cost_report"}]}, "cannot read the item"),
        (REQUEST | {"assets": ["users"]}, "'users' has no past to read"),
        (REQUEST | {"assets": ["costs"]}, "choose from usage_report, cost_report"),
        (REQUEST | {"interval_start": "yesterday"}, "interval_start: 'yesterday' is not a day"),
        (REQUEST | {"interval_start": 20260101}, "interval_start: '20260101' is not a day"),
        (REQUEST | {"interval_end": "2026-02-30"}, "interval_end: '2026-02-30'"),
        (REQUEST | {"interval_end": "2026-01-15"}, "is not after interval_start"),
    ],
)
def test_what_cannot_be_read_is_refused(event: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        items(event, None)


def test_all_problems_are_in_one_message() -> None:
    request = {"assets": ["users"], "interval_start": "x", "interval_end": "y"}
    with pytest.raises(SettingsError, match=r"'users'.*interval_start: 'x'.*interval_end: 'y'"):
        items(request, None)
