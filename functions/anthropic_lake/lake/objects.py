"""Objects of the lake: their Parquet bytes, and writing them when they changed."""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from anthropic_lake.lake.layout import DIGEST, METADATA_PREFIX, object_key
from anthropic_lake.schema.table import Table

if TYPE_CHECKING:
    pass


_ROWS_WORTH_A_DICTIONARY = 1000


class Lake(Protocol):
    """A place that keeps objects by key."""

    def digest(self, key: str) -> str | None:
        """Give the digest of the rows in the object at the key, None when there is none."""

    def put(self, key: str, body: bytes, digest: str) -> None:
        """Put an object, whole or not at all.

        Raises:
            LakeError: It cannot be written.
        """


@dataclass(frozen=True)
class Written:
    """What became of one day of one table.

    Args:
        rows: Number of rows.
        bytes: Size of the object that was put; 0 when nothing had changed.
        changed: Whether an object was put.
    """

    rows: int
    bytes: int
    changed: bool


def write_day(
    lake: Lake,
    table: Table,
    day: date,
    rows: pa.Table,
    about: Mapping[str, str],
    *,
    name: str | None = None,
) -> Written:
    """Put a day of a table unless the lake holds the same rows already.

    Args:
        lake: Where to put it.
        table: The table the rows belong to.
        day: The partition.
        rows: All rows of the day, in any order.
        about: What the file says of itself beside table and schema version.
        name: Name of the object without its ending; the table's by default.

    Raises:
        LakeError: It cannot be written.
    """
    about = {"table": table.name, "schema_version": str(table.schema_version), **about}
    ordered = _ordered(table, rows).replace_schema_metadata(_prefixed(about))
    digest = _digest(ordered)
    key = object_key(table.name, day, name)
    if lake.digest(key) == digest:
        return Written(rows.num_rows, 0, changed=False)
    body = _parquet(ordered, _prefixed({**about, DIGEST: digest}))
    lake.put(key, body, digest)
    return Written(rows.num_rows, len(body), changed=True)


def _ordered(table: Table, rows: pa.Table) -> pa.Table:
    """Sort by the table's key, then by all else, so that equal rows always give equal bytes."""
    by = [*(column.name for column in table.key), *rows.column_names]
    return rows.sort_by([(name, "ascending") for name in dict.fromkeys(by)])


def _prefixed(about: Mapping[str, str]) -> dict[str, str]:
    """Mark our entries of the file's metadata as ours."""
    return {METADATA_PREFIX + name: value for name, value in about.items()}


def _digest(rows: pa.Table) -> str:
    """Give the SHA-256 of the rows and of what is said about them, whatever the file format."""
    sink = _Sha256()
    with pa.ipc.new_stream(pa.PythonFile(sink, "w"), rows.schema) as stream:
        stream.write_table(rows.combine_chunks())
    return sink.hash.hexdigest()


class _Sha256(io.RawIOBase):
    """A file that keeps nothing of what is written to it but the hash."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256()

    def writable(self) -> bool:
        """Say that it takes bytes."""
        return True

    def write(self, data: bytes | memoryview) -> int:  # type: ignore[override]
        """Hash some bytes."""
        self.hash.update(data)
        return memoryview(data).nbytes


def _parquet(rows: pa.Table, about: Mapping[str, str]) -> bytes:
    """Write rows as a Parquet file, as small as it gets.

    Dictionaries: counters hardly ever repeat, and of few rows zstd alone makes as little, from half
    the pages. A second schema, which Arrow would add: Parquet's own says all of it.
    """
    sink = pa.BufferOutputStream()
    repeating = [field.name for field in rows.schema if field.type != pa.int64()]
    dictionaries = repeating if rows.num_rows >= _ROWS_WORTH_A_DICTIONARY else False
    with pq.ParquetWriter(
        sink, rows.schema, compression="zstd", use_dictionary=dictionaries, store_schema=False
    ) as file:
        file.write_table(rows)
        file.add_key_value_metadata(about)
    body: bytes = sink.getvalue().to_pybytes()
    return body
