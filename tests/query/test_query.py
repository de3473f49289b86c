"""DuckDB over the demo lake: what it reads, and that it agrees with the organization."""

import os
import shutil
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from anthropic_lake.errors import QueryError, SettingsError, StorageError
from anthropic_lake.lake.reading import StoredLake
from anthropic_lake.query.catalog import TABLES, VIEWS
from anthropic_lake.query.duckdb import query
from anthropic_lake.schema.table import PARTITION, Table
from tests.lakes import FIRST_DAY, HISTORY_START, TODAY
from tests.query.conftest import stored
from tests.simulator import Organization

DAY = date(2026, 11, 10)


def table(sql: str, lake: StoredLake) -> pa.Table:
    with query(sql, lake, today=TODAY) as result:
        return result.read_all()


def rows(sql: str, lake: StoredLake) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in table(sql, lake).to_pylist()]


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    """A lake that may be changed."""
    return shutil.copytree(folder, tmp_path / "lake")


# --- what there is


@pytest.mark.parametrize("declared", TABLES, ids=lambda each: each.name)
def test_a_table_has_its_declared_columns(declared: Table, lake: StoredLake) -> None:
    found = table(f"SELECT * FROM {declared.name}", lake)
    expected = declared.schema.append(pa.field(PARTITION.name, PARTITION.type.arrow))
    assert found.schema.remove_metadata() == expected
    assert found.num_rows


def test_null_is_null_beside_a_single_value(lake: StoredLake) -> None:
    asked = "SELECT DISTINCT service_tier FROM cost_report WHERE service_tier IS NULL"
    assert rows(asked, lake) == [(None,)]
    nulls, filtered = rows(
        "SELECT count(*) FILTER (service_tier IS NULL) FROM cost_report UNION ALL "
        "SELECT count(*) FROM cost_report WHERE service_tier IS NULL",
        lake,
    )
    assert nulls == filtered != (0,)


@pytest.mark.parametrize("view", VIEWS, ids=lambda each: each.name)
def test_a_view_has_rows(view: Any, lake: StoredLake) -> None:
    found = table(f"SELECT * FROM {view.name}", lake)
    assert found.num_rows
    assert not [each for each in found.schema.types if each == pa.decimal128(38, 0)]
    assert not [each for each in found.schema.types if each == pa.timestamp("us")]


@pytest.mark.parametrize("declared", TABLES, ids=lambda each: each.name)
def test_a_table_without_objects_has_its_columns_and_no_rows(
    declared: Table, tmp_path: Path
) -> None:
    (tmp_path / "asset=other").mkdir()
    found = table(f"SELECT * FROM {declared.name}", stored(tmp_path))
    assert found.num_rows == 0
    assert found.schema.field("date").type == pa.date32()
    assert found.schema.names == [*(each.name for each in declared.all_columns), "date"]


def test_a_view_without_objects_has_no_rows(tmp_path: Path) -> None:
    (tmp_path / "asset=other").mkdir()
    assert rows("SELECT * FROM cost_daily", stored(tmp_path)) == []


@pytest.mark.parametrize("statement", ["SHOW TABLES", "SELECT view_name FROM duckdb_views()"])
def test_the_catalog_can_be_listed(statement: str, lake: StoredLake) -> None:
    names = {row[0] for row in rows(statement, lake)}
    assert names >= {view.name for view in VIEWS}


# --- the figures


def test_the_cost_is_that_of_the_organization(lake: StoredLake, organization: Organization) -> None:
    cents = Counter[date]()
    for day in organization.days[:-1]:  # the last one was read at six in the morning
        for row in organization.cost_rows(day):
            cents[day] += Decimal(row["amount"])  # type: ignore[assignment]
    found = dict(
        rows("SELECT date, sum(amount_cents) FROM cost_report GROUP BY date ORDER BY date", lake)
    )
    assert {day: found[day] for day in cents} == cents


def test_the_views_add_up_to_the_cost_report(lake: StoredLake) -> None:
    [[expected]] = rows("SELECT sum(amount_usd) FROM cost_report", lake)
    assert rows("SELECT sum(cost_usd) FROM cost_daily", lake) == [(expected,)]
    assert rows("SELECT sum(BilledCost) FROM focus_cost_and_usage", lake) == [(expected,)]
    assert isinstance(expected, Decimal)


