"""Snowflake's SQL in fakesnow, for a test that cannot import it: JSON lines in and out.

Run by the interpreter of .venv-fakesnow, with the environment of an EmbeddedAws. Each line on
standard input is a statement, each on standard output its columns and rows or its error.

fakesnow differs from Snowflake in ways that the scripts meet. Here, and nowhere else, that is
mended:
- COPY INTO knows no path below a stage, PATTERN, FORMAT_NAME and INCLUDE_METADATA. The objects are
  listed and named as FILES, and DuckDB adds the name of the object.
- DuckDB takes `date=` and `asset=` in a path for columns, which Snowflake does not.
- SUM is made a sum of DOUBLEs, so that cents would be lost.
- A comment with an apostrophe breaks the statement; comments of tables and views are left out.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import duckdb_extension_httpfs  # type: ignore[import-not-found,unused-ignore]
import fakesnow  # type: ignore[import-not-found,unused-ignore]
import fakesnow.copy_into  # type: ignore[import-not-found,unused-ignore]
import fakesnow.transforms  # type: ignore[import-not-found,unused-ignore]
import snowflake.connector  # type: ignore[import-not-found,unused-ignore]
from sqlglot import exp

COPY = re.compile(
    r"COPY INTO (?P<table>\S+) FROM @(?P<stage>[\w.]+)/(?P<path>\S+/)"
    r" PATTERN = '(?P<pattern>[^']+)' FILE_FORMAT = \(FORMAT_NAME = '[\w.]+'\)"
    r" (?P<match>MATCH_BY_COLUMN_NAME = \w+)"
    r" INCLUDE_METADATA = \(object_key = METADATA\$FILENAME\) FORCE = TRUE"
)
COMMENT = re.compile(r"COMMENT = '(?:[^']|'')*'")
OPTIONS = {"hive_partitioning": exp.false(), "filename": exp.Literal.string("object_key")}


class Snowflake:
    """One session of fakesnow with the stage's objects in the embedded AWS."""

    def __init__(self) -> None:
        self._connection = snowflake.connector.connect()
        self._s3 = boto3.client("s3")
        duck = self._connection._duck_conn
        (package,) = duckdb_extension_httpfs.__path__
        (extension,) = Path(package).rglob("httpfs.duckdb_extension")
        duck.execute(f"LOAD '{extension}'")
        duck.execute(
            "CREATE SECRET (TYPE s3, URL_STYLE path, USE_SSL false, ENDPOINT '{}', "
            "KEY_ID '{}', SECRET '{}', REGION '{}')".format(
                urlsplit(os.environ["AWS_ENDPOINT_URL"]).netloc,
                os.environ["AWS_ACCESS_KEY_ID"],
                os.environ["AWS_SECRET_ACCESS_KEY"],
                os.environ["AWS_REGION"],
            )
        )

    def execute(self, sql: str) -> dict[str, Any]:
        """Run a statement."""
        if copy := COPY.fullmatch(sql):
            return self._copy(copy)
        return self._run(COMMENT.sub("", sql, count=1) if sql.startswith("CREATE") else sql)

    def _run(self, sql: str) -> dict[str, Any]:
        cursor = self._connection.cursor().execute(sql)
        rows = [[_tagged(value) for value in row] for row in cursor.fetchall()]
        columns = [column.name for column in cursor.description] if rows else []
        return {"columns": columns, "rows": rows}

    def _copy(self, copy: re.Match[str]) -> dict[str, Any]:
        """Load the objects of a path that match a pattern, as Snowflake finds them."""
        url = self._stage_url(copy["stage"])
        bucket, prefix = urlsplit(url).netloc, urlsplit(url).path.lstrip("/")
        keys = self._keys(bucket, prefix + copy["path"])
        files = [
            f"'{key.removeprefix(prefix)}'" for key in keys if re.fullmatch(copy["pattern"], key)
        ]
        if not files:  # to fakesnow an empty list means every object of the stage
            return {"columns": ["status"], "rows": [["Copy executed with 0 files processed."]]}
        return self._run(
            f"COPY INTO {copy['table']} FROM @{copy['stage']} FILES = ({', '.join(files)})"
            f" FILE_FORMAT = (TYPE = PARQUET) {copy['match']} FORCE = TRUE"
        )

    def _stage_url(self, stage: str) -> str:
        cursor = self._connection.cursor().execute("SHOW STAGES IN ACCOUNT")
        names = [column.name for column in cursor.description]
        stages = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        full = "{database_name}.{schema_name}.{name}"
        (url,) = (each["url"] for each in stages if full.format(**each) == stage.upper())
        return str(url)

    def _keys(self, bucket: str, prefix: str) -> Iterator[str]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return (entry["Key"] for page in pages for entry in page.get("Contents", []))


def _tagged(value: Any) -> Any:
    """A value that JSON does not know, with its type."""
    if isinstance(value, Decimal):
        return {"decimal": str(value)}
    if isinstance(value, dt.datetime):
        return {"datetime": value.isoformat()}
    if isinstance(value, dt.date):
        return {"date": value.isoformat()}
    return value


def _read_parquet(_self: object, url: str) -> exp.Func:
    options = (
        exp.EQ(this=exp.to_identifier(name), expression=value.copy())
        for name, value in OPTIONS.items()
    )
    return exp.func("read_parquet", exp.Literal.string(url), *options)


def _columns(url: str, duck: Any) -> list[str]:
    source = _read_parquet(None, url).sql("duckdb")
    return [row[0] for row in duck.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()]


def _mend_fakesnow() -> None:
    fakesnow.copy_into.ReadParquet.read_expression = _read_parquet
    fakesnow.copy_into._get_parquet_column_names = _columns
    fakesnow.transforms.numeric_agg_implicit_cast = lambda expression: expression


def main() -> None:
    """Serve until standard input ends."""
    _mend_fakesnow()
    with fakesnow.patch():
        session = Snowflake()
        for line in sys.stdin:
            try:
                answer = session.execute(json.loads(line))
            except Exception as error:  # noqa: BLE001  the test is told of any
                answer = {"error": f"{type(error).__name__}: {error}"}
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
