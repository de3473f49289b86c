"""Records that hold just what their tables know, read in a fraction of the time.

Reports nearly always have the declared fields, of the declared types, and no others. Such records
are read straight into typed objects. Of whatever else a text holds, `typed_records` returns None,
and the general way reads it: it keeps the unknown, and names what is wrong.
"""

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
from anthropic_lake.rows.arrow import Records, column_array, naming
from anthropic_lake.rows.shape import ADDED_FIELDS, LIST, Node, later_paths, shape_of_records
from anthropic_lake.schema.table import Column, Table
from anthropic_lake.schema.types import Type

_encode = msgspec.json.Encoder().encode


def typed_records(
    tables: tuple[Table, ...], text: strict_json.Text, shared: Mapping[str, Any]
) -> Records | None:
    """Return the records of a list, None unless they hold just what the tables know.

    Args:
        tables: The tables that are made of the records.
        text: The JSON of the list.
        shared: Fields that all the records have in common.
    """
    root = shape_of_records(tables)
    if not shared.keys() - root.children.keys() <= ADDED_FIELDS:
        return None
    typed = _typed_shape(tables, frozenset(shared) - {tables[0].organization_field})
    if typed is None:
        return None
    try:
        records = _decoder(typed.struct)(text)
        if not strict_json.all_kept(text, _encode(records)):
            return None
    except (ValueError, RecursionError):
        return None
    typed_records = _TypedRecords(typed, records, shared)
    is_whole = all(typed_records.are_held_by(table) for table in tables if not table.explode)
    return typed_records if is_whole else None


class _TypedRecords(Records):
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
        self._by_path = dict(_columns(shape, records))
        self._elements: dict[str, _TypedRecords] = {}
        self._converted: dict[tuple[str, ...], list[Any]] = {}

    def array(self, column: Column) -> pa.Array:
        """Repeat what is shared."""
        path = column.paths[0]
        if path in self._by_path or self._shared.get(path) is None:
            return super().array(column)
        (scalar,) = column_array(column, [self._shared[path]])
        return pa.repeat(scalar, self._count)

    def values(self, type_: Type, paths: tuple[str, ...]) -> Sequence[Any]:
        """Return the values as they are; those that have to be converted are converted once."""
        is_combined = f"{LIST}." in paths[0]
        if not is_combined and type_.convert_typed is None:
            return self._first_present(paths)
        if paths not in self._converted:
            self._converted[paths] = (
                self.combined(type_, paths[0]) if is_combined else self._convert(type_, paths)
            )
        return self._converted[paths]

    def are_held_by(self, table: Table) -> bool:
        """Return whether no value is lost for another one at an earlier path of its column."""
        return all(
            value is None or value is UNSET or winner is UNSET or value == winner
            for path, earlier_paths in later_paths(table).items()
            for value, winner in zip(
                self._at(path), self._first_present(earlier_paths), strict=True
            )
        )

    def extras(self, table: Table) -> tuple[list[str | None], int]:  # noqa: ARG002
        """Return none: all that the records hold is known."""
        return [None] * self._count, 0

    def has(self, name: str) -> Iterable[bool]:
        """Look into each record."""
        return (value is not UNSET for value in self._by_path.get(name, [UNSET] * self._count))

    def counts(self, name: str) -> list[int]:
        """Count the elements."""
        return [len(elements or ()) for elements in self._by_path[name]]

    def elements(self, name: str) -> "_TypedRecords":
        """Put the lists one after the other."""
        if name not in self._elements:
            lists = (elements or () for elements in self._by_path[name])
            objects = list(chain.from_iterable(lists))
            self._elements[name] = _TypedRecords(self._shape.objects[name], objects, {})
        return self._elements[name]

    def _first_present(self, paths: tuple[str, ...]) -> Sequence[Any]:
        """Return the values at the first of the paths that is present, null or not."""
        first, *later = map(self._at, paths)
        for values in later:
            first = [
                other if value is UNSET else value
                for value, other in zip(first, values, strict=True)
            ]
        return first

    def _at(self, path: str) -> Sequence[Any]:
        """Return the values at a path; a null or absent field takes the shared value."""
        values, shared = self._by_path.get(path), self._shared.get(path)
        if values is None:
            return [UNSET if shared is None else shared] * self._count
        if shared is None:
            return values
        return [shared if value is None or value is UNSET else value for value in values]

    def _convert(self, type_: Type, paths: tuple[str, ...]) -> list[Any]:
        """Return converted values: money and JSON are read from their texts."""
        assert type_.convert_typed  # noqa: S101  asked before
        with naming(paths[0], type_):
            return list(map(type_.convert_typed, self._first_present(paths)))


