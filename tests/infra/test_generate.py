"""Generated text stands between its markers and follows from the catalog; stale text is noticed."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import sqlglot
import yaml

from anthropic_lake.api.paging import Paging
from anthropic_lake.assets import ASSETS, Asset, Kind
from anthropic_lake.assets.asset import Function
from anthropic_lake.cli.main import main as program
from anthropic_lake.query.catalog import CATALOG, TABLES, VIEWS, Catalog, SavedQuery, View
from anthropic_lake.schema.table import Column, Table
from anthropic_lake.schema.types import INTEGER, STRING
from infra.generate.__main__ import GENERATED, ROOT, main
from infra.generate.text import MarkersMissing, replace_section
from infra.generate.view_columns import view_columns
from tests.aws.template import read

# --- markers


def test_the_repository_is_fresh(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0, capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "a:\n  # generated:x by hand\n  old\n  # /generated:x\nb\n",
            "a:\n  # generated:x by hand\n  one\n\n    two\n  # /generated:x\nb\n",
        ),
        (
            "a\n<!-- generated:x -->\n<!-- /generated:x -->\nb\n",
            "a\n<!-- generated:x -->\none\n\n  two\n<!-- /generated:x -->\nb\n",
        ),
        (
            "-- generated:x\nold\n-- /generated:x\n",
            "-- generated:x\none\n\n  two\n-- /generated:x\n",
        ),
    ],
)
def test_what_stands_between_the_markers_is_replaced(text: str, expected: str) -> None:
    replaced = replace_section(text, "x", "one\n\n  two\n")
    assert replaced == expected
    assert replace_section(replaced, "x", "one\n\n  two\n") == expected


@pytest.mark.parametrize(
    "text",
    [
        "nothing\n",
        "# generated:x\nno end\n",
        "# generated:x\n# /generated:x\n# generated:x\n# /generated:x\n",
        "# generated:xy\n# /generated:xy\n",
    ],
)
def test_markers_that_are_missing_or_doubled_are_an_error(text: str) -> None:
    with pytest.raises(MarkersMissing, match="generated:x, expected one"):
        replace_section(text, "x", "content")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the files with generated text."""
    return copied_to(tmp_path)


def copied_to(folder: Path) -> Path:
    for name in GENERATED:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return folder


