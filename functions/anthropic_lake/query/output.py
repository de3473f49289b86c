"""The result of a query as a table for people, CSV, JSON or Parquet; decimals stay exact."""

import codecs
import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from io import StringIO
from itertools import islice
from math import isfinite
from shutil import get_terminal_size
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as Screen
from rich.text import Text

MOST_ROWS_SHOWN = 1000
_WIDE = 10_000


class Format(Enum):
    """How a result is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def write(result: pa.RecordBatchReader, form: Format, file: IO[bytes]) -> None:
    """Write a result, batch after batch.

    Args:
        result: The rows.
        form: How to write them. CSV and JSON write timestamps as ISO 8601, with `Z` where they
            are UTC, and decimals with all their digits, which JSON holds as text.
        file: Where to.
    """
    _WRITERS[form](_prepared(result), file)


def _prepared(result: pa.RecordBatchReader) -> pa.RecordBatchReader:
    """Give each column a name of its own and no time finer than microseconds."""
    names = _distinct(result.schema.names)
    fields = [
        pa.field(name, _in_microseconds(field.type))
        for name, field in zip(names, result.schema, strict=True)
    ]
    schema = pa.schema(fields)
    batches = (
        pa.RecordBatch.from_arrays(
            [
                column.cast(field.type, safe=False) if column.type != field.type else column
                for column, field in zip(batch.columns, fields, strict=True)
            ],
            schema=schema,
        )
        for batch in result
    )
    return pa.RecordBatchReader.from_batches(schema, batches)


def _distinct(names: Sequence[str]) -> list[str]:
    """Number the names that came before, as DuckDB does when it makes a table of them."""
    distinct: list[str] = []
    for name in names:
        number, free = 0, name
        while free in distinct:
            number += 1
            free = f"{name}_{number}"
        distinct.append(free)
    return distinct


def _in_microseconds(kind: pa.DataType) -> pa.DataType:
    """Give a timestamp the unit that Python and every reader of Parquet know."""
    return pa.timestamp("us", kind.tz) if pa.types.is_timestamp(kind) else kind


def _write_parquet(result: pa.RecordBatchReader, file: IO[bytes]) -> None:
    """Write a Parquet file; intervals, which it cannot hold, as text."""
    with pq.ParquetWriter(file, result.schema, compression="zstd") as writer:
        for batch in result:
            writer.write_batch(batch)


def _write_csv(result: pa.RecordBatchReader, file: IO[bytes]) -> None:
    """Write CSV with a header; null is an empty field."""
    lines = csv.writer(codecs.getwriter("utf-8")(file), lineterminator="\n")
    lines.writerow(result.schema.names)
    lines.writerows([_text(value) for value in row] for row in _rows(result))


def _write_json(result: pa.RecordBatchReader, file: IO[bytes]) -> None:
    """Write a JSON array with an object on each line."""
    names = result.schema.names
    opening = b"["
    for row in _rows(result):
        values = {name: _plain(value) for name, value in zip(names, row, strict=True)}
        file.write(opening + b"\n" + json.dumps(values, ensure_ascii=False).encode())
        opening = b","
    file.write(b"[]\n" if opening == b"[" else b"\n]\n")


def _write_table(result: pa.RecordBatchReader, file: IO[bytes]) -> None:
    """Write a table for people: trailing zeros and all rows after the thousandth are left out."""
    screen = Screen(box=SIMPLE_HEAD, pad_edge=False)
    for field in result.schema:
        screen.add_column(Text(field.name), justify="right" if _is_number(field.type) else "left")
    rows = _rows(result)
    for row in islice(rows, MOST_ROWS_SHOWN):
        screen.add_row(*(Text(shown(value)) for value in row))
    more = sum(1 for _ in rows)
    width = get_terminal_size().columns if file.isatty() else _WIDE
    text = StringIO()
    console = Console(file=text, width=width, color_system=None)
    console.print(screen)
    of = f"the first {MOST_ROWS_SHOWN:,} of " if more else ""
    count = screen.row_count + more
    console.print(f"{of}{count:,} row{'' if count == 1 else 's'}", highlight=False)
    file.write(text.getvalue().encode())


_WRITERS: dict[Format, Callable[[pa.RecordBatchReader, IO[bytes]], None]] = {
    Format.TABLE: _write_table,
    Format.CSV: _write_csv,
    Format.JSON: _write_json,
    Format.PARQUET: _write_parquet,
}


def _rows(result: Iterable[pa.RecordBatch]) -> Iterator[tuple[Any, ...]]:
    """Give the rows as Python values."""
    for batch in result:
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _is_number(kind: pa.DataType) -> bool:
    """Tell what stands to the right in its column."""
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def _plain(value: Any) -> Any:  # noqa: ANN401
    """Give a value as JSON has it."""
    return _PLAIN.get(type(value), lambda same: same)(value)


def _moment(value: datetime) -> str:
    """Write a time in ISO 8601, in UTC where it has a zone."""
    if value.tzinfo is None:
        return value.isoformat()
    return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def _number(value: Decimal) -> int | str:
    """Keep all digits of a decimal: a reader would make a float of them."""
    return f"{value:f}" if value.as_tuple().exponent else int(value)


_PLAIN: dict[type, Callable[[Any], Any]] = {
    datetime: _moment,
    date: date.isoformat,
    time: time.isoformat,
    timedelta: str,
    pa.MonthDayNano: str,
    Decimal: _number,
    float: lambda value: value if isfinite(value) else str(value),
    bytes: bytes.hex,
    list: lambda values: [_plain(value) for value in values],
    tuple: lambda values: [_plain(value) for value in values],
    dict: lambda fields: {name: _plain(value) for name, value in fields.items()},
}


def _text(value: Any) -> str:  # noqa: ANN401
    """Give a value as text; null is empty."""
    plain = _plain(value)
    if isinstance(plain, str):
        return plain
    return "" if plain is None else json.dumps(plain, ensure_ascii=False)


def shown(value: Any) -> str:  # noqa: ANN401
    """Give a value as people read it: no zeros without meaning, nothing that steers a terminal."""
    text = _text(value)
    if isinstance(value, Decimal) and "." in text:
        text = text.rstrip("0").removesuffix(".")
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
