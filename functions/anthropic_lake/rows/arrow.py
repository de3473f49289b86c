"""Records to Arrow: a table's columns by their paths, and everything else in `extra`."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
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
from itertools import accumulate, pairwise
from typing import Any

import pyarrow as pa
from msgspec import UNSET

from anthropic_lake.schema.table import EXTRA, Column, Table
from anthropic_lake.schema.types import DATE, JSON, STRING, TIMESTAMP
from anthropic_lake.schema.types import Type as ColumnType

Known = dict[str, "Known | None"]
"""The field names of an object that a table knows; None: the field's whole value is kept."""

OURS = {"organization_id", "grouped_by", "bucket_width"}
"""What we say of records, so never news."""

_EXACT = Context(prec=500, traps=[Inexact, InvalidOperation, Overflow, DivisionByZero])
_AMOUNT = re.compile(r"-?[0-9]{1,100}(\.[0-9]{1,100})?([eE][+-]?[0-9]{1,2})?", re.ASCII)


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


def to_arrow(table: Table, records: "Records") -> tuple[pa.Table, int]:
    """Make a table's rows from records.

    Args:
        table: The table whose columns are filled, in their published order.
        records: The records, as the API returned them.

    Returns:
        The rows, in the order of the records, and how many fields and enumerated values they
        hold that are not known.

    Raises:
        FieldError: A value has a wrong type, or a required one is missing.
    """
    source = _Exploded(records, table.explode) if table.explode else records
    extras, unknown = source.extras(known_fields(table))
    arrays = [
        pa.array(extras, pa.string()) if column is EXTRA else source.array(column)
        for column in table.all_columns
    ]
    rows = pa.Table.from_arrays(arrays, schema=table.schema)
    return rows, unknown + _unknown_values(table, rows)


def _unknown_values(table: Table, rows: pa.Table) -> int:
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


class Source(ABC):
    """What rows are made of: for each, the value that stands at a path."""

    def array(self, column: Column) -> pa.Array:
        """Make a column of all rows.

        Raises:
            FieldError: A value has a wrong type, or a required one is missing.
        """
        values = self.column(column.type, column.paths)
        if column.usd_where:
            currencies = self.column(STRING, (column.usd_where,))
            values = [
                _EXACT.scaleb(cents, -2) if currency == "USD" and cents is not None else None
                for cents, currency in zip(values, currencies, strict=True)
            ]
        return column_array(column, values)

    @abstractmethod
    def column(self, kind: ColumnType, paths: tuple[str, ...]) -> Sequence[Any]:
        """Give each row's value at the first of the paths that is present, else null.

        Those of a list are combined into one. Null is None, or UNSET where it does not matter
        that the field is absent.

        Raises:
            FieldError: One of them is of a wrong type.
        """

    @abstractmethod
    def extras(self, known: Known) -> tuple[list[str | None], int]:
        """Give the JSON text of each row's unknown fields, and how many fields there are."""


class Records(Source):
    """Some records, however they were read; each may hold a list of others."""

    @abstractmethod
    def has(self, name: str) -> Iterable[bool]:
        """Tell of each record whether it has a field."""

    @abstractmethod
    def counts(self, name: str) -> list[int]:
        """Give the length of each record's list, 0 where it is null or absent."""

    @abstractmethod
    def elements(self, name: str) -> "Records":
        """Give the objects of all the records' lists, one after the other."""

    def _combined(self, kind: ColumnType, path: str) -> list[Any]:
        """Combine the values in each record's list into one."""
        name, _, field = path.partition("[].")
        values: list[Any] = [
            None if value is UNSET else value
            for value in self.elements(name).column(kind, (field,))
        ]
        bounds = pairwise(accumulate(self.counts(name), initial=0))
        if kind is STRING:
            return [_common(values[start:end]) for start, end in bounds]
        with localcontext(_EXACT):
            if None in values:
                return [_total(values[start:end]) for start, end in bounds]
            running = list(accumulate(values, initial=0))
            return [running[end] - running[start] for start, end in bounds]


class _Exploded(Source):
    """The elements of the records' lists; a field that one does not have is that of its record.

    Args:
        records: The records.
        name: The field of a record that holds its list.
    """

    def __init__(self, records: Records, name: str) -> None:
        self._records = records
        self._elements = records.elements(name)
        self._rows = [row for row, count in enumerate(records.counts(name)) for _ in range(count)]
        self._own: dict[str, list[bool]] = {}

    def column(self, kind: ColumnType, paths: tuple[str, ...]) -> Sequence[Any]:
        """Take the elements' own values, or repeat those of their records."""
        if not self._rows:
            return []
        has_its_own = self._has(paths[0].partition(".")[0])
        if all(has_its_own):
            return self._elements.column(kind, paths)
        values = self._records.column(kind, paths)
        inherited = [values[row] for row in self._rows]
        if not any(has_its_own):
            return inherited
        own = self._elements.column(kind, paths)
        return [
            mine if is_mine else other
            for mine, other, is_mine in zip(own, inherited, has_its_own, strict=True)
        ]

    def extras(self, known: Known) -> tuple[list[str | None], int]:
        """Take those of the elements."""
        return self._elements.extras(known)

    def _has(self, name: str) -> list[bool]:
        """Tell of each element whether it has a field itself."""
        if name not in self._own:
            self._own[name] = list(self._elements.has(name))
        return self._own[name]


def column_array(column: Column, values: Sequence[Any]) -> pa.Array:
    """Make a column's array from values of the right Python type.

    Raises:
        FieldError: One of them is out of the column's range or of another form.
    """
    with naming(column.paths[0], column.type):
        array = _array(column.type, values)
    if column.required and array.null_count:
        raise FieldError(column.paths[0], "is missing, and the row has no identity without it")
    return array


def _array(kind: ColumnType, values: Sequence[Any]) -> pa.Array:
    """Make an array, which has a null for UNSET."""
    plain = pa.string() if kind in (TIMESTAMP, DATE) else kind.arrow
    try:
        array = pa.array(values, plain)
    except (pa.ArrowInvalid, pa.ArrowTypeError):  # it is quicker to try than to look at each
        array = pa.array([None if value is UNSET else value for value in values], plain)
    return array if array.type == kind.arrow else array.cast(kind.arrow)


def _total(values: list[Any]) -> Any:  # noqa: ANN401
    """Add up numbers; null when there are values and all of them are null."""
    numbers = [value for value in values if value is not None]
    return sum(numbers) if numbers or not values else None


def _common(values: list[Any]) -> Any:  # noqa: ANN401
    """Give the value that all share, None when there is none."""
    return values[0] if len(set(values)) == 1 else None


@contextmanager
def naming(field: str, kind: ColumnType) -> Iterator[None]:
    """Name the field whose value has the right type but cannot be held."""
    try:
        yield
    except (ValueError, ArithmeticError, pa.ArrowException):
        raise FieldError(field, f"expected {kind.noun}, got a value that is not") from None


def amount(value: str | int | Decimal) -> Decimal:
    """Convert an amount, which the API writes as text or as a number, keeping every digit."""
    if not _AMOUNT.fullmatch(str(value)):
        raise ValueError
    return Decimal(value)
