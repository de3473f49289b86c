"""The SQL of infra/snowflake, statement by statement.

Both environments import this file: the project's, and that of fakesnow.
"""

from __future__ import annotations

import re
from itertools import takewhile
from pathlib import Path

from sqlglot import TokenType, tokenize

FOLDER = Path(__file__).parents[2] / "infra" / "snowflake"
SCRIPTS = tuple(sorted(path.name for path in FOLDER.glob("*.sql")))
VALUES = {
    "role_arn": "arn:aws:iam::123456789012:role/anthropic-lake-snowflake",
    "data_location": "s3://snowflake-lake/lake/anthropic/",
    "task_hour": "6",
    "warehouse": "reporting",
}
"""What stands for the variables of the scripts, `<% name %>`."""


def statements(script: str) -> list[str]:
    """The statements of a script, their variables filled in, without the comments around them."""
    text = re.sub(r"<% (\w+) %>", lambda match: VALUES[match[1]], (FOLDER / script).read_text())
    found: list[str] = []
    start: int | None = None
    for token in tokenize(text, read="snowflake"):
        if token.token_type is not TokenType.SEMICOLON:
            start = token.start if start is None else start
        elif start is not None:
            found.append(text[start : token.start])
            start = None
    assert start is None, "the last statement has no semicolon"
    return found


def kind(statement: str) -> str:
    """What a statement does, in the words of its beginning: `CREATE EXTERNAL TABLE`."""
    words = (word for word in statement.split() if word not in _OPTIONAL)
    return " ".join(takewhile(lambda word: word.isupper() and word.isalpha(), words))


_OPTIONAL = ("OR", "REPLACE", "IF", "NOT", "EXISTS")


def reload_statements(table: str, days: list[str], end: str) -> list[str]:
    """What the procedure `reload` of 05_copy.sql executes for a table, from its own text.

    Args:
        table: The table.
        days: The days, as ISO dates.
        end: The day after the last.
    """
    (procedure,) = (s for s in statements("05_copy.sql") if "PROCEDURE" in s)
    values = {"name": table, "first_text": days[0], "end_text": end, "days": "|".join(days)}
    expressions = re.findall(r"statement := (.+?);\n", procedure, re.DOTALL)
    assert len(expressions) == procedure.count("EXECUTE IMMEDIATE :statement;") == 3
    return [_concatenated(expression, values) for expression in expressions]


def _concatenated(expression: str, values: dict[str, str]) -> str:
    """Evaluate an expression of texts, variables and `||`."""
    parts = [part.strip() for part in re.split(r"\|\|(?=(?:[^']*'[^']*')*[^']*$)", expression)]
    return "".join(
        part[1:-1].replace("''", "'") if part.startswith("'") else values[part] for part in parts
    )
