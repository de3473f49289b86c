"""The shape of records: which fields, at any depth, the tables know."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from anthropic_lake.schema.table import EXTRA, Table
from anthropic_lake.schema.types import JSON, STRING, Type

ADDED_FIELDS = frozenset({"organization_id", "grouped_by", "bucket_width", "data_refreshed_at"})
"""Fields that we add to records, so never unknown."""

TIME_BUCKET_PATHS = {name: f"time_bucket.{name}" for name in ("starting_at", "ending_at")}
"""Where `extra` keeps a field that records share with their time bucket and one has of its own."""

LIST = "[]"
"""Ending of a name in a path: the field is a list, and the path goes on inside its objects."""


@dataclass
class Node:
    """What the tables know of the value at one place of a record.

    Args:
        type: The type of the columns that read the value itself; None: only its fields are read.
        children: The known fields of the object, or of each object of the list.
        is_list: The value is a list of objects.
    """

    type: Type | None = None
    children: dict[str, "Node"] = field(default_factory=dict)
    is_list: bool = False

    @property
    def is_kept_whole(self) -> bool:
        """Whether nothing below is lost: a column, or a table of its own, keeps all of it."""
        return self.type is not None or self.is_list


@cache
def shape_of_rows(table: Table) -> Node:
    """Return the fields that one table keeps, or leaves out on purpose."""
    root = Node()
    for path, type_ in _paths(table):
        _add(root, path, type_)
    return root


@cache
def shape_of_records(tables: tuple[Table, ...]) -> Node:
    """Return the fields of the records that an asset's tables are made of.

    An exploded table reads most of its columns inside its list; what its record's table reads
    too is the record's.
    """
    first, *others = tables
    root = Node()
    for path, type_ in _paths(first):
        _add(root, path, type_)
    own = {column.paths[0] for column in first.all_columns}
    for table in others:
        prefix = f"{table.explode}{LIST}." if table.explode else ""
        for path, type_ in _paths(table):
            if path not in own:
                _add(root, prefix + path, type_)
    return root


@cache
def later_paths(table: Table) -> Mapping[str, tuple[str, ...]]:
    """Return the paths that only a column with several paths reads, and not as its first one.

    Each comes with the earlier paths of its column: where one of these is present, the value at
    the later path is in no column.
    """
    first_paths = {column.paths[0] for column in table.all_columns}
    return {
        path: column.paths[:number]
        for column in table.all_columns
        for number, path in enumerate(column.paths)
        if path not in first_paths
    }


@cache
def table_of_elements(table: Table) -> Table:
    """Return the columns that a table reads inside the list that it unnests, as a table."""
    prefix = f"{table.unnest}{LIST}."
    columns = tuple(
        replace(column, path=tuple(path.removeprefix(prefix) for path in column.paths))
        for column in table.all_columns
        if column.paths[0].startswith(prefix)
    )
    no_field_of_its_own = columns[0].paths[0]  # the organization is the record's
    return Table(table.name, table.comment, columns, (), organization_field=no_field_of_its_own)


def _paths(table: Table) -> Iterator[tuple[str, Type]]:
    """Yield the path and type of every value that a table reads or leaves out on purpose."""
    if table.partition_field:
        yield table.partition_field, STRING
    for column in table.all_columns:
        if column is EXTRA:
            continue
        for path in column.paths:
            yield path, column.type
        if column.usd_where:
            yield column.usd_where, STRING


def _add(root: Node, path: str, type_: Type) -> None:
    """Add a path to a tree; an object that a JSON column keeps stays JSON whatever is in it."""
    node = root
    for name in path.split("."):
        node = node.children.setdefault(name.removesuffix(LIST), Node())
        node.is_list |= name.endswith(LIST)
    if node.type is not JSON:
        node.type = type_
