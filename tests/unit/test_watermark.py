"""The watermark moves forward only."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anthropic_lake.errors import StorageError
from anthropic_lake.lake.local import LocalWatermark
from anthropic_lake.lake.watermark import advance
from tests.unit.fakes import MemoryWatermark

DAY = date(2026, 11, 21)


def test_there_is_none_before_the_first_sync(tmp_path: Path) -> None:
    assert LocalWatermark(tmp_path).get("users") is None


def test_a_local_watermark_is_a_readable_file_for_each_asset(tmp_path: Path) -> None:
    LocalWatermark(tmp_path).put("users", DAY)
    assert (tmp_path / "_watermarks" / "users").read_text().strip() == "2026-11-21"
    assert LocalWatermark(tmp_path).get("users") == DAY
    assert LocalWatermark(tmp_path).get("invites") is None


def test_a_watermark_that_a_person_wrote_is_read_with_the_space_around_it(tmp_path: Path) -> None:
    (tmp_path / "_watermarks").mkdir()
    (tmp_path / "_watermarks" / "users").write_text(" 2026-11-21 \r\n")
    assert LocalWatermark(tmp_path).get("users") == DAY


@pytest.mark.parametrize("content", [b"", b"yesterday", b"2026-13-01", b"\xff\xfe"])
def test_a_watermark_that_is_no_date_is_an_error_that_says_what_to_do(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "_watermarks").mkdir()
    (tmp_path / "_watermarks" / "users").write_bytes(content)
    with pytest.raises(StorageError, match="users"):
        LocalWatermark(tmp_path).get("users")


@pytest.mark.parametrize("link", ["_watermarks", "_watermarks/users"])
def test_a_watermark_is_not_written_through_a_link_out_of_the_lake(
    tmp_path: Path, link: str
) -> None:
    outside = tmp_path / "outside"
    (tmp_path / "lake" / link).parent.mkdir(parents=True)
    outside.mkdir()
    (tmp_path / "lake" / link).symlink_to(outside)
    with pytest.raises(StorageError, match="symbolic link"):
        LocalWatermark(tmp_path / "lake").put("users", DAY)
    assert list(outside.iterdir()) == []


@given(st.lists(st.dates(date(2026, 1, 1), date(2026, 3, 1)), min_size=1))
def test_a_watermark_never_moves_backwards(wanted: list[date]) -> None:
    watermark = MemoryWatermark()
    for day in wanted:
        assert advance(watermark, "users", day) == watermark.get("users")
    assert watermark.history == sorted(set(watermark.history))
    assert watermark.get("users") == max(wanted)


def test_a_watermark_that_another_run_moved_on_stays_there() -> None:
    watermark = MemoryWatermark({"users": date(2026, 12, 1)})
    assert advance(watermark, "users", DAY) == date(2026, 12, 1)
    assert watermark.history == []
