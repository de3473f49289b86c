"""The history grows backwards: by intervals in any order, and by nothing that leaves a gap."""

from __future__ import annotations

import itertools
from datetime import date

import pyarrow.parquet as pq
import pytest

from tests.contract.lab import ONE_DAY, TODAY, Lab, each_day

FIRST = TODAY - 4 * ONE_DAY  # of a lab's history
PARTS = [
    (FIRST - 24 * ONE_DAY, FIRST - 17 * ONE_DAY),  # in the month before
    (FIRST - 17 * ONE_DAY, FIRST - 2 * ONE_DAY),
    (FIRST - 2 * ONE_DAY, FIRST),
]


def first_day(lab: Lab) -> date:
    return date.fromisoformat((lab.root / "_watermarks" / "cost_report.first").read_text().strip())


def in_history(lab: Lab) -> list[date]:
    paths = (lab.root / "asset=sync_days").glob("date=*/cost_report.parquet")
    rows = [row for path in paths for row in pq.ParquetFile(path).read().to_pylist()]
    return sorted(row["day"] for row in rows if row["in_history"])


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_the_months_of_a_backfill_move_the_first_day_back_in_any_order(
    lab: Lab, order: tuple[int, ...]
) -> None:
    lab.run("cost_report")
    assert first_day(lab) == FIRST
    for number in order:
        lab.run("cost_report", PARTS[number])
    assert first_day(lab) == PARTS[0][0]
    assert in_history(lab) == each_day(PARTS[0][0], TODAY)
    wanted = Lab(lab.api, lab.root, environment={"HISTORY_START": str(PARTS[0][0])})
    assert wanted.run("cost_report").warnings == []


def test_an_island_stays_one_until_the_days_between_are_read(lab: Lab) -> None:
    lab.run("cost_report")
    lab.run("cost_report", PARTS[0])
    lab.run("cost_report", PARTS[2])
    assert first_day(lab) == PARTS[2][0]
    assert in_history(lab) == each_day(PARTS[2][0], TODAY)
