"""The commands `assets` and `views`: what a lake holds."""

import click

from anthropic_lake.assets import ASSETS


@click.command("assets")
def assets_command() -> None:
    """List the assets, their tables, and what their columns mean."""
    for asset in ASSETS.values():
        click.echo(f"{asset.name} ({'dated' if asset.kind.dated else 'snapshot'}) {asset.path}")
        for table in asset.tables:
            click.echo(f"  {table.name}: {table.comment}")
            for column in table.all_columns:
                click.echo(f"    {column.name} {column.type.trino}: {column.comment}")


@click.command("views")
def views_command() -> None:
    """List the views and what each answers."""
    from anthropic_lake.query.catalog import VIEWS  # noqa: PLC0415  `sync` reads no views

    width = max(len(view.name) for view in VIEWS)
    for view in sorted(VIEWS, key=lambda view: view.name):
        click.echo(f"{view.name:{width}}  {view.comment}")
