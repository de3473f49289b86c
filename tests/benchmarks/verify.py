"""Checks that two programs wrote the same, and prints as JSON what was compared.

    python -m tests.benchmarks.verify LAKE FOLDER ASSET...     ours and ingestr's
    python -m tests.benchmarks.verify --same LAKE LAKE          ours and the floor's

In a process of its own, because it is large, and what is measured must not inherit that.
"""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tests.benchmarks.measure import WrongResult

# The columns that both have, ours first.
SUMS = {
    "usage_report": {
        "uncached_input_tokens": "uncached_input_tokens",
        "cache_read_input_tokens": "cache_read_input_tokens",
        "cache_creation_ephemeral_5m_input_tokens": "cache_creation_5m_tokens",
        "cache_creation_ephemeral_1h_input_tokens": "cache_creation_1h_tokens",
        "output_tokens": "output_tokens",
        "server_tool_use_web_search_requests": "web_search_requests",
    },
    "cost_report": {"amount_cents": "amount"},
    "claude_code_usage": {
        "core_metrics_num_sessions": "num_sessions",
        "core_metrics_lines_of_code_added": "lines_added",
        "core_metrics_commits_by_claude_code": "commits_by_claude_code",
        "tool_actions_edit_tool_accepted": "edit_tool_accepted",
        "tokens_input": "total_input_tokens",
        "tokens_output": "total_output_tokens",
    },
}


def read(lake: Path, table: str) -> pa.Table:
    """Read all days of a table, oldest first."""
    files = sorted(lake.glob(f"asset={table}/date=*/{table}.parquet"))
    return pa.concat_tables([pq.ParquetFile(file).read() for file in files])


def total(column: pa.ChunkedArray) -> Any:
    """Add a column up, exactly."""
    if pa.types.is_string(column.type):
        return sum(map(Decimal, column.to_pylist()))
    return pc.sum(column).as_py()


def compare(lake: Path, folder: Path, asset: str) -> str:
    """Compare rows and sums of one asset."""
    mine, theirs = read(lake, asset), pq.ParquetFile(folder / f"{asset}.parquet").read()
    if mine.num_rows != theirs.num_rows:
        raise WrongResult(f"{asset}: {mine.num_rows} rows and {theirs.num_rows}")
    for name, other in SUMS[asset].items():
        sums = total(mine[name]), total(theirs[other])
        if sums[0] != sums[1]:
            raise WrongResult(f"{asset}.{name}: {sums[0]} and {sums[1]}")
    return f"{mine.num_rows:,} rows, {len(SUMS[asset])} sums"


def same(one: Path, other: Path) -> str:
    """Compare all rows of the usage report."""
    mine, theirs = (read(lake, "usage_report") for lake in (one, other))
    if not mine.replace_schema_metadata().equals(theirs.replace_schema_metadata()):
        raise WrongResult("the floor wrote other rows")
    return f"{mine.num_rows:,} equal rows"


def main() -> None:
    if sys.argv[1] == "--same":
        found = same(*map(Path, sys.argv[2:4]))
    else:
        lake, folder, *assets = sys.argv[1:]
        found = "; ".join(compare(Path(lake), Path(folder), asset) for asset in assets)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
