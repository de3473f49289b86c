"""`anthropic-lake allocation`, as a user runs it, on the demo lake and against an S3 over HTTP."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner, Result

from anthropic_lake.cli.allocation_file import COLUMNS, read_rules
from anthropic_lake.cli.main import main
from anthropic_lake.lake.allocation import put_rules
from anthropic_lake.lake.layout import object_key
from anthropic_lake.lake.local import LocalLake
from anthropic_lake.lake.objects import ANYTHING, put_rows
from anthropic_lake.lake.reading import StoredLake
from anthropic_lake.query.catalog import TABLES
from tests.aws.embedded import EmbeddedAws
from tests.lakes import DEMO_RULES, upload
from tests.query.conftest import stored
from tests.query.cookbook import ROOT, answer, statement

RULES = "asset=allocation_rules/date=2023-01-01/allocation_rules.parquet"
HEADER = ",".join(COLUMNS)
TODAY = datetime.now(UTC).date()
FULL = "api_key_id,context_window,model,service_tier,workspace_id"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["allocation", *map(str, arguments)])


def done(*arguments: object) -> str:
    """The screen of a command that ended well."""
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*arguments: object) -> str:
    """The message of a command that ended badly, without a trace."""
    result = run(*arguments)
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    return result.stderr


@pytest.fixture
def own_lake(tmp_path: Path) -> Path:
    """A lake of two workspaces and three keys: 60, 30 and 10 dollars, and 5 of no key."""
    lake = tmp_path / "lake"
    day = TODAY - timedelta(days=1)
    same = {"organization_id": "org-1", "model": "m", "token_type": "output_tokens"}
    costs = [("w1", "k1", 60), ("w1", "k2", 30), ("w2", "k3", 10)]
    put(
        lake,
        "cost_report",
        [
            money(sum(usd for w, _, usd in costs if w == name)) | same | {"workspace_id": name}
            for name in ("w1", "w2")
        ]
        + [money(5) | same | {"workspace_id": "w2", "token_type": None}],
        day,
    )
    used = {"organization_id": "org-1", "model": "m", "grouped_by": FULL}
    put(
        lake,
        "usage_report",
        [used | {"workspace_id": w, "api_key_id": k, "output_tokens": usd} for w, k, usd in costs],
        day,
    )
    names = {"w1": "Search", "w2": "=Ads"}
    put(
        lake,
        "workspaces",
        [{"id": id_, "name": name, "organization_id": "org-1"} for id_, name in names.items()],
        TODAY,
    )
    return lake


def money(usd: int) -> dict[str, object]:
    return {"currency": "USD", "amount_usd": Decimal(usd), "amount_cents": Decimal(usd * 100)}


def put(lake: Path, name: str, rows: list[dict[str, object]], day: object) -> None:
    [table] = [table for table in TABLES if table.name == name]
    content = pa.Table.from_pylist(rows, schema=table.schema)
    key = object_key(name, day)  # type: ignore[arg-type]
    put_rows(LocalLake(lake), table, key, content, {}, replaces=ANYTHING)


def centers(lake: Path) -> dict[str | None, Decimal]:
    """What each cost centre pays."""
    sql = (
        "SELECT cost_center, sum(direct_usd + shared_usd) AS usd FROM cost_allocation GROUP BY ALL"
    )
    rows = answer(sql, stored(lake)).to_pylist()
    return {row["cost_center"]: row["usd"] for row in rows}


def written(tmp_path: Path, *lines: str) -> Path:
    file = tmp_path / "allocation.csv"
    file.write_text("\n".join((HEADER, *lines)))
    return file


# --- load and check


def test_rules_are_loaded_and_their_effect_is_told(own_lake: Path, tmp_path: Path) -> None:
    file = written(tmp_path, "api_key_id,k1,A", "workspace_id,w9,B", "workspace_id,w2,C,0.8,,,")
    screen = done("load", file, "--lake", own_lake)
    assert screen.splitlines() == [
        "loaded 3 rules",
        "68.6 % of the cost of the last 30 days has a cost centre",
        "rules that match no cost in the lake: line 3",
    ]
    assert centers(own_lake) == {"A": 60, "C": 12, None: 33}


def test_the_same_rules_again_put_nothing(own_lake: Path, tmp_path: Path) -> None:
    file = written(tmp_path, "default,,A")
    done("load", file, "--lake", own_lake)
    before = (own_lake / RULES).stat()
    assert done("load", file, "--lake", own_lake).startswith("nothing has changed: 1 rule\n")
    assert (own_lake / RULES).stat() == before


def test_new_rules_stand_in_the_place_of_all_old_ones(own_lake: Path, tmp_path: Path) -> None:
    done("load", written(tmp_path, "workspace_id,w1,A", "default,,B"), "--lake", own_lake)
    done("load", written(tmp_path, "workspace_id,w2,C"), "--lake", own_lake)
    assert centers(own_lake) == {"C": 15, None: 90}
    assert len(list(own_lake.glob("asset=allocation_rules/**/*.parquet"))) == 1


def test_a_file_without_rules_takes_them_all_away(own_lake: Path, tmp_path: Path) -> None:
    put_rules(LocalLake(own_lake), read_rules(DEMO_RULES), None)
    screen = done("load", written(tmp_path), "--lake", own_lake)
    assert screen == "loaded 0 rules\n0.0 % of the cost of the last 30 days has a cost centre\n"


def test_a_bad_file_is_refused_with_its_lines_and_the_old_rules_stay(
    own_lake: Path, tmp_path: Path
) -> None:
    done("load", written(tmp_path, "default,,A"), "--lake", own_lake)
    before = (own_lake / RULES).read_bytes()
    file = written(tmp_path, "workspace_id,w1,A,2,,,", "default,,B", "nobody,,C")
    message = refused("load", file, "--lake", own_lake)
    assert message.startswith(
        f"Error: {file} has 2 mistakes; no rule was loaded:\n{file}:2: share:"
    )
    assert f"\n{file}:4: match_type: 'nobody' is no type of match" in message
    assert refused("check", file) == message
    assert (own_lake / RULES).read_bytes() == before


def test_check_needs_no_lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = written(tmp_path, "actor,a@x.org,A,0.5,,,", "actor,a@x.org,B,.5,,,", "default,,*")
    assert done("check", file) == f"{file}: 3 rules, 2 cost centres\n"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("command", ["load", "suggest"])
def test_a_lake_that_is_not_there_is_refused(command: str, tmp_path: Path) -> None:
    files = [written(tmp_path, "default,,A")] if command == "load" else []
    message = refused(command, *files, "--lake", tmp_path / "nowhere")
    assert "there is no lake at" in message
    assert not (tmp_path / "nowhere").exists()


# --- suggest


def test_a_line_is_suggested_for_all_that_no_rule_matches(own_lake: Path) -> None:
    result = run("suggest", "--lake", own_lake)
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [(row["match_type"], row["match_value"]) for row in rows] == [
        ("workspace_id", "w1"),
        ("api_key_id", "k1"),
        ("api_key_id", "k2"),
        ("workspace_id", "w2"),
        ("api_key_id", "k3"),
    ]
    assert {row["cost_center"] for row in rows} == {""}
    assert rows[0]["note"] == f"90.00 USD since {TODAY - timedelta(days=1)}: Search"
    assert "5 lines to fill in" in result.stderr


def test_suggestions_load_when_their_cost_centres_are_filled_in(
    own_lake: Path, tmp_path: Path
) -> None:
    file = tmp_path / "suggested.csv"
    done("suggest", "--lake", own_lake, "-o", file)
    rows = list(csv.reader(io.StringIO(file.read_text(encoding="utf-8"))))
    filled = [rows[0], *([*row[:2], f"of {row[1]}", *row[3:]] for row in rows[1:])]
    assert "no rule was loaded" in refused("load", file, "--lake", own_lake)
    with file.open("w", newline="") as opened:
        csv.writer(opened).writerows(filled)
    assert done("load", file, "--lake", own_lake).startswith("loaded 5 rules\n100.0 %")
    assert centers(own_lake) == {"of k1": 60, "of k2": 30, "of k3": 10, "of w2": 5}
    result = run("suggest", "--lake", own_lake)
    assert result.stdout == f"{HEADER}\n"
    assert "a rule matches all cost" in result.stderr


def test_what_a_rule_matches_is_not_suggested_even_where_it_leaves_a_part(
    own_lake: Path, tmp_path: Path
) -> None:
    file = written(tmp_path, "workspace_id,w1,A,0.5,,,", "api_key_id,k3,*")
    done("load", file, "--lake", own_lake)
    assert [line.split(",")[1] for line in done("suggest", "--lake", own_lake).splitlines()] == [
        "match_value",
        "w2",
    ]


def test_a_suggestion_begins_after_the_rule_that_has_ended(own_lake: Path, tmp_path: Path) -> None:
    yesterday = TODAY - timedelta(days=1)
    old = f"workspace_id,w1,A,,,{yesterday - timedelta(days=1)},"
    done("load", written(tmp_path, old, "workspace_id,w2,B"), "--lake", own_lake)
    [_, line, *_] = done("suggest", "--lake", own_lake).splitlines()
    assert line.startswith(f"workspace_id,w1,,1,{yesterday},,")
    both = written(tmp_path, old, line.replace(",,1,", ",B,1,"))
    assert done("check", both)


def test_a_file_that_is_there_is_not_overwritten(own_lake: Path, tmp_path: Path) -> None:
    file = written(tmp_path, "default,,A")
    before = file.read_bytes()
    assert "is there already" in refused("suggest", "--lake", own_lake, "-o", file)
    assert file.read_bytes() == before
    nowhere = tmp_path / "nowhere" / "new.csv"
    assert "cannot write" in refused("suggest", "--lake", own_lake, "-o", nowhere)


# --- the demo lake


def test_the_rules_of_the_demo_are_whole(lake: StoredLake) -> None:
    assert done("check", DEMO_RULES) == f"{DEMO_RULES}: 8 rules, 6 cost centres\n"
    sql = "SELECT DISTINCT method FROM cost_allocation ORDER BY 1"
    methods = answer(sql, lake)["method"].to_pylist()
    by_rule = ["actor", "api_key_id", "shared", "unallocated", "workspace_id", "workspace_tag"]
    assert methods == by_rule


def test_the_cost_centres_of_the_demo_pay_its_bill(lake: StoredLake) -> None:
    dimensions = "date, organization_id, workspace_id, workspace_name, model"
    totals = (
        answer(f"SELECT {dimensions}, sum({usd}) FROM {view} GROUP BY ALL ORDER BY ALL", lake)
        for view, usd in (
            ("cost_daily", "cost_usd"),
            ("cost_allocation", "direct_usd + shared_usd"),
        )
    )
    assert next(totals).to_pylist() == [
        {**row, "sum(cost_usd)": usd}
        for row in next(totals).to_pylist()
        if (usd := row.pop("sum((direct_usd + shared_usd))")) is not None
    ]


def test_the_worked_example_is_what_the_demo_lake_gives(lake: StoredLake) -> None:
    text = (ROOT / "docs" / "allocation.md").read_text(encoding="utf-8")
    table = text.partition("| cost centre | direct |")[2].partition("\n\n")[0]
    shown = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
    rows = answer(statement("spend_by_cost_center"), lake).to_pylist()
    expected = {
        (row["cost_center"] or "nobody", f"{row['direct_usd']:,.2f}", f"{row['cost_usd']:,.2f}")
        for row in rows
    }
    assert {(cells[0], cells[1], cells[4]) for cells in shown} == expected


# --- S3


@pytest.fixture
def bucket(own_lake: Path) -> Iterator[EmbeddedAws]:
    with EmbeddedAws() as aws:
        s3 = aws.client("s3")
        s3.create_bucket(Bucket="demo")
        upload(own_lake, s3, "demo", "some/prefix")
        yield aws


def test_rules_are_loaded_into_a_bucket(
    bucket: EmbeddedAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    lake = "s3://demo/some/prefix"
    assert "there is no lake at" in refused("load", written(tmp_path), "--lake", "s3://demo/other")
    screen = done("load", written(tmp_path, "workspace_id,w1,A", "default,,*"), "--lake", lake)
    assert screen.startswith("loaded 2 rules\n100.0 %")
    head = bucket.client("s3").head_object(Bucket="demo", Key=f"some/prefix/{RULES}")
    bad = written(tmp_path, "default,,A", "default,,B")
    assert "the shares of lines 2, 3 are 2 together" in refused("load", bad, "--lake", lake)
    again = bucket.client("s3").head_object(Bucket="demo", Key=f"some/prefix/{RULES}")
    assert again["ETag"] == head["ETag"]
    assert done("suggest", "--lake", lake) == f"{HEADER}\n"
