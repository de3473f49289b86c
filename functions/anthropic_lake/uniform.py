"""Records that hold just what their table knows, read in a fraction of the time.

A report's rows nearly always have the declared fields, of the declared types, and no others. Such
records are read straight into typed objects. Whatever else a text holds, `uniform_rows` gives None
and the general way of `rows` reads it: it keeps the unknown, and names what is wrong.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from operator import attrgetter
from types import NoneType
from typing import Any

import msgspec
import pyarrow as pa
from msgspec import UNSET, Raw, UnsetType

from anthropic_lake.rows import FieldError, column_array, known_fields
from anthropic_lake.schema import BOOLEAN, DATE, INTEGER, STRING, TIMESTAMP, Column, Table

_PYTHON: Mapping[object, type] = {
    STRING: str,
    TIMESTAMP: str,
    DATE: str,
    INTEGER: int,
    BOOLEAN: bool,
}
_encode = msgspec.json.Encoder().encode


def uniform_rows(table: Table, texts: Sequence[Raw], shared: Mapping[str, Any]) -> pa.Table | None:
    """Make a table's rows from the texts of records, None unless they are uniform.

    Args:
        table: The table whose columns are filled.
        texts: The JSON of the records.
        shared: Fields that all the records have in common.
    """
    decode = _decoder(table)
    if decode is None or not shared.keys() <= known_fields(table).keys():
        return None
    text = b"[%b]" % b",".join(texts)
    try:
        records = decode(text)
        if len(_encode(records)) != len(text):  # a key stands twice, or the text is not compact
            return None
        arrays = [_array(column, records, shared) for column in table.all_columns]
    except (ValueError, AttributeError):
        return None
    return pa.Table.from_arrays(arrays, schema=table.schema)


@cache
def _decoder(table: Table) -> Callable[[bytes], list[Any]] | None:
    """Make a decoder of a table's records, None where a column is more than one plain value."""
    fields: dict[str, Any] = {}
    for column in table.all_columns:
        if column.name == "extra":
            continue
        if column.type not in _PYTHON or len(column.paths) > 1 or "[]" in column.paths[0]:
            return None
        *parents, name = column.paths[0].split(".")
        at = fields
        for parent in parents:
            at = at.setdefault(parent, {})
        at[name] = _PYTHON[column.type]
    return msgspec.json.Decoder(list[_struct(table.name, fields)]).decode  # type: ignore[misc]


def _struct(name: str, fields: Mapping[str, Any]) -> type:
    """Make a type of objects that may have some fields and no others."""
    kinds = {
        field: _struct(field, kind) if isinstance(kind, dict) else kind
        for field, kind in fields.items()
    }
    return msgspec.defstruct(
        name,
        [(field, kind | None | UnsetType, UNSET) for field, kind in kinds.items()],
        forbid_unknown_fields=True,
        gc=False,
    )


def _array(column: Column, records: Sequence[Any], shared: Mapping[str, Any]) -> pa.Array:
    """Read one column of all records."""
    if column.name == "extra":
        return pa.nulls(len(records), column.type.arrow)
    values = list(map(attrgetter(column.paths[0]), records))
    default = shared.get(column.paths[0])
    types = set(map(type, values))
    if types == {UnsetType}:
        values = [default] * len(values)
    elif UnsetType in types or (default is not None and NoneType in types):
        values = [default if value is None or value is UNSET else value for value in values]
    if column.required and None in values:
        raise FieldError(column.paths[0], "is missing")
    return column_array(column, values)
