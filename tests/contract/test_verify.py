"""`anthropic-lake verify`: the lake against its ledger, and what mends it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from anthropic_lake.cli.main import main
from tests.contract.lab import KEY, ONE_DAY, TODAY, Lab

YESTERDAY = TODAY - ONE_DAY
PAST = TODAY - timedelta(days=3)


def verify(lab: Lab, *arguments: str) -> tuple[int, str]:
    """The exit code and the screen of the command."""
    environment = {"ANTHROPIC_ADMIN_KEY": KEY, "ANTHROPIC_BASE_URL": lab.api.url}
    command = ["verify", *arguments, "--lake", str(lab.root)]
    result = CliRunner().invoke(main, command, env=environment)
    return result.exit_code, result.output


@pytest.fixture
def synced(lab: Lab) -> Lab:
    for asset in ("users", "cost_report", "claude_code_usage"):
        lab.run(asset)
    return lab


def test_a_lake_as_it_was_written_has_no_differences(synced: Lab) -> None:
    code, screen = verify(synced)
    assert code == 0, screen
    assert "cost_report: as it should be" in screen


@pytest.mark.parametrize("table", ["cost_report", "claude_code_model_usage"])
def test_a_missing_object_is_named_and_read_again(synced: Lab, table: str) -> None:
    synced.place(table, PAST).unlink()
    code, screen = verify(synced)
    assert code == 1
    assert f"{PAST}  the object of {table} is missing" in screen
    code, screen = verify(synced, "--repair")
    assert code == 0, screen
    assert synced.place(table, PAST).exists()


def test_other_rows_and_a_broken_file_are_named_and_read_again(synced: Lab) -> None:
    place = synced.place("cost_report", PAST)
    rows = place.read_bytes()
    place.write_bytes(synced.place("cost_report", YESTERDAY).read_bytes())
    synced.place("cost_report", YESTERDAY).write_bytes(b"PAR1 broken")
    code, screen = verify(synced, "cost_report")
    assert code == 1
    assert f"{PAST}  the object of cost_report holds other rows than were written" in screen
    assert f"{YESTERDAY}  an object of cost_report cannot be read" in screen
    assert verify(synced, "--repair")[0] == 0
    assert place.read_bytes() == rows


def test_an_object_that_nobody_wrote_is_named_and_left_alone(synced: Lab) -> None:
    foreign = synced.root / "asset=users" / f"date={TODAY}" / "mine.parquet"
    foreign.write_bytes(b"mine")
    code, screen = verify(synced, "users", "--repair")
    assert code == 1
    assert "asset=users/date=2026-11-22/mine.parquet is none of this lake's objects" in screen
    assert foreign.read_bytes() == b"mine"


def test_a_lost_ledger_is_written_again_from_objects_and_the_api(synced: Lab) -> None:
    for path in synced.root.glob("asset=sync_days/*/*.parquet"):
        path.unlink()
    code, screen = verify(synced)
    assert code == 1
    assert f"{PAST}  the ledger does not know of the day's objects" in screen
    before = synced.objects()
    assert verify(synced, "--repair")[0] == 0
    assert synced.objects() == before


def test_a_lake_without_a_ledger_is_adopted_without_a_request(synced: Lab) -> None:
    """As version 0.1.0 left it: neither manifest, nor ledger, nor first days."""
    for path in (*synced.root.glob("asset=sync_days/*/*"), synced.root / "_lake.json"):
        path.unlink()
    for path in (*synced.root.glob("_watermarks/*.first"), synced.root / "_watermarks" / "lake_id"):
        path.unlink()
    code, screen = verify(synced)
    assert code == 1
    assert "written by version 0.1.0 and not adopted yet" in screen
    before, requests = synced.objects(), len(synced.api.requests)
    code, screen = verify(synced, "--repair")
    assert code == 0, screen
    assert synced.objects().items() >= before.items()
    assert all(request.path.endswith("cost_report") or "claude" in request.path
               for request in synced.api.requests[requests:])  # fmt: skip


def test_no_lake_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["verify", "--lake", str(tmp_path / "none")])
    assert result.exit_code == 2
    command = f"anthropic-lake sync --lake {tmp_path / 'none'}"
    assert f"there is no lake at {tmp_path / 'none'}: make one with `{command}`" in result.output
    assert not (tmp_path / "none").exists()
