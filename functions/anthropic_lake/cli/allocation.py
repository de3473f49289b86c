"""The commands `allocation load`, `check` and `suggest`: which cost centre pays for what."""

import csv
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from anthropic_lake.cli.allocation_file import COLUMNS, read_rules
from anthropic_lake.cli.place import open_to_read, open_to_write
from anthropic_lake.errors import SettingsError, printable
from anthropic_lake.lake.allocation import put_rules
from anthropic_lake.lake.layout import table_prefix
from anthropic_lake.lake.manifest import read_manifest
from anthropic_lake.settings import read_settings
from anthropic_lake.sync.ownership import Place

if TYPE_CHECKING:
    from typing import TextIO

_COVERED = """
WITH shares AS MATERIALIZED (
    SELECT date, cost_center, direct_usd + shared_usd AS usd, rule_line
    FROM cost_allocation
)
SELECT
    sum(CASE WHEN cost_center IS NOT NULL THEN usd END) AS covered_usd,
    sum(usd) AS cost_usd,
    (
        SELECT list(line ORDER BY line)
        FROM allocation_rules
        WHERE line NOT IN (SELECT rule_line FROM shares WHERE rule_line IS NOT NULL)
    ) AS idle_lines
FROM shares
WHERE date > (SELECT max(date) FROM shares) - 30
"""
_SUGGESTED = """
WITH unmatched AS MATERIALIZED (
    SELECT date, workspace_id, workspace_name, api_key_id, direct_usd
    FROM cost_allocation
    WHERE rule_line IS NULL AND direct_usd IS NOT NULL
)
SELECT
    c.match_type,
    c.match_value,
    any_value(c.name) AS name,
    sum(c.direct_usd) AS cost_usd,
    min(c.date) AS first_day,
    CASE WHEN any_value(r.last_start) IS NOT NULL THEN min(c.date) END AS valid_from,
    CASE WHEN any_value(r.last_start) > max(c.date) THEN max(c.date) END AS valid_to
FROM (
    SELECT 'workspace_id' AS match_type, workspace_id AS match_value, workspace_name AS name,
        date, direct_usd
    FROM unmatched
    UNION ALL
    SELECT 'api_key_id', u.api_key_id, coalesce(k.name, u.api_key_id), u.date, u.direct_usd
    FROM unmatched AS u
    LEFT JOIN api_keys_current AS k ON k.id = u.api_key_id
) AS c
LEFT JOIN (
    SELECT match_type, match_value, max(coalesce(valid_from, DATE '0001-01-01')) AS last_start
    FROM allocation_rules
    GROUP BY ALL
) AS r ON r.match_type = c.match_type AND r.match_value = c.match_value
WHERE c.match_value IS NOT NULL
GROUP BY c.match_type, c.match_value
ORDER BY cost_usd DESC, c.match_type DESC, c.match_value
"""

lake_option = click.option(
    "--lake",
    default="lake",
    show_default=False,
    help="Folder, or s3://bucket/prefix.  [default: ./lake]",
)
file_argument = click.argument("file", type=click.Path(path_type=Path))


@click.group("allocation")
def allocation_group() -> None:
    """Keep the rules that say which cost centre pays for what."""


@allocation_group.command("check")
@file_argument
def check_rules_command(file: Path) -> None:
    """Check a file of rules, and change nothing.

    Exit code: 0 it can be loaded, 2 it has mistakes; each is named with its line.
    """
    rules = read_rules(file)
    centers = {rule.cost_center for rule in rules} - {"*"}
    click.echo(f"{file}: {_count(len(rules), 'rule')}, {_count(len(centers), 'cost centre')}")


@allocation_group.command("load")
@file_argument
@lake_option
def load_command(file: Path, lake: str) -> None:
    """Check a file of rules, and make them the rules of a lake.

    They replace all rules that it had. Then say how much of the cost of the last 30 days they give
    to cost centres.

    Exit code: 0 all well, 2 the file has mistakes, or the lake cannot be used: the old rules stay.
    """
    rules = read_rules(file)
    place = open_to_write(lake, read_settings(os.environ))
    written = put_rules(place.lake, rules, _organization(place))
    done = "loaded" if written.was_put else "nothing has changed:"
    click.echo(f"{done} {_count(len(rules), 'rule')}")
    [row] = _ask(_COVERED, lake)
    if row["cost_usd"]:
        percent = 100 * (row["covered_usd"] or 0) / row["cost_usd"]
        click.echo(f"{percent:.1f} % of the cost of the last 30 days has a cost centre")
    if row["idle_lines"]:
        lines = ", ".join(map(str, row["idle_lines"]))
        click.echo(f"rules that match no cost in the lake: {_of_lines(row['idle_lines'])} {lines}")


@allocation_group.command("suggest")
@lake_option
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE")
def suggest_command(lake: str, output: Path | None) -> None:
    """Write a line for each workspace and key that no rule matches.

    Those that cost most come first. The lines have the form of the file that `load` takes. Fill in
    cost_center, delete the lines that you do not want, and add the rest to your file.
    """
    if output and output.exists():  # perhaps it is the file of rules
        raise SettingsError(f"{output} is there already: name another file")
    rows = _ask(_SUGGESTED, lake)
    with _opened(output) as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(COLUMNS)
        for row in rows:
            note = f"{row['cost_usd']:.2f} USD since {row['first_day']}: {printable(row['name'])}"
            match = (row["match_type"], row["match_value"])
            lines.writerow((*match, "", 1, row["valid_from"], row["valid_to"], note))
    click.echo(
        f"{_count(len(rows), 'line')} to fill in. `allocation load` replaces all rules: add the "
        "lines to the file with your other rules"
        if rows
        else "a rule matches all cost",
        err=True,
    )


def _organization(place: Place) -> str | None:
    """Return whose lake it is, None where it does not say.

    Raises:
        SettingsError: There is no lake.
    """
    manifest = read_manifest(place.lake)
    if manifest is None and not any(place.lake.listing(table_prefix())):
        command = f"anthropic-lake sync --lake {shlex.quote(place.address)}"
        raise SettingsError(f"there is no lake at {place.address}: make one with `{command}`")
    return manifest.organization_id if manifest else None


def _ask(sql: str, lake: str) -> list[dict[str, Any]]:
    """Return the rows of a statement over a lake."""
    from anthropic_lake.query.duckdb import query  # noqa: PLC0415  the engine is slow to start

    with query(sql, open_to_read(lake)) as result:
        rows: list[dict[str, Any]] = result.read_all().to_pylist()
    return rows


@contextmanager
def _opened(output: Path | None) -> "Iterator[TextIO]":
    """Open a new file, or the screen.

    Raises:
        SettingsError: The file cannot be written.
    """
    if output is None:
        yield sys.stdout
        return
    try:
        with output.open("x", encoding="utf-8", newline="") as file:
            yield file
    except OSError as error:
        raise SettingsError(f"cannot write {output}: {error.strerror}") from error


def _count(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _of_lines(lines: list[int]) -> str:
    """Return the word before numbers of lines."""
    return "line" if len(lines) == 1 else "lines"
