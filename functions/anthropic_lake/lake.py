"""The lake: where a day of a table stands, its Parquet bytes, and writing it when it changed."""

import hashlib
import io
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from anthropic_lake.errors import LakeError, StorageError, aws_code, aws_failure
from anthropic_lake.schema import Table

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_DIGEST = "rows-sha256"
_METADATA = "anthropic_lake."
_ROWS_WORTH_A_DICTIONARY = 1000
_ABSENT = {"403", "404", "AccessDenied", "NoSuchKey", "NotFound"}


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
    body = _parquet(ordered, _prefixed({**about, _DIGEST: digest}))
    lake.put(key, body, digest)
    return Written(rows.num_rows, len(body), changed=True)


def object_key(table: str, day: date, name: str | None = None) -> str:
    """Give the key of the object that holds a day of a table."""
    return f"asset={table}/date={day.isoformat()}/{name or table}.parquet"


def _ordered(table: Table, rows: pa.Table) -> pa.Table:
    """Sort by the table's key, then by all else, so that equal rows always give equal bytes."""
    by = [*(column.name for column in table.key), *rows.column_names]
    return rows.sort_by([(name, "ascending") for name in dict.fromkeys(by)])


def _prefixed(about: Mapping[str, str]) -> dict[str, str]:
    """Mark our entries of the file's metadata as ours."""
    return {_METADATA + name: value for name, value in about.items()}


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


class S3Lake:
    """A lake in an S3 bucket, under a prefix."""

    def __init__(self, client: "S3Client", bucket: str, prefix: str = "") -> None:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  AWS only

        self._client = client
        self._errors = (BotoCoreError, ClientError)
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def digest(self, key: str) -> str | None:
        """Ask for the object's metadata; without ListBucket an absent object is a 403."""
        try:
            head = self._client.head_object(Bucket=self._bucket, Key=self._prefix + key)
        except self._errors as error:
            if aws_code(error) in _ABSENT:
                return None
            raise self._failure(key, error) from error
        return head["Metadata"].get(_DIGEST)

    def put(self, key: str, body: bytes, digest: str) -> None:
        """Put the object by one request, so that readers never see half of it."""
        try:
            self._client.put_object(
                Bucket=self._bucket,
                Key=self._prefix + key,
                Body=body,
                ContentType="application/vnd.apache.parquet",
                Metadata={_DIGEST: digest},
            )
        except self._errors as error:
            raise self._failure(key, error) from error

    def _failure(self, key: str, error: Exception) -> LakeError:
        """Say what cannot be done and what to look at."""
        advice = (
            f"cannot use s3://{self._bucket}/{self._prefix}{key}: check that the bucket exists in "
            "this account and region and that s3:GetObject and s3:PutObject are allowed on it"
        )
        return aws_failure(error, advice)


class LocalLake:
    """A lake in a folder."""

    def __init__(self, root: Path) -> None:
        nearest = next(place for place in (root, *root.parents) if place.exists())
        if not nearest.is_dir():
            raise StorageError(f"{nearest} is a file: name a folder for the lake")
        self._root = root.resolve()

    def digest(self, key: str) -> str | None:
        """Read the digest from the file's own metadata."""
        try:
            metadata = pq.read_metadata(self._root / key).metadata or {}
        except (OSError, pa.ArrowException):
            return None
        digest = metadata.get((_METADATA + _DIGEST).encode())
        return digest.decode() if digest else None

    def put(self, key: str, body: bytes, digest: str) -> None:  # noqa: ARG002  it is in the body
        """Write the file beside its place and move it there."""
        write_file(self._root, key, body)


def write_file(root: Path, name: str, body: bytes) -> None:
    """Write a file below a folder, whole or not at all, and never outside it by a symlink.

    Raises:
        StorageError: It cannot be written, or its place lies outside the folder.
    """
    path = root / name
    if not path.resolve().is_relative_to(root.resolve()):
        raise StorageError(f"{path} leads out of the lake by a symbolic link: remove the link")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, body)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error


def _replace(path: Path, body: bytes) -> None:
    """Give a file a new content by a rename that survives a crash."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
