"""Columns and tables."""

from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

from anthropic_lake.schema.types import DATE, JSON, STRING, Type


@dataclass(frozen=True)
class Column:
    """One column of a table and where its value stands in the API's JSON.

    Args:
        name: Name of the column: the API's own, nested objects joined with `_`.
        type: Its rung of the type ladder.
        comment: Meaning, unit, and what null means; shown in every catalog.
        path: Dotted path in the JSON (default: the name), or several: the first present wins, null
            or not, and `extra` keeps another value at a later one that no other column reads.
            `list[].field` stands for the sum over a list (of numbers), or for the one value that
            all elements share (of text), null when they differ; for the field of the row's own
            element where the table unnests the list.
        required: A missing value fails the run.
        usd_where: The column is dollars, made from the cents at `path`, where the currency at
            this path is USD; null where it is another.
        values: The values known today of an open enumeration; others are kept and counted.
        in_digest: Whether other values make the rows other rows.
        personal: Its values name a person, and may be replaced by pseudonyms.
        personal_start: How a value must start to name a person, in lower case; empty: all do.
    """

    name: str
    type: Type
    comment: str
    path: str | tuple[str, ...] = ""
    required: bool = False
    usd_where: str | None = None
    values: tuple[str, ...] = ()
    in_digest: bool = True
    personal: bool = False
    personal_start: str = ""

    @property
    def paths(self) -> tuple[str, ...]:
        """Where the value may stand in the JSON, the first present wins."""
        return self.path if isinstance(self.path, tuple) else (self.path or self.name,)

    def names_person(self, value: str) -> bool:
        """Return whether a value of the column names a person."""
        return self.personal and value.lower().startswith(self.personal_start)


EXTRA = Column(
    "extra",
    JSON,
    "JSON object from dotted path to value of the fields that the API returned and this table "
    "does not know; a dot or backslash inside a name has a backslash before it; null when there "
    "are none.",
)


def field_path(parent: str, name: str) -> str:
    """Return the dotted path of a field as `extra` writes it, so that no two fields share one.

    Args:
        parent: Path of the object that the field belongs to, empty for a record's own fields.
        name: Name of the field, in which a dot or backslash is escaped by a backslash.
    """
    escaped = name.replace("\\", "\\\\").replace(".", "\\.")
    return f"{parent}.{escaped}" if parent else escaped


PARTITION = Column("date", DATE, "Day of the rows, UTC; the partition.")
"""The column that every table has from its objects' keys, never from the files."""


@dataclass(frozen=True, eq=False)
class Table:
    """One table: its key first, then organization_id, the other columns, and extra.

    Args:
        name: Name of the table, and of its folder in the lake.
        comment: One sentence about what a row is.
        key: The columns that identify a row, which is also the sort order.
        columns: The other columns but organization_id and extra.
        later_columns: Columns added after the first release; they stand after extra.
        explode: Name of the list in each record whose elements are this table's rows, while another
            table keeps the records; its columns have one path each.
        unnest: Name of the list in each record whose elements have a row each, with all that the
            record says; a record without elements has one row.
        told_apart_by: Columns that tell rows apart beside the key, where it may be null.
        partition_field: Field of a record that repeats the partition's day and is left out.
        organization_field: Field of a record that names its organization.
    """

    name: str
    comment: str
    key: tuple[Column, ...]
    columns: tuple[Column, ...]
    later_columns: tuple[Column, ...] = ()
    explode: str | None = None
    unnest: str | None = None
    told_apart_by: tuple[str, ...] = ()
    partition_field: str | None = None
    organization_field: str = "organization_id"

    @property
    def organization_id(self) -> Column:
        """The column that every table has after its key."""
        return Column(
            "organization_id",
            STRING,
            "Organization the row belongs to; null when the API did not say.",
            path=self.organization_field,
        )

    @property
    def identity(self) -> tuple[str, ...]:
        """Names of the columns that tell rows apart."""
        return (*(column.name for column in self.key), *self.told_apart_by)

    @cached_property
    def all_columns(self) -> tuple[Column, ...]:
        """Every column of the table in its published order."""
        return (*self.key, self.organization_id, *self.columns, EXTRA, *self.later_columns)

    @property
    def personal_columns(self) -> tuple[Column, ...]:
        """The columns whose values name a person."""
        return tuple(column for column in self.all_columns if column.personal)

    @property
    def schema_version(self) -> int:
        """Number of columns: published columns are only ever appended to."""
        return len(self.all_columns)

    @cached_property
    def schema(self) -> pa.Schema:
        """Arrow schema of the table's files, without the partition's date."""
        return pa.schema([pa.field(column.name, column.type.arrow) for column in self.all_columns])
