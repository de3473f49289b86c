"""JSON records to Arrow: a table's columns by their paths, and everything else in `extra`."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import (
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
    localcontext,
)
from functools import cache
from itertools import chain, islice, repeat
from operator import contains, itemgetter
from types import NoneType
from typing import Any

import pyarrow as pa

from anthropic_lake import strict_json
from anthropic_lake.schema import (
    BOOLEAN,
    DATE,
    EXTRA,
    INTEGER,
    JSON,
    MONEY,
    STRING,
    TIMESTAMP,
    Column,
    Table,
)
from anthropic_lake.schema import Type as ColumnType
from anthropic_lake.strict_json import Object

Known = dict[str, "Known | None"]
"""The field names of an object that a table knows; None: the field's whole value is kept."""

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
_EXACT = Context(prec=500, traps=[Inexact, InvalidOperation, Overflow, DivisionByZero])
_AMOUNT = re.compile(r"-?[0-9]{1,100}(\.[0-9]{1,100})?([eE][+-]?[0-9]{1,2})?", re.ASCII)
_INTEGERS_END = 1 << 63
_ABSENT = object()
_NOTHING: Object = {}
_OURS = {"organization_id", "grouped_by", "bucket_width"}  # said by us, so never news


class FieldError(ValueError):
    """A field of a record is not what its column can hold.

    Args:
        field: Dotted path of the field.
        problem: What was expected and what kind of value stands there; never the value.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"field {field}: {problem}")
        self.field = field
        self.problem = problem


def to_arrow(
    table: Table, records: Sequence[Object], shared: Mapping[str, Any]
) -> tuple[pa.Table, int]:
    """Make a table's rows from records.

    Args:
        table: The table whose columns are filled, in their published order.
        records: JSON objects as the API returned them.
        shared: Fields that all the records have in common; a record's own value goes first.

    Returns:
        The rows, in the order of the records, and how many fields and enumerated values they
        hold that are not known.

    Raises:
        FieldError: A value has a wrong type, or a required one is missing.
    """
    reader = _Reader(records, shared)
    if table.explode:
        reader = _exploded(table, reader)
    extras, unknown = reader.extras(known_fields(table))
    arrays = [
        pa.array(extras, pa.string()) if column.name == "extra" else _array(column, reader)
        for column in table.all_columns
    ]
    rows = pa.Table.from_arrays(arrays, schema=table.schema)
    return rows, unknown + unknown_values(table, rows)


def unknown_values(table: Table, rows: pa.Table) -> int:
    """Count the values that enumerated columns did not have when they were declared."""
    enumerated = [column for column in table.all_columns if column.values]
    return sum(
        count["counts"]
        for column in enumerated
        for count in rows[column.name].value_counts().to_pylist()
        if count["values"] not in (None, *column.values)
    )


@cache
def known_fields(table: Table) -> Known:
    """Every field of a record that the table keeps or leaves out on purpose."""
    tree: Known = {}
    whole = {path for column in table.all_columns if column.type is JSON for path in column.paths}
    for column in table.all_columns:
        if column is EXTRA:
            continue
        for path in (*column.paths, *filter(None, [column.usd_where])):
            _know(tree, path.split("."), whole)
    if table.partition_field:
        tree[table.partition_field] = None
    return tree


def _know(tree: Known, names: list[str], whole: set[str]) -> None:
    """Add a path to the tree; it ends early at a list, or at an object that is kept whole."""
    for depth, name in enumerate(names, 1):
        if depth == len(names) or name.endswith("[]") or ".".join(names[:depth]) in whole:
            tree.setdefault(name.removesuffix("[]"), None)
            return
        below = tree.setdefault(name, {})
        if below is None:
            return
        tree = below


class _Reader:
    """The values that stand at a path in each of some records."""

    def __init__(self, records: Sequence[Object], shared: Mapping[str, Any]) -> None:
        self.shared = shared
        self.columns: dict[tuple[str, ...], list[Any]] = {}
        self._objects: dict[str, Sequence[Object]] = {"": records}
        self._lists: dict[str, list[list[Object]]] = {}
        self._elements: dict[str, _Reader] = {}

    @property
    def records(self) -> Sequence[Object]:
        """The records themselves."""
        return self._objects[""]

    def values(self, paths: tuple[str, ...]) -> list[Any]:
        """Give each record's value at the first of the paths that is present, else None."""
        if len(paths) == 1:
            return self._at(paths[0], None)
        candidates = zip(*(self._at(path, _ABSENT) for path in paths), strict=True)
        return [next((v for v in values if v is not _ABSENT), None) for values in candidates]

    def lists(self, name: str) -> list[list[Object]]:
        """Give the objects in each record's list; none where the list is null or absent."""
        if name not in self._lists:
            found = [[] if value is None else value for value in self._at(name, None)]
            _refuse(name, found, {list}, "a list")
            _refuse(f"{name}[]", chain.from_iterable(found), {dict}, "an object")
            self._lists[name] = found
        return self._lists[name]

    def elements(self, name: str) -> "_Reader":
        """Read the objects of all the records' lists, one after the other."""
        if name not in self._elements:
            self._elements[name] = _Reader(list(chain.from_iterable(self.lists(name))), _NOTHING)
        return self._elements[name]

    def extras(self, known: Known) -> tuple[list[str | None], int]:
        """Give the JSON text of each record's unknown fields, and how many fields there are."""
        news = {name: self.shared[name] for name in self.shared.keys() - known.keys() - _OURS}
        found = {row: dict(news) for row in range(len(self.records) if news else 0)}
        self._collect(found, "", known)
        texts: list[str | None] = [None] * len(self.records)
        for row, fields in found.items():
            texts[row] = strict_json.text_of(fields)
        return texts, sum(map(len, found.values()))

    def _collect(self, found: dict[int, Object], path: str, known: Known) -> None:
        """Collect the unknown fields of the objects at a path and below."""
        objects = self._below(path)
        all_known = map(frozenset(known).issuperset, objects)
        for row in [row for row, nothing_new in enumerate(all_known) if not nothing_new]:
            news = {_join(path, n): v for n, v in objects[row].items() if n not in known}
            found.setdefault(row, {}).update(news)
        for name, below in known.items():
            if below is not None:
                self._collect(found, _join(path, name), below)

    def _at(self, path: str, absent: object) -> list[Any]:
        """Give each record's value at one path; a field that is null takes the shared value."""
        parent, _, name = path.rpartition(".")
        shared = None if parent else self.shared.get(name)
        if shared is None:
            return _each(self._below(parent), name, absent)
        if not any(map(contains, self.records, repeat(name))):
            return [shared] * len(self.records)
        return [shared if value is None else value for value in _each(self.records, name, None)]

    def _below(self, path: str) -> Sequence[Object]:
        """Give each record's object at a path, an empty one where it is null or absent."""
        if path not in self._objects:
            found = [_NOTHING if value is None else value for value in self._at(path, None)]
            _refuse(path, found, {dict}, "an object")
            self._objects[path] = found
        return self._objects[path]


