"""A process that forks a child for each line it reads, which may kill itself on the way.

A line is the number of the effect, the asset and the lake's folder. The effects are the audit
events of the interpreter about files of the lake, so nothing of the product is replaced: the kill
falls between any two system calls that change the folder.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from anthropic_lake.api.connection import Connection, Pace
from anthropic_lake.cli.place import local_place
from anthropic_lake.settings import read_settings
from anthropic_lake.sync.extractor import Extractor
from anthropic_lake.sync.request import Request

_CHANGES = {"open", "os.mkdir", "os.rename", "os.chmod", "os.remove", "tempfile.mkstemp"}


def main() -> None:
    """Serve until standard input ends."""
    url, now = sys.argv[1], datetime.fromisoformat(sys.argv[2])
    pa.set_cpu_count(1)
    for line in sys.stdin:
        kill_at, asset, lake = line.rstrip("\n").split(" ", 2)
        child = os.fork()
        if child == 0:
            _kill_at(int(kill_at), lake)
            _run(url, now, asset, Path(lake))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _kill_at(effect: int, lake: str) -> None:
    """Let this process die at an effect, never for 0."""
    count = 0

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        if event in _CHANGES and arguments and str(arguments[0]).startswith(lake):
            count += 1
            if count == effect:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


def _run(url: str, now: datetime, name: str, lake: Path) -> None:
    """Sync an asset as the command line does."""
    settings = read_settings({"ANTHROPIC_BASE_URL": url, "HISTORY_START": "2026-11-18"})
    connection = Connection(lambda: "sk-ant-admin01-simulated", Pace(10**9), settings.base_url)
    extractor = Extractor(settings, connection, local_place(lake), clock=lambda: now)
    asset, request = settings.asset(name), Request("manual", now)
    extractor.run(asset, request, extractor.new_run(asset, request))


if __name__ == "__main__":
    main()
