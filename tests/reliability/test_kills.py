"""The process dies at every effect of a three-day run of each asset, and the next run mends it.

`make test` plays the assets that are read in different ways; the others are read like one of them.
"""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from anthropic_lake.assets import ASSETS
from tests.reliability.plans import EACH_WAY, Invoke, Plan, draw
from tests.reliability.play import play


def _plan(asset: str, kill_at: int | None) -> Plan:
    """Three days are due: history begins on 14 November, and two are not over."""
    base = draw(0)
    return dataclasses.replace(
        base,
        asset=asset,
        start=base.start.replace(hour=6, minute=0, second=0, microsecond=0) - timedelta(days=2),
        lookback=30,
        page_size=1,
        open_day="accept",
        steps=[Invoke(kill_at=kill_at)],
        api=[],
        network={},
        aws=[],
    )


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "asset",
    [name if name in EACH_WAY else pytest.param(name, marks=pytest.mark.slow) for name in ASSETS],
)
def test_a_process_that_dies_anywhere_loses_nothing(asset: str) -> None:
    deaths = 0
    for effect in range(1, 10_000):
        report = play(_plan(asset, effect))
        assert report.violations == {}, f"killed at effect {effect}"
        if "Killed" not in report.ended:
            break
        deaths += 1
    assert deaths >= 14  # two for each of secret, SSM, sync_runs, API, S3, SSM, sync_runs
    assert report.ended == {"succeeded": 1}
