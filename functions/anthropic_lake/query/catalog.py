"""The catalog: every table and view of the lake, as data."""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from graphlib import TopologicalSorter
from importlib.resources import files

from anthropic_lake.assets import ASSETS, Asset
from anthropic_lake.schema.table import PARTITION, Table
from anthropic_lake.sync.runs import SYNC_RUNS

TABLES: tuple[Table, ...] = (
    *(table for asset in ASSETS.values() for table in asset.tables),
    SYNC_RUNS,
)
"""Every table of the lake."""


@dataclass(frozen=True)
class View:
    """One view: a question that the lake answers.

    Args:
        name: Name of the view.
        comment: What it answers.
        sql: Its SELECT in Trino's dialect, without comments.
    """

    name: str
    comment: str
    sql: str

    @classmethod
    def parse(cls, name: str, text: str) -> "View":
        """Read a view from a file whose first line is a comment that says what it answers."""
        first, _, rest = text.partition("\n")
        sql = "\n".join(line for line in rest.splitlines() if not line.startswith("--"))
        return cls(name, first.removeprefix("--").strip(), sql.strip())

    def reads(self, name: str) -> bool:
        """Tell whether the view reads a table or view."""
        return re.search(rf"\b{name}\b", self.sql) is not None


def _views() -> tuple[View, ...]:
    """Read all views, each after those that it reads."""
    folder = files("anthropic_lake.query") / "views"
    texts = {
        path.name.removesuffix(".sql"): path.read_text(encoding="utf-8")
        for path in folder.iterdir()
        if path.name.endswith(".sql")
    }
    current = texts.pop("_current")
    texts |= {f"{name}_current": _filled(current, ASSETS[name]) for name in _snapshots()}
    views = {name: View.parse(name, text) for name, text in sorted(texts.items())}
    order = TopologicalSorter(
        {name: [other for other in views if view.reads(other)] for name, view in views.items()}
    )
    return tuple(views[name] for name in order.static_order())


def _snapshots() -> list[str]:
    """Give the names of the assets that have no past."""
    return [asset.name for asset in ASSETS.values() if not asset.kind.dated]


def _filled(text: str, asset: Asset) -> str:
    """Fill in the asset and its table."""
    (table,) = asset.tables
    columns = ", ".join(column.name for column in (PARTITION, *table.all_columns))
    return text.format(asset=asset.name, table=table.name, columns=columns)


VIEWS: tuple[View, ...] = _views()
"""Every view of the lake, each after those that it reads."""


def unknown_table(name: str) -> str:
    """Say that there is no such table, and which ones are called nearly the same."""
    names = [table.name for table in TABLES] + [view.name for view in VIEWS]
    meant = get_close_matches(name.lower(), names, n=2)
    hint = f"did you mean {' or '.join(meant)}?" if meant else "see `anthropic-lake views`"
    return f"there is no table or view {name}: {hint}"
