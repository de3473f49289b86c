"""The file of allocation rules, `allocation.csv`: read whole, with every mistake at its line."""

import csv
import io
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from anthropic_lake.errors import SettingsError
from anthropic_lake.lake.allocation import MATCH_TYPES, Rule
from anthropic_lake.utc import parse_day

COLUMNS = ("match_type", "match_value", "cost_center", "share", "valid_from", "valid_to", "note")
"""The columns of the file, in the order in which `suggest` writes them."""

_REQUIRED = COLUMNS[:3]
_SHARE = re.compile(r"[0-9]{0,9}(\.[0-9]{1,12})?", re.ASCII)
_NOT_IN_A_TAG = re.compile(r'["\\\x00-\x1f]')


@dataclass(frozen=True, order=True)
class Mistake:
    """What is wrong with a line, and what to do.

    Args:
        line: Number of the line, from 1.
        advice: The mistake in words.
    """

    line: int
    advice: str


def read_rules(path: Path) -> list[Rule]:
    """Return the rules of a file.

    Raises:
        SettingsError: The file cannot be read, or has mistakes; the message names them all.
    """
    try:
        body = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from error
    rules, mistakes = check_rules(body)
    if mistakes:
        count = "a mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        lines = (f"\n{path}:{mistake.line}: {mistake.advice}" for mistake in mistakes)
        raise SettingsError(f"{path} has {count}; no rule was loaded:{''.join(lines)}")
    return rules


def check_rules(body: bytes) -> tuple[list[Rule], list[Mistake]]:
    """Return the rules of a file's content, and every mistake in it by line."""
    rules: list[Rule] = []
    mistakes: list[Mistake] = []
    try:
        (header_line, header), *records = _records(body)
    except _Unreadable as error:
        return [], [error.mistake]
    except ValueError:
        return [], [Mistake(1, f"the file is empty: begin it with {','.join(COLUMNS)}")]
    names = ",".join(header).lower().rstrip(",").split(",")  # Excel may write empty cells behind
    mistakes += [Mistake(header_line, advice) for advice in _of_header(names)]
    if set(_REQUIRED) <= set(names):
        for line, cells in records:
            rule, advice_of_line = _rule(line, names, cells)
            mistakes += [Mistake(line, advice) for advice in advice_of_line]
            rules += [] if advice_of_line else [rule]
    mistakes += _between(rules)
    return rules, sorted(mistakes)


# --- lines


class _Unreadable(Exception):
    """The file is no CSV text; nothing of it can be checked."""

    def __init__(self, mistake: Mistake) -> None:
        super().__init__(mistake.advice)
        self.mistake = mistake


