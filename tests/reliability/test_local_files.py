"""A lake in a folder: whole files at every instant, by real SIGKILLs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from anthropic_lake.assets import ASSETS
from anthropic_lake.errors import StorageError
from anthropic_lake.lake.local import LocalLake, LocalState
from anthropic_lake.lake.objects import ANYTHING
from anthropic_lake.lake.watermark import Watermarks
from tests.simulator import AdminApiServer, Organization

ROOT = Path(__file__).parents[2]
TODAY = date(2026, 11, 20)
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
EFFECTS = range(1, 400)


class Victims:
    """A process that runs the extractor in a child, which kills itself at an effect on a file."""

    def __init__(self, url: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.reliability.victim", url, NOW.isoformat()],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, lake: Path, asset: str, kill_at: int) -> int:
        """Run once, and give how the child ended: 0, or the negative number of a signal."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{kill_at} {asset} {lake}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate(timeout=30)


@pytest.fixture(scope="module")
def victims() -> Iterator[Victims]:
    organization = Organization.invent(today=TODAY, days=3, people=2, workspaces=1)
    with AdminApiServer(organization, now=lambda: NOW) as api:
        found = Victims(api.url)
        yield found
        found.close()


def _files(lake: Path) -> dict[str, bytes]:
    """The lake's objects; the temporary files of dead processes are not among them."""
    return {str(p.relative_to(lake)): p.read_bytes() for p in sorted(lake.rglob("*.parquet"))}


def _data(lake: Path) -> dict[str, bytes]:
    """What does not say when it was written, and by whom."""
    return {name: body for name, body in _files(lake).items() if "asset=sync_" not in name}


def _ledger(lake: Path) -> dict[date, str]:
    """The digest of each day that the ledger has."""
    entries = [
        entry
        for path in lake.glob("asset=sync_days/*/*.parquet")
        for entry in pq.read_table(path, partitioning=None).to_pylist()
    ]
    return {entry["day"]: entry["digest"] for entry in entries}


@pytest.mark.parametrize(
    "asset",
    [
        "users",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("cost_report", "analytics_cost", "rate_limits")
        ),
    ],
)
def test_sigkill_at_every_effect_on_a_file_leaves_whole_files(
    asset: str, victims: Victims, tmp_path: Path
) -> None:
    assert victims.run(tmp_path / "whole", asset, 0) == 0
    expected, ledger = _data(tmp_path / "whole"), _ledger(tmp_path / "whole")
    deaths = 0
    for effect in EFFECTS:
        lake = tmp_path / str(effect)
        status = victims.run(lake, asset, effect)
        for name, body in _data(lake).items():
            assert body == expected[name]
        for path in lake.rglob("*.parquet"):
            pq.read_table(path, partitioning=None)
        dates = {date.fromisoformat(name.split("date=")[1][:10]) for name in _data(lake)}
        assert _ledger(lake).items() <= ledger.items()
        assert _ledger(lake).keys() <= dates
        stands = Watermarks(LocalState(lake)).last(asset)
        if stands and ASSETS[asset].kind.dated:
            assert {date(2026, 11, day) for day in range(18, stands.day + 1)} <= _ledger(
                lake
            ).keys()
        if status == 0:
            break
        assert status == -signal.SIGKILL
        deaths += 1
        if effect % 7 == 0:  # the next run mends it
            assert victims.run(lake, asset, 0) == 0
            assert (_data(lake), _ledger(lake)) == (expected, ledger)
            manifest = json.loads((lake / "_lake.json").read_text())
            assert (lake / "_watermarks" / "lake_id").read_text().strip() == manifest["lake_id"]
            assert list((lake / "_locks").iterdir()) == []
    assert deaths > 20


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    """Written beside its place first: what cannot be written whole is not there at all."""
    resource = pytest.importorskip("resource")
    key = "asset=users/date=2026-11-20/users.parquet"
    LocalLake(tmp_path).put(key, b"old", replaces=ANYTHING)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(StorageError, match="cannot write"):
            LocalLake(tmp_path).put(key, b"n" * 100_000, replaces=ANYTHING)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert (tmp_path / key).read_bytes() == b"old"
    assert len(list((tmp_path / key).parent.iterdir())) == 1
