"""A result in each format: decimals exact, times in UTC, nothing lost."""

import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from anthropic_lake.query.output import MAX_ROWS_SHOWN, Format, write

EXACT = Decimal("12345678901234567890123456.123456789012")
SQL = """
SELECT
    CAST('12345678901234567890123456.123456789012' AS DECIMAL(38, 12)) AS usd,
    CAST('0.000000000001' AS DECIMAL(38, 12)) AS tiny,
    9223372036854775807 AS tokens,
    TIMESTAMPTZ '2026-11-22 01:30:00.123456+02' AS at,
    TIMESTAMP '2026-11-22 01:30:00' AS local,
    DATE '2026-11-22' AS day,
    true AS is_remote,
    CAST(NULL AS VARCHAR) AS nothing,
    'a "quoted", named ''Zoë''' AS text
"""


def written(sql: str, form: Format, file: io.BytesIO | None = None) -> bytes:
    file = file or io.BytesIO()
    with duckdb.connect() as session:
        session.execute("SET TimeZone = 'UTC'")
        relation = session.sql(sql)
        assert relation is not None
        write(relation.to_arrow_reader(100), form, file)
    return file.getvalue()


def test_json_holds_every_digit() -> None:
    [row] = json.loads(written(SQL, Format.JSON))
    assert row == {
        "usd": str(EXACT),
        "tiny": "0.000000000001",
        "tokens": 9223372036854775807,
        "at": "2026-11-21T23:30:00.123456Z",
        "local": "2026-11-22T01:30:00",
        "day": "2026-11-22",
        "is_remote": True,
        "nothing": None,
        "text": "a \"quoted\", named 'Zoë'",
    }


def test_csv_holds_every_digit() -> None:
    names, row = csv.reader(io.StringIO(written(SQL, Format.CSV).decode()))
    assert dict(zip(names, row, strict=True)) == {
        "usd": str(EXACT),
        "tiny": "0.000000000001",
        "tokens": "9223372036854775807",
        "at": "2026-11-21T23:30:00.123456Z",
        "local": "2026-11-22T01:30:00",
        "day": "2026-11-22",
        "is_remote": "true",
        "nothing": "",
        "text": "a \"quoted\", named 'Zoë'",
    }


def test_parquet_holds_the_types() -> None:
    found = pq.read_table(io.BytesIO(written(SQL, Format.PARQUET)))
    assert found.schema.field("usd").type == pa.decimal128(38, 12)
    assert found.schema.field("at").type == pa.timestamp("us", "UTC")
    assert found.schema.field("day").type == pa.date32()
    [row] = found.to_pylist()
    assert row["usd"] == EXACT
    assert row["at"] == datetime(2026, 11, 21, 23, 30, 0, 123456, tzinfo=UTC)


def test_a_table_leaves_out_zeros_without_meaning() -> None:
    text = written("SELECT CAST(12.5 AS DECIMAL(38, 12)) AS usd, 100 AS n", Format.TABLE).decode()
    assert text.split() == ["usd", "n", "─" * 10, "12.5", "100", "1", "row"]


def test_a_table_keeps_a_long_text_on_its_line() -> None:
    text = written(f"SELECT '{'word ' * 100}' AS long", Format.TABLE).decode()
    assert "word " * 99 in text


def test_a_table_does_not_steer_the_terminal() -> None:
    text = written("SELECT chr(27) || '[2J' AS name", Format.TABLE).decode()
    assert "\x1b" not in text
    assert "\N{REPLACEMENT CHARACTER}[2J" in text


@pytest.mark.parametrize(
    "sql",
    [
        'SELECT 1 AS "\x1b[2J"',
        "PIVOT (SELECT chr(27) || '[2J' AS name, 1 AS n) ON name USING sum(n)",
        'SELECT 1 AS "a\nb\x9b2J\x7f"',
    ],
)
def test_a_header_does_not_steer_the_terminal(sql: str) -> None:
    text = written(sql, Format.TABLE).decode()
    assert [char for char in text if not char.isprintable()] == ["\n"] * text.count("\n")
    assert len(text.splitlines()) == 6
    assert "\N{REPLACEMENT CHARACTER}" in text


class Screen(io.BytesIO):
    def isatty(self) -> bool:
        return True


def test_a_table_that_is_wider_than_the_terminal_has_a_line_for_each_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = written(f"{SQL} UNION ALL {SQL}", Format.TABLE, Screen()).decode().splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.split(maxsplit=1) for line in lines].count(["usd", str(EXACT)]) == 2
    assert lines[-1] == "2 rows"
    monkeypatch.setenv("COLUMNS", "300")
    assert len(written(SQL, Format.TABLE, Screen()).splitlines()) < len(lines) / 2


@pytest.mark.parametrize("form", [Format.TABLE, Format.CSV, Format.JSON])
def test_no_format_steers_a_terminal(form: Format) -> None:
    sql = "SELECT '\x1b[2J\x9b2J Zoë' AS \"\x1b[2J\x9b2J\""
    text = written(sql, form, Screen()).decode()
    assert {char for char in text if not char.isprintable()} == {"\n"}
    assert "Zoë" in text


def test_a_file_keeps_every_character() -> None:
    assert "\x1b[2J" in written("SELECT chr(27) || '[2J' AS name", Format.CSV).decode()


def test_a_long_table_is_cut_and_says_so() -> None:
    text = written("SELECT * FROM range(1500)", Format.TABLE).decode()
    assert f"the first {MAX_ROWS_SHOWN:,} of 1,500 rows" in text
    assert " 999 " in text
    assert " 1000 " not in text


@pytest.mark.parametrize(
    ("form", "expected"), [(Format.CSV, b"n\n"), (Format.JSON, b"[]\n"), (Format.TABLE, b"0 rows")]
)
def test_no_rows_are_a_result_too(form: Format, expected: bytes) -> None:
    assert expected in written("SELECT 1 AS n WHERE false", form)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("sum(1)", 1),
        ("'nan'::DOUBLE", "nan"),
        ("1e300::DOUBLE", 1e300),
        ("[1.5, NULL]", ["1.5", None]),
        ("{'a': DATE '2026-01-01'}", {"a": "2026-01-01"}),
        ("MAP {'a': 1}", [["a", 1]]),
        ("TIME '01:02:03'", "01:02:03"),
        ("'x'::BLOB", "78"),
        ("TIMESTAMP_NS '2026-01-01 00:00:00.123456789'", "2026-01-01T00:00:00.123456"),
    ],
)
def test_other_types_are_written_as_json_can(expression: str, expected: Any) -> None:
    assert json.loads(written(f"SELECT {expression} AS value", Format.JSON)) == [
        {"value": expected}
    ]


def test_columns_of_one_name_stay_apart() -> None:
    [row] = json.loads(written("SELECT 1 AS a, 2 AS a, 3 AS a_1", Format.JSON))
    assert row == {"a": 1, "a_1": 2, "a_1_1": 3}
    assert pq.read_table(io.BytesIO(written("SELECT 1 AS a, 2 AS a", Format.PARQUET))).to_pydict()
