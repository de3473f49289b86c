"""All that a process says, as processes: command line, standard streams, exit, process list."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.simulator import AdminApiServer, Fault, Organization

KEY = "sk-ant-admin01-simulated"
GOSSIP = f"key {KEY} of person1@example.com is not welcome \x1b[2J"
TOKEN = "oat01-Wq7/kX2+pL9mZr4vTb8sHn3d-invented-token"
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


def test_the_command_line_repeats_no_bearer_token_however_it_is_cut(tmp_path: Path) -> None:
    """The token fills a message far longer than what is shown of it, and all other texts."""
    organization = Organization.invent(days=2, people=2)
    echo = {"request-id": TOKEN, "anthropic-organization-id": TOKEN}
    twice = f'{{"{TOKEN}":1,"{TOKEN}":2}}'.encode()
    with AdminApiServer(organization, auth_token=TOKEN) as api:
        gone = organization.workspaces[1]["id"] = f"wrkspc_{TOKEN.replace('/', '')}"
        api.answers.missing_members = [gone]
        api.faults += [
            Fault("users", status=400, message=TOKEN * 99, times=None, headers=echo),
            Fault("invites", status=403, message=f"Bearer {TOKEN[:-9]}", times=None),
            Fault("api_keys", kind="replace", replace=lambda _: twice, times=None),
        ]
        environment = {
            **os.environ,
            "ANTHROPIC_ADMIN_KEY": json.dumps({"auth_token": TOKEN}),
            "ANTHROPIC_BASE_URL": api.url,
        }
        assets = ["users", "invites", "api_keys", "workspace_members"]
        outputs = []
        for more in ([], ["--json"]):
            command = [*ENTRY, "sync", *assets, "--lake", str(tmp_path), *more]
            done = subprocess.run(command, env=environment, capture_output=True, check=False)
            assert done.returncode == 1
            outputs.append((done.stdout + done.stderr).decode())
    outputs += [
        str(pq.ParquetFile(path).read().to_pylist())
        for path in tmp_path.glob("asset=sync_runs/*/*.parquet")
    ]
    assert len(outputs) == 2 + 2 * len(assets)
    assert sum("[redacted]" in output for output in outputs) == len(outputs)
    pieces = {TOKEN[start : start + 8] for start in range(len(TOKEN) - 7)}
    assert not [piece for piece in pieces for output in outputs if piece in output]
