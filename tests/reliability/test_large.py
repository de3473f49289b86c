"""Large inputs end well, or are refused by name, within the memory of a function.

Together they take minutes, so `make test` leaves them to CI and `make soak`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOST_MIB = 1024
EXPECTED = {
    "an answer of 200 MB": "succeeded",
    "a day of 900,000 rows in one answer": "succeeded",
    "an answer of 200 MB of long texts": "succeeded",
    "a page of 1,000,000 rows": "succeeded",
    "a day of 800,000 rows in hours": "succeeded",
    "a day of 20,000 people's cost in pages": "succeeded",
    "three days of 20,000 people's cost in pages": "succeeded",
    "a decompression bomb": "TooLarge",
    "a day of 2,000,000 rows in one answer": "TooLarge",
    "a day of 2,000,000 rows in hours": "TooLarge",
}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.mark.parametrize("case", EXPECTED)
def test_it_fits_into_the_memory_or_is_refused_by_name(case: str) -> None:
    program = [sys.executable, "-m", "tests.reliability.large", case]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=True)
    result = json.loads(done.stdout)
    assert result["ended"] == EXPECTED[case]
    assert result["mib"] <= MOST_MIB
