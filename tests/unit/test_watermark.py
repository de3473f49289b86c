"""The watermark moves forward only."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anthropic_lake.errors import StorageError
from anthropic_lake.lake.local import LocalState
from anthropic_lake.lake.watermark import Watermarks
from tests.unit.fakes import MemoryState

DAY = date(2026, 11, 21)


def test_there_is_none_before_the_first_sync(tmp_path: Path) -> None:
    assert Watermarks(LocalState(tmp_path)).last("users") is None


def test_a_local_watermark_is_a_readable_file_for_each_asset(tmp_path: Path) -> None:
    Watermarks(LocalState(tmp_path)).advance("users", DAY)
    assert (tmp_path / "_watermarks" / "users").read_text().strip() == "2026-11-21"
    assert Watermarks(LocalState(tmp_path)).last("users") == DAY
    assert Watermarks(LocalState(tmp_path)).last("invites") is None


def test_a_watermark_that_a_person_wrote_is_read_with_the_space_around_it(tmp_path: Path) -> None:
    (tmp_path / "_watermarks").mkdir()
    (tmp_path / "_watermarks" / "users").write_text(" 2026-11-21 \r\n")
    assert Watermarks(LocalState(tmp_path)).last("users") == DAY


@pytest.mark.parametrize("content", [b"", b"yesterday", b"2026-13-01", b"\xff\xfe"])
def test_a_watermark_that_is_no_date_is_an_error_that_says_what_to_do(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "_watermarks").mkdir()
    (tmp_path / "_watermarks" / "users").write_bytes(content)
    with pytest.raises(StorageError, match="users"):
        Watermarks(LocalState(tmp_path)).last("users")


@pytest.mark.parametrize("link", ["_watermarks", "_watermarks/users"])
def test_a_watermark_is_not_written_through_a_link_out_of_the_lake(
    tmp_path: Path, link: str
) -> None:
    outside = tmp_path / "outside"
    (tmp_path / "lake" / link).parent.mkdir(parents=True)
    outside.mkdir()
    (tmp_path / "lake" / link).symlink_to(outside)
    with pytest.raises(StorageError, match="symbolic link"):
        LocalState(tmp_path / "lake").put("users/last_synced_date", str(DAY))
    assert list(outside.iterdir()) == []


@given(st.lists(st.dates(date(2026, 1, 1), date(2026, 3, 1)), min_size=1))
def test_a_watermark_never_moves_backwards(wanted: list[date]) -> None:
    state = MemoryState()
    watermarks = Watermarks(state)
    for day in wanted:
        assert watermarks.advance("users", day) == watermarks.last("users")
    assert state.history == sorted(set(state.history))
    assert watermarks.last("users") == max(wanted)


def test_a_watermark_that_another_run_moved_on_stays_there() -> None:
    state = MemoryState({"users/last_synced_date": "2026-12-01"})
    assert Watermarks(state).advance("users", DAY) == date(2026, 12, 1)
    assert state.history == []


def test_watermarks_are_claimed_by_the_first_lake() -> None:
    watermarks = Watermarks(MemoryState())
    assert watermarks.lake_id is None
    assert watermarks.claim("a") == "a"
    assert watermarks.claim("b") == "a"
    assert watermarks.lake_id == "a"
