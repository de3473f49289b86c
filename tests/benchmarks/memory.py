"""The memory setting: a scheduled run at each size, with the share of a core that goes with it."""

from __future__ import annotations

from argparse import Namespace
from datetime import timedelta

from tests.aws.embedded import EmbeddedAws
from tests.benchmarks.cold_start import deployed
from tests.benchmarks.lambda_run import LAST_DAY, MB_PER_CORE, Account
from tests.benchmarks.measure import serving
from tests.benchmarks.output import say, table
from tests.benchmarks.prices import PRICES

SIZES = (512, 768, 1024, 1769, 3008)
WORK = (("usage_report", 500), ("usage_report", 5000), ("claude_code_usage", 500), ("users", 500))
LATENCY_MS = 200
FIRST_DAY = LAST_DAY - timedelta(days=34)


def main(options: Namespace) -> None:
    """Measure scheduled runs, after one that has filled the lake."""
    say("## Memory settings\n")
    say(
        f"A cold start and a scheduled run, {LATENCY_MS} ms an answer of the API; the CPU share of "
        f"each size ({MB_PER_CORE} MB a core) by a control group's quota.\n"
    )
    rows = []
    with deployed() as lambda_:
        for asset, size in WORK:
            people = 500 if asset != "usage_report" else 12
            with (
                serving(
                    days=35, groups=size, people=people, latency_ms=LATENCY_MS, last_day=LAST_DAY
                ) as api,
                EmbeddedAws() as aws,
            ):
                account = Account(aws, api, lambda_)
                account.invoke(asset, FIRST_DAY)
                for memory in SIZES:
                    found = account.invoke(asset, FIRST_DAY, memory)
                    usd = found.billed * memory / 1024 * PRICES["lambda_gb_second_arm"].usd
                    rows.append(
                        [
                            f"{asset}, {size:,} a day",
                            f"{memory:,}",
                            f"{found.billed:.1f}",
                            f"{found.cpu:.1f}",
                            f"{found.peak:.0f}",
                            f"{usd * 1000:.2f}",
                        ]
                    )
    table(("run", "memory, MB", "billed, s", "CPU, s", "peak, MB", "USD a thousand runs"), rows)
