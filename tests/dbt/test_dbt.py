"""The dbt package on DuckDB: its source has the lake's rows, and its tests say what is broken."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import repeat
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from anthropic_lake.assets import ASSETS
from anthropic_lake.lake.layout import object_key
from anthropic_lake.query.catalog import TABLES, VIEWS
from anthropic_lake.query.duckdb import query
from tests.dbt.conftest import NOW, PACKAGE, WITHHELD, Json, Project, new_lab, write_project
from tests.query.conftest import stored
from tests.simulator import AdminApiServer, Organization

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

RELATIONS = [table.name for table in TABLES] + [view.name for view in VIEWS]
SOURCE = "source.anthropic_lake.anthropic_lake."
Change = Callable[[pa.Table], pa.Table]


@pytest.fixture(scope="module")
def opened(project: Project, lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project with the fresh lake open."""
    return project.copy(tmp_path_factory.mktemp("opened") / "project").opened(lake)


# --- the tables and views


def test_tables_and_views_have_the_rows_of_the_lake(opened: Project, lake: Path) -> None:
    with duckdb.connect(str(opened.database), read_only=True) as connection:
        connection.execute("SET TimeZone = 'Asia/Tokyo'")
        for name in RELATIONS:
            given = connection.table(f"anthropic_lake.{name}").to_arrow_table()
            with query(f"SELECT * FROM {name}", stored(lake)) as reader:
                expected = reader.read_all()
            assert given.column_names == expected.column_names, name
            assert rows(given) == rows(expected), name


def rows(table: pa.Table) -> list[str]:
    """The rows in an order of their own; a double to the digits that any order of summing gives."""
    return sorted(str([plain(value) for value in row.values()]) for row in table.to_pylist())


def plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    return f"{value:.9g}" if isinstance(value, float) else value


def test_the_columns_are_those_that_are_described(opened: Project) -> None:
    generated = opened.run("docs", "generate")
    assert generated.exit_code == 0, generated.output
    catalog = opened.artifact("catalog")["sources"]
    described = opened.artifact("manifest")["sources"]
    assert catalog.keys() == described.keys() == {SOURCE + name for name in RELATIONS}
    for name, node in described.items():
        columns = {column.lower() for column in catalog[name]["columns"]}
        assert columns == set(node["columns"]), name
        assert node["description"], name


def test_a_folder_without_a_lake_is_refused(project: Project, tmp_path: Path) -> None:
    ended = project.run("run-operation", "create_duckdb_lake", "--args", f"{{folder: {tmp_path}}}")
    assert ended.exit_code != 0
    assert f"there is no lake in {tmp_path}: name the folder" in ended.output


# --- the tests


def test_the_tests_pass_on_a_lake(opened: Project) -> None:
    built = opened.run("build")
    assert built.exit_code == 0, built.output
    statuses = opened.statuses("run_results")
    assert statuses.pop("model.reporting.spend") == "success"
    assert set(statuses.values()) == {"pass", "warn"}
    # The invented organization has a role that the tables do not know.
    assert named_with("warn", statuses) == {"accepted_values_users_role"}


