"""Objects of a lake: what a store of them does, and a day of a table as Parquet."""

import hashlib
import io
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from anthropic_lake.errors import LakeError, StorageError
from anthropic_lake.lake.layout import DIGEST, METADATA_PREFIX, object_key
from anthropic_lake.schema.table import Table

ANYTHING = "*"
"""For `Lake.put`: replace whatever is there."""

_MIN_ROWS_FOR_DICTIONARIES = 1000

_WRITTEN_ORDER = (
    "table",
    "schema_version",
    "anthropic_version",
    "grouped_by",
    "bucket_width",
    "people",
)
"""Order of the metadata's entries under the digest; a file gives them back in any order."""


class Conflict(LakeError):
    """Another run has put the object meanwhile; nothing was replaced."""


@dataclass(frozen=True)
class Head:
    """What is known of an object without its body.

    Args:
        etag: Identifies its content.
        digest: Digest of its rows; None: it has none.
        bytes: Its size.
    """

    etag: str
    digest: str | None
    bytes: int


@dataclass(frozen=True)
class StoredObject:
    """An object with its body."""

    body: bytes
    etag: str


@dataclass(frozen=True)
class ListedObject:
    """An object of a listing.

    Args:
        key: Its key.
        bytes: Its size.
        changed_at: When it was last put, UTC.
    """

    key: str
    bytes: int
    changed_at: datetime


class Lake(Protocol):
    """A store for objects, by key. Every method raises LakeError where the store cannot be used."""

    def head(self, key: str) -> Head | None:
        """Return what is known of an object, None if there is no object."""

    def get(self, key: str) -> StoredObject | None:
        """Return an object, None if there is no object."""

    def put(self, key: str, body: bytes, *, digest: str = "", replaces: str | None) -> None:
        """Write an object, whole or not at all.

        Args:
            key: Its key.
            body: Its content.
            digest: Digest of its rows.
            replaces: ETag of the object that it replaces; None: there must be none; ANYTHING:
                whatever is there.

        Raises:
            Conflict: Something else is there.
        """

    def listing(self, prefix: str) -> Iterator[ListedObject]:
        """List the objects whose keys begin with a prefix."""

    def locked(self, asset: str) -> AbstractContextManager[None]:
        """Keep other runs of an asset out where the store has no conditional puts."""


@dataclass(frozen=True)
class Written:
    """The result of writing one day of one table.

    Args:
        rows: Number of rows.
        put_bytes: Size of the object that was put; 0 if the rows have not changed.
        bytes: Size of the object that is there.
        digest: Digest of the rows.
    """

    rows: int
    put_bytes: int
    bytes: int
    digest: str

    @property
    def was_put(self) -> bool:
        """Whether an object was put."""
        return self.put_bytes > 0


def write_day(
    lake: Lake,
    table: Table,
    day: date,
    rows: pa.Table,
    metadata: Mapping[str, str],
    *,
    standing: Head | None,
) -> Written:
    """Write a day of a table, unless the lake holds the same rows already.

    Args:
        lake: The lake to write to.
        table: The table that the rows belong to.
        day: The partition.
        rows: All rows of the day, in any order.
        metadata: Entries for the file's metadata, beside table and schema version.
        standing: The day's object before the API was asked for these rows.

    Raises:
        Conflict: Another run has put the day since then, perhaps with a newer answer.
        LakeError: The object cannot be written.
    """
    encoded = _Encoded(table, rows, metadata)
    if standing and standing.digest == encoded.digest:
        return Written(rows.num_rows, 0, standing.bytes, encoded.digest)
    body = encoded.body()
    key = object_key(table.name, day)
    lake.put(key, body, digest=encoded.digest, replaces=standing.etag if standing else None)
    return Written(rows.num_rows, len(body), len(body), encoded.digest)


