"""The reports of timed rows beside the usage report: CPU a row and peak memory of the client."""

from __future__ import annotations

import statistics
import tempfile
from argparse import Namespace
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.benchmarks.measure import Api, Cost, ask, ours, own_environment, serving
from tests.benchmarks.output import say, table

DAYS = 90
END = datetime.now(UTC).date()  # the API gives these reports for the last 365 days
START = END - timedelta(days=DAYS)


@dataclass(frozen=True)
class Report:
    """A report of 15,000 rows a day.

    Args:
        asset: Its name.
        groups: The usage rows a day of the organization that has so many of its rows.
    """

    asset: str
    groups: int


REPORTS = (
    Report("usage_report", 15_000),
    Report("analytics_usage", 30_000),
    Report("analytics_cost", 5_000),
)


def main(options: Namespace) -> None:
    """Sync each report in turn, and print the medians."""
    say("## Reports by person, beside the usage report\n")
    costs = defaultdict[Report, list[Cost]](list)
    rows = {}
    with ExitStack() as stack:
        python = str(stack.enter_context(own_environment()) / "python")
        apis = {
            report: stack.enter_context(
                serving(
                    days=DAYS, groups=report.groups, people=12, last_day=END - timedelta(days=1)
                )
            )
            for report in REPORTS
        }
        for report, api in apis.items():
            rows[report] = _sync(api, report, python)[1]
        for _ in range(options.pairs):
            for report, api in apis.items():
                costs[report].append(_sync(api, report, python)[0])
    per_row = {
        report: statistics.median(cost.cpu for cost in costs[report]) / rows[report] * 1e6
        for report in REPORTS
    }
    lines = [
        [
            report.asset,
            f"{rows[report]:,}",
            f"{statistics.median(cost.cpu for cost in costs[report]):.1f}",
            f"{per_row[report]:.1f}",
            f"{per_row[report] / per_row[REPORTS[0]]:.2f}",
            f"{statistics.median(cost.peak for cost in costs[report]):.0f}",
        ]
        for report in REPORTS
    ]
    heads = ("report", "rows", "CPU, s", "CPU a row, µs", "of usage_report's", "peak memory, MiB")
    table(heads, lines)


def _sync(api: Api, report: Report, python: str) -> tuple[Cost, int]:
    """Sync the days and give what that cost, and the rows that the lake then has."""
    with tempfile.TemporaryDirectory() as folder:
        cost = ours(api, Path(folder), (report.asset,), START, END, python=python)
        sql = f"SELECT count(*) AS rows FROM {report.asset}"
        command = ("anthropic_lake.cli", "query", sql, "--lake", folder, "--format", "json")
        answer: Any = ask(*command)
    return cost, answer[0]["rows"]
