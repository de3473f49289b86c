"""A safe query reads the lake and nothing else, and writes nothing."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from anthropic_lake.cli.main import main
from anthropic_lake.errors import QueryError
from anthropic_lake.lake.reading import StoredLake
from anthropic_lake.query.catalog import TABLES, VIEWS
from anthropic_lake.query.duckdb import query
from tests.lakes import TODAY
from tests.query.conftest import stored
from tests.query.cookbook import answer

NOT_SELECT = "takes SELECT statements only"
NO_FILES = "file system operations are disabled"


def ask(sql: str, lake: StoredLake) -> list[dict[str, object]]:
    with query(sql, lake, today=TODAY, safe=True) as result:
        rows: list[dict[str, object]] = result.read_all().to_pylist()
    return rows


def rounded(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """Rows whose doubles are those of any order of summing."""
    return [
        {
            name: round(value, 9) if isinstance(value, float) else value
            for name, value in row.items()
        }
        for row in rows
    ]


@pytest.mark.parametrize(
    "name", [*(table.name for table in TABLES), *(view.name for view in VIEWS)]
)
def test_the_lake_can_be_read(name: str, lake: StoredLake) -> None:
    sql = f"SELECT * FROM {name} ORDER BY ALL"
    rows = rounded(ask(sql, lake))
    assert rows == rounded(answer(sql, lake).to_pylist())
    assert rows


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT * FROM '{outside}/secret.csv'", NO_FILES),
        ("SELECT * FROM read_text('{outside}/secret.csv')", NO_FILES),
        ("SELECT * FROM read_text('{lake}/../secret.csv')", NO_FILES),
        ("SELECT * FROM read_text('{lake}/link/secret.csv')", NO_FILES),
        ("SELECT * FROM read_text('{lake}-not/secret.csv')", NO_FILES),
        ("SELECT * FROM glob('{outside}/*')", NO_FILES),
        ("SELECT * FROM 'http://127.0.0.1:1/secret.csv'", NO_FILES),
        ("SELECT * FROM enable_logging(storage_path = '{lake}/log')", "has been locked"),
        ("SELECT * FROM query('COPY (SELECT 1) TO ''{lake}/new.csv''')", "single SELECT"),
        ("COPY (SELECT 1) TO '{outside}/new.csv'", NOT_SELECT),
        ("COPY (SELECT 1) TO '{lake}/new.csv'", NOT_SELECT),
        ("SELECT 1; COPY (SELECT 1) TO '{lake}/new.csv'", NOT_SELECT),
        ("COPY (PIVOT users ON role USING count(*)) TO '{lake}/new.csv'", NOT_SELECT),
        ("EXPLAIN ANALYZE COPY (SELECT 1) TO '{lake}/new.csv'", NOT_SELECT),
        ("EXPORT DATABASE '{lake}/new'", NOT_SELECT),
        ("ATTACH '{lake}/new.db'", NOT_SELECT),
        ("INSTALL httpfs", NOT_SELECT),
        ("LOAD httpfs", NOT_SELECT),
        ("SET enable_external_access = true; SELECT 1", NOT_SELECT),
        ("CREATE TABLE t AS SELECT 1", NOT_SELECT),
    ],
)
def test_nothing_else_is_read_or_written(sql: str, message: str, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    (lake / "asset=users").mkdir(parents=True)
    (tmp_path / "lake-not").mkdir()
    (lake / "link").symlink_to(tmp_path)
    for place in (tmp_path, tmp_path / "lake-not"):
        (place / "secret.csv").write_text("a,b\n1,2\n")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(QueryError, match=message):
        ask(sql.format(outside=tmp_path, lake=lake), stored(lake))
    assert sorted(tmp_path.rglob("*")) == before


def test_the_command_line_takes_it(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a,b\n1,2\n")
    sql = f"SELECT * FROM '{tmp_path}/secret.csv'"
    arguments = ["query", sql, "--lake", str(folder), "--format", "csv"]
    assert CliRunner().invoke(main, arguments).stdout == "a,b\n1,2\n"
    refused = CliRunner().invoke(main, [*arguments, "--safe"])
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert NO_FILES in refused.stderr
