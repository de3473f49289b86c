"""Runs the benchmarks, or those named: `make bench`, `make bench ARGS="floor growth"`."""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata

from tests.benchmarks.measure import PAIRS, machine
from tests.benchmarks.output import say

PROGRAMS = (
    "against_floor",
    "peer",
    "growth",
    "analytics",
    "spread",
    "coverage",
    "insight",
    "views",
    "cold_start",
    "memory",
    "bill",
    "size",
)
PACKAGES = ("pyarrow", "msgspec", "requests", "boto3")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("programs", nargs="*", metavar="PROGRAM", help=f"of {', '.join(PROGRAMS)}")
    parser.add_argument("--pairs", type=int, default=PAIRS, help="how often each is run")
    parser.add_argument("--only", help="lines of the comparison with the peer that say this")
    options = parser.parse_args()
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    say(f"{machine()}, {versions}.\n")
    for name in options.programs or PROGRAMS:
        if name not in PROGRAMS:
            parser.error(f"no benchmark {name!r}: choose from {', '.join(PROGRAMS)}")
        importlib.import_module(f"tests.benchmarks.{name}").main(options)


if __name__ == "__main__":
    main()
