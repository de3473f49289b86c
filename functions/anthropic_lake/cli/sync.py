"""The command `sync`."""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, date, datetime
from functools import partial
from typing import NoReturn

import click

from anthropic_lake.assets import Asset
from anthropic_lake.cli.options import DayType, secret_option
from anthropic_lake.cli.place import open_connection, open_to_write
from anthropic_lake.errors import (
    ApiUnreachable,
    LakeError,
    SecretError,
    SettingsError,
    Terminated,
    redact,
)
from anthropic_lake.rows.day import Day
from anthropic_lake.settings import Settings, read_settings
from anthropic_lake.sync.extractor import Extractor
from anthropic_lake.sync.request import Interval, Request
from anthropic_lake.sync.runs import Run
from anthropic_lake.sync.window import interval_window

_DAYS_PER_LINE = 31


@click.command("sync")
@click.argument("names", metavar="[ASSET]...", nargs=-1)
@click.option("--lake", required=True, help="Folder, or s3://bucket/prefix.")
@click.option("--interval-start", type=DayType(), help="Read these days again: the first.")
@click.option("--interval-end", type=DayType(), help="The day after the last.")
@click.option("--history-start", type=DayType(), help="First day that is wanted at all.")
@secret_option
@click.option("--json", "as_json", is_flag=True, help="Print the summaries as JSON.")
def sync_command(
    names: tuple[str, ...],
    lake: str,
    interval_start: date | None,
    interval_end: date | None,
    history_start: date | None,
    secret: str | None,
    as_json: bool,
) -> None:
    """Bring the lake up to date: all assets, or those named (all dated ones for an interval).

    The admin key comes from ANTHROPIC_ADMIN_KEY unless --secret names one. Exit code: 0 all
    well (an asset that the organization does not have, too), 1 an asset failed or stopped
    short, 2 bad usage or settings.
    """
    settings = _settings(history_start)
    request = _request(interval_start, interval_end)
    assets = _assets(settings, names, request)
    connection = open_connection(settings, secret)
    extractor = Extractor(settings, connection, open_to_write(lake, settings))
    runs = _sync_all(extractor, assets, request, bars=sys.stderr.isatty() and not as_json)
    if as_json:
        click.echo(json.dumps([run.summary() for run in runs]))
    else:
        from anthropic_lake.cli import screen  # noqa: PLC0415  rich is for people only

        screen.print_runs(runs)
    sys.exit(0 if all(run.is_well for run in runs) else 1)


def _settings(history_start: date | None) -> Settings:
    """Read the settings; the option goes before the variable."""
    environment = dict(os.environ)
    if history_start:
        environment["HISTORY_START"] = history_start.isoformat()
    return read_settings(environment)


def _request(start: date | None, end: date | None) -> Request:
    """Return the request for the days of the options, or for the days that are due."""
    now = datetime.now(UTC)
    if start is None and end is None:
        return Request("manual", now)
    if start is None or end is None:
        raise SettingsError("--interval-start and --interval-end go together")
    return Request("interval", now, Interval(start, end))


def _assets(settings: Settings, names: tuple[str, ...], request: Request) -> list[Asset]:
    """Return the named assets, or all; raise SettingsError if the interval does not fit one."""
    if names:
        assets = [settings.asset(name) for name in dict.fromkeys(names)]
    else:
        assets = [
            asset for asset in settings.assets.values() if asset.kind.dated or not request.interval
        ]
    if request.interval:
        for asset in assets:
            interval_window(asset, *request.interval, request.now, settle=settings.settle)
    return assets


def _sync_all(
    extractor: Extractor, assets: list[Asset], request: Request, *, bars: bool
) -> list[Run]:
    """Sync one asset after the other; an asset that fails does not stop the next one."""
    runs = []
    with _ended_by_sigterm(), _progress(bars=bars) as show_day:
        for asset in assets:
            run = extractor.new_run(asset, request)
            runs.append(run)
            try:
                extractor.run(asset, request, run, progress=partial(show_day, run))
            except (SettingsError, SecretError, ApiUnreachable):
                raise  # no other asset can do better
            except LakeError as error:
                run.error_message = str(error)
            except Exception as error:  # noqa: BLE001  the other assets are synced all the same
                problem = f"{type(error).__name__}, {redact(str(error))}"
                run.error_message = (
                    f"{asset.name}: an unexpected error, please report it: {problem}"
                )
    return runs


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the runs as an error does: what is done is kept, and recorded."""

    def end(number: int, _frame: object) -> NoReturn:
        signal.signal(number, signal.SIG_IGN)
        raise Terminated(128 + number)

    previous = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _progress(*, bars: bool) -> AbstractContextManager[Callable[[Run, Day], None]]:
    """Return a context whose value shows a day that is written: as a bar, or as lines."""
    if not bars:
        return nullcontext(_print_day)
    from anthropic_lake.cli import screen  # noqa: PLC0415  rich is for people only

    return screen.progress_bars()


def _print_day(run: Run, day: Day) -> None:
    """Print one line a month, and one for the last day."""
    if run.days_written % _DAYS_PER_LINE == 0 or run.days_written == run.days_asked_for:
        click.echo(
            f"{run.asset}: {run.days_written}/{run.days_asked_for} days, {day.date}", err=True
        )
