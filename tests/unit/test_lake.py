"""A day of a table is one object, of the same bytes for the same rows, put only when it changed."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anthropic_lake.assets import ASSETS
from anthropic_lake.errors import StorageError
from anthropic_lake.lake.layout import object_key
from anthropic_lake.lake.local import LocalLake
from anthropic_lake.lake.objects import Lake, Written, write_day
from tests.unit.fakes import MemoryLake

DAY = date(2026, 11, 1)
(COST,) = ASSETS["cost_report"].tables
KEY = "asset=cost_report/date=2026-11-01/cost_report.parquet"
ABOUT = {"anthropic_version": "2023-06-01", "grouped_by": "description", "bucket_width": "1d"}


def cost(**fields: Any) -> dict[str, Any]:
    start = datetime(2026, 11, 1, tzinfo=UTC)
    return {"starting_at": start, "ending_at": start, "amount_cents": Decimal(1), **fields}


def rows(*records: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(records), schema=COST.schema)


def write(lake: Lake, rows: pa.Table, about: dict[str, str] = ABOUT) -> Written:
    """Write the day as a run does: a look at what stands there comes first."""
    return write_day(lake, COST, DAY, rows, about, standing=lake.head(KEY))


def written(*records: dict[str, Any], about: dict[str, str] | None = None) -> bytes:
    """The bytes of the object that records become."""
    lake = MemoryLake()
    write(lake, rows(*records), ABOUT if about is None else about)
    return lake.objects[KEY][0]


def read(body: bytes) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(pa.BufferReader(body)).to_pylist()
    return found


def test_an_object_has_one_name_for_each_table_and_day() -> None:
    assert object_key("cost_report", DAY) == KEY
    assert object_key("sync_runs", DAY, "7") == "asset=sync_runs/date=2026-11-01/7.parquet"


records = st.lists(
    st.builds(
        cost,
        workspace_id=st.none() | st.sampled_from(["", "a", "b"]),
        description=st.none() | st.text(max_size=2),
        amount_cents=st.decimals(0, 9, places=2),
    ),
    max_size=6,
)


@settings(max_examples=50)
@given(records=records, data=st.data())
def test_equal_rows_give_equal_bytes_in_any_order(
    records: list[dict[str, Any]], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(records))
    assert written(*records) == written(*shuffled)


def test_rows_in_several_chunks_give_the_same_bytes() -> None:
    lake, parts = MemoryLake(), [rows(cost(workspace_id="b")), rows(cost(workspace_id="a"))]
    write(lake, pa.concat_tables(parts))
    assert lake.objects[KEY][0] == written(cost(workspace_id="a"), cost(workspace_id="b"))


def test_rows_are_sorted_by_the_key_and_equal_keys_stay_two_rows() -> None:
    found = read(
        written(
            cost(workspace_id="b", amount_cents=Decimal(2)),
            cost(workspace_id="a", description="z"),
            cost(workspace_id="b", amount_cents=Decimal(2)),
            cost(workspace_id="a", description="y"),
            cost(workspace_id=None),
        )
    )
    assert [(row["workspace_id"], row["description"]) for row in found] == [
        ("a", "y"),
        ("a", "z"),
        ("b", None),
        ("b", None),
        (None, None),
    ]


def test_a_day_without_rows_is_a_file_of_the_full_schema() -> None:
    file = pq.ParquetFile(pa.BufferReader(written()))
    assert file.metadata.num_rows == 0
    assert file.schema_arrow.remove_metadata() == COST.schema


def test_a_file_says_what_it_holds() -> None:
    metadata = pq.read_metadata(pa.BufferReader(written(cost()))).metadata
    ours = {
        name.decode().removeprefix("anthropic_lake."): text.decode()
        for name, text in metadata.items()
        if name.startswith(b"anthropic_lake.")
    }
    digest = ours.pop("rows-sha256")
    assert len(digest) == 64
    assert ours == {**ABOUT, "table": "cost_report", "schema_version": "15"}


def test_a_file_is_compressed_and_has_statistics() -> None:
    group = pq.read_metadata(pa.BufferReader(written(cost(workspace_id="a")))).row_group(0)
    for number in range(group.num_columns):
        assert group.column(number).compression == "ZSTD"
    assert group.column(1).statistics.min == "a"


def test_the_partitions_date_is_not_in_the_file() -> None:
    assert "date" not in pq.read_schema(pa.BufferReader(written(cost()))).names


@pytest.mark.parametrize("kind", ["memory", "local"])
def test_the_same_rows_again_put_nothing_and_others_replace_them(kind: str, tmp_path: Path) -> None:
    lake = MemoryLake() if kind == "memory" else LocalLake(tmp_path)
    first = write(lake, rows(cost()))
    again = write(lake, rows(cost()))
    other = write(lake, rows())
    assert (first.rows, first.was_put) == (1, True)
    assert (again.rows, again.put_bytes, again.was_put) == (1, 0, False)
    assert again.bytes == first.bytes
    assert (other.rows, other.was_put) == (0, True)
    assert first.bytes > 0


def test_other_groupings_of_equal_rows_are_another_object() -> None:
    lake = MemoryLake()
    write(lake, rows())
    assert write(lake, rows(), {**ABOUT, "grouped_by": "workspace_id"}).was_put


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not parquet", b"PAR1" * 100])
def test_an_unreadable_file_is_replaced(tmp_path: Path, content: bytes) -> None:
    place = tmp_path / KEY
    place.parent.mkdir(parents=True)
    place.write_bytes(content)
    assert write(LocalLake(tmp_path), rows()).was_put
    assert pq.read_metadata(place).num_rows == 0


def test_a_file_that_another_program_wrote_is_replaced(tmp_path: Path) -> None:
    place = tmp_path / KEY
    place.parent.mkdir(parents=True)
    pq.write_table(rows(cost()), place)
    assert write(LocalLake(tmp_path), rows(cost())).was_put


def test_a_local_object_is_moved_to_its_place_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    lake = LocalLake(tmp_path)
    write(lake, rows(cost()))
    before = (tmp_path / KEY).stat()
    write(lake, rows())
    after = (tmp_path / KEY).stat()
    assert [each.name for each in (tmp_path / KEY).parent.iterdir()] == ["cost_report.parquet"]
    assert before.st_ino != after.st_ino  # renamed over it, so readers never see half
    assert after.st_mode & 0o777 == 0o600


def test_a_local_write_that_fails_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    lake = LocalLake(tmp_path)
    place = tmp_path / KEY
    place.mkdir(parents=True)  # nothing can be renamed over a folder
    (place / "something").touch()
    with pytest.raises(StorageError, match="cannot write"):
        lake.put(KEY, b"body", replaces=None)
    assert [each.name for each in place.parent.iterdir()] == ["cost_report.parquet"]


@pytest.mark.parametrize("link", ["asset=cost_report", "asset=cost_report/date=2026-11-01"])
def test_a_link_out_of_the_lake_is_not_followed(tmp_path: Path, link: str) -> None:
    outside, root = tmp_path / "outside", tmp_path / "lake"
    outside.mkdir()
    (root / link).parent.mkdir(parents=True)
    (root / link).symlink_to(outside)
    with pytest.raises(StorageError, match="symbolic link"):
        write(LocalLake(root), rows())
    assert list(outside.iterdir()) == []


def test_a_lake_that_is_itself_a_link_is_used(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "lake").symlink_to(tmp_path / "real")
    write(LocalLake(tmp_path / "lake"), rows())
    assert (tmp_path / "real" / KEY).is_file()


def test_a_lake_path_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("mine")
    with pytest.raises(StorageError, match="is a file: name a folder"):
        LocalLake(tmp_path / "lake")
    assert (tmp_path / "lake").read_text() == "mine"


def test_a_lake_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StorageError):
        write(LocalLake(tmp_path / "file" / "lake"), rows())


def test_opening_a_lake_creates_nothing(tmp_path: Path) -> None:
    LocalLake(tmp_path / "lake")
    assert not (tmp_path / "lake").exists()
