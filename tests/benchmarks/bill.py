"""What a month costs: runs measured here, times the list prices.

Processor time, requests, objects, bytes, log lines and metrics are measured. Waits are computed,
so that this machine's noise is not in the bill: billed seconds are CPU / share of a core +
requests to the Admin API x 0.4 s, or what the pace of a function makes them wait if that is
longer, + calls of AWS x 0.03 s.
"""

from __future__ import annotations

import json
from argparse import Namespace
from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta

from anthropic_lake.api.connection import Pace
from anthropic_lake.assets import ASSETS, Asset
from anthropic_lake.query.catalog import CATALOG
from anthropic_lake.settings import read_settings
from anthropic_lake.sync.lookback import costs_by_day
from tests.aws.embedded import EmbeddedAws
from tests.benchmarks.cold_start import Deployed, deployed
from tests.benchmarks.lambda_run import LAST_DAY, MB_PER_CORE, Account, Invocation
from tests.benchmarks.measure import ROOT, serving
from tests.benchmarks.output import say, table
from tests.benchmarks.prices import AS_OF, PRICES

HOURS = 730
RUN_SECONDS = 900
DAYS = HOURS / 24
API_SECONDS = 0.4
AWS_SECONDS = 0.03
MONTHS_KEPT = 12
LEAST_SCAN = 10e6  # bytes that Athena counts for a smaller query
HISTORY_DAYS = {"claude_code_usage": 5}  # what is filled first; the others: as they look back
LOOKBACK_DAYS = 35
ALARMS = (ROOT / "template.yaml").read_text("utf-8").count("Type: AWS::CloudWatch::Alarm")


@dataclass(frozen=True)
class Size:
    """An organization.

    Args:
        title: What it is called here.
        people: Its users, who all use Claude Code.
        groups: Its rows of the usage report a day.
    """

    title: str
    people: int
    groups: int


SIZES = (
    Size("10 people", 10, 60),
    Size("500 people", 500, 500),
    Size("20,000 people, 5,000 groups", 20_000, 5_000),
)


def main(options: Namespace) -> None:
    """Run every function for every organization and add up a month."""
    say(
        f"## A month's bill\n\nUSD, list prices of us-east-1, {AS_OF}, before any free tier. "
        "Reports are read hourly, snapshots daily; every run is a cold start.\n"
    )
    bills = {}
    with deployed() as lambda_:
        for size in SIZES:
            bills[size.title] = _bill(size, lambda_)
    lines = [
        [price.unit, *(f"{bill[name]:.2f}" for bill in bills.values())]
        for name, price in PRICES.items()
    ]
    lines.append(["together", *(f"{sum(bill.values()):.2f}" for bill in bills.values())])
    table(("USD a month", *bills), lines)


def _bill(size: Size, lambda_: Deployed) -> dict[str, float]:
    """Add up one organization's month in USD, and print the runs that it is made of."""
    used: defaultdict[str, float] = defaultdict(float)
    rows = []
    with (
        serving(
            days=LOOKBACK_DAYS, groups=size.groups, people=size.people, last_day=LAST_DAY
        ) as api,
        EmbeddedAws() as aws,
    ):
        account = Account(aws, api, lambda_)
        for asset in ASSETS.values():
            days = HISTORY_DAYS.get(asset.name, LOOKBACK_DAYS)
            first_day = LAST_DAY - timedelta(days=days - 1)
            filled = account.invoke(asset.name, first_day).run
            run = account.invoke(asset.name, first_day)
            times = HOURS if asset.kind.dated else DAYS
            for name, amount in _used(asset, run).items():
                used[name] += amount * times
            used["s3_gb_month"] += (
                filled["bytes"] / filled["days_written"] * DAYS * MONTHS_KEPT / 1e9
            )
            used["metric_month"] += _metrics(run.log) * times / HOURS
            rows.append(_row(asset, run))
    used["secret_month"] = 1
    used["alarm_month"] = ALARMS
    used["athena_tb"] = len(CATALOG.saved_queries) * DAYS * LEAST_SCAN / 1e12
    say(f"### {size.title}\n")
    table(("run", "memory, MB", "billed, s", "CPU, s", "peak, MB", "requests", "rows"), rows)
    return {name: used[name] * price.usd for name, price in PRICES.items()}


def _used(asset: Asset, run: Invocation) -> dict[str, float]:
    """Give what one run uses of what is paid for by use."""
    return {
        "lambda_gb_second_arm": _billed(asset, run) * asset.function.memory_mb / 1024,
        "lambda_request": 1,
        "schedule": 1,
        "s3_put": _puts(asset, run),
        "s3_head": _heads(asset, run),
        "secret_read": 1,
        "log_gb": len(run.log) / 1e9,
    }


def _puts(asset: Asset, run: Invocation) -> int:
    """Count PUTs: objects that changed, and the run's own record at its start and end."""
    return int(run.run["days_changed"]) * len(asset.tables) + 2


def _heads(asset: Asset, run: Invocation) -> int:
    """Count HEADs: one for every object that might change."""
    return int(run.run["days_written"]) * len(asset.tables) + 2


def _billed(asset: Asset, run: Invocation) -> float:
    """Give the seconds that a run is billed for."""
    calls = _puts(asset, run) + _heads(asset, run) + run.run["days_written"] + 2
    waits: float = _seconds_of(run.run["requests"])
    if costs_by_day(asset):  # a lookback ends in the day that is read at half of the time
        waits = min(waits, RUN_SECONDS / 2 + waits / run.run["days_written"])
    waits += calls * AWS_SECONDS
    return run.cpu / min(1, asset.function.memory_mb / MB_PER_CORE) + waits


def _seconds_of(requests: int) -> float:
    """Give the seconds that requests to the Admin API take at the pace of a function."""
    pace = Pace(read_settings({}).share_per_minute(is_backfill=False), clock=lambda: 0.0)
    waits = [pace.take() for _ in range(requests)]
    return max(waits[-1], requests * API_SECONDS)


def _metrics(log: str) -> int:
    """Count the metrics that a run sends, which it does by a line of its log."""
    lines = [json.loads(line) for line in log.splitlines() if line.startswith('{"')]
    return sum(
        len(group["Metrics"])
        for line in lines
        for group in line.get("_aws", {}).get("CloudWatchMetrics", ())
    )


def _row(asset: Asset, run: Invocation) -> list[str]:
    """Put a run into a row."""
    return [
        asset.name,
        f"{asset.function.memory_mb:,}",
        f"{_billed(asset, run):.1f}",
        f"{run.cpu:.1f}",
        f"{run.peak:.0f}",
        str(run.run["requests"]),
        f"{run.run['rows']:,}",
    ]
