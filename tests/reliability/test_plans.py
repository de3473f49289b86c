"""Whatever goes wrong, in whatever order: the lake is right afterwards, and was whole meanwhile.

A plan that fails prints its number: `python -m tests.reliability.soak --plans 1 --seed NUMBER`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from anthropic_lake.assets import ASSETS
from anthropic_lake.errors import NotOffered
from anthropic_lake.lake.aws import S3Lake
from anthropic_lake.lake.objects import ANYTHING
from anthropic_lake.rows.day import Day, days
from anthropic_lake.sync.ownership import OwnedLake
from tests.reliability.plans import (
    API_FAULTS,
    EACH_WAY,
    START,
    Change,
    Invoke,
    Overlap,
    Plan,
    Step,
    Stranger,
    Wait,
    can_happen,
    draw,
)
from tests.reliability.play import play
from tests.reliability.soak import play_all
from tests.simulator import Analytics

PART = 13
QUICK = range(0, 4 * PART, PART)
MORE = range(4 * PART, 60 * PART, PART)


@pytest.mark.parametrize(
    "first", [*QUICK, *(pytest.param(first, marks=pytest.mark.slow) for first in MORE)]
)
def test_nothing_is_lost_whatever_goes_wrong(first: int) -> None:
    assert play_all(range(first, first + PART)).violations == {}


def test_a_plan_is_the_same_for_the_same_number() -> None:
    once, again = play(draw(57)), play(draw(57))
    assert draw(57) == draw(57)
    assert dataclasses.asdict(once) == dataclasses.asdict(again)


def _quiet(asset: str, *steps: Step, **given: Any) -> Plan:
    """One run in which nothing goes wrong, or these steps, and what else is given."""
    base = draw(0)
    plan = dataclasses.replace(
        base,
        asset=asset,
        start=base.start.replace(hour=6, minute=0, second=0, microsecond=0),
        lookback=30,
        page_size=2,
        open_day="accept",
        history_days=4,
        says_time=True,
        names_organization=True,
        chooses_prefix=True,
        lag=None,
        steps=list(steps or [Invoke()]),
        api=[],
        network={},
        aws=[],
    )
    return dataclasses.replace(plan, **given)


OFFERED_LISTS = ("rate_limits", "spend_limits")
"""Read as others are, but that some organizations have none."""


@pytest.mark.parametrize("fault", API_FAULTS)
@pytest.mark.parametrize("assets", [EACH_WAY, pytest.param(OFFERED_LISTS, marks=pytest.mark.slow)])
def test_every_fault_of_the_api_is_survived_by_every_kind_of_asset(
    assets: tuple[str, ...], fault: str
) -> None:
    times = 1 if fault == "an expired cursor" else 2  # a walk may have one later page
    for asset in assets:
        plan = _quiet(asset)
        plan.api = [(fault, {"times": times, "after": 0})]
        report = play(plan)
        assert report.violations == {}
        happened = report.happened[f"api: {fault}"]
        expected = times if can_happen(fault, ASSETS[asset]) else 0
        assert happened == expected or report.ended != {"succeeded": 1}


def _nothing(*_arguments: Any, **_more: Any) -> None:
    """What code does that is left out."""


_admit = OwnedLake.admit


def _admit_anybody(lake: Any, organization_id: str | None, *more: Any) -> None:
    manifest = lake._manifest
    _admit(lake, manifest.organization_id if manifest else organization_id, *more)


def _an_empty_day(asset: Any, extracted: Any, *more: Any) -> Iterator[Any]:
    """What is not offered is taken for empty."""
    try:
        yield from days(asset, extracted, *more)
    except NotOffered:
        yield Day(asset, START)


_RUN = _quiet("cost_report", Invoke())
_YESTERDAY_IN_PART = _quiet(
    "analytics_cost", analytics=Analytics(refreshed_ago=timedelta(hours=16))
)
_DAY_BY_DAY: tuple[Step, ...] = (Wait(24), Invoke(remaining=120))
_HURRIED = _quiet(
    "analytics_usage",
    *(Invoke(), Change("restate", 3), *_DAY_BY_DAY * 9),
    per_minute=6,
    page_size=1000,
    history_days=40,
)

_LONG = "a lookback comes to its end within a week"

LIES: dict[str, tuple[Plan, dict[str, Any]]] = {
    # what the code does not do: what happens then, and what is patched
    "rows are kept": (_RUN, {"anthropic_lake.rows.day.Day.add": _nothing}),
    "objects are put": (_RUN, {"tests.reliability.cloud.Clients.put_object": _nothing}),
    "the ledger is put": (_RUN, {"anthropic_lake.lake.ledger.Ledger._put_month": _nothing}),
    "the watermark moves": (_RUN, {"anthropic_lake.lake.watermark.Watermarks.advance": _nothing}),
    "it asks whose watermarks they are": (
        _quiet("cost_report", Invoke(), Stranger("lake")),
        {
            "anthropic_lake.lake.watermark.Watermarks.lake_id": None,
            "anthropic_lake.sync.ownership.OwnedLake._refuse_foreign_watermarks": _nothing,
        },
    ),
    "it asks whose key it is": (
        _quiet("cost_report", Invoke(), Stranger("organization")),
        {"anthropic_lake.sync.ownership.OwnedLake.admit": _admit_anybody},
    ),
    "it asks what time it is": (
        _quiet("cost_report", Invoke(skew_hours=24 * 14)),
        {"anthropic_lake.sync.admission.Admission._refuse_wrong_clock": _nothing},
    ),
    "a walk that starts again forgets its rows": (
        _quiet("analytics_cost", page_size=1, meanwhile={4: Change("restate", 1)}),
        {"anthropic_lake.rows.day.DayRestart": Plan},  # that is, nothing is one
    ),
    "a day is final when the API has all of it": (
        _YESTERDAY_IN_PART,
        {"anthropic_lake.rows.day.Day.has_all_data": True},
    ),
    "a day that the API does not have is not written": (
        _YESTERDAY_IN_PART,
        {"anthropic_lake.extract.reach.Reach.has_begun": lambda *_: True},
    ),
    _LONG: (
        _HURRIED,
        {
            "anthropic_lake.sync.days.is_overdue": lambda *_: False,
            "anthropic_lake.sync.days.too_old": _nothing,
            "anthropic_lake.sync.days._Sync._has_time_for": lambda sync, day: (
                day not in sync._window.lookback
            ),
        },
    ),
    "what is not offered leaves no day": (
        _quiet("spend_limits", Change("not offered 404"), Invoke()),
        {"anthropic_lake.sync.days.days": _an_empty_day},
    ),
    "a snapshot of several lists has all of them": (
        _quiet("rate_limits"),
        {"anthropic_lake.extract.snapshots._pages": lambda *_: []},
    ),
}


@pytest.mark.parametrize(
    "duty", [pytest.param(duty, marks=[pytest.mark.slow] * (duty == _LONG)) for duty in LIES]
)
def test_the_search_finds_what_is_not_done(duty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The invariants are worth something: code that leaves one of these out fails them."""
    plan, patches = LIES[duty]
    assert play(plan).violations == {}
    for target, replacement in patches.items():
        monkeypatch.setattr(target, replacement)
    assert play(plan).violations