def test_the_tokens_are_those_of_the_organization(
    lake: StoredLake, organization: Organization
) -> None:
    events = organization.events(DAY)
    found = rows(
        "SELECT sum(uncached_input_tokens), sum(cache_read_input_tokens), sum(output_tokens) "
        f"FROM usage_report WHERE date = '{DAY}'",
        lake,
    )
    names = ("uncached_input_tokens", "cache_read_input_tokens", "output_tokens")
    assert found == [tuple(sum(getattr(each, name) for each in events) for name in names)]


def test_times_are_utc_to_the_microsecond(lake: StoredLake, organization: Organization) -> None:
    found = dict(rows("SELECT id, created_at FROM api_keys_current", lake))
    for key in organization.api_keys:
        assert found[key["id"]] == datetime.fromisoformat(key["created_at"])
    assert all(value.tzinfo for value in found.values())


def test_the_current_date_may_be_chosen(lake: StoredLake) -> None:
    assert rows("SELECT current_date, current_date - INTERVAL '1' DAY = '2026-11-21'", lake) == [
        (TODAY, True)
    ]


def test_the_current_date_is_the_one_in_utc(lake: StoredLake) -> None:
    before = datetime.now(UTC).date()
    with query("SELECT current_date", lake) as result:
        [found] = result.read_all().column(0).to_pylist()
    assert before <= found <= datetime.now(UTC).date()


# --- what is read


def break_other_days(path: Path, table: str, first: date, last: date) -> None:
    """Make every object of a table unreadable but those of some days, and the newest one.

    The newest one is looked at for its schema version.
    """
    for file in path.glob(f"asset={table}/*/*.parquet"):
        day = date.fromisoformat(file.parent.name.removeprefix("date="))
        if not first <= day <= last and day != TODAY:
            file.write_bytes(b"broken")
            os.utime(file, (0, 0))


@pytest.mark.parametrize(
    ("predicate", "first", "last"),
    [
        ("date = DATE '2026-11-10'", DAY, DAY),
        ("date = '2026-11-10'", DAY, DAY),
        ("date = DATE '2026-11-22' - INTERVAL '12' DAY", DAY, DAY),
        ("date BETWEEN '2026-11-01' AND '2026-11-07'", date(2026, 11, 1), date(2026, 11, 7)),
        ("date IN ('2026-11-10', '2026-11-11')", DAY, date(2026, 11, 11)),
        ("date > current_date - INTERVAL '7' DAY", date(2026, 11, 16), TODAY),
        ("date >= date_trunc('month', current_date)", date(2026, 11, 1), TODAY),
        ("starting_at < '2026-11-11' AND date = '2026-11-10' AND output_tokens > 0", DAY, DAY),
        ("date < DATE '2026-09-20'", HISTORY_START, date(2026, 9, 19)),
        ("date > DATE '2027-01-01'", TODAY, TODAY),
    ],
)
def test_only_the_days_asked_for_are_read(
    predicate: str, first: date, last: date, lake: StoredLake, copied: Path
) -> None:
    break_other_days(copied, "usage_report", first, last)
    sql = f"SELECT count(*), sum(output_tokens) FROM usage_report WHERE {predicate}"
    assert rows(sql, stored(copied)) == rows(sql, lake)
    everything = "SELECT count(DISTINCT output_tokens) FROM usage_report"
    with pytest.raises(QueryError, match="too small to be a Parquet file"):
        rows(everything, stored(copied))


@pytest.mark.parametrize(
    ("view", "table"),
    [
        ("cost_daily", "cost_report"),
        ("usage_daily", "usage_report"),
        ("usage_hourly", "usage_report"),
        ("claude_code_daily", "claude_code_usage"),
        ("claude_code_daily_by_model", "claude_code_model_usage"),
        ("focus_cost_and_usage", "cost_report"),
        ("focus_cost_and_usage", "usage_report"),
    ],
)
def test_a_view_reads_only_the_days_asked_for(
    view: str, table: str, lake: StoredLake, copied: Path
) -> None:
    break_other_days(copied, table, DAY, DAY)
    day = "x_Date" if view == "focus_cost_and_usage" else "date"
    sql = f"SELECT * FROM {view} WHERE {day} = '{DAY}' ORDER BY ALL"
    assert rows(sql, stored(copied)) == rows(sql, lake) != []


