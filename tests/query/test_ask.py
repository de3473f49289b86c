"""The command `ask`: it lists the saved questions, asks one, and refuses what would mislead."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from anthropic_lake import aws
from anthropic_lake.assets import ASSETS
from anthropic_lake.cli.main import main
from anthropic_lake.query.catalog import CATALOG, SavedQuery
from anthropic_lake.query.duckdb import query
from anthropic_lake.query.needs import coverage_check, gaps, needs
from anthropic_lake.query.parameters import LITERALS
from tests.lakes import BY_THE_HOUR, TODAY
from tests.ledger import Entry, entry, write_ledger
from tests.query.athena_server import Json, ScriptedAthena, fake_credentials
from tests.query.conftest import stored
from tests.query.cookbook import ROOT, SAVED_QUERIES, answer, command, section, sections

SAVED = CATALOG.saved_queries
USAGE_BY_KEY = {"grouped_by": "api_key_id,model,workspace_id", "bucket_width": "1d"}


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["ask", *map(str, arguments)])


def ask(name: str, lake: Path, *arguments: object) -> Result:
    return run(name, "--lake", lake, "--today", TODAY, "--format", "json", *arguments)


def refused(result: Result, exit_code: int) -> str:
    """The message of a command that ended badly, with nothing on stdout."""
    assert (result.exit_code, result.stdout) == (exit_code, "")
    assert isinstance(result.exception, SystemExit)
    return result.stderr


# --- the list


def test_the_questions_are_listed_with_what_they_answer_and_take() -> None:
    listing = run()
    assert listing.exit_code == 0
    text = " ".join(listing.stdout.split())
    for saved in SAVED:
        assert f"{saved.name} {saved.comment}" in text
        for parameter in saved.parameters:
            assert f"{parameter.name}={parameter.default} {parameter.comment}" in text


def test_the_list_fits_a_terminal_of_80_columns() -> None:
    assert max(map(len, run().stdout.splitlines())) <= 80


def test_the_questions_are_in_the_wheel(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"anthropic_lake/query/saved/{saved.name}.sql" for saved in SAVED} <= names


# --- answers


@pytest.mark.parametrize("name", SAVED_QUERIES)
def test_a_question_answers_what_the_cookbook_shows(
    name: str, folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "answer.parquet"
    shown = command(name).split()[1:]
    result = run(*shown[1:], "--lake", folder, "--today", TODAY, "-o", file)
    assert result.exit_code == 0, result.stderr
    answered = pq.read_table(file)
    assert answered.num_rows
    assert section(name, answered) == sections()[name], "run `python -m tests.query.cookbook`"


def test_a_parameter_changes_the_answer(folder: Path) -> None:
    [row] = json.loads(ask("month_to_date", folder, "--set", "budget=9999.50").stdout)
    assert row["budget_usd"] == 9999.5
    october = json.loads(ask("spend_by_model", folder, "--set", "month=2026-10-15").stdout)
    assert october != json.loads(ask("spend_by_model", folder).stdout)
    research = ask("spend_by_model", folder, "--set", "workspace=Research")
    assert 0 < len(json.loads(research.stdout)) <= len(october)


def test_the_sql_can_be_had_instead(folder: Path) -> None:
    sql = run("unused_api_keys", "--set", "days=45", "--sql").stdout
    assert "INTERVAL '45' DAY" in sql
    assert "${" not in sql
    assert answer(sql, stored(folder)).num_columns


# --- what is mistyped is refused before anything is opened


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("month_to_dat",), "no saved question month_to_dat: did you mean month_to_date?"),
        (("xyz",), "no saved question xyz: see `anthropic-lake ask`"),
        (("month_to_date", "--set=budgte=1"), "no parameter budgte: did you mean budget?"),
        (("month_to_date", "--set=x=1"), "no parameter x: it takes budget"),
        (("cache_savings", "--set=x=1"), "no parameter x: it takes none"),
        (("month_to_date", "--set=budget"), "--set budget: write --set NAME=VALUE"),
        (("month_to_date", "--set=budget=1", "--set=budget=2"), "--set budget is there twice"),
        (("month_to_date", "--set=budget=1e3"), "budget=1e3: write a number such as"),
        (("month_to_date", "--set=budget=-1"), "budget=-1: write a number such as"),
        (("month_to_date", "--set=budget=٣"), "write a number such as"),
        (("month_to_date", "--set=budget=1) --"), "write a number such as"),
        (("unused_api_keys", "--set=days=0"), "days=0: write a whole number from 1 to 9999"),
        (("unused_api_keys", "--set=days=30.5"), "write a whole number"),
        (("unused_api_keys", "--set=days=1' DAY --"), "write a whole number"),
        (("spend_by_model", "--set=month=October"), "month=October: "),
        (("spend_by_model", "--set=month=2026-13-01"), "month=2026-13-01: "),
        (("spend_by_model", "--set=workspace=a\nb"), "write a text on one line"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    arguments: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    result = run(*arguments, "--lake", tmp_path / "nowhere")
    assert message in refused(result, 2)


@pytest.mark.parametrize(
    "value", ["x' OR 1=1 --", "'); SELECT 1; --", "${month}", "\\' OR '1'='1", "Données & Qualité"]
)
def test_a_text_is_never_sql(value: str, folder: Path) -> None:
    result = ask("spend_by_model", folder, "--set", f"workspace={value}")
    assert bool(json.loads(result.stdout)) == (value == "Données & Qualité")


@pytest.mark.parametrize("saved", SAVED, ids=lambda saved: saved.name)
def test_the_declarations_of_a_question_can_be_used(saved: SavedQuery) -> None:
    for parameter in saved.parameters:
        assert parameter.type in LITERALS
        assert f"${{{parameter.name}}}" in saved.sql
    sql = saved.filled({})
    wanted = needs(sql)
    assert len(wanted) == sql.count("-- needs")
    for need in wanted:
        asset = ASSETS[need.asset]
        assert asset.kind.dated == (need.first_day != "current_date")
        assert set(need.dimensions) <= set(
            asset.time_buckets.dimensions if asset.time_buckets else ()
        )


# --- data that is missing


def days(count: int, *, until: date = TODAY) -> list[date]:
    """Some days, the last one being the day before another."""
    return [until - timedelta(days=number) for number in range(count, 0, -1)]


def usage(of: Iterable[date], **columns: object) -> list[Entry]:
    return [entry("usage_report", day, **USAGE_BY_KEY | columns) for day in of]


def unused_keys(lake: Path, entries: Iterable[Entry]) -> Result:
    write_ledger(lake, [*entries, entry("api_keys", TODAY)])
    return ask("unused_api_keys", lake)


def test_a_lake_that_has_what_is_needed_answers(tmp_path: Path) -> None:
    result = unused_keys(tmp_path, usage(days(29)))
    assert (result.exit_code, result.stdout) == (0, "[]\n")


def test_the_last_three_days_may_lag(tmp_path: Path) -> None:
    assert unused_keys(tmp_path, usage(days(26, until=TODAY - timedelta(days=3)))).exit_code == 0


def test_what_was_never_synced_is_to_be_synced(tmp_path: Path) -> None:
    message = refused(unused_keys(tmp_path, []), 1)
    assert "unused_api_keys would mislead without its data" in message
    assert "usage_report was read for no day of this month or the last" in message
    assert f"run `anthropic-lake sync usage_report --lake {tmp_path}`" in message


def test_what_was_not_synced_lately_is_to_be_synced(tmp_path: Path) -> None:
    message = refused(unused_keys(tmp_path, usage(days(29)[:-4])), 1)
    assert "usage_report was last read for 2026-11-17: run `anthropic-lake sync" in message


@pytest.mark.parametrize("which", ["early", "between", "open"])
def test_days_that_are_missing_are_to_be_read(which: str, tmp_path: Path) -> None:
    entries = usage(days(29))
    if which == "open":
        entries[9]["is_final"] = False
    else:
        del entries[0 if which == "early" else 9]
    message = refused(unused_keys(tmp_path, entries), 1)
    assert "usage_report lacks 1 of the 26 days from 2026-10-24 to 2026-11-18: run" in message
    assert "--interval-start 2026-10-24 --interval-end 2026-11-19" in message


def test_days_of_another_grouping_are_to_be_read_by_another_setting(tmp_path: Path) -> None:
    entries = usage(days(20)) + usage(days(9, until=days(20)[0]), grouped_by="model")
    message = refused(unused_keys(tmp_path, entries), 1)
    assert "is not grouped by api_key_id on 9 of the 26 days from 2026-10-24" in message
    assert "add api_key_id to USAGE_GROUP_BY and run `anthropic-lake sync usage_report" in message


def test_daily_time_buckets_tell_no_hour(tmp_path: Path) -> None:
    write_ledger(tmp_path, usage(days(29)) + [entry("cost_report", day) for day in days(29)])
    message = refused(ask("tokens_by_hour", tmp_path), 1)
    assert "usage_report has time buckets of a whole day on 2026-11-21" in message
    assert "set USAGE_BUCKET_WIDTH to 1h and run" in message
    assert "--interval-start 2026-11-21 --interval-end 2026-11-22" in message


def test_the_hour_is_of_the_day_asked_for(folder: Path) -> None:
    assert ask("tokens_by_hour", folder, "--set", f"day={BY_THE_HOUR}").exit_code == 0
    day_before = BY_THE_HOUR - timedelta(days=1)
    assert "whole day on" in refused(ask("tokens_by_hour", folder, "--set", f"day={day_before}"), 1)


def test_people_without_analytics_are_refused(tmp_path: Path) -> None:
    write_ledger(tmp_path, [entry("cost_report", day) for day in days(29)])
    message = refused(ask("spend_by_person", tmp_path), 1)
    assert "analytics_cost was read for no day" in message
    assert "(not every organization has it)" in message


def test_seats_without_claude_code_are_refused(tmp_path: Path) -> None:
    write_ledger(tmp_path, [entry(asset, TODAY) for asset in ("users", "api_keys")])
    assert "claude_code_usage" in refused(ask("idle_claude_code_seats", tmp_path), 1)


def test_no_anomaly_is_told_of_a_lake_that_is_too_young(tmp_path: Path) -> None:
    write_ledger(tmp_path, [entry("cost_report", day) for day in days(13)])
    message = refused(ask("anomalies_last_30_days", tmp_path), 1)
    assert "cost_report lacks 28 of the 38 days from 2026-10-12 to 2026-11-18" in message


def test_an_old_list_of_users_makes_no_leavers(tmp_path: Path) -> None:
    old = TODAY - timedelta(days=5)
    write_ledger(tmp_path, [entry("users", old), entry("api_keys", TODAY)])
    assert "users was last read for 2026-11-17" in refused(
        ask("leavers_with_active_key", tmp_path), 1
    )


def test_a_month_that_is_over_needs_nothing_after_it(tmp_path: Path) -> None:
    october = days(31, until=date(2026, 11, 1))
    write_ledger(tmp_path, [entry("cost_report", day) for day in october])
    assert ask("spend_by_model", tmp_path, "--set", "month=2026-10-31").exit_code == 0
    assert "cost_report was last read" in refused(ask("spend_by_model", tmp_path), 1)


def test_the_first_days_of_a_month_need_a_lake_that_is_new(tmp_path: Path) -> None:
    write_ledger(tmp_path, [entry("cost_report", day) for day in days(40)])
    sql = "-- needs cost_report in the month of current_date\nSELECT 1"
    for today, is_lacking in ((date(2026, 12, 2), True), (date(2026, 11, 2), False)):
        wanted = needs(sql)
        with query(coverage_check(wanted), stored(tmp_path), today=today, safe=True) as result:
            assert bool(gaps(wanted, result.read_all().to_pylist())) == is_lacking


# --- a stack


_CHECKED = {
    "number": "integer",
    "first_day": "date",
    "last_day": "date",
    "days": "bigint",
    "days_read": "bigint",
    "days_fit": "bigint",
    "latest_day": "date",
}


def page(columns: dict[str, str], *rows: tuple[str, ...]) -> Json:
    info = [{"Name": name, "Type": kind} for name, kind in columns.items()]
    cells = [{"Data": [{"VarCharValue": value} for value in row]} for row in rows]
    return {"ResultSet": {"Rows": cells, "ResultSetMetadata": {"ColumnInfo": info}}}


def ask_stack(
    monkeypatch: pytest.MonkeyPatch, *, days_read: str, days_fit: str
) -> tuple[Result, list[str]]:
    """Ask an Athena for unused keys, whose ledger has usage of so many of 26 days."""
    period = ("2026-10-24", "2026-11-18", "26", days_read, days_fit, "2026-11-22")
    new = ("2026-11-22", "2026-11-18", "-3", "0", "0", "2026-11-22")
    pages = [page(_CHECKED, ("1", *period), ("0", *new)), page({"api_key_name": "varchar"})]
    succeeded = {"QueryExecution": {"Status": {"State": "SUCCEEDED"}}}
    script: Json = {
        "StartQueryExecution": [{"QueryExecutionId": "query-1"}],
        "GetQueryExecution": [succeeded],
        "GetQueryResults": pages,
    }
    where = ("--athena", "--workgroup", "stack", "--database", "anthropic_lake")
    with ScriptedAthena(script) as athena:
        for name, value in fake_credentials(athena.url).items():
            monkeypatch.setenv(name, value)
        aws.client.cache_clear()
        result = run("unused_api_keys", *where, "--format", "json")
        aws.client.cache_clear()
    starts = [body for action, body in athena.requests if action == "StartQueryExecution"]
    return result, [body["QueryString"] for body in starts]


def test_a_stack_is_asked_whether_it_has_the_data_first(monkeypatch: pytest.MonkeyPatch) -> None:
    result, statements = ask_stack(monkeypatch, days_read="26", days_fit="26")
    assert (result.exit_code, json.loads(result.stdout)) == (0, [])
    assert len(statements) == 2
    assert "FROM sync_days" in statements[0]
    assert "FROM api_keys_current" in statements[1]


def test_a_stack_without_the_data_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    result, statements = ask_stack(monkeypatch, days_read="20", days_fit="20")
    message = refused(result, 1)
    assert "usage_report lacks 6 of the 26 days from 2026-10-24 to 2026-11-18" in message
    backfill = {"assets": ["usage_report"], "interval_start": "2026-10-24"}
    assert f"backfill {json.dumps(backfill | {'interval_end': '2026-11-19'})}" in message
    assert len(statements) == 1


def test_a_stack_s_parameter_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    result, _ = ask_stack(monkeypatch, days_read="26", days_fit="0")
    assert "on 26 of the 26 days" in refused(result, 1)
    assert "add api_key_id to UsageGroupBy and backfill" in result.stderr
