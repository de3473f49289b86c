"""All that a process says, as processes: command line, standard streams, exit, process list."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.simulator import AdminApiServer, Fault, Organization

KEY = "sk-ant-admin01-simulated"
GOSSIP = f"key {KEY} of person1@example.com is not welcome \x1b[2J"
ENTRY = [sys.executable, "-m", "anthropic_lake.cli"]


@pytest.mark.parametrize(
    "fault",
    [
        None,
        Fault(status=401, message=GOSSIP, times=None),
        Fault(status=400, message=GOSSIP, times=None),
        Fault(status=403, message=GOSSIP, times=None, headers={"request-id": "r\x1b[2J"}),
        Fault(kind="replace", replace=lambda page: {**page, "data": [{"id": [GOSSIP]}]}),
    ],
)
def test_the_command_line_shows_neither_key_nor_address(
    fault: Fault | None, tmp_path: Path
) -> None:
    with AdminApiServer(Organization.invent(days=2, people=2)) as api:
        api.faults += [fault] if fault else []
        environment = {
            **os.environ,
            "ANTHROPIC_ADMIN_KEY": KEY,
            "ANTHROPIC_BASE_URL": api.url,
            "HISTORY_START": "2026-11-22",
        }
        command = [*ENTRY, "sync", "users", "invites", "--lake", str(tmp_path)]
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        time.sleep(0.2)
        listed = Path(f"/proc/{process.pid}/cmdline")
        shown = listed.read_bytes() if listed.exists() else b""
        out, error = process.communicate(timeout=60)
    assert process.returncode == (0 if fault is None else 1)
    for needle in (KEY.encode(), b"person1@", b"\x1b[2J"):
        assert needle not in out + error + shown
    if fault is None:
        assert b"@example.com" not in out + error
