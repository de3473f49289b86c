"""Whatever goes wrong, in whatever order: the lake is right afterwards, and was whole meanwhile.

A plan that fails prints its number: `python -m tests.reliability.soak --plans 1 --seed NUMBER`.
"""

from __future__ import annotations

import dataclasses

import pytest

from tests.reliability.plans import API_FAULTS, EACH_WAY, Invoke, Plan, draw
from tests.reliability.play import play
from tests.reliability.soak import play_all

PART = 18
QUICK = range(0, 180, PART)
MORE = range(180, 540, PART)


@pytest.mark.parametrize(
    "first", [*QUICK, *(pytest.param(first, marks=pytest.mark.slow) for first in MORE)]
)
def test_nothing_is_lost_whatever_goes_wrong(first: int) -> None:
    assert play_all(range(first, first + PART)).violations == {}


def test_a_plan_is_the_same_for_the_same_number() -> None:
    once, again = play(draw(57)), play(draw(57))
    assert draw(57) == draw(57)
    assert dataclasses.asdict(once) == dataclasses.asdict(again)


def _quiet(asset: str) -> Plan:
    """One run in which nothing goes wrong."""
    plan = dataclasses.replace(draw(0), asset=asset, lookback=30, page_size=2)
    plan.steps, plan.api, plan.network, plan.aws = [Invoke()], [], {}, []
    return plan


@pytest.mark.parametrize("fault", API_FAULTS)
def test_every_fault_of_the_api_is_survived_by_every_kind_of_asset(fault: str) -> None:
    for asset in EACH_WAY:
        plan = _quiet(asset)
        plan.api = [(fault, {"times": 2, "after": 0})]
        report = play(plan)
        assert report.violations == {}
        assert report.happened[f"api: {fault}"] == 2 or report.ended != {"succeeded": 1}


@pytest.mark.parametrize("asset", ["usage_report", "workspace_members"])
def test_the_search_finds_a_lake_that_lies(asset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The invariants are worth something: code that drops what it cannot read fails them."""
    from anthropic_lake.rows.day import Day

    monkeypatch.setattr(Day, "add", lambda *_arguments: None)
    assert play(_quiet(asset)).violations


def test_the_search_finds_a_watermark_that_runs_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    from anthropic_lake.sync import days as sync

    monkeypatch.setattr(sync, "_write", lambda *_arguments: None)
    plan = _quiet("cost_report")
    assert any("is past" in each for each in play(plan).violations[plan.seed])
