"""Generated text: how a template is filled in, and where the result goes in a file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from string import Template
from textwrap import indent

TEMPLATES = Path(__file__).parent / "templates"


class MarkersMissing(Exception):
    """A file lacks markers; the message names them."""


class _Template(Template):
    """A template with placeholders `~{name}`, which neither `!Sub` nor SQL uses."""

    delimiter = "~"


def fill(template: str, **values: str | list[str]) -> str:
    """Return a template with its placeholders filled in.

    A line whose placeholders hold lists is repeated, once for each element. A value of several
    lines keeps the margin of its line.

    Args:
        template: Name of the file in `templates`, without `.tmpl`.
        values: What stands for each placeholder.
    """
    text = (TEMPLATES / f"{template}.tmpl").read_text(encoding="utf-8")
    return "\n".join(filled for line in text.splitlines() for filled in _fill(line, values))


def _fill(line: str, values: dict[str, str | list[str]]) -> Iterator[str]:
    """Yield a line, as often as its placeholders hold elements."""
    template = _Template(line)
    margin = line[: len(line) - len(line.lstrip())]
    used = {name: values[name] for name in template.get_identifiers()}
    lists = {name: value for name, value in used.items() if isinstance(value, list)}
    texts = {name: value for name, value in used.items() if isinstance(value, str)}
    for elements in zip(*lists.values(), strict=True) if lists else [()]:
        row = texts | dict(zip(lists, elements, strict=True))
        yield template.substitute(
            {name: indent(value, margin).removeprefix(margin) for name, value in row.items()}
        )


def replace_section(text: str, name: str, content: str) -> str:
    """Return a text with new content between the markers of a name.

    Args:
        text: The file's text.
        name: The markers' name.
        content: What belongs between them; it gets the margin of the opening marker.

    Raises:
        MarkersMissing: There is no such pair of markers, or more than one.
    """
    pattern = re.compile(
        rf"(?P<open>^(?P<margin> *)(?:#|<!--|--) generated:{name}\b[^\n]*\n)"
        rf".*?(?P<close>^(?P=margin)(?:#|<!--|--) /generated:{name}\b)",
        re.DOTALL | re.MULTILINE,
    )
    matches = list(pattern.finditer(text))
    if len(matches) != 1:
        raise MarkersMissing(f"{len(matches)} pairs of markers generated:{name}, expected one")
    (match,) = matches
    section = indent(content.strip("\n"), match["margin"])
    return f"{text[: match.end('open')]}{section}\n{text[match.start('close') :]}"
