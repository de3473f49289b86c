"""The one entrance from JSON text to rows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, time
from functools import lru_cache
from typing import Any

import pyarrow as pa
from msgspec import UNSET

from anthropic_lake import strict_json
from anthropic_lake.rows.arrow import FieldError, Records, to_arrow
from anthropic_lake.rows.general import GeneralRecords
from anthropic_lake.rows.typed import typed_records
from anthropic_lake.schema.table import Table
from anthropic_lake.schema.types import STRING
from anthropic_lake.strict_json import Object
from anthropic_lake.utc import instant

MAX_BYTES_READ_WHOLE = 16 << 20
PART_BYTES = 2 << 20


@dataclass(frozen=True)
class Rows:
    """The rows of some records.

    Args:
        tables: The rows of each table, in the order of the tables.
        unknown_fields: Number of fields and enumerated values that the tables do not know.
    """

    tables: tuple[pa.Table, ...]
    unknown_fields: int


def read_rows(
    tables: tuple[Table, ...],
    records_text: strict_json.Text,
    shared: Mapping[str, Any],
    day: date | None = None,
) -> Iterator[Rows]:
    """Yield the rows of a list of records, a part of a long list at a time.

    Args:
        tables: The tables that the records fill.
        records_text: The JSON of the list.
        shared: Fields that all the records have in common; a record's own value goes first.
        day: The day that the records must be of, where they name one.

    Raises:
        InvalidJson: The text is not a list of records.
        FieldError: A record cannot be a row.
    """
    size_bytes = len(memoryview(records_text))
    whole = size_bytes <= MAX_BYTES_READ_WHOLE
    for text in strict_json.parts(records_text, size_bytes if whole else PART_BYTES):
        rows = _read_typed(tables, text, shared, day)
        if rows:
            yield rows
            continue
        for part in strict_json.parts(text, PART_BYTES):
            yield _rows(tables, GeneralRecords(_objects(part), shared), day)


def _read_typed(
    tables: tuple[Table, ...],
    records_text: strict_json.Text,
    shared: Mapping[str, Any],
    day: date | None,
) -> Rows | None:
    """Return the rows of records that hold just what is declared, None of others."""
    records = typed_records(tables, records_text, shared)
    try:
        return _rows(tables, records, day) if records else None
    except FieldError:  # the general way names what is wrong
        return None


def _rows(tables: tuple[Table, ...], records: Records, day: date | None) -> Rows:
    """Return the rows of each table."""
    if day is not None and (field := tables[0].partition_field):
        days = set(records.values(STRING, (field,))) - {None, UNSET}
        if any(_day_of(value) != day for value in days):
            raise FieldError(field, f"expected the day {day}, got another value")
    pairs = [to_arrow(table, records) for table in tables]
    return Rows(tuple(rows for rows, _ in pairs), sum(unknown for _, unknown in pairs))


def _objects(text: strict_json.Text) -> list[Object]:
    """Return the records of a list, which are objects."""
    records: list[Object] = strict_json.value(text)
    if set(map(type, records)) - {dict}:
        raise FieldError("data[]", "expected an object")
    return records


@lru_cache(maxsize=8)
def _day_of(text: str) -> date | None:
    """Return a day written as a bare date or as midnight UTC, None of other text."""
    if len(text) == len("2026-01-31"):
        text += "T00:00:00Z"
    then = instant(text)
    return then.date() if then and then.time() == time() else None
