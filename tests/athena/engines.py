"""What two engines have to agree on, with each other and with the objects that they read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import repeat
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from anthropic_lake.schema.table import Table

Rows = Iterable[tuple[Any, ...]]
HALF = timedelta(microseconds=500)


def plain(value: Any) -> Any:
    """A value as both engines give it: instants without a zone, all numbers exact."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, float):
        return float(f"{value:.14g}")
    return value


def milliseconds(value: Any) -> Any:
    """The same, and instants as precise as in Athena, which rounds."""
    if not isinstance(value, datetime):
        return plain(value)
    later = value.replace(tzinfo=None) + HALF
    return later.replace(microsecond=later.microsecond // 1000 * 1000)


def same(found: Rows, expected: Rows) -> None:
    """Both have the same rows, to the microsecond, each as often."""
    left, right = (Counter(tuple(map(plain, row)) for row in rows) for rows in (found, expected))
    assert left == right


def same_in_athena(found: Rows, expected: Rows, *, ordered: bool = False) -> None:
    """Both have the same rows, to the millisecond, each as often."""
    left, right = ([tuple(map(milliseconds, row)) for row in rows] for rows in (found, expected))
    assert Counter(left) == Counter(right)
    assert not ordered or left == right


def in_files(folder: Path, table: Table) -> list[tuple[Any, ...]]:
    """All rows of a table's objects in a folder, each with its day, as pyarrow reads them."""
    rows: list[tuple[Any, ...]] = []
    names = [column.name for column in table.all_columns]
    for file in sorted(folder.glob(f"asset={table.name}/date=*/*.parquet")):
        day = date.fromisoformat(file.parent.name.removeprefix("date="))
        columns = (column.to_pylist() for column in pq.ParquetFile(file).read(names).columns)
        rows += zip(*columns, repeat(day))
    return rows
