"""Read a lake: the objects of a table as one dataset with the declared columns."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyarrow import fs

from anthropic_lake.errors import SettingsError, StorageError
from anthropic_lake.lake.layout import METADATA_PREFIX, object_day, table_prefix
from anthropic_lake.lake.objects import refuse_newer
from anthropic_lake.schema.table import PARTITION, Table

_PARQUET = ds.ParquetFileFormat()
_SCHEMA_VERSION = f"{METADATA_PREFIX}schema_version".encode()


@dataclass(frozen=True)
class LakeObject:
    """One object of a table.

    Args:
        path: Path of the object in the file system.
        day: The partition that the object belongs to.
        written_at: When the object was written.
    """

    path: str
    day: date
    written_at: datetime


@dataclass(frozen=True)
class StoredLake:
    """A lake in a file system, to be read.

    Args:
        files: The file system.
        root: The folder of the lake in the file system.
        address: The lake as the user wrote it: a folder, or s3://bucket/prefix.
    """

    files: fs.FileSystem
    root: str
    address: str

    @property
    def is_local(self) -> bool:
        """Return whether the lake is a folder of this machine."""
        return isinstance(self.files, fs.LocalFileSystem)

    def readable_objects(self, table: Table) -> list[LakeObject]:
        """Return a table's objects.

        Raises:
            StorageError: The lake cannot be read, or a newer anthropic-lake has written it.
        """
        objects = list(self.objects(table))
        if objects:
            self._refuse_newer(table, max(objects, key=lambda stored: stored.written_at))
        return objects

    def dataset(self, table: Table, objects: Sequence[LakeObject]) -> ds.Dataset:
        """Return objects of a table as a dataset, which has no rows when there are none.

        Nothing is read yet, and a predicate on `date` opens the objects of these days only. A
        column that is younger than an object is null in its rows.
        """
        schema = table.schema.append(pa.field(PARTITION.name, PARTITION.type.arrow))
        fragments = [
            _PARQUET.make_fragment(
                stored.path,
                self.files,
                partition_expression=ds.field(PARTITION.name) == pa.scalar(stored.day),
            )
            for stored in objects
        ]
        return ds.FileSystemDataset(fragments, schema, _PARQUET, self.files)

    def objects(self, table: Table) -> Iterator[LakeObject]:
        """List the objects of a table; other files are left out.

        Raises:
            StorageError: The lake cannot be listed.
        """
        folder = f"{self.root}/{table_prefix(table.name)}".rstrip("/")
        selector = fs.FileSelector(folder, recursive=True, allow_not_found=True)
        for info in self._list(selector):
            day = object_day(info.path[len(folder) + 1 :])
            if info.type == fs.FileType.File and day:
                yield LakeObject(info.path, day, info.mtime)

    def check_exists(self) -> None:
        """Check that the folder holds a lake.

        Raises:
            SettingsError: The folder is missing, or holds no table.
            StorageError: The folder cannot be listed.
        """
        command = f"anthropic-lake sync --lake {shlex.quote(self.address)}"
        advice = f"make one with `{command}`, or name another"
        try:
            entries = self._list(fs.FileSelector(self.root))
        except FileNotFoundError:
            raise SettingsError(f"there is no lake at {self.address}: {advice}") from None
        if not any(info.base_name.startswith(table_prefix()) for info in entries):
            raise SettingsError(f"the lake at {self.address} is empty: {advice}")

    def _list(self, selector: fs.FileSelector) -> list[fs.FileInfo]:
        """List a folder."""
        try:
            entries: list[fs.FileInfo] = self.files.get_file_info(selector)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise StorageError(f"cannot list {selector.base_dir}: {error}") from error
        return entries

    def _refuse_newer(self, table: Table, newest: LakeObject) -> None:
        """Raise StorageError if the newest object has columns that this version does not know."""
        try:
            metadata = pq.read_metadata(newest.path, filesystem=self.files).metadata or {}
        except (OSError, pa.ArrowException) as error:
            raise StorageError(f"cannot read {newest.path}: {error}") from error
        refuse_newer(table, int(metadata.get(_SCHEMA_VERSION, b"0")))
