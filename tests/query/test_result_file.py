"""The file of a result: whole or not at all, with the user's permissions, and never a device."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from anthropic_lake.errors import SettingsError
from anthropic_lake.query.result_file import opened


@pytest.fixture(params=[0o022, 0o077, 0o002])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_has_what_the_umask_leaves(umask: int, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    with opened(path) as file:
        file.write(b"rows")
        assert not path.exists()
    assert (path.read_bytes(), mode(path)) == (b"rows", 0o666 & ~umask)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.usefixtures("umask")
def test_a_replaced_file_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("old")
    path.chmod(0o640)
    with opened(path) as file:
        file.write(b"new")
    assert (path.read_bytes(), mode(path)) == (b"new", 0o640)


def test_a_failure_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("old")
    with pytest.raises(TypeError), opened(path) as file:
        file.writelines([b"half", "text"])  # type: ignore[list-item]
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("target", ["there.csv", "not-there.csv"])
def test_a_symbolic_link_is_refused(target: str, tmp_path: Path) -> None:
    (tmp_path / "there.csv").write_text("old")
    link = tmp_path / "link.csv"
    link.symlink_to(tmp_path / target)
    with pytest.raises(SettingsError, match="is a symbolic link: name the file"), opened(link):
        pass
    assert link.is_symlink()
    assert (tmp_path / "there.csv").read_text() == "old"


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SettingsError, match="not a regular file"), opened(tmp_path / "pipe"):
        pass


@pytest.mark.parametrize("path", ["/dev/null", "/dev"])
def test_a_device_and_a_folder_are_refused(path: str) -> None:
    with pytest.raises(SettingsError, match=f"{path} is not a regular file"), opened(Path(path)):
        pass


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "out.csv"
    with pytest.raises(SettingsError, match=f"cannot write {path}: No such file"), opened(path):
        pass