@pytest.fixture(scope="module")
def broken(lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lake after somebody else wrote into it."""
    root = tmp_path_factory.mktemp("broken") / "lake"
    shutil.copytree(lake, root)
    today, month = NOW.date(), NOW.date().replace(day=1)
    users = root / object_key("users", today)
    add(root / object_key("users", today, "again"), users, lambda rows: rows)
    add(
        root / object_key("users", today, "nobody"),
        users,
        lambda rows: replaced(rows.slice(0, 1), "id", None),
    )
    days = root / object_key("sync_days", month, "cost_report")
    add(root / object_key("sync_days", month, "again"), days, lambda rows: rows.slice(0, 1))
    (run, *_) = sorted((root / "asset=sync_runs").rglob("*.parquet"))
    add(run, run, lambda rows: replaced(rows, "status", "exploded"))
    keys = root / object_key("api_keys", today)
    add(keys, keys, lambda rows: replaced(rows, "status", "borrowed"))
    return root


def add(path: Path, model: Path, change: Change) -> None:
    """Write an object whose rows are those of another, changed."""
    pq.write_table(change(pq.ParquetFile(model).read()), path)


def replaced(rows: pa.Table, column: str, value: str | None) -> pa.Table:
    """Return rows with one value in a column."""
    number = rows.column_names.index(column)
    values = pa.array([value] * rows.num_rows, pa.string())
    return rows.set_column(number, column, values)


def test_the_tests_of_what_is_broken_fail_and_no_others(
    project: Project, broken: Path, tmp_path: Path
) -> None:
    project = project.copy(tmp_path / "project").opened(broken)
    assert project.run("test").exit_code == 1
    statuses = project.statuses("run_results")
    assert named_with("fail", statuses) == {
        "accepted_values_sync_runs_status",
        "not_null_users_id",
        "unique_combination_coverage_asset",
        "unique_combination_sync_days_asset",
        "unique_combination_users_date",
    }
    assert named_with("warn", statuses) == {
        "accepted_values_api_keys_status",
        "accepted_values_users_role",
    }


def named_with(status: str, statuses: dict[str, str]) -> set[str]:
    """The tests of a status, by the start of their names."""
    names = [name.split(".")[2] for name, given in statuses.items() if given == status]
    short = [name.removeprefix("source_").replace("anthropic_lake_", "") for name in names]
    return {name.partition("__")[0] for name in short}


# --- freshness


def test_a_lake_that_was_synced_just_now_is_fresh(opened: Project) -> None:
    asked = opened.run("source", "freshness")
    assert asked.exit_code == 0, asked.output
    assert opened.statuses("sources") == {
        SOURCE + table.name: "pass" for asset in ASSETS.values() for table in asset.tables
    }


def test_what_is_not_offered_is_fresh_because_the_api_was_asked(lake: Path) -> None:
    with query(f"SELECT * FROM sync_days WHERE asset = '{WITHHELD}'", stored(lake)) as reader:
        assert reader.read_all().num_rows == 0


def test_what_was_not_read_for_long_is_stale(project: Project, tmp_path: Path) -> None:
    hours_since = {"organization": 0, "workspaces": 40, "users": 96}
    root = tmp_path / "lake"
    for asset, hours in hours_since.items():
        moment = NOW - timedelta(hours=hours)
        with AdminApiServer(Organization.invent(), now=repeat(moment).__next__) as api:
            replace(new_lab(api, root), now=moment).run(asset)
    project = project.copy(tmp_path / "project").opened(root)
    asked = project.run("source", "freshness")
    assert asked.exit_code == 1
    statuses = project.statuses("sources")
    assert {name: statuses.pop(SOURCE + name) for name in hours_since} == {
        "organization": "pass",
        "workspaces": "warn",
        "users": "error",
    }
    assert set(statuses.values()) == {"error"}  # never read


# --- what a project may set


def test_a_project_may_bound_the_tests_and_say_what_is_never_synced(
    project: Project, tmp_path: Path
) -> None:
    folder = tmp_path / "project"
    page = (PACKAGE / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n# dbt_project.yml\n(.*?)```", page, re.DOTALL)
    write_project(folder, yaml.safe_load(block))
    project = Project(folder)
    for arguments in (["deps"], ["--warn-error", "parse"]):
        ended = project.run(*arguments)
        assert ended.exit_code == 0, ended.output
    manifest = project.artifact("manifest")
    tests = [node for node in manifest["nodes"].values() if node["resource_type"] == "test"]
    assert {node["config"]["where"] for node in tests} == {"date >= current_date - 35"}
    sources = manifest["sources"]
    assert {(node["database"], node["schema"]) for node in sources.values()} == {
        ("lake", "usage_of_claude")
    }
    assert {name for name, node in sources.items() if has_freshness(node)} == {
        SOURCE + table.name
        for asset in ASSETS.values()
        for table in asset.tables
        if not asset.name.startswith("analytics_")
    }


def has_freshness(node: Json) -> bool:
    """Whether a source may become too old; where nothing is said, dbt writes nulls."""
    return bool(node["freshness"] and node["freshness"]["error_after"]["count"])
