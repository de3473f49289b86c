"""Large inputs end well, or are refused by name, within the memory of a function.

Together they take minutes, so `make test` leaves them to CI and `make soak`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
MOST_MIB = 1024
ONE_DAY = "a day of 20,000 people's cost in pages"
THREE_DAYS = "three days of 20,000 people's cost in pages"
EXPECTED = {
    "an answer of 200 MB": "succeeded",
    "a day of 900,000 rows in one answer": "succeeded",
    "an answer of 200 MB of long texts": "succeeded",
    "a page of 1,000,000 rows": "succeeded",
    "a day of 800,000 rows in hours": "succeeded",
    ONE_DAY: "succeeded",
    THREE_DAYS: "succeeded",
    "a decompression bomb": "TooLarge",
    "a day of 2,000,000 rows in one answer": "TooLarge",
    "a day of 2,000,000 rows in hours": "TooLarge",
}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@cache
def _result(case: str) -> dict[str, Any]:
    """How a sync of something large ended, and what it took."""
    program = [sys.executable, "-m", "tests.reliability.large", case]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.parametrize("case", EXPECTED)
def test_it_fits_into_the_memory_or_is_refused_by_name(case: str) -> None:
    result = _result(case)
    assert result["ended"] == EXPECTED[case]
    assert result["mib"] <= MOST_MIB


def test_memory_is_bounded_by_a_page_and_a_day_however_many_days_are_read() -> None:
    of_a_day, of_three_days = (_result(case)["mib"] for case in (ONE_DAY, THREE_DAYS))
    assert of_three_days < 1.1 * of_a_day
