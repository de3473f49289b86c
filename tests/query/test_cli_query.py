"""The commands `query` and `views`, as a user runs them."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from anthropic_lake.cli.main import main
from anthropic_lake.query.catalog import VIEWS
from tests.aws.embedded import EmbeddedAws
from tests.lakes import upload

SPEND = "SELECT sum(amount_usd) AS usd FROM cost_report WHERE date = '2026-11-10'"


def run(*arguments: object, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, [str(each) for each in arguments], input=stdin)


def refused(result: Result, exit_code: int) -> str:
    """The message of a command that ended badly, without a trace."""
    assert result.exit_code == exit_code
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    return result.stderr


def test_a_query_prints_a_table(folder: Path) -> None:
    result = run("query", SPEND, "--lake", folder)
    assert result.exit_code == 0
    assert result.stdout.split()[0] == "usd"
    assert result.stdout.endswith("1 row\n")


def test_a_query_prints_json(folder: Path) -> None:
    [row] = json.loads(run("query", SPEND, "--lake", folder, "--format", "json").stdout)
    assert isinstance(row["usd"], str)
    assert row["usd"].partition(".")[2].rstrip("0")


def test_a_query_comes_from_standard_input(folder: Path) -> None:
    result = run("query", "-", "--lake", folder, "--format", "csv", stdin="SELECT 1 AS n")
    assert result.stdout == "n\n1\n"


def test_the_lake_of_this_folder_is_the_default(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    assert run("query", "SELECT 1 AS n", "--format", "csv").stdout == "n\n1\n"


@pytest.mark.parametrize("options", [("--format", "parquet"), ()])
def test_a_query_writes_a_file(folder: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    file = tmp_path / "spend.parquet"
    result = run("query", SPEND, "--lake", folder, *options, "-o", file)
    assert (result.exit_code, result.stdout) == (0, "")
    assert pq.read_schema(file).field("usd").type == pa.decimal128(38, 12)
    assert list(tmp_path.iterdir()) == [file]


def test_a_failed_query_leaves_the_old_file(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "spend.csv"
    file.write_text("old")
    sql = "SELECT CASE WHEN range > 20000 THEN error('late') END FROM range(30000)"
    assert "late" in refused(run("query", sql, "--lake", folder, "-o", file), 1)
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_today_may_be_chosen(folder: Path) -> None:
    sql = "SELECT current_date AS day"
    result = run("query", sql, "--lake", folder, "--today", "2026-11-22", "--format", "csv")
    assert result.stdout == "day\n2026-11-22\n"


# --- what cannot be done


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT * FROM cost_reprot", "Error: there is no table or view cost_reprot: did you mean"),
        ("SELECT FROM", "Error: Parser Error"),
        ("SELECT nothing FROM users", 'Referenced column "nothing" not found'),
        ("SELECT INTERVAL 1 MONTH AS m", "cannot be read or written"),
    ],
)
def test_a_query_that_fails_says_why(sql: str, message: str, folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "out.parquet"
    assert message in refused(run("query", sql, "--lake", folder, "-o", file), 1)


def test_a_lake_that_is_not_there_is_refused(tmp_path: Path) -> None:
    result = run("query", "SELECT 1", "--lake", tmp_path / "nowhere")
    assert "there is no lake at" in refused(result, 2)
    assert "anthropic-lake sync --lake" in result.stderr
    assert "is empty" in refused(run("query", "SELECT 1", "--lake", tmp_path), 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--athena",), "--athena needs --workgroup and --database"),
        (("--athena", "--lake", "lake"), "--lake and --today do not go with --athena"),
        (("--athena", "--safe"), "--safe does not go with --athena"),
        (("--workgroup", "w"), "--workgroup and --database go with --athena"),
        (("--format", "xml"), "Invalid value for '--format'"),
        (("--today", "yesterday"), "Invalid value for '--today'"),
        (("--lake", "s3://"), "names no bucket"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: tuple[str, ...], message: str) -> None:
    assert message in refused(run("query", "SELECT 1", *options), 2)


def test_a_file_that_cannot_be_written_is_refused(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "nowhere" / "out.csv"
    result = run("query", "SELECT 1", "--lake", folder, "-o", file)
    assert f"cannot write {file}" in refused(result, 2)


# --- S3


@pytest.fixture(scope="module")
def bucket(folder: Path) -> Iterator[EmbeddedAws]:
    with EmbeddedAws() as aws:
        s3 = aws.client("s3")
        s3.create_bucket(Bucket="demo")
        upload(folder, s3, "demo", "some/prefix")
        yield aws


def test_a_lake_in_s3_answers_as_the_one_in_a_folder(
    bucket: EmbeddedAws, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    sql = "SELECT * FROM cost_daily WHERE date = '2026-11-10' ORDER BY ALL"
    local = run("query", sql, "--lake", folder, "--format", "csv")
    remote = run("query", sql, "--lake", "s3://demo/some/prefix/", "--format", "csv")
    assert remote.stdout == local.stdout != ""


def test_only_the_days_asked_for_are_read_from_s3(
    bucket: EmbeddedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    broken = "some/prefix/asset=usage_report/date=2026-10-05/usage_report.parquet"
    s3 = bucket.client("s3")
    whole = s3.get_object(Bucket="demo", Key=broken)["Body"].read()
    good = "some/prefix/asset=usage_report/date=2026-10-06/usage_report.parquet"
    s3.put_object(Bucket="demo", Key=broken, Body=b"broken")
    time.sleep(1.1)  # so that another one is the newest, whose schema version is looked at
    s3.copy_object(Bucket="demo", Key=good, CopySource=f"demo/{good}", MetadataDirective="REPLACE")
    lake = ("--lake", "s3://demo/some/prefix", "--format", "csv")
    sql = "SELECT count(*) > 0 AS any FROM usage_report WHERE date = "
    try:
        assert run("query", f"{sql}'2026-10-06'", *lake).stdout == "any\ntrue\n"
        assert run("query", f"{sql}'2026-10-05'", *lake).exit_code == 1
    finally:
        s3.put_object(Bucket="demo", Key=broken, Body=whole)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("s3://demo/elsewhere", "there is no lake at s3://demo/elsewhere"),
        ("s3://not-there", "cannot use the bucket of 's3://not-there'"),
    ],
)
def test_a_lake_that_is_not_in_s3_is_refused(
    place: str, message: str, bucket: EmbeddedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    assert message in refused(run("query", "SELECT 1", "--lake", place), 2)


# --- the rest


def test_the_views_are_listed_with_what_they_answer() -> None:
    lines = run("views").stdout.splitlines()
    assert len(lines) == len(VIEWS)
    [line] = [line for line in lines if line.startswith("cost_daily ")]
    assert line.endswith("?")


def test_a_sync_loads_no_query_engine() -> None:
    check = (
        "import sys, anthropic_lake.cli.main\n"
        "assert not {'duckdb', 'sqlglot', 'boto3', 'rich'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", check], check=True)