def test_other_tables_are_not_listed(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "asset=users", tmp_path / "asset=users")
    (tmp_path / "asset=cost_report").touch()  # cannot be listed
    assert rows("SELECT count(*) FROM users", stored(tmp_path))


def test_an_empty_day_has_no_rows(lake: StoredLake, folder: Path) -> None:
    assert (folder / f"asset=usage_report/date={HISTORY_START}/usage_report.parquet").exists()
    sql = f"SELECT count(*), min(date) FROM usage_report WHERE date <= '{FIRST_DAY}'"
    assert rows(sql, lake)[0][1] == FIRST_DAY


def test_other_files_are_passed_over(copied: Path) -> None:
    day = copied / "asset=users" / "date=2026-11-22"
    [[expected]] = rows("SELECT count(*) FROM users", stored(copied))
    (day / ".users.parquet.abc").write_bytes(b"half a file")
    (day / "_SUCCESS").touch()
    (copied / "asset=users" / "date=2026-02-31").mkdir()
    shutil.copy(day / "users.parquet", copied / "asset=users" / "date=2026-02-31")
    shutil.copy(day / "users.parquet", copied / "asset=users" / "notes.parquet")
    assert rows("SELECT count(*) FROM users", stored(copied)) == [(expected,)]


# --- lakes of other versions


def rewrite(path: Path, change: Any, **about: str) -> None:
    found = pq.read_table(path, partitioning=None)
    metadata = {f"anthropic_lake.{name}": value for name, value in about.items()}
    pq.write_table(change(found).replace_schema_metadata(metadata), path)


def test_a_column_that_is_younger_than_an_object_is_null(copied: Path) -> None:
    old = copied / "asset=users" / "date=2026-11-20" / "users.parquet"
    rewrite(old, lambda found: found.drop_columns(["extra", "role"]), schema_version="5")
    found = rows("SELECT DISTINCT date, role IS NULL FROM users ORDER BY date", stored(copied))
    assert found == [
        (date(2026, 11, 20), True),
        (date(2026, 11, 21), False),
        (date(2026, 11, 22), False),
    ]


def test_a_table_of_a_newer_version_is_refused(copied: Path) -> None:
    newest = copied / "asset=users" / "date=2026-11-20" / "users.parquet"
    rewrite(newest, lambda found: found, schema_version="99")
    with pytest.raises(StorageError, match=r"table users was written by a newer .* upgrade"):
        rows("SELECT * FROM users_current", stored(copied))
    assert rows("SELECT count(*) FROM workspaces", stored(copied))  # the others can be read


def test_a_broken_object_is_named(copied: Path) -> None:
    file = copied / "asset=users" / "date=2026-11-22" / "users.parquet"
    file.write_bytes(b"half a file")
    with pytest.raises(StorageError, match=f"cannot read {file}"):
        rows("SELECT * FROM users", stored(copied))


# --- what cannot be answered


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT * FROM usage_reprt", "there is no table or view usage_reprt: did you mean usage"),
        ("SELECT * FROM Workspace", "did you mean workspaces"),
        ("SELECT * FROM nothing_like_it", "see `anthropic-lake views`"),
        ("SELECT modle FROM usage_report", r'"modle" not found(.|\n)*model'),
        ("SELEC 1", 'syntax error at or near "SELEC"'),
        ("SELECT sum(model) FROM usage_report", "No function matches"),
        ("SELECT CAST(model AS INTEGER) FROM usage_report", "Could not convert"),
    ],
)
def test_a_mistake_is_explained(sql: str, message: str, lake: StoredLake) -> None:
    with pytest.raises(QueryError, match=message):
        rows(sql, lake)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT error(chr(27) || '[2J')",
        "SELECT CASE WHEN range > 20000 THEN error(chr(155) || '2J') END FROM range(30000)",
        'SELECT "\x1b[2J" FROM users',
        'SELECT * FROM "\x1b[2J"',
        "SELEC '\x1b[2J'",
    ],
)
def test_the_words_of_an_error_do_not_steer_a_terminal(sql: str, lake: StoredLake) -> None:
    with pytest.raises(QueryError, match="\N{REPLACEMENT CHARACTER}") as raised:
        rows(sql, lake)
    assert {char for char in str(raised.value) if not char.isprintable()} <= {"\n"}


