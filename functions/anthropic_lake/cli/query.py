"""The command `query`: SQL over a lake or a deployed stack."""

import sys

import click

from anthropic_lake.cli.answer import AnswerOptions, answer_options, write_answer
from anthropic_lake.errors import SettingsError


@click.command("query")
@click.argument("sql")
@answer_options
@click.option("--safe", is_flag=True, help="Take SELECT only, and read nothing but the lake.")
def query_command(sql: str, *, options: AnswerOptions, safe: bool) -> None:
    """Run SQL over the lake's tables and views, in DuckDB's dialect; "-" reads it from stdin.

    A predicate on date reads these days only. Timestamps are UTC, money is decimal: JSON holds
    it as text. SQL can read and write this machine's files and load extensions, as DuckDB's own
    shell can: run SQL that you do not trust with --safe.

    Exit code: 0 all well, 1 the query failed, 2 bad usage or settings, 130 ended by Ctrl-C.
    """
    if options.athena and safe:
        raise SettingsError("--safe does not go with --athena")
    write_answer(sys.stdin.read() if sql == "-" else sql, options, safe=safe)