def _records(body: bytes) -> Iterator[tuple[int, list[str]]]:
    """Yield the lines that are not empty, each with the number at which it begins."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        advice = "this is not UTF-8: save the file as `CSV UTF-8 (comma delimited)`"
        raise _Unreadable(Mistake(line, advice)) from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = [cell.strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            advice = f"this is not CSV ({error}): write a quotation mark in quotes twice"
            raise _Unreadable(Mistake(line, advice)) from None
        if any(cells):
            yield line, cells


def _of_header(names: Sequence[str]) -> Iterator[str]:
    """Yield what is wrong with the names of the columns."""
    if len(names) == 1 and re.search(r"[;\t]", names[0]):
        yield "the columns are separated by something else than commas: separate them by commas"
        return
    for name in dict.fromkeys(names):
        if name not in COLUMNS:
            similar = get_close_matches(name, COLUMNS, n=1)
            hint = f"did you mean {similar[0]}?" if similar else f"name only {', '.join(COLUMNS)}"
            yield f"{name!r} is no column of the rules: {hint}"
        elif names.count(name) > 1:
            yield f"the column {name} stands twice: delete one"
    for name in _REQUIRED:
        if name not in names:
            yield f"the column {name} is missing: add it"


# --- one rule


def _rule(line: int, names: Sequence[str], cells: Sequence[str]) -> tuple[Rule, list[str]]:
    """Return the rule of a line, and what is wrong with it; then the rule is of no use."""
    advice = []
    if any(cells[len(names) :]):
        advice.append("more cells than columns: write a cell with a comma in quotes")
    by_name = dict(zip(names, cells, strict=False))
    values: dict[str, Any] = {}
    for name, parse in _PARSERS.items():
        try:
            values[name] = parse(by_name.get(name, ""))
        except ValueError as error:
            advice.append(f"{name}: {error}")
            values[name] = None
    value = by_name.get("match_value", "")
    if values["match_type"] is not None:
        advice.extend(_of_value(values["match_type"], value))
    if values["valid_from"] and values["valid_to"] and values["valid_from"] > values["valid_to"]:
        advice.append("valid_to lies before valid_from: exchange or correct them")
    if values["match_type"] == "actor" and "@" in value:
        value = value.lower()
    note = by_name.get("note") or None
    return Rule(line, match_value=value or None, note=note, **values), advice


def _match_type(text: str) -> str:
    """Return what a rule matches."""
    if text not in MATCH_TYPES:
        similar = get_close_matches(text.lower(), MATCH_TYPES, n=1)
        hint = f"did you mean {similar[0]}?" if similar else f"write {', '.join(MATCH_TYPES)}"
        raise ValueError(
            f"{text!r} is no type of match: {hint}" if text else f"it is empty: {hint}"
        )
    return text


def _cost_center(text: str) -> str:
    """Return who pays."""
    if not text:
        raise ValueError("it is empty: name a cost centre, write * for shared cost, or delete it")
    return text


def _share(text: str) -> Decimal:
    """Return the part of the cost; the whole where nothing is written."""
    if not text:
        return Decimal(1)
    if not _SHARE.fullmatch(text):
        raise ValueError("it is no decimal number: write 0.5 for a half, with at most 12 decimals")
    share = Decimal(text)
    if not 0 < share <= 1:
        raise ValueError("it must be more than 0 and at most 1: write 0.5 for a half")
    return share


def _day(text: str) -> date | None:
    """Return a day; None where nothing is written."""
    return parse_day(text) if text else None


_PARSERS: Mapping[str, Callable[[str], Any]] = {
    "match_type": _match_type,
    "cost_center": _cost_center,
    "share": _share,
    "valid_from": _day,
    "valid_to": _day,
}


def _of_value(match_type: str, value: str) -> Iterator[str]:
    """Yield what is wrong with what a rule matches."""
    if match_type == "default":
        if value:
            yield "match_value: default matches everything: leave the value empty"
    elif not value:
        yield f"match_value: it is empty: name the {match_type}, or delete the line"
    elif match_type == "workspace_tag":
        name, separator, text = value.partition("=")
        if not (name and separator and text):
            yield "match_value: a tag is a name and a value: write team=search"
        elif _NOT_IN_A_TAG.search(value):
            yield "match_value: a tag with quotation marks or backslashes cannot be matched"


# --- rules beside each other


def _between(rules: Sequence[Rule]) -> Iterator[Mistake]:
    """Yield what is wrong with rules of the same match."""
    by_match = defaultdict[tuple[str, str | None], list[Rule]](list)
    for rule in rules:
        by_match[rule.match_type, rule.match_value].append(rule)
    for same_match in by_match.values():
        yield from _overlaps(same_match)
        yield from _excess(same_match)


def _overlaps(rules: Sequence[Rule]) -> Iterator[Mistake]:
    """Yield the rules of a match that have the cost centre and a day of an earlier one."""
    by_center = defaultdict[str, list[Rule]](list)
    for rule in rules:
        for earlier in by_center[rule.cost_center]:
            if max(_start(rule), _start(earlier)) <= min(_end(rule), _end(earlier)):
                advice = f"the same match and cost centre as line {earlier.line}, on the same days"
                yield Mistake(rule.line, f"{advice}: end one before the other, or delete one")
                break
        by_center[rule.cost_center].append(rule)


def _excess(rules: Sequence[Rule]) -> Iterator[Mistake]:
    """Yield the first day on which the cost centres of a match pay more than all."""
    for day in sorted({_start(rule) for rule in rules}):
        valid = [rule for rule in rules if _start(rule) <= day <= _end(rule)]
        shares = {rule.cost_center: rule.share for rule in valid}
        if (total := sum(shares.values())) > 1:
            lines = ", ".join(str(rule.line) for rule in valid)
            when = f"on {day}" if day > date.min else "from the beginning"
            advice = f"the shares of lines {lines} are {total} together {when}"
            yield Mistake(valid[-1].line, f"{advice}: make them 1 or less")
            return


def _start(rule: Rule) -> date:
    """Return the first day of a rule."""
    return rule.valid_from or date.min


def _end(rule: Rule) -> date:
    """Return the last day of a rule."""
    return rule.valid_to or date.max
