"""The command line."""

import gc
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click

from anthropic_lake import __version__
from anthropic_lake.api.connection import Connection, Pace
from anthropic_lake.assets import ASSETS, Asset
from anthropic_lake.cli.query import query_command, views_command
from anthropic_lake.errors import LakeError, SecretError, SettingsError, StorageError
from anthropic_lake.extract import access
from anthropic_lake.lake.aws import S3Lake, SsmWatermark
from anthropic_lake.lake.local import LocalLake, LocalWatermark
from anthropic_lake.lake.objects import Lake
from anthropic_lake.lake.watermark import Watermark
from anthropic_lake.rows.day import Day
from anthropic_lake.settings import Settings, read_settings
from anthropic_lake.sync.extractor import OBJECTS_PER_COLLECTION, Extractor
from anthropic_lake.sync.request import Interval, Request
from anthropic_lake.sync.runs import Run
from anthropic_lake.sync.window import interval_window
from anthropic_lake.utc import parse_day

_PLAIN_EVERY_DAYS = 31


class _Day(click.ParamType[date]):
    """A day written as YYYY-MM-DD."""

    name = "day"

    def convert(self, value: Any, param: Any, ctx: Any) -> date:  # noqa: ANN401
        """Read it."""
        try:
            return value if isinstance(value, date) else parse_day(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Keep your organization's Anthropic Admin API data as a queryable Parquet lake."""
    gc.set_threshold(OBJECTS_PER_COLLECTION)


@main.command("sync")
@click.argument("names", metavar="[ASSET]...", nargs=-1)
@click.option("--lake", "place", required=True, help="Folder, or s3://bucket/prefix.")
@click.option("--interval-start", type=_Day(), help="Read these days again: the first.")
@click.option("--interval-end", type=_Day(), help="The day after the last.")
@click.option("--history-start", type=_Day(), help="First day that is wanted at all.")
@click.option("--secret", metavar="ARN", help="Secret of the admin key in AWS Secrets Manager.")
@click.option("--json", "as_json", is_flag=True, help="Print the summaries as JSON.")
def sync_command(
    names: tuple[str, ...],
    place: str,
    interval_start: date | None,
    interval_end: date | None,
    history_start: date | None,
    secret: str | None,
    as_json: bool,
) -> None:
    """Bring the lake up to date: all assets, or those named (all dated ones for an interval).

    The admin key comes from ANTHROPIC_ADMIN_KEY unless --secret names one. Exit code: 0 all
    well, 1 an asset failed or stopped short, 2 bad usage or settings.
    """
    with _refusing():
        environment = dict(os.environ)
        if history_start:
            environment["HISTORY_START"] = history_start.isoformat()
        settings = read_settings(environment)
        interval = _interval(interval_start, interval_end)
        assets = _chosen(settings, names, interval)
        request = Request("interval" if interval else "manual", datetime.now(UTC), interval)
        if interval:
            for asset in assets:
                interval_window(asset, *interval, request.now, settle=settings.settle)
        extractor = Extractor(settings, _connection(settings, secret), *_lake(settings, place))
        runs = _sync_all(extractor, assets, request, bars=sys.stderr.isatty() and not as_json)
    if as_json:
        click.echo(json.dumps([run.summary() for run in runs]))
    else:
        from anthropic_lake.cli import screen  # noqa: PLC0415  rich is for people only

        screen.report(runs)
    sys.exit(0 if all(run.status == "succeeded" for run in runs) else 1)


@contextmanager
def _refusing() -> Iterator[None]:
    """End with exit code 2 and one clear message on settings that cannot be used."""
    try:
        yield
    except (SettingsError, SecretError, StorageError) as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)


def _interval(start: date | None, end: date | None) -> Interval | None:
    """Put the two options together."""
    if start is None and end is None:
        return None
    if start is None or end is None:
        raise SettingsError("--interval-start and --interval-end go together")
    return Interval(start, end)


def _chosen(settings: Settings, names: tuple[str, ...], interval: Interval | None) -> list[Asset]:
    """Choose the assets."""
    if names:
        return [settings.asset(name) for name in dict.fromkeys(names)]
    return [asset for asset in settings.assets.values() if asset.kind.dated or not interval]


