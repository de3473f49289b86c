"""Write the objects of a lake: a day of a table as Parquet, if its rows have changed."""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from anthropic_lake.lake.layout import DIGEST, METADATA_PREFIX, object_key
from anthropic_lake.schema.table import Table

_MIN_ROWS_FOR_DICTIONARIES = 1000


class Lake(Protocol):
    """A store for objects, by key."""

    def digest(self, key: str) -> str | None:
        """Return the digest of the rows in an object, None if there is no object."""

    def put(self, key: str, body: bytes, digest: str) -> None:
        """Write an object, whole or not at all.

        Raises:
            LakeError: The object cannot be written.
        """


@dataclass(frozen=True)
class Written:
    """The result of writing one day of one table.

    Args:
        rows: Number of rows.
        bytes: Size of the object that was written; 0 if the rows have not changed.
        changed: Whether an object was written.
    """

    rows: int
    bytes: int
    changed: bool


def write_day(
    lake: Lake,
    table: Table,
    day: date,
    rows: pa.Table,
    metadata: Mapping[str, str],
    *,
    name: str | None = None,
) -> Written:
    """Write a day of a table, unless the lake holds the same rows already.

    Args:
        lake: The lake to write to.
        table: The table that the rows belong to.
        day: The partition.
        rows: All rows of the day, in any order.
        metadata: Entries for the file's metadata, beside table and schema version.
        name: Name of the object without its ending; by default the table's name.

    Raises:
        LakeError: The object cannot be written.
    """
    metadata = {"table": table.name, "schema_version": str(table.schema_version), **metadata}
    ordered = _ordered(table, rows).replace_schema_metadata(_prefixed(metadata))
    digest = _digest(ordered)
    key = object_key(table.name, day, name)
    if lake.digest(key) == digest:
        return Written(rows.num_rows, 0, changed=False)
    body = _parquet(ordered, _prefixed({**metadata, DIGEST: digest}))
    lake.put(key, body, digest)
    return Written(rows.num_rows, len(body), changed=True)


def _ordered(table: Table, rows: pa.Table) -> pa.Table:
    """Sort by the key, then by all other columns, so that equal rows give equal bytes."""
    by = [*(column.name for column in table.key), *rows.column_names]
    return rows.sort_by([(name, "ascending") for name in dict.fromkeys(by)])


def _prefixed(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return entries for a file's metadata with our prefix before their names."""
    return {METADATA_PREFIX + name: value for name, value in metadata.items()}


def _digest(rows: pa.Table) -> str:
    """Return the SHA-256 of the rows and their metadata, independent of the file format."""
    sink = _Sha256()
    with pa.ipc.new_stream(pa.PythonFile(sink, "w"), rows.schema) as stream:
        stream.write_table(rows.combine_chunks())
    return sink.hash.hexdigest()


class _Sha256(io.RawIOBase):
    """A file that hashes what is written to it, and keeps nothing else."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256()

    def writable(self) -> bool:
        """Return that bytes can be written."""
        return True

    def write(self, data: bytes | memoryview) -> int:  # type: ignore[override]
        """Hash bytes."""
        self.hash.update(data)
        return memoryview(data).nbytes


def _parquet(rows: pa.Table, metadata: Mapping[str, str]) -> bytes:
    """Return rows as a small Parquet file.

    Counters have no dictionary: their values rarely repeat. Small files have no dictionaries:
    zstd alone is as small, with half the pages. Arrow's own schema is left out: Parquet's schema
    says the same.
    """
    sink = pa.BufferOutputStream()
    repetitive = [field.name for field in rows.schema if field.type != pa.int64()]
    dictionaries = repetitive if rows.num_rows >= _MIN_ROWS_FOR_DICTIONARIES else False
    with pq.ParquetWriter(
        sink, rows.schema, compression="zstd", use_dictionary=dictionaries, store_schema=False
    ) as file:
        file.write_table(rows)
        file.add_key_value_metadata(metadata)
    body: bytes = sink.getvalue().to_pybytes()
    return body
