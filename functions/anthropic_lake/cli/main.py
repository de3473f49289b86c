"""The command `anthropic-lake`: the group of all its commands."""

import gc
from typing import Any

import click

from anthropic_lake import __version__
from anthropic_lake.cli.allocation import allocation_group
from anthropic_lake.cli.ask import ask_command
from anthropic_lake.cli.check import check_command
from anthropic_lake.cli.listings import assets_command, views_command
from anthropic_lake.cli.pseudonym import pseudonym_command
from anthropic_lake.cli.query import query_command
from anthropic_lake.cli.sync import sync_command
from anthropic_lake.cli.verify import verify_command
from anthropic_lake.errors import LakeError, QueryError
from anthropic_lake.sync.extractor import OBJECTS_PER_COLLECTION


class _Commands(click.Group):
    """The commands; each error of this package becomes one message and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  as in click
        """Run a command; exit with 1 if a query failed, with 2 if a command cannot run."""
        try:
            return super().invoke(ctx)
        except LakeError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(1 if isinstance(error, QueryError) else 2)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Keep your organization's Anthropic Admin API data as a queryable Parquet lake."""
    gc.set_threshold(OBJECTS_PER_COLLECTION)


main.add_command(ask_command)
main.add_command(allocation_group)
main.add_command(assets_command)
main.add_command(check_command)
main.add_command(pseudonym_command)
main.add_command(query_command)
main.add_command(sync_command)
main.add_command(verify_command)
main.add_command(views_command)
