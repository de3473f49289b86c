"""Coverage costs what the ledger costs: the runs are neither read nor listed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from anthropic_lake.assets import ASSETS
from tests.benchmarks.coverage import DAYS, TODAY, write_aged_lake

MOST_SECONDS, MOST_MIB = 2.0, 300
MEASURED = """
import json, re, sys, time
from datetime import date
from pathlib import Path
from pyarrow import fs
from anthropic_lake.lake.reading import StoredLake
from anthropic_lake.query.duckdb import query

lake, today = StoredLake(fs.LocalFileSystem(), sys.argv[1], ""), date.fromisoformat(sys.argv[2])
started = time.process_time()
with query("SELECT asset, status FROM coverage", lake, today=today) as result:
    rows = result.read_all().to_pylist()
seconds = time.process_time() - started
peak = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())
json.dump({"rows": rows, "seconds": seconds, "peak": int(peak[1]) / 1024}, sys.stdout)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux knows the most memory of one program")
def test_two_years_take_two_seconds_and_300_mib(tmp_path: Path) -> None:
    write_aged_lake(tmp_path)
    (tmp_path / "asset=sync_runs").touch()  # cannot be listed
    command = [sys.executable, "-c", MEASURED, str(tmp_path), str(TODAY)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)
    assert Counter((row["asset"], row["status"]) for row in found["rows"]) == {
        (asset, status): days for asset in ASSETS for status, days in (("final", DAYS), ("open", 1))
    }
    assert found["seconds"] < MOST_SECONDS
    assert found["peak"] < MOST_MIB
