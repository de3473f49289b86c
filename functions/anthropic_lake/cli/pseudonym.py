"""The command `pseudonym`."""

import click

from anthropic_lake.cli.options import secret_option
from anthropic_lake.cli.place import open_pseudonyms


@click.command("pseudonym")
@click.argument("name")
@secret_option
def pseudonym_command(name: str, secret: str | None) -> None:
    """Print the pseudonym of an e-mail address, a person's name or a key's name.

    The pseudonym key comes from PSEUDONYM_KEY, or from the secret that --secret names. Nothing is
    sent to the Admin API.
    """
    click.echo(open_pseudonyms(secret).of(name))
