"""Records that hold just what their tables know, read in a fraction of the time.

Reports nearly always have the declared fields, of the declared types, and no others. Such records
are read straight into typed objects. Whatever else a text holds, `uniform` gives None and the
general way of `any_records` reads it: it keeps the unknown, and names what is wrong.
"""

from collections import ChainMap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any

import msgspec
import pyarrow as pa
from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec.structs import astuple

from anthropic_lake import strict_json
from anthropic_lake.rows.arrow import (
    OURS,
    Known,
    Records,
    amount,
    column_array,
    known_fields,
    naming,
)
from anthropic_lake.schema.table import EXTRA, Column, Table
from anthropic_lake.schema.types import BOOLEAN, DATE, INTEGER, JSON, MONEY, STRING, TIMESTAMP
from anthropic_lake.schema.types import Type as ColumnType

_PYTHON: Mapping[ColumnType, type] = {
    STRING: str,
    TIMESTAMP: str,
    DATE: str,
    INTEGER: int,
    BOOLEAN: bool,
    MONEY: Raw,
    JSON: Raw,
}
_encode = msgspec.json.Encoder().encode


def uniform(
    tables: tuple[Table, ...], text: strict_json.Text, shared: Mapping[str, Any]
) -> Records | None:
    """Read the text of a list of records, None unless they are uniform.

    Args:
        tables: The tables that are made of the records.
        text: The JSON of the list.
        shared: Fields that all the records have in common.
    """
    if not shared.keys() - known_fields(tables[0]).keys() <= OURS:
        return None
    shape = _shape_of(tables, frozenset(shared) - {tables[0].organization_field})
    if shape is None:
        return None
    try:
        records = _decoder(shape.struct)(text)
        if not strict_json.all_kept(text, _encode(records)):
            return None
    except (ValueError, RecursionError):
        return None
    return _UniformRecords(shape, records, shared)


class _UniformRecords(Records):
    """Records read into typed objects.

    Args:
        shape: Their type.
        records: The objects.
        shared: Fields that all of them have in common; a record's own value goes first.
    """

    def __init__(
        self, shape: "_Shape", records: Sequence[Struct], shared: Mapping[str, Any]
    ) -> None:
        self._shape = shape
        self._count = len(records)
        self._shared = shared
        self._values = dict(_transposed(shape, records))
        self._elements: dict[str, _UniformRecords] = {}
        self._made: dict[str, list[Any]] = {}

    def array(self, column: Column) -> pa.Array:
        """Repeat what is shared."""
        path = column.paths[0]
        if path in self._values or path not in self._shared:
            return super().array(column)
        (one,) = column_array(column, [self._shared[path]])
        return pa.repeat(one, self._count)

    def column(self, kind: ColumnType, paths: tuple[str, ...]) -> Sequence[Any]:
        """Give the values as they are, but for those that have to be made, once."""
        (path,) = paths
        if "[]." not in path and kind not in (MONEY, JSON):
            return self._at(path)
        if path not in self._made:
            self._made[path] = self._make(kind, path)
        return self._made[path]

    def extras(self, known: Known) -> tuple[list[str | None], int]:  # noqa: ARG002
        """Give none: whatever the records hold is known."""
        return [None] * self._count, 0

    def has(self, name: str) -> Iterable[bool]:
        """Look into each record."""
        return (value is not UNSET for value in self._values.get(name, [UNSET] * self._count))

    def counts(self, name: str) -> list[int]:
        """Count the elements."""
        return [len(found or ()) for found in self._values[f"{name}[]"]]

    def elements(self, name: str) -> "_UniformRecords":
        """Put the lists one after the other."""
        if name not in self._elements:
            lists = (found or () for found in self._values[f"{name}[]"])
            found = list(chain.from_iterable(lists))
            self._elements[name] = _UniformRecords(self._shape.below[f"{name}[]"], found, {})
        return self._elements[name]

    def _at(self, path: str) -> Sequence[Any]:
        """Give the values at a path; a field that is null or absent takes the shared value."""
        values, shared = self._values.get(path), self._shared.get(path)
        if values is None:
            return [shared] * self._count
        if shared is None:
            return values
        return [shared if value is None or value is UNSET else value for value in values]

    def _make(self, kind: ColumnType, path: str) -> list[Any]:
        """Combine the values of lists, and read money and JSON from their texts."""
        if "[]." in path:
            return self._combined(kind, path)
        with naming(path, kind):
            return list(map(_amount if kind is MONEY else _json, self._at(path)))


