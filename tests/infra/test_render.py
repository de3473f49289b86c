"""Generated text stands between its markers, and a stale one is noticed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import sqlglot
import yaml

from anthropic_lake.query.catalog import TABLES, VIEWS, View
from infra import reference, render, template
from infra.views import view_columns

QUERIES = sorted((render.ROOT / "functions" / "anthropic_lake" / "query" / "saved").glob("*.sql"))


def test_the_repository_is_fresh(capsys: pytest.CaptureFixture[str]) -> None:
    assert render.main(["--check"]) == 0, capsys.readouterr().err


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
    rendered = render.render(text, "x", "one\n\n  two\n")
    assert rendered == expected
    assert render.render(rendered, "x", "one\n\n  two\n") == expected


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
    with pytest.raises(render.RenderError, match="generated:x, expected one"):
        render.render(text, "x", "content")


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the files with generated text."""
    for name in render.GENERATED:
        if (render.ROOT / name).exists():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(render.ROOT / name, tmp_path / name)
    monkeypatch.setattr(render, "ROOT", tmp_path)
    return tmp_path


def test_a_stale_file_is_named_and_left_alone(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = copy / "template.yaml"
    stale = path.read_text().replace("Identifier of the user.", "Something else.")
    path.write_text(stale)
    assert render.main(["--check"]) == 1
    assert capsys.readouterr().err == "stale: template.yaml; run `python -m infra.render`\n"
    assert path.read_text() == stale


def test_a_stale_file_is_rewritten(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = copy / "template.yaml"
    fresh = path.read_text()
    path.write_text(fresh.replace("Identifier of the user.", "Something else."))
    assert render.main([]) == 0
    assert capsys.readouterr().out == "rewrote template.yaml\n"
    assert path.read_text() == fresh


def test_a_file_that_is_not_there_is_passed_over(copy: Path) -> None:
    (copy / "README.md").unlink(missing_ok=True)
    assert render.main(["--check"]) == 0


def test_the_generated_parts_of_the_template_are_yaml() -> None:
    for part in (template.assets, template.catalog, template.queries):
        assert yaml.load(part(), Loader=_Tagged)


class _Tagged(yaml.SafeLoader):
    """Reads CloudFormation's tags as what they hold."""


_Tagged.add_multi_constructor("!", lambda loader, _suffix, node: _held(loader, node))


def _held(loader: yaml.SafeLoader, node: yaml.Node) -> object:
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    assert isinstance(node, yaml.ScalarNode)
    return loader.construct_scalar(node)


def test_the_reference_has_every_table_and_view() -> None:
    text = reference.tables()
    for table in TABLES:
        assert f"<code>{table.name}</code>" in text
        assert all(f"`{column.name}`" in text for column in table.all_columns)
    assert all(f"| `{view.name}` |" in text for view in VIEWS)


@pytest.mark.parametrize("view", VIEWS, ids=[view.name for view in VIEWS])
def test_a_view_says_what_it_answers_and_has_no_other_comment(view: View) -> None:
    assert view.comment
    assert "--" not in view.sql  # the template makes one line of it
    assert '"' not in view.sql
    assert view_columns()[view.name]


def test_a_view_comes_after_those_that_it_reads() -> None:
    seen: set[str] = set()
    for view in VIEWS:
        assert not {other.name for other in VIEWS if view.reads(other.name)} - seen - {view.name}
        seen.add(view.name)


@pytest.mark.parametrize("path", QUERIES, ids=[path.stem for path in QUERIES])
def test_a_named_query_says_what_it_answers_and_reads_the_catalog(path: Path) -> None:
    text = path.read_text()
    assert text.startswith("-- ")
    assert text.partition("\n")[0].endswith("?")
    query = sqlglot.parse_one(text.replace("${MonthlyBudgetUsd}", "100"), read="trino")
    read = {table.name for table in query.find_all(sqlglot.exp.Table)}
    assert read
    assert read <= {table.name for table in TABLES} | {view.name for view in VIEWS}
