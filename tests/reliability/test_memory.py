"""The memory of a function bounds what it reads: it ends by name before Lambda ends it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LEAST_MIB = 256
"""Memory of the smallest function."""


@pytest.mark.parametrize(
    ("case", "ended"),
    [
        ("an organization of 100 MB", "TooLarge"),
        ("an organization that nearly fits", "succeeded"),
    ],
)
def test_a_hostile_organization_fits_into_the_smallest_function(case: str, ended: str) -> None:
    environment = {**os.environ, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(LEAST_MIB)}
    program = [sys.executable, "-m", "tests.reliability.large", case]
    done = subprocess.run(program, cwd=ROOT, env=environment, capture_output=True, check=True)
    result = json.loads(done.stdout)
    assert result["ended"] == ended
    assert result["mib"] <= LEAST_MIB
