"""The process ends at every effect of a three-day run of each asset, and the next run mends it.

`make test` plays a list, a list for each workspace, time buckets and rows that carry their time; CI
plays all assets.
"""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from anthropic_lake.assets import ASSETS
from anthropic_lake.errors import Terminated
from anthropic_lake.lake.layout import object_key
from tests.reliability.plans import Invoke, Plan, Step, Wait, draw
from tests.reliability.play import invoke, play
from tests.reliability.sandbox import Outcome
from tests.reliability.world import World


def _plan(asset: str, *steps: Step) -> Plan:
    """Three days are due: history begins on 14 November, and two are not over."""
    base = draw(0)
    return dataclasses.replace(
        base,
        asset=asset,
        start=base.start.replace(hour=6, minute=0, second=0, microsecond=0) - timedelta(days=2),
        lookback=30,
        page_size=1,
        open_day="accept",
        history_days=4,
        lag=None,
        steps=list(steps),
        api=[],
        network={},
        aws=[],
    )


QUICK = ("users", "workspace_members", "cost_report")
EACH_ASSET = pytest.mark.parametrize(
    "asset",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in ASSETS],
)


@pytest.mark.timeout(300)
@EACH_ASSET
def test_a_process_that_dies_anywhere_loses_nothing(asset: str) -> None:
    deaths = 0
    for effect in range(1, 10_000):
        report = play(_plan(asset, Invoke(kill_at=effect)))
        assert report.violations == {}, f"killed at effect {effect}"
        if "Killed" not in report.ended:
            break
        deaths += 1
    assert deaths >= 40  # two for each: manifest, owner, history, secret, API, heads, puts, row
    assert report.ended == {"succeeded": 1}


@pytest.mark.timeout(300)
@EACH_ASSET
def test_sigterm_ends_a_run_as_an_exception_does(asset: str) -> None:
    """What is in the lake is in the ledger then, and the run's row says what happened."""
    for effect in range(1, 10_000):
        step = Invoke(terminate_at=effect)
        world = World(_plan(asset, step))
        try:
            (outcome,) = invoke(world, step)
            if outcome.error is None:
                break
            assert isinstance(outcome.error, Terminated)
            assert world.violations == [], f"terminated at effect {effect}"
            _check_settled(world, outcome, str(outcome.error.code))
        finally:
            world.close()
    assert effect > 40


def _check_settled(world: World, outcome: Outcome, effect: str) -> None:
    """Every day that was put whole before a request was ended is recorded."""
    last = world.asset.tables[-1].name
    days = {day for day in world.days() if object_key(last, day) in world.cloud.objects}
    ledger = world.ledger().keys()
    assert ledger <= days
    row = world.row(outcome)
    if "api" in effect and row is not None:
        assert ledger == days
        assert (row["status"], row["error_type"]) == ("failed", "Terminated")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_lake_that_slept_is_mended_whichever_watermark_a_death_lets_through() -> None:
    """The API has lost days meanwhile: the history begins anew, first its start, then its end."""
    year = (Invoke(), Wait(24 * 400))
    world = World(_plan("analytics_usage"))
    try:
        invoke(world, year[0])
        world.clock.sleep(year[1].hours * 3600)
        invoke(world, Invoke())
        effects = world.sandboxes[-1].effects
    finally:
        world.close()
    puts = [number for number, effect in enumerate(effects, 1) if "ssm.put" in effect]
    for number in puts[:6]:
        report = play(_plan("analytics_usage", *year, Invoke(kill_at=number)))
        assert report.violations == {}, f"killed at effect {number}"
        assert report.ended["Killed"] == 1
