"""The catalog: every table, view and saved query of the lake, as data."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from graphlib import TopologicalSorter
from importlib.resources import files
from string import Template

from anthropic_lake.assets import ASSETS, Asset
from anthropic_lake.errors import SettingsError
from anthropic_lake.lake.allocation import ALLOCATION_RULES
from anthropic_lake.lake.ledger import SYNC_DAYS
from anthropic_lake.query.parameters import Parameter, split_parameters
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
        sql: Its SELECT, taken by Trino and DuckDB alike; `${...}` stands for a parameter. Comments
            in it name the data that it needs.
        parameters: Its parameters.
    """

    name: str
    comment: str
    sql: str
    parameters: tuple[Parameter, ...]

    def literals(self, values: Mapping[str, str]) -> dict[str, str]:
        """Return values of parameters as SQL, by the parameters' names.

        Raises:
            SettingsError: There is no such parameter, or a value is not of its type.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        literals = {}
        for name, value in values.items():
            if name not in known:
                hint = _hint(name, known, "it takes " + (", ".join(known) or "none"))
                raise SettingsError(f"{self.name} has no parameter {name}: {hint}")
            try:
                literals[name] = known[name].literal(value)
            except ValueError as error:
                raise SettingsError(f"{name}={value}: {error}") from error
        return literals

    def filled(self, literals: Mapping[str, str]) -> str:
        """Return the SQL with its parameters filled in; one that is left out has its default.

        Args:
            literals: SQL for parameters, by their names.
        """
        defaults = {
            parameter.name: parameter.literal(parameter.default) for parameter in self.parameters
        }
        return Template(self.sql).substitute(defaults | dict(literals))


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
        return tuple(_saved_query(*each) for each in sorted(dict(_read("saved")).items()))


def _read(folder: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each SQL file in a folder of this package."""
    for path in (files("anthropic_lake.query") / folder).iterdir():
        if path.name.endswith(".sql"):
            yield path.name.removesuffix(".sql"), path.read_text(encoding="utf-8")


def _split(text: str) -> tuple[str, str]:
    """Return the question, which is the comment in the first line, and the SQL below it."""
    first, _, sql = text.partition("\n")
    return first.removeprefix("--").strip(), sql.strip()


def _saved_query(name: str, text: str) -> SavedQuery:
    """Return the saved query of a file."""
    parameters, text_without = split_parameters(text)
    return SavedQuery(name, *_split(text_without), parameters)


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
        key=", ".join(raw[name] for name in table.identity),
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
    hint = _hint(name, names, "see `anthropic-lake views`")
    return f"there is no table or view {name}: {hint}"


def saved_query(name: str) -> SavedQuery:
    """Return a saved query by its name.

    Raises:
        SettingsError: There is none; the message has the names that are nearly the same.
    """
    by_name = {query.name: query for query in CATALOG.saved_queries}
    if name not in by_name:
        hint = _hint(name, by_name, "see `anthropic-lake ask`")
        raise SettingsError(f"there is no saved question {name}: {hint}")
    return by_name[name]


def _hint(name: str, names: Iterable[str], otherwise: str) -> str:
    """Return a question whether one of the names that are nearly the same was meant."""
    similar = get_close_matches(name.lower(), names, n=2)
    return f"did you mean {' or '.join(similar)}?" if similar else otherwise