@dataclass(frozen=True)
class _Shape:
    """A type of objects that may have the fields of a node and no others.

    Args:
        node: What is known of the objects.
        struct: The type.
        objects: The types of the objects in fields, or in a field's list or map, by field.
    """

    node: Node
    struct: type[Struct]
    objects: Mapping[str, "_Shape"]


@cache
def _decoder(struct: type[Struct]) -> Callable[[strict_json.Text], list[Any]]:
    """Return a decoder of lists of such objects."""
    return msgspec.json.Decoder(list[struct]).decode  # type: ignore[valid-type]


@cache
def _typed_shape(tables: tuple[Table, ...], shared: frozenset[str]) -> _Shape | None:
    """Return the type of the records that tables are made of, without what only they share.

    None where an object that a JSON column keeps has plain values as columns, too.
    """
    root = shape_of_records(tables)
    own = {name: child for name, child in root.children.items() if name not in shared}
    return _shape_of(tables[0].name, Node(children=own))


def _shape_of(name: str, node: Node) -> _Shape | None:
    """Return the type of a node's objects, those inside them nested."""
    objects: dict[str, _Shape] = {}
    types: dict[str, Any] = {}
    for field, child in node.children.items():
        if not child.children:
            assert child.type  # noqa: S101  a node without fields is a column
            types[field] = child.type.typed
            continue
        inner = _shape_of(field, _map_value(child) if child.type else child)
        if inner is None or not inner.node.children:
            return None
        objects[field] = inner
        types[field] = _container(child, inner.struct)
    struct = msgspec.defstruct(
        name,
        [
            (field, kind if kind is Raw else kind | None | UnsetType, UNSET)
            for field, kind in types.items()
        ],
        forbid_unknown_fields=True,
        gc=False,
    )
    return _Shape(node, struct, objects)


def _map_value(node: Node) -> Node:
    """Return what is known of the values of a map that a JSON column keeps, too.

    Some of its keys have columns, so all its values are read into one type, which has the fields
    of all these columns; no fields where a value is not an object.
    """
    values = node.children.values()
    if any(value.type for value in values):
        return Node()
    return Node(
        children={name: child for value in values for name, child in value.children.items()}
    )


def _container(node: Node, struct: Any) -> Any:  # noqa: ANN401  a type
    """Return the type of a field that holds objects: one, a list of them, or a map of them."""
    if node.is_list:
        return list[struct]
    return dict[str, struct] if node.type else struct


def _columns(
    shape: _Shape, records: Sequence[Struct], parent: str = ""
) -> Iterator[tuple[str, Sequence[Any]]]:
    """Yield the path of each field and its values in all records; of a list, the lists."""
    names = shape.node.children
    columns = list(zip(*map(astuple, records), strict=True)) or [()] * len(names)
    for name, values in zip(names, columns, strict=True):
        path = parent + name
        yield path, values
        if name not in shape.objects or shape.node.children[name].is_list:
            continue
        inner, node = shape.objects[name], shape.node.children[name]
        missing = inner.struct()
        if node.type is None:
            objects = [value or missing for value in values]
            yield from _columns(inner, objects, f"{path}.")
            continue
        for key in node.children:
            objects = [(value and value.get(key)) or missing for value in values]
            yield from _columns(inner, objects, f"{path}.{key}.")
