"""An organization with 5,000 workspaces gets its snapshot of members, and never half of one.

It takes some twenty seconds; tests/unit/test_sync.py shows the same with 40 workspaces.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from anthropic_lake.assets import ASSETS
from anthropic_lake.lake.layout import object_key
from tests.reliability.many_workspaces import ASSET, PEOPLE, SEED, TODAY
from tests.simulator import Organization

ROOT = Path(__file__).parents[2]
WORKSPACES = 5000
RECORDS_A_PAGE = 1000

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_it_is_whole_the_same_day_and_hidden_until_then(tmp_path: Path) -> None:
    program = ["tests.reliability.many_workspaces", str(tmp_path), str(WORKSPACES)]
    done = subprocess.run(
        [sys.executable, "-m", *program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    result = json.loads(done.stdout)
    *earlier, last = result["runs"]
    assert {run["status"] for run in earlier} == {"partial"}
    assert last["status"] == "succeeded"
    assert not any(run["is_visible"] or run["watermark"] for run in earlier)
    assert (last["is_visible"], last["watermark"]) == (True, str(TODAY))
    assert result["hours"] < 24  # later, the day's snapshot would be refused
    assert last["peak_mib"] <= ASSETS[ASSET].function.memory_mb

    organization = Organization.invent(
        seed=SEED, today=TODAY, days=1, people=PEOPLE, workspaces=WORKSPACES
    )
    listed = len(organization.workspaces) - 1  # the default one has no list
    pages = math.ceil(listed / RECORDS_A_PAGE)
    assert sum(run["requests"] for run in result["runs"]) == listed + pages * len(result["runs"])
    expected = [
        (member["workspace_id"], member["user_id"], member["workspace_role"])
        for members in organization.members.values()
        for member in members
    ]
    rows = pq.read_table(tmp_path / object_key(ASSET, TODAY), partitioning=None)
    columns = (rows[name].to_pylist() for name in ("workspace_id", "user_id", "workspace_role"))
    assert list(zip(*columns, strict=True)) == sorted(expected)
    assert not (tmp_path / object_key(ASSET, TODAY + timedelta(days=1))).exists()
