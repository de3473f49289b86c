"""The command `query`: SQL over a lake or a deployed stack.

The query engines are imported where they are used: the other commands start without them.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import date
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from anthropic_lake.cli.options import DayType
from anthropic_lake.cli.place import open_to_read
from anthropic_lake.errors import SettingsError, StillAtWork

if TYPE_CHECKING:
    import pyarrow as pa

    from anthropic_lake.query.athena import Statistics

_FORMATS = ("table", "csv", "json", "parquet")
_INTERRUPTED = 130  # as a shell says of a program that SIGINT ended


@click.command("query")
@click.argument("sql")
@click.option("--lake", help="Folder, or s3://bucket/prefix.  [default: ./lake]")
@click.option("--athena", is_flag=True, help="Ask a deployed stack instead, in Athena's dialect.")
@click.option("--workgroup", help="Workgroup of the stack; with --athena.")
@click.option("--database", help="Database of the stack; with --athena.")
@click.option("--today", type=DayType(), help="What current_date means.  [default: today, UTC]")
@click.option(
    "--format", "format_name", type=click.Choice(_FORMATS), help="[default: by FILE, or table]"
)
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--safe", is_flag=True, help="Take SELECT only, and read nothing but the lake.")
def query_command(
    sql: str,
    *,
    lake: str | None,
    athena: bool,
    workgroup: str | None,
    database: str | None,
    today: date | None,
    format_name: str | None,
    output: Path | None,
    safe: bool,
) -> None:
    """Run SQL over the lake's tables and views, in DuckDB's dialect; "-" reads it from stdin.

    A predicate on date reads these days only. Timestamps are UTC, money is decimal: JSON holds
    it as text. SQL can read and write this machine's files and load extensions, as DuckDB's own
    shell can: run SQL that you do not trust with --safe.

    Exit code: 0 all well, 1 the query failed, 2 bad usage or settings, 130 ended by Ctrl-C.
    """
    from anthropic_lake.query.output import Format, write  # noqa: PLC0415

    output_format = Format(format_name or _format_of(output))
    if output_format is Format.PARQUET and output is None and sys.stdout.isatty():
        raise SettingsError("Parquet is not for a terminal: name a file with -o FILE")
    if athena and (lake or today or safe):
        raise SettingsError("--lake, --today and --safe do not go with --athena")
    if not athena and (workgroup or database):
        raise SettingsError("--workgroup and --database go with --athena")
    sql = sys.stdin.read() if sql == "-" else sql
    answer = (
        _query_stack(sql, workgroup, database)
        if athena
        else _query_lake(sql, lake or "lake", today=today, safe=safe)
    )
    try:
        with answer as result, _output_file(output) as file:
            write(result, output_format, file)
    except StillAtWork:
        os._exit(_INTERRUPTED)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


def _format_of(output: Path | None) -> str:
    """Return the format of a file's ending, `table` for any other."""
    ending = output.suffix.removeprefix(".").lower() if output else ""
    return ending if ending in _FORMATS else "table"


def _query_lake(
    sql: str, lake: str, *, today: date | None, safe: bool
) -> AbstractContextManager["pa.RecordBatchReader"]:
    """Query a lake with DuckDB."""
    from anthropic_lake.query.duckdb import query  # noqa: PLC0415

    return query(sql, open_to_read(lake), today=today, safe=safe)


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