def _admin_key() -> str:
    """Read the key of a laptop."""
    return os.environ.get("ANTHROPIC_ADMIN_KEY", "")


def _connection(settings: Settings, secret: str | None) -> Connection:
    """Set up the way to the API, and refuse an unusable key before the first request."""
    read = _admin_key
    if secret:
        from anthropic_lake import aws  # noqa: PLC0415  boto3 is for AWS only

        read = aws.secret_reader(aws.client("secretsmanager"), secret)
    elif not read().strip():
        raise SecretError("there is no key: set ANTHROPIC_ADMIN_KEY, or name a --secret")
    connection = Connection(read, Pace(settings.requests_per_minute), settings.base_url)
    connection.open()
    return connection


def _lake(settings: Settings, place: str) -> tuple[Lake, Watermark]:
    """Open the lake and its watermarks."""
    if not place.strip():
        raise SettingsError("--lake is empty: name a folder, or s3://bucket/prefix")
    if not place.startswith("s3://"):
        return LocalLake(Path(place)), LocalWatermark(Path(place))
    from anthropic_lake import aws  # noqa: PLC0415  boto3 is for AWS only

    bucket, _, prefix = place.removeprefix("s3://").partition("/")
    if not bucket:
        raise SettingsError(f"{place!r} names no bucket: write s3://bucket/prefix")
    return S3Lake(aws.client("s3"), bucket, prefix), SsmWatermark(
        aws.client("ssm"), settings.state_prefix
    )


def _sync_all(
    extractor: Extractor, assets: list[Asset], request: Request, *, bars: bool
) -> list[Run]:
    """Sync one asset after the other; one that fails does not stop the others."""
    runs = []
    with _progress(bars=bars) as told:
        for asset in assets:
            run = extractor.new_run(asset, request)
            runs.append(run)
            try:
                extractor.run(asset, request, run, progress=partial(told, run))
            except (SettingsError, SecretError):
                raise
            except LakeError as error:
                run.error_message = str(error)
    return runs


def _progress(*, bars: bool) -> AbstractContextManager[Callable[[Run, Day], None]]:
    """Show progress: a bar for each asset, or lines."""
    if not bars:
        return nullcontext(_line)
    from anthropic_lake.cli import screen  # noqa: PLC0415  rich is for people only

    return screen.progress()


def _line(run: Run, day: Day) -> None:
    """Print a line a month, and one at the end."""
    if run.days_written % _PLAIN_EVERY_DAYS == 0 or run.days_written == run.days_asked_for:
        click.echo(
            f"{run.asset}: {run.days_written}/{run.days_asked_for} days, {day.date}", err=True
        )


@main.command("assets")
def assets_command() -> None:
    """List the assets, their tables, and what their columns mean."""
    for asset in ASSETS.values():
        click.echo(f"{asset.name} ({'dated' if asset.kind.dated else 'snapshot'}) {asset.path}")
        for table in asset.tables:
            click.echo(f"  {table.name}: {table.comment}")
            for column in table.all_columns:
                click.echo(f"    {column.name} {column.type.trino}: {column.comment}")


@main.command("check")
@click.option("--secret", metavar="ARN", help="Secret of the admin key in AWS Secrets Manager.")
def check_command(secret: str | None) -> None:
    """Try each endpoint once with the key and say what it may read."""
    with _refusing():
        settings = read_settings(os.environ)
        connection = _connection(settings, secret)
    today = datetime.now(UTC).date()
    try:
        click.echo(f"organization: {access.organization(connection)}")
    except LakeError as error:
        click.echo(f"organization: unknown ({error})")
    found = [access.check(asset, connection, today) for asset in settings.assets.values()]
    for each in found:
        click.echo(f"{each.asset}: {each.verdict}" + (f" ({each.detail})" if each.detail else ""))
    sys.exit(0 if all(each.verdict == "allowed" for each in found) else 1)


main.add_command(query_command)
main.add_command(views_command)
