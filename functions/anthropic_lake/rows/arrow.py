"""Records to Arrow: a table's columns by their paths, and everything else in `extra`."""

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
from itertools import accumulate, pairwise
from typing import Any

import pyarrow as pa
from msgspec import UNSET

from anthropic_lake import strict_json
from anthropic_lake.rows.shape import LIST, table_of_elements
from anthropic_lake.schema.table import EXTRA, Column, Table
from anthropic_lake.schema.types import STRING, Type

_EXACT = Context(prec=500, traps=[Inexact, InvalidOperation, Overflow, DivisionByZero])


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


class FieldReader(ABC):
    """Reads fields of many records at once, a column at a time; a row for each record."""

    def array(self, column: Column) -> pa.Array:
        """Return a column of all rows.

        Raises:
            FieldError: A value has a wrong type, or a required one is missing.
        """
        values = self.values(column.type, column.paths)
        if column.usd_where is None:
            return column_array(column, values)
        currencies = self.values(STRING, (column.usd_where,))
        dollars = [
            _EXACT.scaleb(cents, -2) if currency == "USD" and cents is not None else None
            for cents, currency in zip(values, currencies, strict=True)
        ]
        return _dollars_array(column, dollars)

    @abstractmethod
    def values(self, type_: Type, paths: tuple[str, ...]) -> Sequence[Any]:
        """Return each row's value at the first of the paths that is present, else null.

        The values of a list are combined into one. Null is None, or UNSET where it does not
        matter that the field is absent.

        Raises:
            FieldError: A value is of a wrong type.
        """

    @abstractmethod
    def extras(self, table: Table) -> tuple[list[str | None], int]:
        """Return the JSON text of each row's unknown fields, and the number of these fields."""


class Records(FieldReader):
    """Records of the API, whichever way they were read; each may hold a list of others."""

    @abstractmethod
    def has(self, name: str) -> Iterable[bool]:
        """Return for each record whether it has a field."""

    @abstractmethod
    def counts(self, name: str) -> list[int]:
        """Return the length of each record's list, 0 where it is null or absent."""

    @abstractmethod
    def elements(self, name: str) -> "Records":
        """Return the objects of all the records' lists, one list after the other."""

    def combined(self, type_: Type, path: str) -> list[Any]:
        """Return one value for each record's list: the sum of numbers, the common text."""
        name, _, field = path.partition(f"{LIST}.")
        values: list[Any] = [
            None if value is UNSET else value
            for value in self.elements(name).values(type_, (field,))
        ]
        bounds = list(pairwise(accumulate(self.counts(name), initial=0)))
        if type_ is STRING:
            return [_common(values[start:end]) for start, end in bounds]
        with naming(path, type_), localcontext(_EXACT):
            if None in values:
                return [_total(values[start:end]) for start, end in bounds]
            # One pass over all lists: a list's sum is the running total at its end less the one
            # at its start. Exact, because the context raises on any rounding.
            totals = list(accumulate(values, initial=0))
            return [totals[end] - totals[start] for start, end in bounds]


def to_arrow(table: Table, records: Records) -> tuple[pa.Table, int]:
    """Return a table's rows of records.

    Args:
        table: The table whose columns are filled, in their published order.
        records: The records, as the API returned them.

    Returns:
        The rows, in the order of the records, and how many unknown fields and enumerated values
        they hold.

    Raises:
        FieldError: A value has a wrong type, or a required one is missing.
    """
    reader: FieldReader = records
    if table.explode:
        reader = _Exploded(records, table.explode)
    elif table.unnest:
        reader = _Unnested(records, table.unnest)
    extras, unknown_fields = reader.extras(table)
    arrays = [
        pa.array(extras, pa.string()) if column is EXTRA else reader.array(column)
        for column in table.all_columns
    ]
    rows = pa.Table.from_arrays(arrays, schema=table.schema)
    return rows, unknown_fields + _unknown_values(table, rows)


def column_array(column: Column, values: Sequence[Any]) -> pa.Array:
    """Return a column's array of values of the right Python type.

    Raises:
        FieldError: A value is out of the column's range or of another form.
    """
    with naming(column.paths[0], column.type):
        array = column.type.array(values)
    if column.required and array.null_count:
        raise FieldError(column.paths[0], "is missing, and the row has no identity without it")
    return array


def _dollars_array(column: Column, dollars: Sequence[Decimal | None]) -> pa.Array:
    """Return a column's array of dollars; cents that were kept whole may give too many decimals."""
    try:
        return column_array(column, dollars)
    except FieldError:
        if column.type.rounded is None:
            raise
        rounded = [None if value is None else column.type.rounded(value) for value in dollars]
        return column_array(column, rounded)