def _each(objects: Sequence[Object], name: str, absent: object) -> list[Any]:
    """Give the value of a field in each object; most often it is there in all."""
    try:
        return list(map(itemgetter(name), objects))
    except KeyError:
        return [fields.get(name, absent) for fields in objects]


def _join(path: str, name: str) -> str:
    """Give the dotted path of a field."""
    return f"{path}.{name}" if path else name


def _exploded(table: Table, parents: _Reader) -> _Reader:
    """Read the elements of the table's list, each with the fields of its parent that it names."""
    assert table.explode  # noqa: S101
    names = known_fields(table).keys()
    records = [
        {name: parent[name] for name in parent.keys() & names} | element
        for parent, elements in zip(parents.records, parents.lists(table.explode), strict=True)
        for element in elements
    ]
    shared = {name: value for name, value in parents.shared.items() if name in names}
    return _Reader(records, shared)


def _array(column: Column, reader: _Reader) -> pa.Array:
    """Read one column of all records."""
    field = column.paths[0]
    values = _values(column.type, column.paths, reader)
    if column.required and None in values:
        raise FieldError(field, "is missing, and the row has no identity without it")
    if column.usd_where:
        currencies = _values(STRING, (column.usd_where,), reader)
        values = [
            _EXACT.divide(cents, Decimal(100)) if currency == "USD" and cents is not None else None
            for cents, currency in zip(values, currencies, strict=True)
        ]
    return column_array(column, values)


