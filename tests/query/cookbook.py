"""The queries in docs/cookbook.md and what they give on the demo lake.

    python -m tests.query.cookbook    rewrites them

Between `<!-- query:NAME -->` and `<!-- /query -->` stands the command that asks the saved query of
that name, its SQL, and its result in DuckDB.
"""

from __future__ import annotations

import re
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from pyarrow import fs

from anthropic_lake.lake.reading import StoredLake
from anthropic_lake.query.catalog import CATALOG
from anthropic_lake.query.duckdb import query
from anthropic_lake.query.output import shown
from tests.lakes import TODAY, build_lake

ROOT = Path(__file__).parents[2]
COOKBOOK = ROOT / "docs" / "cookbook.md"
SAVED_QUERIES = {saved.name: saved for saved in CATALOG.saved_queries}
PARAMETERS = {"month_to_date": {"budget": "10000"}}
"""What is set besides the defaults, by saved query."""
_MOST_ROWS = 12
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^ *```(?P<language>sql|sh)\n(?P<text>.*?)^ *```", re.DOTALL | re.MULTILINE)
_SNOWFLAKE = ROOT / "docs" / "snowflake.md"
_MARKED = re.compile(r"<!-- query:(?P<name>\w+) -->\n.*?<!-- /query -->", re.DOTALL)


def sections() -> dict[str, str]:
    """The sections of the cookbook with their markers, by saved query."""
    text = COOKBOOK.read_text(encoding="utf-8")
    return {marked["name"]: marked[0] for marked in _MARKED.finditer(text)}


def rendered(text: str, lake: StoredLake) -> str:
    """The cookbook as it should be."""
    return _MARKED.sub(
        lambda marked: section(name := marked["name"], answer(statement(name), lake)), text
    )


def statement(name: str) -> str:
    """A saved query below its question, with its parameters filled in."""
    saved = SAVED_QUERIES[name]
    sql = saved.filled(saved.literals(PARAMETERS.get(name, {})))
    return f"-- {saved.comment}\n{sql}"


def command(name: str) -> str:
    """The command that asks it."""
    settings = PARAMETERS.get(name, {}).items()
    return " ".join(
        ["anthropic-lake ask", name, *(f"--set {key}={value}" for key, value in settings)]
    )


def answer(sql: str, lake: StoredLake) -> pa.Table:
    """What a statement gives on the day of the demo lake."""
    with query(sql, lake, today=TODAY) as result:
        return result.read_all()


def documented() -> Iterator[tuple[Path, str]]:
    """Each SQL block, and each SELECT in a command line, of the pages that show some.

    The saved queries are left out.
    """
    saved = {statement(name) for name in SAVED_QUERIES}
    for page in PAGES:
        for block in _BLOCK.finditer(page.read_text(encoding="utf-8")):
            if block["language"] == "sh":
                words = shlex.split(block["text"], comments=True)
                yield from ((page, word) for word in words if word.upper().startswith("SELECT"))
            elif page != _SNOWFLAKE and block["text"].strip() not in saved:  # its own dialect
                yield page, block["text"]


def section(name: str, result: pa.Table) -> str:
    """What stands between the markers of a saved query that gives a result."""
    return "\n".join(
        (
            f"<!-- query:{name} -->",
            f"```sh\n{command(name)}\n```",
            "",
            f"```sql\n{statement(name)}\n```",
            "",
            *_table(result),
            *_more(result.num_rows),
            "<!-- /query -->",
        )
    )


def _table(result: pa.Table) -> list[str]:
    """The first rows, as Markdown."""
    rows = result.slice(0, _MOST_ROWS).to_pylist()
    lines = [result.column_names, ["---"] * result.num_columns]
    lines += [[shown(value).replace("|", r"\|") for value in row.values()] for row in rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def _more(rows: int) -> list[str]:
    return ["", f"And {rows - _MOST_ROWS} rows more."] if rows > _MOST_ROWS else []


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        build_lake(Path(folder))
        lake = StoredLake(fs.LocalFileSystem(), folder, folder)
        COOKBOOK.write_text(rendered(COOKBOOK.read_text(encoding="utf-8"), lake), encoding="utf-8")


if __name__ == "__main__":
    main()
