"""The commands that query: SQL over a lake or a deployed stack, and the list of views."""

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import date, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, TYPE_CHECKING

import click

from anthropic_lake.errors import LakeError, QueryError, SettingsError, aws_failure

if TYPE_CHECKING:
    import pyarrow as pa

    from anthropic_lake.lake.reading import StoredLake
    from anthropic_lake.query.athena import Statistics

# What only one command needs is imported where it is used: `sync` starts without it.

_DAY = click.DateTime(["%Y-%m-%d"])
_FORMATS = ("table", "csv", "json", "parquet")


@click.command("query")
@click.argument("sql")
@click.option("--lake", "place", help="Folder, or s3://bucket/prefix.  [default: ./lake]")
@click.option("--athena", is_flag=True, help="Ask a deployed stack instead, in Athena's dialect.")
@click.option("--workgroup", help="Workgroup of the stack; with --athena.")
@click.option("--database", help="Database of the stack; with --athena.")
@click.option("--today", type=_DAY, help="What current_date stands for.  [default: today, UTC]")
@click.option("--format", "form", type=click.Choice(_FORMATS), help="[default: by FILE, or table]")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE")
def query_command(
    sql: str,
    place: str | None,
    athena: bool,
    workgroup: str | None,
    database: str | None,
    today: datetime | None,
    form: str | None,
    output: Path | None,
) -> None:
    """Run SQL over the lake's tables and views, in DuckDB's dialect; "-" reads it from stdin.

    A predicate on date reads these days only. Timestamps are UTC, money is decimal: JSON holds
    it as text. Exit code: 0 all well, 1 the query failed, 2 bad usage or settings.
    """
    from anthropic_lake.query.output import Format, write  # noqa: PLC0415

    with _refusing():
        sql = sys.stdin.read() if sql == "-" else sql
        form = form or _format_of(output)
        if form == "parquet" and output is None and sys.stdout.isatty():
            raise SettingsError("Parquet is not for a terminal: name a file with -o FILE")
        if athena:
            if place or today:
                raise SettingsError("--lake and --today do not go with --athena")
            answer = _ask_athena(sql, workgroup, database)
        else:
            if workgroup or database:
                raise SettingsError("--workgroup and --database go with --athena")
            answer = _ask_duckdb(sql, place or "lake", today.date() if today else None)
        with answer as result, _opened(output) as file:
            write(result, Format(form), file)


@contextmanager
def _refusing() -> Iterator[None]:
    """End with one clear message: exit code 1 when the query failed, 2 when it cannot be run."""
    try:
        yield
    except LakeError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1 if isinstance(error, QueryError) else 2)


def _format_of(output: Path | None) -> str:
    """Choose the format that a file's name says."""
    named = output.suffix.removeprefix(".").lower() if output else ""
    return named if named in _FORMATS else "table"


def _ask_duckdb(
    sql: str, place: str, today: date | None
) -> AbstractContextManager["pa.RecordBatchReader"]:
    """Query a lake from here."""
    from anthropic_lake.query.duckdb import query  # noqa: PLC0415

    lake = _s3_lake(place) if place.startswith("s3://") else _local_lake(place)
    lake.refuse_unless_there()
    return query(sql, lake, today=today)


def _local_lake(place: str) -> "StoredLake":
    """Open a lake in a folder."""
    from pyarrow import fs  # noqa: PLC0415

    from anthropic_lake.lake.reading import StoredLake  # noqa: PLC0415

    return StoredLake(fs.LocalFileSystem(), Path(place).resolve().as_posix(), place)


def _s3_lake(place: str) -> "StoredLake":
    """Open a lake in a bucket, wherever it is, with the credentials that boto3 finds."""
    import boto3  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415
    from pyarrow import fs  # noqa: PLC0415

    from anthropic_lake.lake.reading import StoredLake  # noqa: PLC0415

    bucket, _, prefix = place.removeprefix("s3://").partition("/")
    if not bucket:
        raise SettingsError(f"{place!r} names no bucket: write s3://bucket/prefix")
    try:
        session = boto3.Session()
        s3 = session.client("s3")
        region = s3.head_bucket(Bucket=bucket).get("BucketRegion") or s3.meta.region_name
        credentials = session.get_credentials()
        assert credentials  # noqa: S101  the request was signed with them
        keys = credentials.get_frozen_credentials()
    except (BotoCoreError, ClientError) as error:
        advice = "Check the name, AWS_PROFILE, and that s3:ListBucket and s3:GetObject are allowed"
        raise aws_failure(error, f"cannot use the bucket of {place!r}. {advice}") from error
    files = fs.S3FileSystem(
        access_key=keys.access_key,
        secret_key=keys.secret_key,
        session_token=keys.token,
        region=region,
        endpoint_override=_endpoint(),
        connect_timeout=5,
        request_timeout=60,
    )
    return StoredLake(files, f"{bucket}/{prefix}".rstrip("/"), place)


def _endpoint() -> str | None:
    """Give the address of S3 where it is not Amazon's own, from the variables that boto3 reads."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None


def _ask_athena(
    sql: str, workgroup: str | None, database: str | None
) -> AbstractContextManager["pa.RecordBatchReader"]:
    """Query a deployed stack, and say on standard error what it took."""
    from rich.console import Console  # noqa: PLC0415

    from anthropic_lake import aws  # noqa: PLC0415
    from anthropic_lake.query.athena import query  # noqa: PLC0415

    if not workgroup or not database:
        raise SettingsError("--athena needs --workgroup and --database: see the stack's outputs")
    console = Console(stderr=True, highlight=False)
    with console.status("asking Athena") as status:

        def progress(now: "Statistics") -> None:
            status.update(_told(now))

        result, took = query(
            sql, aws.client("athena"), workgroup=workgroup, database=database, progress=progress
        )
    console.print(f"{_told(took)}, about {took.cost_usd:.5f} USD")
    return nullcontext(result)


def _told(now: "Statistics") -> str:
    """Say how far a query is."""
    scanned = f"{now.scanned_bytes / 1_000_000:,.1f} MB scanned"
    return f"{now.state.lower()}: {scanned} in {now.seconds:.1f} s"


@contextmanager
def _opened(output: Path | None) -> Iterator[IO[bytes]]:
    """Open a file for the result, which replaces an older one when it is whole."""
    if output is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        with NamedTemporaryFile(dir=output.parent, prefix=f".{output.name}.", delete=False) as file:
            temporary = Path(file.name)
            try:
                yield file
            except BaseException:
                temporary.unlink()
                raise
        temporary.chmod(0o644)
        temporary.replace(output)
    except OSError as error:
        raise SettingsError(f"cannot write {output}: {error.strerror}") from error


@click.command("views")
def views_command() -> None:
    """List the views and what each answers."""
    from anthropic_lake.query.catalog import VIEWS  # noqa: PLC0415

    width = max(len(view.name) for view in VIEWS)
    for view in sorted(VIEWS, key=lambda view: view.name):
        click.echo(f"{view.name:{width}}  {view.comment}")