def column_array(column: Column, values: list[Any]) -> pa.Array:
    """Make a column's array from values of the right Python type.

    Raises:
        FieldError: One of them is out of the column's range or of another form.
    """
    with _naming(column.paths[0], column.type):
        if column.type in (TIMESTAMP, DATE):
            return pa.array(values, pa.string()).cast(column.type.arrow)
        return pa.array(values, column.type.arrow)


def _values(kind: ColumnType, paths: tuple[str, ...], reader: _Reader) -> list[Any]:
    """Read the values at a path once, those of a list combined into one a record."""
    if paths not in reader.columns:
        reader.columns[paths] = _combined(kind, paths, reader)
    return reader.columns[paths]


def _combined(kind: ColumnType, paths: tuple[str, ...], reader: _Reader) -> list[Any]:
    """Read the values at a path, those of a list combined into one a record."""
    name, in_list, field = paths[0].partition("[].")
    if not in_list:
        return _checked(kind, paths[0], reader.values(paths))
    values = _checked(kind, paths[0], reader.elements(name).values((field,)))
    numbers = _total if None in values else sum
    combine: Callable[[list[Any]], Any] = _common if kind is STRING else numbers
    rest = iter(values)
    with localcontext(_EXACT):
        return [combine(list(islice(rest, len(found)))) for found in reader.lists(name)]


def _total(values: list[Any]) -> Any:  # noqa: ANN401
    """Add up numbers; null when there are values and all of them are null."""
    numbers = [value for value in values if value is not None]
    return sum(numbers) if numbers or not values else None


def _common(values: list[Any]) -> Any:  # noqa: ANN401
    """Give the value that all share, None when there is none."""
    return values[0] if len(set(values)) == 1 else None


def _checked(kind: ColumnType, field: str, values: list[Any]) -> list[Any]:
    """Give values in the Python type that their column is built from."""
    types = _refuse(field, values, _ACCEPTED[kind] | {NoneType}, kind.noun)
    if kind is INTEGER and Decimal in types:
        convert: Callable[[Any], Any] = _whole
    elif kind is MONEY:
        convert = _amount
    elif kind is JSON:
        convert = strict_json.text_of
    else:
        return values
    with _naming(field, kind):
        return [None if value is None else convert(value) for value in values]


def _refuse(field: str, values: Iterable[Any], accepted: set[type], noun: str) -> set[type]:
    """Give the types of values, and raise when one is not accepted."""
    types = set(map(type, values))
    for wrong in types - accepted:
        raise FieldError(field, f"expected {noun}, got {_NOUNS[wrong]}")
    return types


@contextmanager
def _naming(field: str, kind: ColumnType) -> Iterator[None]:
    """Name the field whose value has the right type but cannot be held."""
    try:
        yield
    except (ValueError, ArithmeticError, pa.ArrowException):
        raise FieldError(field, f"expected {kind.noun}, got a value that is not") from None


def _whole(value: int | Decimal) -> int:
    """Convert a number that has no fraction, however it is written."""
    if not -_INTEGERS_END <= value < _INTEGERS_END or value != int(value):
        raise ValueError
    return int(value)


def _amount(value: str | int | Decimal) -> Decimal:
    """Convert an amount, which the API writes as text or as a number, keeping every digit."""
    if not _AMOUNT.fullmatch(str(value)):
        raise ValueError
    return Decimal(value)
