"""What `sync` shows on a terminal: a bar for each asset, and a table of the runs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from anthropic_lake.errors import without_credentials
from anthropic_lake.rows.day import Day
from anthropic_lake.sync.runs import Run


@contextmanager
def progress_bars() -> Iterator[Callable[[Run, Day], None]]:
    """Show a bar for each asset; yield the function to call with each day that is written."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {}

        def advance(run: Run, _: Day) -> None:
            if run.asset not in tasks:
                tasks[run.asset] = bars.add_task(run.asset, total=run.days_asked_for)
            bars.advance(tasks[run.asset])

        yield advance


def print_runs(runs: list[Run]) -> None:
    """Print a table of the runs, then all warnings and errors."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("asset", no_wrap=True)
    table.add_column("status")
    for heading in ("days", "rows", "bytes", "requests"):
        table.add_column(heading, justify="right")
    table.add_column("watermark", no_wrap=True)
    for run in runs:
        days, rows, requests = (f"{n:,}" for n in (run.days_written, run.rows, run.requests))
        watermark = str(run.last_synced_date or "-")
        table.add_row(run.asset, run.status, days, rows, decimal(run.bytes), requests, watermark)
    console = Console()
    console.print(table)
    for run in runs:
        for warning in run.warnings:
            text = f"warning: {run.asset}: {without_credentials(warning)}"
            console.print(escape(text), soft_wrap=True)
        if run.error_message:
            console.print(f"error: {escape(run.error_message)}", soft_wrap=True)
