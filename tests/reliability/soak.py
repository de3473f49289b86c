"""Play many plans and say what happened.

python -m tests.reliability.soak --plans 10000          # all of them, in two processes
python -m tests.reliability.soak --seed 1234 --plans 1  # the one that failed
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor

import pyarrow as pa

from tests.reliability.plans import draw
from tests.reliability.play import Report, play

_PART = 50
_EVERY = 1000


def main() -> int:
    """Play, print the figures, and fail when something did not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first plan")
    parser.add_argument("--plans", type=int, default=10_000)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    started = time.monotonic()
    report = Report()
    seeds = range(options.seed, options.seed + options.plans)
    parts = [seeds[at : at + _PART] for at in range(0, len(seeds), _PART)]
    with ProcessPoolExecutor(options.processes) as pool:
        for part in pool.map(play_all, parts):
            report.add(part)
            for seed, violations in part.violations.items():
                _say("\n  ".join([f"PLAN {seed}:", *violations]))
            if report.plans % _EVERY == 0:
                _say(f"{report.plans} plans, {time.monotonic() - started:.0f} s")
    _show(report, time.monotonic() - started)
    if options.plans == 1:
        _say(str(draw(options.seed)))
    return 1 if report.violations else 0


def play_all(seeds: range) -> Report:
    """Play some plans in this process."""
    pa.set_cpu_count(1)  # the processes share the machine
    report = Report()
    for seed in seeds:
        report.add(play(draw(seed)))
    return report


def _show(report: Report, seconds: float) -> None:
    _say(
        f"{report.plans:,} plans in {seconds:,.0f} s: {report.effects:,} effects, "
        f"{report.requests:,} requests, {len(report.violations)} plans in which something did "
        "not hold"
    )
    for title, counted in (
        ("Faults that happened", report.happened),
        ("How the invocations under faults ended", report.ended),
    ):
        _say(f"\n{title}: {counted.total():,}")
        for kind, count in sorted(counted.items()):
            _say(f"{count:8,}  {kind}")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