def put_rows(
    lake: Lake,
    table: Table,
    key: str,
    rows: pa.Table,
    metadata: Mapping[str, str],
    *,
    replaces: str | None,
) -> None:
    """Put an object of rows whether or not they have changed.

    Args:
        lake: The lake to write to.
        table: The table whose columns the rows have.
        key: Key of the object.
        rows: The rows, in any order.
        metadata: Entries for the file's metadata, beside table and schema version.
        replaces: As in `Lake.put`.

    Raises:
        Conflict: Something else than what it replaces is there.
        LakeError: The object cannot be written.
    """
    encoded = _Encoded(table, rows, metadata)
    lake.put(key, encoded.body(), digest=encoded.digest, replaces=replaces)


def read_rows_with_metadata(table: Table, body: bytes) -> tuple[pa.Table, Mapping[str, str]]:
    """Return an object's rows, null in the columns that are younger than it, and its metadata.

    Raises:
        StorageError: It is no Parquet file, or a newer version has written it.
    """
    rows, metadata = _read(table, body)
    columns = [
        rows[field.name].cast(field.type)
        if field.name in rows.column_names
        else pa.nulls(rows.num_rows, field.type)
        for field in table.schema
    ]
    return pa.Table.from_arrays(columns, schema=table.schema), metadata


@dataclass(frozen=True)
class Inspection:
    """What an object of rows says of itself.

    Args:
        rows: Number of rows.
        bytes: Its size.
        digest: Digest of the rows, as they are.
        metadata: Entries of the file's metadata.
        organization_id: Whose rows they are; None: they do not say.
    """

    rows: int
    bytes: int
    digest: str
    metadata: Mapping[str, str]
    organization_id: str | None


def inspect(lake: Lake, table: Table, key: str) -> Inspection | None:
    """Return what an object holds, read whole; None if there is no object.

    Raises:
        StorageError: It is no Parquet file, or a newer version has written it.
    """
    stored = lake.get(key)
    if stored is None:
        return None
    rows, metadata = _read(table, stored.body)
    organizations = rows["organization_id"].unique().to_pylist()
    organization_id = next((value for value in organizations if value is not None), None)
    about = {name: metadata[name] for name in _WRITTEN_ORDER if name in metadata}
    digest = _Encoded(table, rows, about).digest
    return Inspection(rows.num_rows, len(stored.body), digest, metadata, organization_id)


def _read(table: Table, body: bytes) -> tuple[pa.Table, dict[str, str]]:
    """Return the rows of a file, and our entries of its metadata.

    Raises:
        StorageError: It is no Parquet file, or a newer version has written it.
    """
    try:
        file = pq.ParquetFile(io.BytesIO(body))
        rows = file.read()
    except (OSError, pa.ArrowException) as error:
        raise StorageError(f"an object of {table.name} cannot be read: {error}") from error
    entries = {
        name.decode().removeprefix(METADATA_PREFIX): text.decode()
        for name, text in (file.metadata.metadata or {}).items()
        if name.startswith(METADATA_PREFIX.encode())
    }
    refuse_newer(table, int(entries.get("schema_version", "0")))
    return rows, entries


def refuse_newer(table: Table, schema_version: int) -> None:
    """Refuse an object that has columns which this version does not know.

    Raises:
        StorageError: It has.
    """
    if schema_version > table.schema_version:
        raise StorageError(
            f"table {table.name} was written by a newer anthropic-lake (schema version "
            f"{schema_version}, this one knows {table.schema_version}): upgrade anthropic-lake"
        )


class _Encoded:
    """Rows of a table in the order and with the metadata of their file.

    Attributes:
        digest: Digest of the rows.
    """

    def __init__(self, table: Table, rows: pa.Table, metadata: Mapping[str, str]) -> None:
        version = str(table.schema_version)
        self._metadata = {"table": table.name, "schema_version": version, **metadata}
        self._rows = _ordered(table, rows).replace_schema_metadata(_prefixed(self._metadata))
        digested = {column.name for column in table.all_columns if column.in_digest}
        names = [name for name in rows.column_names if name in digested]
        self.digest = _digest(self._rows.select(names))

    def body(self) -> bytes:
        """Return the file."""
        return _parquet(self._rows, _prefixed({**self._metadata, DIGEST: self.digest}))


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
