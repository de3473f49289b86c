"""The table reference of README.md."""

from __future__ import annotations

from anthropic_lake.query.catalog import TABLES, VIEWS
from anthropic_lake.schema.table import PARTITION, Column, Table


def tables() -> str:
    """Give every table with its columns, and every view with what it answers."""
    views = "\n".join(
        f"| `{view.name}` | {view.comment} |" for view in sorted(VIEWS, key=lambda view: view.name)
    )
    return "\n\n".join([*map(_table, TABLES), f"| view | what it answers |\n|---|---|\n{views}"])


def _table(table: Table) -> str:
    """Give one table, its columns folded away."""
    key = {column.name for column in table.key}
    columns = "\n".join(
        _row(column, in_key=column.name in key) for column in (PARTITION, *table.all_columns)
    )
    return (
        f"<details><summary><code>{table.name}</code> {table.comment}</summary>\n\n"
        f"| column | type | meaning |\n|---|---|---|\n{columns}\n\n</details>"
    )


def _row(column: Column, *, in_key: bool) -> str:
    """Give one column; those of the key are bold."""
    name = f"**`{column.name}`**" if in_key else f"`{column.name}`"
    return f"| {name} | {column.type.trino} | {column.comment} |"