def _amount(text: Raw | UnsetType | None) -> Any:  # noqa: ANN401
    """Read an amount, which is written as a text or as a number."""
    if text is None or text is UNSET or (read := bytes(text).decode()) == "null":
        return None
    return amount(read[1:-1] if read.startswith('"') else read)


def _json(value: Raw | dict[str, Struct] | UnsetType | None) -> str | None:
    """Give the canonical JSON text of a value, None where it is null or absent."""
    if isinstance(value, Raw):
        value = strict_json.value(value)
    return None if value is None or value is UNSET else strict_json.text_of(value)


@dataclass(frozen=True)
class _Shape:
    """A type of objects that may have some fields and no others.

    Args:
        struct: The type.
        names: Its fields; those of lists end in `[]`.
        below: The types of the objects in fields: the field itself, or what its list or map holds.
        maps: The known keys of the fields that are maps: all their objects are of one type.
    """

    struct: type[Struct]
    names: tuple[str, ...]
    below: Mapping[str, "_Shape"]
    maps: Mapping[str, tuple[str, ...]]


@cache
def _decoder(struct: type[Struct]) -> Callable[[strict_json.Text], list[Any]]:
    """Make a decoder of lists of such objects."""
    return msgspec.json.Decoder(list[struct]).decode  # type: ignore[valid-type]


@cache
def _shape_of(tables: tuple[Table, ...], shared: frozenset[str]) -> _Shape | None:
    """Give the type of the records that tables are made of, without what only they share.

    None where a value may stand at one of several paths, or where an object that is kept whole has
    plain values as columns, too.
    """
    if any(len(column.paths) > 1 for table in tables for column in table.all_columns):
        return None
    fields: dict[str, Any] = {}
    for path, kind in sorted(_paths(tables), key=lambda each: each[1] is JSON):
        *parents, name = path.split(".")
        if path.partition(".")[0] in shared:
            continue
        at = fields
        for parent in parents:
            at = at.setdefault(parent, {})
        if name in at and kind is JSON:  # all of an object of which parts are columns too
            if not all(isinstance(below, dict) for below in at[name].values()):
                return None
            at[name] = _Map(at[name])
        at.setdefault(name, _PYTHON[kind])
    return _shape(tables[0].name, fields)


class _Map(dict[str, Any]):
    """The types of the values of a map's known keys; it may have others."""


def _paths(tables: tuple[Table, ...]) -> Iterator[tuple[str, ColumnType]]:
    """Give the path and type of all values; an exploded table's own are those of the elements."""
    first: set[str] = set()
    for table in tables:
        if table.partition_field:
            yield table.partition_field, STRING
        for column in table.all_columns:
            if column is EXTRA or column.paths[0] in first:
                continue
            prefix = f"{table.explode}[]." if table.explode else ""
            yield prefix + column.paths[0], column.type
            if column.usd_where:
                yield prefix + column.usd_where, STRING
        first |= {column.paths[0] for column in table.all_columns}


def _shape(name: str, fields: Mapping[str, Any]) -> _Shape:
    """Make a type of objects from the types of their fields; those of objects are nested."""
    below, maps = {}, {}
    for field, kind in fields.items():
        if isinstance(kind, _Map):
            maps[field] = tuple(kind)
            below[field] = _shape(field, dict(ChainMap(*kind.values())))
        elif isinstance(kind, dict):
            below[field] = _shape(field, kind)
    kinds = {field: kind for field, kind in fields.items() if field not in below}
    for field, shape in below.items():
        held: Any = shape.struct
        kinds[field] = (
            dict[str, held] if field in maps else list[held] if field.endswith("[]") else held
        )
    struct = msgspec.defstruct(
        name.removesuffix("[]"),
        [
            (field.removesuffix("[]"), kind if kind is Raw else kind | None | UnsetType, UNSET)
            for field, kind in kinds.items()
        ],
        forbid_unknown_fields=True,
        gc=False,
    )
    return _Shape(struct, tuple(kinds), below, maps)


def _transposed(
    shape: _Shape, records: Sequence[Struct], parent: str = ""
) -> Iterator[tuple[str, Sequence[Any]]]:
    """Give the path of each field and its values in all records."""
    columns = list(zip(*map(astuple, records), strict=True)) or [()] * len(shape.names)
    for name, values in zip(shape.names, columns, strict=True):
        path = parent + name
        yield path, values
        if name not in shape.below or name.endswith("[]"):
            continue
        below = shape.below[name]
        nothing = below.struct()
        if name not in shape.maps:
            found = [value or nothing for value in values]
            yield from _transposed(below, found, f"{path}.")
        for key in shape.maps.get(name, ()):
            found = [(value and value.get(key)) or nothing for value in values]
            yield from _transposed(below, found, f"{path}.{key}.")
