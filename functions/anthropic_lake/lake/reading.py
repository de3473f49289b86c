"""A lake as it is read: the objects of each table as one dataset with the declared columns."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyarrow import fs

from anthropic_lake.errors import SettingsError, StorageError
from anthropic_lake.lake.layout import METADATA_PREFIX, object_day, table_prefix
from anthropic_lake.schema.table import PARTITION, Table

_PARQUET = ds.ParquetFileFormat()
_SCHEMA_VERSION = f"{METADATA_PREFIX}schema_version".encode()


@dataclass(frozen=True)
class LakeObject:
    """One object of a table.

    Args:
        path: Where it stands in the file system.
        day: The partition it belongs to.
        changed: When it was written.
    """

    path: str
    day: date
    changed: datetime


@dataclass(frozen=True)
class StoredLake:
    """A lake in a file system.

    Args:
        files: The file system.
        root: The lake's folder in it.
        place: What the user calls it.
    """

    files: fs.FileSystem
    root: str
    place: str

    def dataset(self, table: Table) -> ds.Dataset:
        """Give a table's objects as a dataset, which has no rows when there are none.

        Nothing is read yet, and a predicate on `date` opens the objects of these days only. A
        column that is younger than an object is null in its rows.

        Raises:
            StorageError: The lake cannot be read, or a newer version has written it.
        """
        objects = list(self.objects(table))
        if objects:
            self._refuse_newer(table, max(objects, key=lambda each: each.changed))
        schema = table.schema.append(pa.field(PARTITION.name, PARTITION.type.arrow))
        fragments = [
            _PARQUET.make_fragment(
                each.path,
                self.files,
                partition_expression=ds.field(PARTITION.name) == pa.scalar(each.day),
            )
            for each in objects
        ]
        return ds.FileSystemDataset(fragments, schema, _PARQUET, self.files)

    def objects(self, table: Table) -> Iterator[LakeObject]:
        """List a table's objects; files that the lake would not have written are passed over.

        Raises:
            StorageError: The lake cannot be listed.
        """
        folder = f"{self.root}/{table_prefix(table.name)}".rstrip("/")
        selector = fs.FileSelector(folder, recursive=True, allow_not_found=True)
        for info in self._list(selector):
            day = object_day(info.path[len(folder) + 1 :])
            if info.type == fs.FileType.File and day:
                yield LakeObject(info.path, day, info.mtime)

    def refuse_unless_there(self) -> None:
        """Refuse a place that holds no lake.

        Raises:
            SettingsError: Nothing is there, or nothing of a lake.
            StorageError: It cannot be listed.
        """
        make_one = f"make one with `anthropic-lake sync --lake {self.place}`, or name another"
        try:
            found = self._list(fs.FileSelector(self.root))
        except FileNotFoundError:
            raise SettingsError(f"there is no lake at {self.place}: {make_one}") from None
        if not any(info.base_name.startswith(table_prefix()) for info in found):
            raise SettingsError(f"the lake at {self.place} is empty: {make_one}")

    def _list(self, selector: fs.FileSelector) -> list[fs.FileInfo]:
        """List a folder."""
        try:
            found: list[fs.FileInfo] = self.files.get_file_info(selector)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise StorageError(f"cannot list {selector.base_dir}: {error}") from error
        return found

    def _refuse_newer(self, table: Table, newest: LakeObject) -> None:
        """Refuse a table whose last written object has columns that we do not know."""
        try:
            metadata = pq.read_metadata(newest.path, filesystem=self.files).metadata or {}
        except (OSError, pa.ArrowException) as error:
            raise StorageError(f"cannot read {newest.path}: {error}") from error
        version = int(metadata.get(_SCHEMA_VERSION, b"0"))
        if version > table.schema_version:
            raise StorageError(
                f"table {table.name} was written by a newer anthropic-lake (schema version "
                f"{version}, this one knows {table.schema_version}): upgrade anthropic-lake"
            )
