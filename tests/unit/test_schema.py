"""A table's published shape follows from its declaration."""

import pyarrow as pa
import pytest

from anthropic_lake.assets import ASSETS
from anthropic_lake.schema.table import Column, Table
from anthropic_lake.schema.types import INTEGER, MONEY, STRING, TIMESTAMP

TABLE = Table(
    name="things",
    comment="A thing.",
    key=(Column("id", STRING, "Identifier.", required=True),),
    columns=(Column("made_at", TIMESTAMP, "When."), Column("cost_amount", MONEY, "Cents.")),
)


def test_the_key_comes_first_then_the_organization_and_extra_comes_last() -> None:
    assert TABLE.schema.names == ["id", "organization_id", "made_at", "cost_amount", "extra"]


def test_a_later_column_stands_after_extra_and_changes_the_schema_version() -> None:
    later = Table(
        TABLE.name, TABLE.comment, TABLE.key, TABLE.columns, (Column("size", INTEGER, "Size."),)
    )
    assert later.schema.names == [*TABLE.schema.names, "size"]
    assert later.schema_version == TABLE.schema_version + 1


def test_times_are_utc_microseconds_and_money_is_decimal() -> None:
    assert TABLE.schema.field("made_at").type == pa.timestamp("us", "UTC")
    assert TABLE.schema.field("cost_amount").type == pa.decimal128(38, 12)


@pytest.mark.parametrize(
    ("path", "paths"),
    [("", ("size",)), ("a.b", ("a.b",)), (("a.b", "c"), ("a.b", "c"))],
)
def test_a_column_stands_at_its_name_or_at_its_paths(
    path: str | tuple[str, ...], paths: tuple[str, ...]
) -> None:
    assert Column("size", INTEGER, "Size.", path=path).paths == paths


def test_a_table_of_list_elements_has_one_path_a_column() -> None:
    """An element inherits what it lacks from its record, by the column's one path."""
    tables = [table for asset in ASSETS.values() for table in asset.tables if table.explode]
    assert tables
    assert {len(column.paths) for table in tables for column in table.all_columns} == {1}
