"""The rules of the chargeback, table `allocation_rules`: one object, replaced whole."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from itertools import accumulate, pairwise
from typing import Any

import pyarrow as pa

from anthropic_lake.lake.layout import object_key
from anthropic_lake.lake.objects import Lake, Written, write_day
from anthropic_lake.schema.table import Column, Table
from anthropic_lake.schema.types import DATE, INTEGER, MONEY, STRING

RULES_DAY = date(2023, 1, 1)
"""The partition of all rules: they belong to no day."""

MATCH_TYPES = ("api_key_id", "actor", "workspace_id", "workspace_tag", "default")
"""What a rule can match, the most specific first."""

ALLOCATION_RULES = Table(
    name="allocation_rules",
    comment="One rule of the chargeback: which cost centre pays for what. It has several rows if "
    "others of its match begin or end meanwhile. All stand in one partition.",
    key=(
        Column("line", INTEGER, "Line of the rule in the file that was loaded."),
        Column("valid_from", DATE, "First day of the row; null: it has always been valid."),
    ),
    columns=(
        Column(
            "match_type",
            STRING,
            "`api_key_id`, `actor`, `workspace_id`, `workspace_tag` or `default`: the first of "
            "them that matches wins.",
            values=MATCH_TYPES,
        ),
        Column(
            "match_value",
            STRING,
            "What the rule matches: an identifier, an actor's name, or a tag such as "
            "`team=search`; null for `default`.",
        ),
        Column("cost_center", STRING, "Who pays; `*`: all cost centres, each its part."),
        Column("share", MONEY, "Part of the cost that the cost centre pays, up to 1."),
        Column("valid_to", DATE, "Last day of the row; null: it has no end."),
        Column("note", STRING, "The user's own words."),
        Column(
            "period",
            INTEGER,
            "Number of a match and of days on which the same rules of it are valid, in the order "
            "of first lines.",
        ),
        Column("share_before", MONEY, "Sum of the shares of the period's earlier lines."),
        Column("share_sum", MONEY, "Sum of all shares of the period."),
    ),
)


@dataclass(frozen=True)
class Rule:
    """One line of a file of rules.

    Args:
        line: Number of the line.
        match_type: One of `MATCH_TYPES`.
        match_value: What it matches; None: `default`.
        cost_center: Who pays; `*`: all.
        share: From above 0 to 1.
        valid_from: First day; None: it has always been valid.
        valid_to: Last day; None: it has no end.
        note: The user's own words.
    """

    line: int
    match_type: str
    match_value: str | None
    cost_center: str
    share: Decimal = Decimal(1)
    valid_from: date | None = None
    valid_to: date | None = None
    note: str | None = None


@dataclass(frozen=True)
class _Period:
    """Rules of one match, in the order of their lines, and days on which they all are valid.

    Args:
        rules: The rules.
        start: Ordinal of the first day.
        end: Ordinal of the day after the last.
    """

    rules: Sequence[Rule]
    start: int
    end: int


def put_rules(lake: Lake, rules: Sequence[Rule], organization_id: str | None) -> Written:
    """Replace all rules of a lake by one PUT, unless they are the same.

    Args:
        lake: The lake.
        rules: The new rules.
        organization_id: Whose lake it is; None: it does not say.

    Raises:
        Conflict: Somebody else has put rules meanwhile.
        LakeError: The object cannot be written.
    """
    rows = list(rows_of_rules(rules, organization_id))
    table = pa.Table.from_pylist(rows, schema=ALLOCATION_RULES.schema)
    standing = lake.head(object_key(ALLOCATION_RULES.name, RULES_DAY))
    return write_day(lake, ALLOCATION_RULES, RULES_DAY, table, {}, standing=standing)


def rows_of_rules(rules: Sequence[Rule], organization_id: str | None) -> Iterator[dict[str, Any]]:
    """Yield the rows of rules: each as long as the same rules are valid beside it.

    What an engine would have to find out for every query is so in the table.
    """
    by_match = defaultdict[tuple[str, str | None], list[Rule]](list)
    for rule in rules:
        by_match[rule.match_type, rule.match_value].append(rule)
    # A workspace can have several tags with rules: they begin and end together.
    of_tags = [rule for rule in rules if rule.match_type == "workspace_tag"]
    periods = [
        period
        for (match_type, _), same_match in by_match.items()
        for period in _periods(same_match, of_tags if match_type == "workspace_tag" else same_match)
    ]
    periods.sort(key=lambda period: (period.rules[0].line, period.start))
    for number, period in enumerate(periods, 1):
        sums = list(accumulate((rule.share for rule in period.rules), initial=Decimal(0)))
        for rule, share_before in zip(period.rules, sums, strict=False):
            yield asdict(rule) | {
                "organization_id": organization_id,
                "valid_from": _day(period.start, date.min),
                "valid_to": _day(period.end - 1, date.max),
                "period": number,
                "share_before": share_before,
                "share_sum": sums[-1],
                "extra": None,
            }


def _periods(rules: Sequence[Rule], bounding: Iterable[Rule]) -> Iterator[_Period]:
    """Yield the periods of one match, cut where a rule of some others begins or ends, too."""
    days = {day for rule in bounding for day in _bounds(rule)}
    for start, end in pairwise(sorted(days)):
        valid = [rule for rule in rules if _bounds(rule)[0] <= start < _bounds(rule)[1]]
        if valid:
            yield _Period(valid, start, end)


def _bounds(rule: Rule) -> tuple[int, int]:
    """Return the ordinals of the first day of a rule and of the day after its last."""
    first, last = rule.valid_from or date.min, rule.valid_to or date.max
    return first.toordinal(), last.toordinal() + 1


def _day(ordinal: int, open_end: date) -> date | None:
    """Return a day; None where it is the end of the calendar."""
    return None if ordinal == open_end.toordinal() else date.fromordinal(ordinal)
