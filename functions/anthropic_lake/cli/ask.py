"""The command `ask`: the saved questions, each with the data that it needs."""

import json
from typing import TYPE_CHECKING

import click

from anthropic_lake.assets import ASSETS
from anthropic_lake.cli.answer import AnswerOptions, answer_options, read_answer, write_answer
from anthropic_lake.errors import QueryError, SettingsError

if TYPE_CHECKING:
    from anthropic_lake.query.needs import Gap


@click.command("ask")
@click.argument("question", required=False)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Set a parameter of the question.",
)
@click.option("--sql", "shows_sql", is_flag=True, help="Print its SQL instead of running it.")
@answer_options
def ask_command(
    question: str | None, *, settings: tuple[str, ...], shows_sql: bool, options: AnswerOptions
) -> None:
    """Ask a saved question of the lake; without a name, list them with their parameters.

    A question whose data is missing is not answered: the message says what to sync. A value is
    a day (2026-11-21, today or yesterday), a number or a text. The SQL is safe: it reads the
    lake and nothing else.

    Exit code: 0 all well, 1 the question failed or its data is missing, 2 bad usage or settings,
    130 ended by Ctrl-C.
    """
    from anthropic_lake.query.catalog import saved_query  # noqa: PLC0415  `sync` starts without

    if question is None:
        click.echo(_listing(), nl=False)
        return
    saved = saved_query(question)
    sql = saved.filled(saved.literals(_values(settings)))
    if shows_sql:
        click.echo(sql)
        return
    _refuse_without_data(question, sql, options)
    write_answer(sql, options, safe=True)


def _values(settings: tuple[str, ...]) -> dict[str, str]:
    """Return the values of parameters by name."""
    values = {}
    for setting in settings:
        name, separator, value = setting.partition("=")
        if not separator:
            raise SettingsError(f"--set {setting}: write --set NAME=VALUE")
        if name in values:
            raise SettingsError(f"--set {name} is there twice: leave one out")
        values[name] = value
    return values


def _listing() -> str:
    """Return the questions with what each answers and its parameters, as wide as the terminal."""
    from anthropic_lake.query.catalog import CATALOG  # noqa: PLC0415

    rows = []
    for saved in CATALOG.saved_queries:
        rows.append((saved.name, saved.comment))
        rows += [
            (f"  {parameter.name}={parameter.default}", parameter.comment)
            for parameter in saved.parameters
        ]
    formatter = click.HelpFormatter()
    formatter.write_dl(rows)
    return f"{formatter.getvalue()}\nAsk one: anthropic-lake ask NAME [--set PARAMETER=VALUE]\n"


def _refuse_without_data(question: str, sql: str, options: AnswerOptions) -> None:
    """Raise QueryError if the ledger says that the answer would mislead."""
    from anthropic_lake.query.needs import coverage_check, gaps, needs  # noqa: PLC0415

    wanted = needs(sql)
    if not wanted:
        return
    lacking = gaps(wanted, read_answer(coverage_check(wanted), options))
    if lacking:
        reasons = "\n".join(f"{gap.text}: {_remedy(gap, options)}" for gap in lacking)
        raise QueryError(f"{question} would mislead without its data.\n{reasons}")


def _remedy(gap: "Gap", options: AnswerOptions) -> str:
    """Return what to do about missing data."""
    remedy = _stack_remedy(gap) if options.athena else _lake_remedy(gap, options.lake_name)
    if gap.interval is None and ASSETS[gap.asset].offered_to_some:
        remedy += " (not every organization has it)"
    return remedy


def _lake_remedy(gap: "Gap", lake: str) -> str:
    """Return the command that reads missing data into a lake."""
    command = f"anthropic-lake sync {gap.asset} --lake {lake}"
    if gap.interval:
        first_day, end = gap.interval
        command += f" --interval-start {first_day} --interval-end {end}"
    return f"{_change(gap, gap.setting)}run `{command}`"


def _stack_remedy(gap: "Gap") -> str:
    """Return what reads missing data in a stack."""
    if not gap.interval:
        return f"see its runs in sync_runs, and start the function of {gap.asset}"
    first_day, end = map(str, gap.interval)
    backfill = {"assets": [gap.asset], "interval_start": first_day, "interval_end": end}
    parameter = ASSETS[gap.asset].function.environment.get(gap.setting or "")
    return f"{_change(gap, parameter)}backfill {json.dumps(backfill)}"


def _change(gap: "Gap", setting: str | None) -> str:
    """Return what to do before with a setting that has this name here."""
    return f"{gap.change.format(setting)} and " if setting else ""