def test_a_name_is_never_a_variable_of_the_program(lake: StoredLake) -> None:
    with pytest.raises(QueryError, match="there is no table or view question"):
        rows("SELECT * FROM question", lake)


def test_several_statements_give_the_result_of_the_last(lake: StoredLake) -> None:
    sql = "CREATE TABLE t AS SELECT count(*) AS n FROM users_current; SELECT n > 0 FROM t"
    assert rows(sql, lake) == [(True,)]


def test_a_statement_without_a_result_gives_nothing(lake: StoredLake) -> None:
    assert table("-- nothing to do", lake).num_columns == 0


def test_a_query_may_hold_little_memory_before_it_spills(lake: StoredLake) -> None:
    sql = "SELECT current_setting('memory_limit'), current_setting('threads')"
    [(limit, threads)] = rows(sql, lake)
    with duckdb.connect(config={"memory_limit": f"{200 * threads}MB"}) as session:
        assert session.execute("SELECT current_setting('memory_limit')").fetchone() == (limit,)


def test_tables_may_be_joined_by_the_columns_they_share(lake: StoredLake) -> None:
    sql = "SELECT count(*) > 0 FROM claude_code_usage JOIN claude_code_model_usage USING (date)"
    assert rows(f"{sql} WHERE date = '{DAY}'", lake) == [(True,)]


def test_own_files_may_be_joined(lake: StoredLake, tmp_path: Path) -> None:
    (tmp_path / "budget.csv").write_text("workspace_name,usd\nResearch,500\n")
    sql = (
        "SELECT b.usd, sum(c.cost_usd) > b.usd FROM cost_daily AS c "
        f"JOIN '{tmp_path}/budget.csv' AS b USING (workspace_name) GROUP BY b.usd"
    )
    assert rows(sql, lake) == [(500, True)]


def test_a_place_without_a_lake_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"there is no lake at .*nowhere: make one with"):
        rows("SELECT 1", stored(tmp_path / "nowhere"))
    with pytest.raises(SettingsError, match="is empty: make one with"):
        rows("SELECT 1", stored(tmp_path))
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot list"):
        rows("SELECT 1", stored(tmp_path / "file"))


# --- who reads the files


@pytest.mark.parametrize("declared", TABLES, ids=lambda each: each.name)
def test_duckdb_and_arrow_read_the_same_rows(
    declared: Table, folder: Path, lake: StoredLake
) -> None:
    by_arrow = StoredLake(fs.SubTreeFileSystem("/", fs.LocalFileSystem()), str(folder)[1:], "")
    sql = f"SELECT * FROM {declared.name} ORDER BY ALL"
    found = table(sql, lake)
    assert found.replace_schema_metadata() == table(sql, by_arrow).replace_schema_metadata()
    assert (lake.is_local, by_arrow.is_local) == (True, False)


def test_a_folder_is_read_by_duckdb_itself(lake: StoredLake) -> None:
    [(_, plan)] = rows("EXPLAIN SELECT sum(amount_usd) FROM cost_report", lake)
    assert "READ_PARQUET" in plan


@pytest.mark.parametrize(
    "name", ["a?b", "a[1]", "a*", "date=2020-01-01", "{x}", "Zoë e\u0301", "'"]
)
def test_a_folder_may_have_any_name(name: str, folder: Path, tmp_path: Path) -> None:
    for other in ("axb", "a1", name):
        shutil.copytree(folder / "asset=users", tmp_path / other / "asset=users")
    sql = "SELECT date, count(*) FROM users GROUP BY date ORDER BY date"
    lake = stored(tmp_path / name)
    assert rows(sql, lake) == rows(sql, stored(folder))
    with query(sql, lake, today=TODAY, safe=True) as result:
        assert result.read_all().num_rows == 3
