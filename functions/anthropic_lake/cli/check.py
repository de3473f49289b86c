"""The command `check`."""

import os
import sys
from datetime import UTC, datetime

import click

from anthropic_lake.cli.options import secret_option
from anthropic_lake.cli.place import open_connection
from anthropic_lake.errors import ApiError, ApiUnreachable
from anthropic_lake.extract import access
from anthropic_lake.settings import read_settings


@click.command("check")
@secret_option
def check_command(secret: str | None) -> None:
    """Try each endpoint once with the key and say what it may read."""
    settings = read_settings(os.environ)
    connection = open_connection(settings, secret)
    today = datetime.now(UTC).date()
    try:
        click.echo(f"organization: {access.organization(connection)}")
    except ApiUnreachable:
        raise
    except ApiError as error:
        click.echo(f"organization: unknown ({error})")
    results = [access.check(asset, connection, today) for asset in settings.assets.values()]
    for result in results:
        detail = f" ({result.detail})" if result.detail else ""
        click.echo(f"{result.asset}: {result.verdict}{detail}")
    sys.exit(1 if any(result.is_refused for result in results) else 0)
