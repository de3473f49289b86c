"""The catalog: every table, view and saved query of the lake, as data."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from graphlib import TopologicalSorter
from importlib.resources import files

from anthropic_lake.assets import ASSETS, Asset
from anthropic_lake.lake.allocation import ALLOCATION_RULES
from anthropic_lake.lake.ledger import SYNC_DAYS
from anthropic_lake.schema.table import PARTITION, Table
from anthropic_lake.sync.runs import SYNC_RUNS


@dataclass(frozen=True)
class View:
    """One view.

    Args:
        name: Name of the view.
        comment: The question that it answers.
        sql: Its SELECT in Trino's dialect, without comments.
    """

    name: str
    comment: str
    sql: str

    def reads(self, name: str) -> bool:
        """Return whether the view reads a table or view."""
        return re.search(rf"\b{name}\b", self.sql) is not None


@dataclass(frozen=True)
class SavedQuery:
    """One query that answers a usual question; the stack's workgroup holds it.

    Args:
        name: Name of the query.
        comment: The question that it answers.
        sql: Its SELECT in Trino's dialect; `${...}` is a parameter of the stack.
    """

    name: str
    comment: str
    sql: str


@dataclass(frozen=True, eq=False)
class Catalog:
    """What can be queried in a lake of these assets."""

    assets: tuple[Asset, ...]

    @cached_property
    def tables(self) -> tuple[Table, ...]:
        """Every table: those of the assets, then what the lake keeps itself, then the rules."""
        of_assets = (table for asset in self.assets for table in asset.tables)
        return (*of_assets, SYNC_DAYS, SYNC_RUNS, ALLOCATION_RULES)

    @cached_property
    def views(self) -> tuple[View, ...]:
        """Every view, dependencies first; a snapshot has one of its latest day."""
        texts = dict(_read("views"))
        latest = texts.pop("_current")
        snapshots = [asset for asset in self.assets if not asset.kind.dated]
        texts |= {f"{asset.name}_current": _fill(latest, asset) for asset in snapshots}
        views = {name: _view(name, text) for name, text in sorted(texts.items())}
        order = TopologicalSorter(
            {name: [other for other in views if view.reads(other)] for name, view in views.items()}
        )
        return tuple(views[name] for name in order.static_order())

    @cached_property
    def saved_queries(self) -> tuple[SavedQuery, ...]:
        """Every saved query, by name."""
        return tuple(
            SavedQuery(name, *_split(text)) for name, text in sorted(dict(_read("saved")).items())
        )


def _read(folder: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each SQL file in a folder of this package."""
    for path in (files("anthropic_lake.query") / folder).iterdir():
        if path.name.endswith(".sql"):
            yield path.name.removesuffix(".sql"), path.read_text(encoding="utf-8")


def _split(text: str) -> tuple[str, str]:
    """Return the question, which is the comment in the first line, and the SQL below it."""
    first, _, sql = text.partition("\n")
    return first.removeprefix("--").strip(), sql.strip()


def _view(name: str, text: str) -> View:
    """Return the view of a file; the catalogs make one line of its SQL, so comments go."""
    comment, sql = _split(text)
    return View(name, comment, re.sub(r"^--.*\n", "", sql, flags=re.MULTILINE))


def _fill(text: str, asset: Asset) -> str:
    """Return the text of the view of a snapshot's latest day, with its table and columns."""
    (table,) = asset.tables
    names = [column.name for column in (PARTITION, *table.all_columns)]
    raw = {name: f"s.{name}" for name in names}
    own = table.organization_id.name
    filled = {own: f"coalesce(s.{own}, l.{own}) AS {own}"}
    return text.format(
        asset=asset.name,
        table=table.name,
        key=", ".join(raw[column.name] for column in table.key),
        columns=", ".join(names),
        raw_columns=", ".join(raw.values()),
        filled_columns=", ".join((raw | filled).values()),
    )


CATALOG = Catalog(tuple(ASSETS.values()))
"""The catalog of all assets."""

TABLES = CATALOG.tables
"""Every table of the lake."""

VIEWS = CATALOG.views
"""Every view of the lake, dependencies first."""


def unknown_table(name: str) -> str:
    """Return a message that there is no such table, with the names that are nearly the same."""
    names = [table.name for table in TABLES] + [view.name for view in VIEWS]
    similar = get_close_matches(name.lower(), names, n=2)
    hint = f"did you mean {' or '.join(similar)}?" if similar else "see `anthropic-lake views`"
    return f"there is no table or view {name}: {hint}"
