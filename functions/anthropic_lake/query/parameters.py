"""The parameters of saved questions: what they are called, what they take, how SQL writes it.

A line in the header of a saved .sql file declares one, and `${name}` in its SQL stands for it:

    -- parameter days (integer, default 30): days without use
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from anthropic_lake.utc import parse_day

_DECLARATION = re.compile(
    r"^-- parameter (?P<name>\w+) \((?P<type>\w+), default (?P<default>[^)]+)\): (?P<comment>.+)\n",
    re.MULTILINE,
)
_DAYS = {
    "today": "current_date",
    "yesterday": "CAST(current_date - INTERVAL '1' DAY AS date)",
}


def _date(text: str) -> str:
    """Return a day as SQL; it is written as YYYY-MM-DD, `today` or `yesterday`."""
    return _DAYS.get(text) or f"DATE '{parse_day(text)}'"


def _decimal(text: str) -> str:
    """Return an amount as SQL."""
    if not re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,12})?", text):
        raise ValueError("write a number such as 10000 or 99.50")
    return text


def _integer(text: str) -> str:
    """Return a whole number as SQL, which may quote it: INTERVAL '30' DAY."""
    if not re.fullmatch(r"[1-9][0-9]{0,3}", text):
        raise ValueError("write a whole number from 1 to 9999")
    return text


def _text(text: str) -> str:
    """Return a text as SQL."""
    if not text.isprintable():
        raise ValueError("write a text on one line")
    return "'" + text.replace("'", "''") + "'"


LITERALS: Mapping[str, Callable[[str], str]] = {
    "date": _date,
    "decimal": _decimal,
    "integer": _integer,
    "text": _text,
}
"""By type: what writes a value as SQL, or raises ValueError with what to write instead."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a saved question.

    Args:
        name: Its name.
        type: Its type, a key of LITERALS.
        default: The value that it has unless another is set.
        comment: What it means.
    """

    name: str
    type: str
    default: str
    comment: str

    def literal(self, value: str) -> str:
        """Return a value as SQL, from which no value can break out.

        Raises:
            ValueError: It is no value of the type; the text says what to write.
        """
        return LITERALS[self.type](value)


def split_parameters(text: str) -> tuple[tuple[Parameter, ...], str]:
    """Return the parameters that a saved question declares, and its text without them."""
    parameters = tuple(Parameter(**match.groupdict()) for match in _DECLARATION.finditer(text))
    return parameters, _DECLARATION.sub("", text)
