"""How small the lake is, and how little of it the cookbook's queries read."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from argparse import Namespace
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import requests

from tests.benchmarks import scans
from tests.benchmarks.floor import PATH
from tests.benchmarks.measure import WrongResult, ask, run
from tests.benchmarks.output import say, table
from tests.simulator import AdminApiServer, Organization

AIM = 12
TRIES = 5
DAYS = 90
GROUP_BY = ("api_key_id", "workspace_id", "model", "service_tier", "context_window")


def main(options: Namespace) -> None:
    """Compare Parquet with the JSON it was made from, then run the queries."""
    say("## Size\n")
    today = datetime.now(UTC).date()
    start = today - timedelta(days=DAYS - 1)
    sizes, reads = [], []
    for groups in (500, 5000):
        organization = Organization.invent(today=today, days=DAYS, groups=groups, people=500)
        with AdminApiServer(organization) as api, tempfile.TemporaryDirectory() as folder:
            command = [str(Path(sys.executable).with_name("anthropic-lake")), "sync", "--json"]
            command += ["--lake", folder, "--history-start", start.isoformat()]
            environment = {"ANTHROPIC_BASE_URL": api.url, "ANTHROPIC_ADMIN_KEY": api.key}
            run(command, {**environment, "REQUESTS_PER_MINUTE": "1000000"})
            found = _scanned(folder, today)
            files = Path(folder).glob("asset=usage_report/*/*.parquet")
            raw, parquet = _json_bytes(api, start, today), sum(f.stat().st_size for f in files)
            sizes.append(
                [f"{groups:,}", f"{raw / 1e6:.1f}", f"{parquet / 1e6:.2f}", f"{raw / parquet:.1f}"]
            )
            reads.append(found)
    table(("usage rows a day", "JSON, MB", "Parquet, MB", f"JSON / Parquet ({AIM})"), sizes)
    say(f"### What the cookbook's queries read of {DAYS} days, 5,000 usage rows a day\n")
    lines = [
        [name, f"{read / 1e6:.2f}", f"{whole / 1e6:.2f}", f"{read / whole:.0%}"]
        for name, (read, whole) in reads[-1].items()
    ]
    table(("query", "bytes read, MB", "its tables, MB", "share"), lines)


def _scanned(folder: str, today: date) -> dict[str, tuple[int, int]]:
    """Run the queries over a lake, again where they hang.

    Threads of Arrow and DuckDB that read files which are Python objects, to be counted, now and
    then wait for each other for ever.
    """
    for _ in range(TRIES):
        with suppress(subprocess.TimeoutExpired):
            found = ask(scans.__name__, folder, today.isoformat(), seconds=60)
            assert isinstance(found, dict)
            return found
    raise WrongResult(f"the queries hung {TRIES} times")


def _json_bytes(api: AdminApiServer, start: object, end: object) -> int:
    """Give the size of the report's pages."""
    asked = [("starting_at", f"{start}T00:00:00Z"), ("ending_at", f"{end}T23:59:59Z")]
    asked += [("limit", "31"), *(("group_by[]", name) for name in GROUP_BY)]
    headers = {"x-api-key": api.key, "anthropic-version": "2023-06-01"}
    size, cursor = 0, list[tuple[str, str]]()
    while True:
        page = requests.get(api.url + PATH, [*asked, *cursor], headers=headers, timeout=60)
        size += len(page.content)
        tail = page.json()
        if not tail["has_more"]:
            return size
        cursor = [("page", tail["next_page"])]
