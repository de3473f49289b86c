"""Records of any fields and any values, read one path at a time and checked."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import chain, repeat
from operator import contains, itemgetter
from types import NoneType
from typing import Any

from anthropic_lake import strict_json
from anthropic_lake.rows.arrow import FieldError, Records, naming
from anthropic_lake.rows.shape import (
    ADDED_FIELDS,
    LIST,
    TIME_BUCKET_PATHS,
    Node,
    later_paths,
    shape_of_rows,
)
from anthropic_lake.schema.table import Table, field_path
from anthropic_lake.schema.types import Type
from anthropic_lake.strict_json import Object

_NOUNS = {
    NoneType: "null",
    str: "text",
    int: "a whole number",
    Decimal: "a number with a fraction or exponent",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}
_ABSENT = object()
_NOTHING: Object = {}


class GeneralRecords(Records):
    """Records with whatever fields they have.

    Args:
        records: JSON objects.
        shared: Fields that all the records have in common; a record's own value goes first.
        within: Path of the list that they are the elements of, for messages.
    """

    def __init__(
        self, records: Sequence[Object], shared: Mapping[str, Any] = _NOTHING, within: str = ""
    ) -> None:
        self._shared = shared
        self._within = within
        self._objects: dict[str, Sequence[Object]] = {"": records}
        self._values: dict[tuple[str, ...], list[Any]] = {}
        self._lists: dict[str, list[list[Object]]] = {}
        self._elements: dict[str, GeneralRecords] = {}

    def values(self, type_: Type, paths: tuple[str, ...]) -> list[Any]:
        """Read the values once, and check them."""
        if paths not in self._values:
            if f"{LIST}." in paths[0]:
                self._values[paths] = self.combined(type_, paths[0])
            else:
                values = self._first_present(paths, None)
                self._values[paths] = _converted(type_, self._within + paths[0], values)
        return self._values[paths]

    def has(self, name: str) -> Iterable[bool]:
        """Look into each record."""
        return map(contains, self._objects[""], repeat(name))

    def counts(self, name: str) -> list[int]:
        """Count the elements."""
        return list(map(len, self._list(name)))

    def elements(self, name: str) -> "GeneralRecords":
        """Put the lists one after the other."""
        if name not in self._elements:
            objects = list(chain.from_iterable(self._list(name)))
            self._elements[name] = GeneralRecords(objects, within=f"{name}{LIST}.")
        return self._elements[name]

    def extras(self, table: Table) -> tuple[list[str | None], int]:
        """Collect what no column holds, at any depth, and numbers that their columns round."""
        count, known = len(self._objects[""]), shape_of_rows(table)
        unknown_names = self._shared.keys() - known.children.keys() - ADDED_FIELDS
        shared = {name: self._shared[name] for name in unknown_names}
        by_row = {row: dict(shared) for row in range(count if shared else 0)}
        self._collect(by_row, "", known)
        for path, earlier_paths in later_paths(table).items():
            self._collect_beaten(by_row, path, earlier_paths)
        for name, path in TIME_BUCKET_PATHS.items():
            self._collect_overridden(by_row, name, path)
        texts: list[str | None] = [None] * count
        for row, fields in by_row.items():
            texts[row] = strict_json.text_of(fields)
        return texts, sum(map(len, by_row.values()))

    def _collect(self, by_row: dict[int, Object], path: str, known: Node) -> None:
        """Collect the unknown fields of the objects at a path and of those inside them."""
        objects = self._objects_at(path)
        knows_all = frozenset(known.children).issuperset
        if not all(map(knows_all, objects)):
            for row, fields in enumerate(objects):
                if not knows_all(fields):
                    by_row.setdefault(row, {}).update(
                        (field_path(path, name), value)
                        for name, value in fields.items()
                        if name not in known.children
                    )
        for name, child in known.children.items():
            if child.type and child.type.rounded:
                self._collect_rounded(by_row, field_path(path, name), child.type)
            elif not child.is_kept_whole:
                self._collect(by_row, field_path(path, name), child)

    def _collect_rounded(self, by_row: dict[int, Object], path: str, type_: Type) -> None:
        """Collect the numbers at a path that have more digits than their column keeps."""
        kept = self.values(type_, (path,))
        for row, (exact, value) in enumerate(zip(self._at(path, None), kept, strict=True)):
            if exact is not None and Decimal(exact) != value:
                by_row.setdefault(row, {})[path] = exact

    def _collect_beaten(
        self, by_row: dict[int, Object], path: str, earlier_paths: tuple[str, ...]
    ) -> None:
        """Collect the values at a path whose column holds another one, of an earlier path."""
        winners = self._first_present(earlier_paths, _ABSENT)
        for row, (value, winner) in enumerate(zip(self._at(path, None), winners, strict=True)):
            if value is None or winner is _ABSENT:
                continue
            if strict_json.text_of(value) != strict_json.text_of(winner):
                by_row.setdefault(row, {})[path] = value

    def _collect_overridden(self, by_row: dict[int, Object], name: str, path: str) -> None:
        """Collect a shared value for the records that have another one of their own."""
        shared = self._shared.get(name)
        if shared is None or not any(self.has(name)):
            return
        for row, value in enumerate(self._at(name, None)):
            if strict_json.text_of(value) != strict_json.text_of(shared):
                by_row.setdefault(row, {})[path] = shared

    def _first_present(self, paths: tuple[str, ...], absent: object) -> list[Any]:
        """Return each record's value at the first of the paths that is present, null or not."""
        if len(paths) == 1:
            return self._at(paths[0], absent)
        candidates = zip(*(self._at(path, _ABSENT) for path in paths), strict=True)
        return [next((v for v in values if v is not _ABSENT), absent) for values in candidates]

    def _at(self, path: str, absent: object) -> list[Any]:
        """Return each record's value at one path; a null field takes the shared value."""
        parent, _, name = path.rpartition(".")
        shared = None if parent else self._shared.get(name)
        if shared is None:
            return _fields(self._objects_at(parent), name, absent)
        records = self._objects[""]
        if not any(self.has(name)):
            return [shared] * len(records)
        return [shared if value is None else value for value in _fields(records, name, None)]

    def _objects_at(self, path: str) -> Sequence[Object]:
        """Return each record's object at a path, an empty one where it is null or absent."""
        if path not in self._objects:
            objects = [_NOTHING if value is None else value for value in self._at(path, None)]
            _refuse_other_types(self._within + path, objects, {dict}, "an object")
            self._objects[path] = objects
        return self._objects[path]

    def _list(self, name: str) -> list[list[Object]]:
        """Return the objects in each record's list."""
        if name not in self._lists:
            lists = [[] if value is None else value for value in self._at(name, None)]
            _refuse_other_types(name, lists, {list}, "a list")
            objects = chain.from_iterable(lists)
            _refuse_other_types(f"{name}{LIST}", objects, {dict}, "an object")
            self._lists[name] = lists
        return self._lists[name]


def _fields(objects: Sequence[Object], name: str, absent: object) -> list[Any]:
    """Return the value of a field in each object; most often all of them have it."""
    try:
        return list(map(itemgetter(name), objects))
    except KeyError:
        return list(map(dict.get, objects, repeat(name), repeat(absent)))


def _converted(type_: Type, field: str, values: list[Any]) -> list[Any]:
    """Return values in the Python type that their column is built from."""
    accepts = type_.accepts
    types = _refuse_other_types(field, values, accepts.keys() | {NoneType}, type_.noun)
    if not any(accepts[json_type] for json_type in types - {NoneType}):
        return values
    with naming(field, type_):
        converts = [accepts.get(type(value)) for value in values]
        return [
            convert(value) if convert else value
            for convert, value in zip(converts, values, strict=True)
        ]


def _refuse_other_types(
    field: str, values: Iterable[Any], accepted: set[type], noun: str
) -> set[type]:
    """Return the types of values, or raise when one is not accepted."""
    types = set(map(type, values))
    for other in types - accepted:
        raise FieldError(field, f"expected {noun}, got {_NOUNS[other]}")
    return types