def test_a_stale_file_is_named_and_left_alone(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = copy / "template.yaml"
    stale = path.read_text().replace("Identifier of the user.", "Something else.")
    path.write_text(stale)
    assert main(["--check"], root=copy) == 1
    assert capsys.readouterr().err == "stale: template.yaml; run `python -m infra.generate`\n"
    assert path.read_text() == stale


def test_a_stale_file_is_rewritten(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = copy / "template.yaml"
    fresh = path.read_text()
    path.write_text(fresh.replace("Identifier of the user.", "Something else."))
    assert main([], root=copy) == 0
    assert capsys.readouterr().out == "rewrote template.yaml\n"
    assert path.read_text() == fresh


# --- a new asset is its declaration

WIDGETS = Asset(
    name="widget_shelf",
    kind=Kind.SNAPSHOT,
    path="/v1/organizations/widgets",
    paging=Paging.AFTER_ID,
    function=Function(
        "Counts the widgets: all of them.",
        schedule_minute=56,
        memory_mb=384,
        environment={"WIDGETS": "UsageGroupBy"},
    ),
    tables=(
        Table(
            name="widget_shelf",
            comment="One widget's place, as it was on the day.",
            key=(Column("id", STRING, "Identifier of the widget.", required=True),),
            columns=(Column("rows", INTEGER, "How many there are."),),
        ),
    ),
)
PARTS = {"Function", "LogGroup", "Role", "BehindAlarm", "DurationAlarm"}


@pytest.fixture(
    scope="module", params=[WIDGETS, replace(WIDGETS, kind=Kind.DAYS)], ids=["snapshot", "dated"]
)
def declared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Asset, Path]:
    """An asset that is declared, and nothing else, and the folder where everything is generated."""
    asset: Asset = request.param
    folder = copied_to(tmp_path_factory.mktemp("declared"))
    catalog = Catalog((*ASSETS.values(), asset))
    assert main([], catalog, folder) == 0
    assert main(["--check"], catalog, folder) == 0
    return asset, folder


def test_a_declared_asset_is_deployed(declared: tuple[Asset, Path]) -> None:
    asset, folder = declared
    old, new = (read((root / "template.yaml").read_text()) for root in (ROOT, folder))
    resources = new["Resources"]
    added = resources.keys() - old["Resources"].keys()
    view = set() if asset.kind.dated else {"WidgetShelfCurrentView"}
    assert added == {f"WidgetShelf{part}" for part in PARTS} | {"WidgetShelfTable"} | view

    function = resources["WidgetShelfFunction"]["Properties"]
    assert function["Description"] == WIDGETS.function.description
    assert function["MemorySize"] == 384
    dated = {"HISTORY_START": {"Ref": "HistoryStart"}, "SETTLE_HOURS": {"Ref": "SettleHours"}}
    assert function["Environment"]["Variables"] == {
        "ASSET": "widget_shelf",
        "WIDGETS": {"Ref": "UsageGroupBy"},
        **(dated if asset.kind.dated else {}),
    }
    schedule = function["Events"]["Schedule"]["Properties"]["ScheduleExpression"]["Fn::Sub"]
    hourly = ["cron(56 ${Hour} * * ? *)", {"Hour": {"Fn::If": ["HourlyReports", "*", DAILY]}}]
    assert schedule == (hourly if asset.kind.dated else "cron(56 ${DailyHour} * * ? *)")

    arn = {"Fn::GetAtt": ["WidgetShelfFunction", "Arn"]}
    assert arn in started_by(resources["SchedulerRole"])
    assert (arn in started_by(resources["BackfillRole"])) is asset.kind.dated
    assert {"Ref": "WidgetShelfFunction"} in new["Outputs"]["FunctionNames"]["Value"]["Fn::Join"][1]
    command = new["Outputs"]["BackfillCommand"]["Value"]["Fn::Sub"]
    assert ('"widget_shelf"' in command) is asset.kind.dated


DAILY = {"Ref": "DailyHour"}


def started_by(role: dict[str, object]) -> list[object]:
    """The functions that a role may start."""
    properties = role["Properties"]
    assert isinstance(properties, dict)
    [policy] = properties["Policies"]
    statements = {part["Sid"]: part for part in policy["PolicyDocument"]["Statement"]}
    functions: list[object] = statements["StartFunctions"]["Resource"]
    return functions


def test_a_declared_asset_is_read_by_snowflake(declared: tuple[Asset, Path]) -> None:
    asset, folder = declared
    texts = {path.name: path.read_text() for path in (folder / "infra/snowflake").iterdir()}
    assert "LOCATION = @objects/asset=widget_shelf/\n" in texts["03_external_tables.sql"]
    assert (
        '"ROWS" NUMBER(19, 0) AS (value:"rows"::NUMBER(19, 0)) COMMENT'
        in texts["03_external_tables.sql"]
    )
    assert "CREATE TABLE IF NOT EXISTS widget_shelf (\n" in texts["05_copy.sql"]
    view = "CREATE OR REPLACE VIEW widget_shelf_current\n" in texts["04_views.sql"]
    assert view is not asset.kind.dated


def test_a_declared_asset_is_documented(declared: tuple[Asset, Path]) -> None:
    asset, folder = declared
    comment = WIDGETS.tables[0].comment
    line = f"| [`widget_shelf`](docs/tables.md#widget_shelf) | {comment} |\n"
    assert line in (folder / "README.md").read_text()
    reference = (folder / "docs/tables.md").read_text()
    assert f"### widget_shelf\n\n{comment}\n" in reference
    assert "| **`id`** | varchar | Identifier of the widget. |\n" in reference
    view = "| `id` | varchar |\n| `organization_id` | varchar |\n| `rows` | bigint |\n"
    assert (view in reference) is not asset.kind.dated


def test_a_declared_asset_is_read_by_dbt(declared: tuple[Asset, Path]) -> None:
    asset, folder = declared
    (source,) = yaml.safe_load((folder / "dbt/models/sources.yml").read_text())["sources"]
    tables = {table["name"]: table for table in source["tables"]}
    assert tables["widget_shelf"]["description"] == WIDGETS.tables[0].comment
    assert ("widget_shelf_current" in tables) is not asset.kind.dated
    macros = (folder / "dbt/macros/duckdb.sql").read_text()
    assert '    "widget_shelf": {"id": "VARCHAR", ' in macros
    view = "CREATE OR REPLACE VIEW {{ lake }}.widget_shelf_current AS\n" in macros
    assert view is not asset.kind.dated


# --- documents


def test_the_reference_has_every_column_of_every_table_and_view() -> None:
    text = (ROOT / "docs" / "tables.md").read_text()
    sections = dict(re.findall(r"^### (\w+)\n(.*?)(?=^###? |\Z)", text, re.DOTALL | re.MULTILINE))
    rows = {
        name: re.findall(r"^\| \**`(\w+)`\** \| ([^|]+) \|", section, re.MULTILINE)
        for name, section in sections.items()
    }
    expected = {
        table.name: [("date", "date"), *((c.name, c.type.trino) for c in table.all_columns)]
        for table in TABLES
    }
    for view, columns in view_columns(CATALOG).items():
        expected[view] = [(name, type_.trino) for name, type_ in columns]
    assert rows == expected


def test_the_reference_has_every_option_of_every_command() -> None:
    text = (ROOT / "docs" / "cli.md").read_text()
    for name, command in program.commands.items():
        (section,) = re.findall(
            rf"## anthropic-lake {name}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE
        )
        rows = re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)
        assert len(rows) == len(command.params)
        names = [name for option in command.params for name in option.opts if "-" in name]
        assert all(name in section for name in names)


# --- views and saved queries


@pytest.mark.parametrize("view", VIEWS, ids=[view.name for view in VIEWS])
def test_a_view_says_what_it_answers_and_has_no_other_comment(view: View) -> None:
    assert view.comment
    assert "--" not in view.sql  # the template makes one line of it
    assert '"' not in view.sql
    assert "\n\n" not in view.sql  # an empty line would end it
    assert view_columns(CATALOG)[view.name]


def test_a_view_comes_after_those_that_it_reads() -> None:
    seen: set[str] = set()
    for view in VIEWS:
        assert not {other.name for other in VIEWS if view.reads(other.name)} - seen - {view.name}
        seen.add(view.name)


@pytest.mark.parametrize("saved", CATALOG.saved_queries, ids=lambda saved: saved.name)
def test_a_saved_query_says_what_it_answers_and_reads_the_catalog(saved: SavedQuery) -> None:
    assert saved.comment.endswith("?")
    query = sqlglot.parse_one(saved.filled({}), read="trino")
    read = {table.name for table in query.find_all(sqlglot.exp.Table)}
    assert read
    assert read <= {table.name for table in TABLES} | {view.name for view in VIEWS}