@pytest.mark.parametrize("changes", [("restate", "restore"), ("restate", "clear")])
def test_an_older_answer_never_stays(
    changes: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is held until a newer one is in the lake, or until the lake is right without it."""
    before, meanwhile = changes
    held = Overlap(Invoke(), Invoke(), 0, hold=2, change=Change(meanwhile, 1))
    plan = _quiet("cost_report", Invoke(), Change(before, 1), held)
    assert play(plan).violations == {}
    put = S3Lake.put
    monkeypatch.setattr(
        S3Lake, "put", lambda *given, **more: put(*given, **{**more, "replaces": ANYTHING})
    )
    monkeypatch.setattr("anthropic_lake.lake.ledger._is_overtaken", lambda *_: False)
    assert play(plan).violations


def test_a_snapshot_that_another_run_has_put_meanwhile_is_read_again_whole() -> None:
    held = Overlap(Invoke(), Invoke(), 0, hold=2)
    for asset in ("users", "workspace_members", "rate_limits"):
        report = play(_quiet(asset, held))
        assert report.violations == {}
        assert report.ended == {"succeeded": 2}


def test_the_search_finds_a_history_with_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = _quiet("cost_report", Invoke(), Wait(24 * 4), Change("history start", 8), Invoke())
    assert play(plan).violations == {}
    monkeypatch.setattr(
        "anthropic_lake.sync.days._Sync._advance",
        lambda sync: sync._job.watermarks.advance(sync._asset.name, max(sync._safe)),
    )
    assert play(plan).violations
