"""The command `verify`."""

import os
import shlex
import sys
from datetime import UTC, date, datetime
from itertools import groupby

import click

from anthropic_lake.assets import Asset
from anthropic_lake.cli.options import secret_option
from anthropic_lake.cli.place import open_connection, open_to_write
from anthropic_lake.errors import LakeError, SettingsError
from anthropic_lake.settings import Settings, read_settings
from anthropic_lake.sync.adoption import find_history
from anthropic_lake.sync.extractor import Extractor
from anthropic_lake.sync.ownership import OwnedLake, Place
from anthropic_lake.sync.request import Interval, Request
from anthropic_lake.sync.verify import Difference, note_objects, verify
from anthropic_lake.utc import ONE_DAY


@click.command("verify")
@click.argument("names", metavar="[ASSET]...", nargs=-1)
@click.option(
    "--lake", default="lake", show_default="./lake", help="Folder, or s3://bucket/prefix."
)
@click.option("--repair", is_flag=True, help="Read just the days again that differ.")
@secret_option
def verify_command(names: tuple[str, ...], lake: str, repair: bool, secret: str | None) -> None:
    """Compare every object with the ledger, and the watermarks with both.

    Exit code: 0 nothing differs, 1 something differs, or is left after --repair, 2 bad usage or
    settings.
    """
    settings = read_settings(os.environ)
    place = open_to_write(lake, settings)
    assets = [settings.asset(name) for name in names] or list(settings.assets.values())
    differences = _verify(assets, place)
    if repair and [asset for asset in assets if _adopt(asset, place)]:
        click.echo("after the adoption:")
        differences = _verify(assets, place)
    if repair and differences:
        _repair(assets, differences, place, settings, secret)
        click.echo("after the repair:")
        differences = _verify(assets, place)
    sys.exit(1 if differences else 0)


def _verify(assets: list[Asset], place: Place) -> list[Difference]:
    """Print what differs, asset by asset, and return it."""
    owned = OwnedLake(place)
    if owned.is_empty:
        command = f"anthropic-lake sync --lake {shlex.quote(place.address)}"
        raise SettingsError(f"there is no lake at {place.address}: make one with `{command}`")
    differences: list[Difference] = []
    for asset in assets:
        of_asset = list(verify(asset, owned.lake, owned.watermarks))
        differences += of_asset
        noun = "difference" if len(of_asset) == 1 else "differences"
        count = f"{len(of_asset)} {noun}" if of_asset else "as it should be"
        click.echo(f"{asset.name}: {count}")
        for difference in of_asset:
            click.echo(f"  {difference.day or '-'}  {difference.problem}")
    return differences


def _repair(
    assets: list[Asset],
    differences: list[Difference],
    place: Place,
    settings: Settings,
    secret: str | None,
) -> None:
    """Read the days again that differ."""
    days = {
        asset.name: {each.day for each in differences if each.asset == asset.name and each.day}
        for asset in assets
    }
    for asset in assets:
        if days[asset.name] and not asset.kind.dated:
            note_objects(asset, place.lake, days[asset.name])
    dated = [asset for asset in assets if days[asset.name] and asset.kind.dated]
    if dated:
        extractor = Extractor(settings, open_connection(settings, secret), place)
        for asset in dated:
            _read_again(asset, sorted(days[asset.name]), extractor)


def _adopt(asset: Asset, place: Place) -> bool:
    """Write the ledger of what version 0.1.0 wrote, without a request; return if there is any."""
    owned = OwnedLake(place)
    adoption = find_history(place.lake, owned.watermarks, asset)
    if adoption.reads:
        owned.admit(None, adoption.organization_id, datetime.now(UTC))
        adoption.write(place.lake, owned.watermarks, asset)
    return bool(adoption.reads)


def _read_again(asset: Asset, days: list[date], extractor: Extractor) -> None:
    """Read some days again; what fails is left, and the next verification says so."""
    for start, end in _intervals(days):
        request = Request("interval", datetime.now(UTC), Interval(start, end))
        try:
            extractor.run(asset, request, extractor.new_run(asset, request))
        except LakeError as error:
            click.echo(f"{asset.name}: {error}", err=True)


def _intervals(days: list[date]) -> list[tuple[date, date]]:
    """Return the runs of days that follow each other, each as first day and day after the last."""
    runs = groupby(enumerate(days), key=lambda pair: pair[1].toordinal() - pair[0])
    groups = [[day for _, day in group] for _, group in runs]
    return [(group[0], group[-1] + ONE_DAY) for group in groups]
