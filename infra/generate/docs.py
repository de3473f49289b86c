"""The generated parts of README.md, docs/tables.md, docs/cli.md and docs/privacy.md."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator

import click

from anthropic_lake.cli.main import main
from anthropic_lake.query.catalog import Catalog, View
from anthropic_lake.schema.table import PARTITION, Column, Table
from anthropic_lake.schema.types import Type
from infra.generate.view_columns import view_columns

PROGRAM = "anthropic-lake"


def table_list(catalog: Catalog) -> str:
    """Return a line for every table and view, with a link to its columns."""
    tables = _grid(
        ("table", "a row is"), ((_link(table.name), table.comment) for table in catalog.tables)
    )
    views = _grid(
        ("view", "what it answers"),
        ((_link(view.name), view.comment) for view in _by_name(catalog)),
    )
    return f"{tables}\n\n{views}"


def tables(catalog: Catalog) -> str:
    """Return every table with its columns."""
    return "\n\n".join(map(_table, catalog.tables))


def views(catalog: Catalog) -> str:
    """Return every view with its columns."""
    columns = view_columns(catalog)
    return "\n\n".join(_view(view, columns[view.name]) for view in _by_name(catalog))


def commands(_: Catalog) -> str:
    """Return every command of the command line with its arguments and options."""
    program = click.Context(main, info_name=PROGRAM, show_default=True)
    return "\n\n".join(map(_command, _with_commands(program)))


def personal_columns(catalog: Catalog) -> str:
    """Return every column whose values name a person."""
    rows = (
        (_link(table.name, "tables.md"), f"`{column.name}`", column.comment, _which(column))
        for table in catalog.tables
        for column in table.personal_columns
    )
    return _grid(("table", "column", "meaning", "replaced by a pseudonym"), rows)


def _which(column: Column) -> str:
    """Return which values of a column name a person."""
    return f"values that start with `{column.personal_start}`" if column.personal_start else "all"


def _table(table: Table) -> str:
    """Return one table."""
    columns = (
        (_name(column, table), column.type.trino, column.comment)
        for column in (PARTITION, *table.all_columns)
    )
    grid = _grid(("column", "type", "meaning"), columns)
    return f"### {table.name}\n\n{table.comment}\n\n{grid}"


def _name(column: Column, table: Table) -> str:
    """Return the name of a column, bold if it is of the table's key."""
    return f"**`{column.name}`**" if column in table.key else f"`{column.name}`"


def _view(view: View, columns: list[tuple[str, Type]]) -> str:
    """Return one view."""
    grid = _grid(("column", "type"), ((f"`{name}`", type_.trino) for name, type_ in columns))
    return f"### {view.name}\n\n{view.comment}\n\n{grid}"


def _with_commands(context: click.Context) -> Iterator[click.Context]:
    """Yield a command and, where it is a group, all that it holds."""
    yield context
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            command = context.command.commands[name]
            yield from _with_commands(click.Context(command, context, info_name=name))


def _command(context: click.Context) -> str:
    """Return one command, as click knows it."""
    command = context.command
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    text = f"## {context.command_path}\n\n    {usage}\n\n{inspect.cleandoc(command.help or '')}"
    records = [parameter.get_help_record(context) for parameter in command.params]
    rows = [(f"`{record[0]}`", record[1]) for record in records if record]
    grid = _grid(("argument or option", "meaning"), rows)
    return f"{text}\n\n{grid}" if rows else text


def _by_name(catalog: Catalog) -> list[View]:
    """Return the views in the order of their names."""
    return sorted(catalog.views, key=lambda view: view.name)


def _link(name: str, page: str = "docs/tables.md") -> str:
    """Return a link to a table or view."""
    return f"[`{name}`]({page}#{name})"


def _grid(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a table in Markdown."""
    lines = (" | ".join(_escape(cell) for cell in row) for row in (header, *rows))
    first, *others = (f"| {line} |" for line in lines)
    return "\n".join([first, "|---" * len(header) + "|", *others])


def _escape(cell: str) -> str:
    """Write a text so that a Markdown table takes it for one cell."""
    return cell.replace("|", "\\|")
