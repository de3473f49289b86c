"""What queries read of a lake: the bytes of the files, counted where they are opened.

    python -m tests.benchmarks.scans LAKE TODAY     prints it as JSON

In a process of its own, because it is large, and what is measured must not inherit that.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import sqlglot
from pyarrow import fs

from anthropic_lake.lake.reading import StoredLake
from anthropic_lake.query.catalog import CATALOG, TABLES
from anthropic_lake.query.duckdb import query


class _Counted:
    """A file that notes which of its bytes are read, but for reads of its end.

    Every reader finds the footer by reading the end of a file, and takes what stands before it
    along; columns are read by a range each, those close together by one.
    """

    def __init__(self, file: Any, ranges: set[tuple[int, int]]) -> None:
        self._file, self._ranges = file, ranges
        self.closed = False

    def read(self, size: int | None = None) -> bytes:
        start = self.tell()
        data: bytes = self._file.read(size)
        if self.tell() < self.size():
            self._ranges.add((start, self.tell()))
        return data

    def seek(self, to: int, whence: int = 0) -> int:
        place: int = self._file.seek(to, whence)
        return place

    def tell(self) -> int:
        place: int = self._file.tell()
        return place

    def size(self) -> int:
        size: int = self._file.size()
        return size

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True
        self._file.close()


class CountingFiles(fs.FileSystemHandler):  # type: ignore[misc]
    """A file system that is read only, and counts."""

    def __init__(self, files: fs.FileSystem) -> None:
        self._files = files
        self._ranges: defaultdict[str, set[tuple[int, int]]] = defaultdict(set)

    @property
    def bytes(self) -> int:
        """How many different bytes were read."""
        return sum(map(_length, self._ranges.values()))

    def get_type_name(self) -> str:
        return "counting"

    def normalize_path(self, path: str) -> str:
        return path

    def get_file_info(self, paths: list[str]) -> Any:
        return self._files.get_file_info(paths)

    def get_file_info_selector(self, selector: fs.FileSelector) -> Any:
        return self._files.get_file_info(selector)

    def open_input_file(self, path: str) -> pa.PythonFile:
        counted = _Counted(self._files.open_input_file(path), self._ranges[path])
        return pa.PythonFile(counted, mode="r")

    def open_input_stream(self, path: str) -> pa.PythonFile:
        return self.open_input_file(path)

    def _refuse(self, *_: object, **__: object) -> None:
        raise NotImplementedError("this file system is only read")

    create_dir = delete_dir = delete_dir_contents = delete_root_dir_contents = _refuse
    delete_file = move = copy_file = open_output_stream = open_append_stream = _refuse


def _length(ranges: set[tuple[int, int]]) -> int:
    """Give how much some ranges cover together."""
    covered = at = 0
    for start, end in sorted(ranges):
        covered += max(0, end - max(start, at))
        at = max(at, end)
    return covered


def scanned(files: fs.FileSystem, root: str, today: date) -> dict[str, tuple[int, int]]:
    """Run the cookbook's queries; for each, the bytes read and those of the tables it names."""
    sizes = {
        table.name: sum(
            files.get_file_info(each.path).size
            for each in StoredLake(files, root, root).objects(table)
        )
        for table in TABLES
    }
    found = {}
    for saved in CATALOG.saved_queries:
        sql = sqlglot.transpile(saved.filled({}), read="trino", write="duckdb")[0]
        counting = CountingFiles(files)
        counted = _Tables(fs.PyFileSystem(counting), root, root)
        with query(sql, counted, today=today) as result:
            result.read_all()
        found[saved.name] = (counting.bytes, sum(sizes[name] for name in counted.used))
    return found


class _Tables(StoredLake):
    """A lake that remembers which of its tables were asked for."""

    @property
    def used(self) -> set[str]:
        found: set[str] = self.__dict__.setdefault("_used", set())
        return found

    def dataset(self, table: Any, objects: Any) -> Any:
        """Open a table, and its files' footers now: opened during a scan, they may hang."""
        self.used.add(table.name)
        dataset = super().dataset(table, objects)
        for fragment in dataset.get_fragments():
            fragment.ensure_complete_metadata()
        return dataset


def main() -> None:
    lake, today = Path(sys.argv[1]).resolve(), date.fromisoformat(sys.argv[2])
    json.dump(scanned(fs.LocalFileSystem(), str(lake), today), sys.stdout)


if __name__ == "__main__":
    main()
