"""Against the floor: the least that Python can do to make the same Parquet from the same bytes."""

from __future__ import annotations

import tempfile
from argparse import Namespace
from datetime import timedelta
from pathlib import Path

from tests.benchmarks import floor, verify
from tests.benchmarks.measure import (
    LAST_DAY,
    Cost,
    ask,
    compare,
    interleaved,
    ours,
    own_environment,
    run,
    serving,
)
from tests.benchmarks.output import say, table

GROUP_BY = "model,api_key_id,service_tier,context_window,workspace_id"
DAYS = 90
GROUPS = 5000
AIM = 1.4


def main(options: Namespace) -> None:
    """Compare the CPU of a sync of 450,000 rows with that of the floor."""
    say("## Against the floor\n")
    end = LAST_DAY + timedelta(days=1)
    start = end - timedelta(days=DAYS)
    with (
        own_environment() as programs,
        serving(days=DAYS, groups=GROUPS, people=12) as api,
        tempfile.TemporaryDirectory() as home,
    ):
        python = str(programs / "python")
        numbers = iter(range(1000))

        def one() -> Cost:
            lake = Path(home) / f"ours-{next(numbers)}"
            return ours(
                api, lake, ("usage_report",), start, end, python=python, USAGE_GROUP_BY=GROUP_BY
            )

        def other() -> Cost:
            command = [python, "-m", floor.__name__, str(Path(home) / f"f-{next(numbers)}")]
            command += [start.isoformat(), end.isoformat(), GROUP_BY]
            return run(command, api.environment())

        one()
        other()
        checked = ask(verify.__name__, "--same", f"{home}/ours-0", f"{home}/f-1")
        found = interleaved(one, other, options.pairs)
    rows = []
    for figure, unit in (("cpu", "s"), ("wall", "s"), ("peak", "MiB")):
        got = compare(found, figure)
        aim = f" ({AIM:g})" if figure == "cpu" else ""
        ratio = f"{got.ratio:.2f}{aim}"
        rows.append([figure, ratio, f"{got.one:.2f} {unit}", f"{got.other:.2f} {unit}"])
    table(("figure", "ours / floor", "ours", "floor"), rows)
    say(f"{checked}.\n")
