"""Records of any fields and any values, read one path at a time and checked."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import chain, repeat
from operator import contains, itemgetter
from types import NoneType
from typing import Any

from anthropic_lake import strict_json
from anthropic_lake.rows.arrow import OURS, FieldError, Known, Records, amount, naming
from anthropic_lake.schema.types import BOOLEAN, DATE, INTEGER, JSON, MONEY, STRING, TIMESTAMP
from anthropic_lake.schema.types import Type as ColumnType
from anthropic_lake.strict_json import Object

_ACCEPTED: dict[ColumnType, set[type]] = {
    STRING: {str},
    INTEGER: {int, Decimal},
    BOOLEAN: {bool},
    TIMESTAMP: {str},
    DATE: {str},
    MONEY: {str, int, Decimal},
    JSON: {str, int, Decimal, bool, list, dict},
}
_NOUNS = {
    NoneType: "null",
    str: "text",
    int: "a whole number",
    Decimal: "a number with a fraction or exponent",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}
_INTEGERS_END = 1 << 63
_ABSENT = object()
_NOTHING: Object = {}


class AnyRecords(Records):
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
        self._columns: dict[tuple[str, ...], list[Any]] = {}
        self._lists: dict[str, list[list[Object]]] = {}
        self._elements: dict[str, AnyRecords] = {}

    def column(self, kind: ColumnType, paths: tuple[str, ...]) -> list[Any]:
        """Read the values once, and check them."""
        if paths not in self._columns:
            combined = "[]." in paths[0]
            self._columns[paths] = (
                self._combined(kind, paths[0])
                if combined
                else _checked(kind, self._within + paths[0], self._values(paths))
            )
        return self._columns[paths]

    def has(self, name: str) -> Iterable[bool]:
        """Look into each record."""
        return map(contains, self._objects[""], repeat(name))

    def counts(self, name: str) -> list[int]:
        """Count the elements."""
        return list(map(len, self._list(name)))

    def elements(self, name: str) -> "AnyRecords":
        """Put the lists one after the other."""
        if name not in self._elements:
            found = list(chain.from_iterable(self._list(name)))
            self._elements[name] = AnyRecords(found, within=f"{name}[].")
        return self._elements[name]

    def extras(self, known: Known) -> tuple[list[str | None], int]:
        """Collect what is not known, at any depth."""
        count = len(self._objects[""])
        news = {name: self._shared[name] for name in self._shared.keys() - known.keys() - OURS}
        found = {row: dict(news) for row in range(count if news else 0)}
        self._collect(found, "", known)
        texts: list[str | None] = [None] * count
        for row, fields in found.items():
            texts[row] = strict_json.text_of(fields)
        return texts, sum(map(len, found.values()))

    def _collect(self, found: dict[int, Object], path: str, known: Known) -> None:
        """Collect the unknown fields of the objects at a path and below."""
        objects, knows_all = self._below(path), frozenset(known).issuperset
        if not all(map(knows_all, objects)):
            for row in [row for row, fields in enumerate(objects) if not knows_all(fields)]:
                news = {_join(path, n): v for n, v in objects[row].items() if n not in known}
                found.setdefault(row, {}).update(news)
        for name, below in known.items():
            if below is not None:
                self._collect(found, _join(path, name), below)

    def _values(self, paths: tuple[str, ...]) -> list[Any]:
        """Give each record's value at the first of the paths that is present, else None."""
        if len(paths) == 1:
            return self._at(paths[0], None)
        candidates = zip(*(self._at(path, _ABSENT) for path in paths), strict=True)
        return [next((v for v in values if v is not _ABSENT), None) for values in candidates]

    def _at(self, path: str, absent: object) -> list[Any]:
        """Give each record's value at one path; a field that is null takes the shared value."""
        parent, _, name = path.rpartition(".")
        shared = None if parent else self._shared.get(name)
        if shared is None:
            return _each(self._below(parent), name, absent)
        records = self._objects[""]
        if not any(self.has(name)):
            return [shared] * len(records)
        return [shared if value is None else value for value in _each(records, name, None)]

    def _below(self, path: str) -> Sequence[Object]:
        """Give each record's object at a path, an empty one where it is null or absent."""
        if path not in self._objects:
            found = [_NOTHING if value is None else value for value in self._at(path, None)]
            _refuse(self._within + path, found, {dict}, "an object")
            self._objects[path] = found
        return self._objects[path]

    def _list(self, name: str) -> list[list[Object]]:
        """Give the objects in each record's list."""
        if name not in self._lists:
            found = [[] if value is None else value for value in self._at(name, None)]
            _refuse(name, found, {list}, "a list")
            _refuse(f"{name}[]", chain.from_iterable(found), {dict}, "an object")
            self._lists[name] = found
        return self._lists[name]


def _each(objects: Sequence[Object], name: str, absent: object) -> list[Any]:
    """Give the value of a field in each object; most often it is there in all."""
    try:
        return list(map(itemgetter(name), objects))
    except KeyError:
        return list(map(dict.get, objects, repeat(name), repeat(absent)))


def _join(path: str, name: str) -> str:
    """Give the dotted path of a field."""
    return f"{path}.{name}" if path else name


def _checked(kind: ColumnType, field: str, values: list[Any]) -> list[Any]:
    """Give values in the Python type that their column is built from."""
    types = _refuse(field, values, _ACCEPTED[kind] | {NoneType}, kind.noun)
    if kind is INTEGER and Decimal in types:
        convert: Callable[[Any], Any] = _whole
    elif kind is MONEY:
        convert = amount
    elif kind is JSON:
        convert = strict_json.text_of
    else:
        return values
    with naming(field, kind):
        return [None if value is None else convert(value) for value in values]


def _refuse(field: str, values: Iterable[Any], accepted: set[type], noun: str) -> set[type]:
    """Give the types of values, and raise when one is not accepted."""
    types = set(map(type, values))
    for wrong in types - accepted:
        raise FieldError(field, f"expected {noun}, got {_NOUNS[wrong]}")
    return types


def _whole(value: int | Decimal) -> int:
    """Convert a number that has no fraction, however it is written."""
    if not -_INTEGERS_END <= value < _INTEGERS_END or value != int(value):
        raise ValueError
    return int(value)