@contextmanager
def naming(field: str, type_: Type) -> Iterator[None]:
    """Name the field whose value has the right type but cannot be held."""
    try:
        yield
    except (ValueError, ArithmeticError, pa.ArrowException):
        raise FieldError(field, f"expected {type_.noun}, got a value that is not") from None


class _Exploded(FieldReader):
    """The objects of the records' lists, a row each; a field that one lacks is its record's.

    Args:
        records: The records.
        name: The field of a record that holds its list.
    """

    def __init__(self, records: Records, name: str) -> None:
        self._records = records
        self._elements = records.elements(name)
        self._record_of_row = [
            record for record, count in enumerate(records.counts(name)) for _ in range(count)
        ]
        self._own: dict[str, list[bool]] = {}

    def values(self, type_: Type, paths: tuple[str, ...]) -> Sequence[Any]:
        """Return the elements' own values, or repeat those of their records."""
        if not self._record_of_row:
            return []
        has_own = self._has(paths[0].partition(".")[0])
        if all(has_own):
            return self._elements.values(type_, paths)
        record_values = self._records.values(type_, paths)
        inherited = [record_values[record] for record in self._record_of_row]
        if not any(has_own):
            return inherited
        own = self._elements.values(type_, paths)
        return [
            own_value if is_own else inherited_value
            for own_value, inherited_value, is_own in zip(own, inherited, has_own, strict=True)
        ]

    def extras(self, table: Table) -> tuple[list[str | None], int]:
        """Return those of the elements."""
        return self._elements.extras(table)

    def _has(self, name: str) -> list[bool]:
        """Return for each element whether it has a field itself."""
        if name not in self._own:
            self._own[name] = list(self._elements.has(name))
        return self._own[name]


class _Unnested(FieldReader):
    """The records, a row for each object of their lists, or one for a record that has none.

    A path inside the list is the object's, any other one the record's.

    Args:
        records: The records.
        name: The field of a record that holds its list.
    """

    def __init__(self, records: Records, name: str) -> None:
        self._prefix = f"{name}{LIST}."
        self._records = records
        self._elements = records.elements(name)
        self._record_of_row: list[int] = []
        self._element_of_row: list[int | None] = []
        elements = 0
        for record, count in enumerate(records.counts(name)):
            self._record_of_row += [record] * max(1, count)
            self._element_of_row += range(elements, elements + count) if count else [None]
            elements += count

    def values(self, type_: Type, paths: tuple[str, ...]) -> Sequence[Any]:
        """Return the objects' values, or repeat those of their records."""
        if not paths[0].startswith(self._prefix):
            of_records = self._records.values(type_, paths)
            return [of_records[record] for record in self._record_of_row]
        own_paths = tuple(path.removeprefix(self._prefix) for path in paths)
        return self._of_rows(self._elements.values(type_, own_paths))

    def extras(self, table: Table) -> tuple[list[str | None], int]:
        """Return those of the records, and those of the objects beside them."""
        of_records, unknown = self._records.extras(table)
        of_elements, unknown_in_lists = self._elements.extras(table_of_elements(table))
        of_rows = [of_records[record] for record in self._record_of_row]
        extras = map(self._joined, of_rows, self._of_rows(of_elements))
        return list(extras), unknown + unknown_in_lists

    def _of_rows(self, of_elements: Sequence[Any]) -> list[Any]:
        """Return for each row what its object has, None where it has no object."""
        return [None if number is None else of_elements[number] for number in self._element_of_row]

    def _joined(self, of_record: str | None, of_element: str | None) -> str | None:
        """Return the unknown fields of a record and of one of its objects as one JSON text."""
        if of_element is None:
            return of_record
        fields = strict_json.value(of_element.encode())
        inside = {self._prefix + path: value for path, value in fields.items()}
        of_all = strict_json.value(of_record.encode()) if of_record else {}
        return strict_json.text_of(of_all | inside)


def _unknown_values(table: Table, rows: pa.Table) -> int:
    """Count the values that enumerated columns did not have when they were declared."""
    return sum(
        count["counts"]
        for column in table.all_columns
        if column.values
        for count in rows[column.name].value_counts().to_pylist()
        if count["values"] not in (None, *column.values)
    )


def _total(values: list[Any]) -> Any:  # noqa: ANN401
    """Return the sum of the numbers; null when there are values and all of them are null."""
    numbers = [value for value in values if value is not None]
    return sum(numbers) if numbers or not values else None


def _common(values: list[Any]) -> Any:  # noqa: ANN401
    """Return the value that all share, None when they differ or there is none."""
    return values[0] if len(set(values)) == 1 else None
