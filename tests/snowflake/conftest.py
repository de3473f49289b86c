"""fakesnow in its own environment, on the objects of an embedded AWS."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pyarrow import fs

from anthropic_lake.lake.reading import StoredLake
from anthropic_lake.query.duckdb import query
from tests.aws.embedded import EmbeddedAws

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-fakesnow" / "bin" / "python"
_TYPES: dict[str, Callable[[str], Any]] = {
    "decimal": Decimal,
    "datetime": dt.datetime.fromisoformat,
    "date": dt.date.fromisoformat,
}


class SnowflakeError(Exception):
    """What fakesnow said."""


class Result(NamedTuple):
    columns: list[str]
    rows: list[tuple[Any, ...]]


class Snowflake:
    """A session of fakesnow in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def execute(self, sql: str) -> Result:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(sql) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SnowflakeError(f"the driver ended with {self._process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise SnowflakeError(answer["error"])
        rows = [tuple(_untagged(value) for value in row) for row in answer["rows"]]
        return Result([name.lower() for name in answer["columns"]], rows)


def duckdb_rows(sql: str, folder: Path, today: dt.date) -> Result:
    """What the command line's DuckDB answers on a lake in a folder."""
    lake = StoredLake(fs.LocalFileSystem(), folder.as_posix(), str(folder))
    with query(sql, lake, today=today) as reader:
        table = reader.read_all()
    columns = [column.to_pylist() for column in table.columns]
    return Result(table.column_names, list(zip(*columns, strict=True)))


def _untagged(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    ((name, text),) = value.items()
    return _TYPES[name](text)


@contextmanager
def fakesnow(aws: EmbeddedAws) -> Iterator[Snowflake]:
    """Start fakesnow on an account; skip, or fail in CI, where its environment is not made."""
    if not PYTHON.exists():
        reason = "no environment for fakesnow: run `make .venv-fakesnow/.installed`"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    process = subprocess.Popen(
        [PYTHON, "-W", "ignore", "-m", "tests.snowflake.driver"],
        cwd=ROOT,
        env={**os.environ, **aws.environment, "PYTHONPATH": ""},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    yield Snowflake(process)
    process.communicate(timeout=30)


@pytest.fixture(scope="package")
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws() as account:
        yield account


@pytest.fixture(scope="package")
def snowflake(aws: EmbeddedAws) -> Iterator[Snowflake]:
    with fakesnow(aws) as session:
        yield session
