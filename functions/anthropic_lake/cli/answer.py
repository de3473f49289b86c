"""Where a statement is asked and where its result goes: what `query` and `ask` share.

The query engines are imported where they are used: the other commands start without them.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, fields
from datetime import date
from functools import wraps
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from anthropic_lake.cli.options import DayType
from anthropic_lake.cli.place import open_to_read
from anthropic_lake.errors import SettingsError, StillAtWork

if TYPE_CHECKING:
    import pyarrow as pa

    from anthropic_lake.query.athena import Statistics

_FORMATS = ("table", "csv", "json", "parquet")
_INTERRUPTED = 130  # as a shell says of a program that SIGINT ended

_OPTIONS = (
    click.option("--lake", help="Folder, or s3://bucket/prefix.  [default: ./lake]"),
    click.option(
        "--athena", is_flag=True, help="Ask a deployed stack instead, in Athena's dialect."
    ),
    click.option("--workgroup", help="Workgroup of the stack; with --athena."),
    click.option("--database", help="Database of the stack; with --athena."),
    click.option("--today", type=DayType(), help="What current_date means.  [default: today, UTC]"),
    click.option(
        "--format", "format_name", type=click.Choice(_FORMATS), help="[default: by FILE, or table]"
    ),
    click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE"),
)


@dataclass(frozen=True)
class AnswerOptions:
    """The options that `query` and `ask` share, as the command line has them."""

    lake: str | None
    athena: bool
    workgroup: str | None
    database: str | None
    today: date | None
    format_name: str | None
    output: Path | None

    @property
    def lake_name(self) -> str:
        """The lake that is asked without --athena."""
        return self.lake or "lake"

    @property
    def chosen_format(self) -> str:
        """The format of the result: as chosen, by the file's ending, or a table."""
        ending = self.output.suffix.removeprefix(".").lower() if self.output else ""
        return self.format_name or (ending if ending in _FORMATS else "table")

    def check(self) -> None:
        """Raise SettingsError if the options do not go together."""
        if self.chosen_format == "parquet" and self.output is None and sys.stdout.isatty():
            raise SettingsError("Parquet is not for a terminal: name a file with -o FILE")
        if self.athena and (self.lake or self.today):
            raise SettingsError("--lake and --today do not go with --athena")
        if not self.athena and (self.workgroup or self.database):
            raise SettingsError("--workgroup and --database go with --athena")


def answer_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the shared options to a command, which gets them, checked, as its argument `options`."""

    @wraps(command)
    def with_options(**values: Any) -> None:  # noqa: ANN401  as in click
        options = AnswerOptions(
            **{each.name: values.pop(each.name) for each in fields(AnswerOptions)}
        )
        options.check()
        command(options=options, **values)

    for option in reversed(_OPTIONS):
        with_options = option(with_options)
    return with_options


def write_answer(sql: str, options: AnswerOptions, *, safe: bool) -> None:
    """Run a statement and write its result to the file of the options, or to stdout.

    Args:
        sql: One statement.
        options: Where it runs, and where its result goes.
        safe: Whether it may read the lake only; Athena lets it do no more anyway.
    """
    from anthropic_lake.query.output import Format, write  # noqa: PLC0415

    answer = _answer(sql, options, safe=safe)
    with _ended_by_interrupt(), answer as result, _output_file(options.output) as file:
        write(result, Format(options.chosen_format), file)


def read_answer(sql: str, options: AnswerOptions) -> list[dict[str, Any]]:
    """Run a safe statement and return its rows."""
    answer = _answer(sql, options, safe=True)
    with _ended_by_interrupt(), answer as result:
        rows: list[dict[str, Any]] = result.read_all().to_pylist()
    return rows


@contextmanager
def _ended_by_interrupt() -> Iterator[None]:
    """End the program as a shell expects it when Ctrl-C ends a query."""
    try:
        yield
    except StillAtWork:
        os._exit(_INTERRUPTED)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


def _answer(
    sql: str, options: AnswerOptions, *, safe: bool
) -> AbstractContextManager["pa.RecordBatchReader"]:
    """Return the result of a statement, in the stack or over the lake."""
    if options.athena:
        return _query_stack(sql, options.workgroup, options.database)
    from anthropic_lake.query.duckdb import query  # noqa: PLC0415

    return query(sql, open_to_read(options.lake_name), today=options.today, safe=safe)


def _query_stack(
    sql: str, workgroup: str | None, database: str | None
) -> AbstractContextManager["pa.RecordBatchReader"]:
    """Query a deployed stack with Athena, and print on stderr what it scanned."""
    from rich.console import Console  # noqa: PLC0415

    from anthropic_lake import aws  # noqa: PLC0415
    from anthropic_lake.query.athena import query_athena  # noqa: PLC0415

    if not workgroup or not database:
        raise SettingsError("--athena needs --workgroup and --database: see the stack's outputs")
    console = Console(stderr=True, highlight=False)
    with console.status("asking Athena") as status:

        def show(statistics: "Statistics") -> None:
            status.update(_described(statistics))

        result, statistics = query_athena(
            sql, aws.client("athena"), workgroup=workgroup, database=database, progress=show
        )
    console.print(f"{_described(statistics)}, about {statistics.cost_usd:.5f} USD")
    return nullcontext(result)


def _described(statistics: "Statistics") -> str:
    """Return the state of a query, and what it has scanned, as text."""
    scanned = f"{statistics.scanned_bytes / 1_000_000:,.1f} MB scanned"
    return f"{statistics.state.lower()}: {scanned} in {statistics.seconds:.1f} s"


@contextmanager
def _output_file(output: Path | None) -> Iterator[IO[bytes]]:
    """Open what the result is written to."""
    from anthropic_lake.query.result_file import opened  # noqa: PLC0415

    if output:
        with opened(output) as file:
            yield file
    else:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
