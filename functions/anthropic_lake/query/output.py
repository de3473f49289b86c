"""Write the result of a query as a table, CSV, JSON or Parquet; decimals stay exact."""

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
from rich.table import Table
from rich.text import Text

from anthropic_lake.errors import printable

MAX_ROWS_SHOWN = 1000
_FILE_WIDTH = 10_000  # characters: a table in a file is not wrapped
_LINE_FEEDS_AND_TABS = str.maketrans(dict.fromkeys("\n\t", "\N{REPLACEMENT CHARACTER}"))


class Format(Enum):
    """The format of a result."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def write(result: pa.RecordBatchReader, output_format: Format, file: IO[bytes]) -> None:
    """Write the batches of a result, one after the other.

    Args:
        result: The result.
        output_format: The format. CSV and JSON have timestamps in ISO 8601, with `Z` for UTC, and
            decimals with all their digits; in JSON a decimal is text.
        file: The file to write to. On a terminal, characters that control it are replaced in every
            format.
    """
    _WRITERS[output_format](_prepared(result), file)


def _prepared(result: pa.RecordBatchReader) -> pa.RecordBatchReader:
    """Return a result with unique column names and timestamps in microseconds."""
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
    """Return unique names: a repeated name gets a number, as in a table of DuckDB."""
    distinct: list[str] = []
    for name in names:
        number, candidate = 0, name
        while candidate in distinct:
            number += 1
            candidate = f"{name}_{number}"
        distinct.append(candidate)
    return distinct


def _in_microseconds(arrow_type: pa.DataType) -> pa.DataType:
    """Return a timestamp type in microseconds, which Python and all readers of Parquet know."""
    return pa.timestamp("us", arrow_type.tz) if pa.types.is_timestamp(arrow_type) else arrow_type


def _write_parquet(result: pa.RecordBatchReader, file: IO[bytes]) -> None:
    """Write a Parquet file."""
    with pq.ParquetWriter(file, result.schema, compression="zstd") as writer:
        for batch in result:
            writer.write_batch(batch)


def _write_csv(result: pa.RecordBatchReader, file: IO[bytes]) -> None:
    """Write CSV with a header; null becomes an empty field."""
    lines = csv.writer(codecs.getwriter("utf-8")(file), lineterminator="\n")
    cleaned = printable if file.isatty() else str
    lines.writerow([cleaned(name) for name in result.schema.names])
    lines.writerows([cleaned(_text(value)) for value in row] for row in _rows(result))


def _write_json(result: pa.RecordBatchReader, file: IO[bytes]) -> None:
    """Write a JSON list with one object a line."""
    names = result.schema.names
    cleaned = printable if file.isatty() else str  # JSON's own escapes leave some above 127
    opening = b"["
    for row in _rows(result):
        values = {name: _json_ready(value) for name, value in zip(names, row, strict=True)}
        text = cleaned(json.dumps(values, ensure_ascii=False))
        file.write(opening + b"\n" + text.encode())
        opening = b","
    file.write(b"[]\n" if opening == b"[" else b"\n]\n")


def _write_table(result: pa.RecordBatchReader, file: IO[bytes]) -> None:
    """Write a table for people: at most a thousand rows, decimals without trailing zeros.

    Where it is wider than the terminal, each value stands on a line of its own, so that none is
    cut short.
    """
    rows = _rows(result)
    first_rows = [[shown(value) for value in row] for row in islice(rows, MAX_ROWS_SHOWN)]
    hidden = sum(1 for _ in rows)
    width = get_terminal_size().columns if file.isatty() else _FILE_WIDTH
    table = _grid(result.schema, first_rows)
    if Console(width=_FILE_WIDTH).measure(table).maximum > width:
        table = _records(result.schema, first_rows)
    text = StringIO()
    console = Console(file=text, width=width, color_system=None)
    console.print(table)
    prefix = f"the first {MAX_ROWS_SHOWN:,} of " if hidden else ""
    count = len(first_rows) + hidden
    console.print(f"{prefix}{count:,} row{'' if count == 1 else 's'}", highlight=False)
    file.write(text.getvalue().encode())


def _grid(schema: pa.Schema, rows: Iterable[Sequence[str]]) -> Table:
    """Return a table with a line for each row."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for field in schema:
        name = Text(_on_one_line(field.name))
        table.add_column(name, justify="right" if _is_number(field.type) else "left")
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _records(schema: pa.Schema, rows: Iterable[Sequence[str]]) -> Table:
    """Return a table with a line for each value, and an empty line after each row."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows:
        for name, value in zip(schema.names, row, strict=True):
            table.add_row(Text(_on_one_line(name)), Text(value))
        table.add_row()
    return table


_WRITERS: dict[Format, Callable[[pa.RecordBatchReader, IO[bytes]], None]] = {
    Format.TABLE: _write_table,
    Format.CSV: _write_csv,
    Format.JSON: _write_json,
    Format.PARQUET: _write_parquet,
}


def _rows(result: Iterable[pa.RecordBatch]) -> Iterator[tuple[Any, ...]]:
    """Yield the rows as Python values."""
    for batch in result:
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _is_number(arrow_type: pa.DataType) -> bool:
    """Return whether the values of a type are numbers."""
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    return any(test(arrow_type) for test in tests)


def _json_ready(value: Any) -> Any:  # noqa: ANN401
    """Return a value that JSON can hold."""
    convert = _TO_JSON.get(type(value))
    return convert(value) if convert else value


def _iso_time(value: datetime) -> str:
    """Return a time in ISO 8601, in UTC if it has a zone."""
    if value.tzinfo is None:
        return value.isoformat()
    return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def _exact(value: Decimal) -> int | str:
    """Return a decimal as text, or as int without decimals: JSON readers would make a float."""
    return f"{value:f}" if value.as_tuple().exponent else int(value)


_TO_JSON: dict[type, Callable[[Any], Any]] = {
    datetime: _iso_time,
    date: date.isoformat,
    time: time.isoformat,
    timedelta: str,
    pa.MonthDayNano: str,
    Decimal: _exact,
    float: lambda value: value if isfinite(value) else str(value),
    bytes: bytes.hex,
    list: lambda values: [_json_ready(value) for value in values],
    tuple: lambda values: [_json_ready(value) for value in values],
    dict: lambda fields: {name: _json_ready(value) for name, value in fields.items()},
}


def _text(value: Any) -> str:  # noqa: ANN401
    """Return a value as text; null is empty."""
    ready = _json_ready(value)
    if isinstance(ready, str):
        return ready
    return "" if ready is None else json.dumps(ready, ensure_ascii=False)


def shown(value: Any) -> str:  # noqa: ANN401
    """Return a value as text for people: no trailing zeros, no control characters."""
    text = _text(value)
    if isinstance(value, Decimal) and "." in text:
        text = text.rstrip("0").removesuffix(".")
    return _on_one_line(text)


def _on_one_line(text: str) -> str:
    """Return a text without characters that steer a terminal, line feeds and tabs included."""
    return printable(text.translate(_LINE_FEEDS_AND_TABS))
