"""The rules of the chargeback, table `allocation_rules`: one object, replaced whole."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal

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
    comment="One rule of the chargeback: which cost centre pays for what. All rules stand in one "
    "partition.",
    key=(Column("line", INTEGER, "Line of the rule in the file that was loaded."),),
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
        Column("valid_from", DATE, "First day of the rule; null: it has always been valid."),
        Column("valid_to", DATE, "Last day of the rule; null: it has no end."),
        Column("note", STRING, "The user's own words."),
    ),
)


@dataclass(frozen=True)
class Rule:
    """One row of `allocation_rules`; the fields are its columns but organization_id and extra."""

    line: int
    match_type: str
    match_value: str | None
    cost_center: str
    share: Decimal = Decimal(1)
    valid_from: date | None = None
    valid_to: date | None = None
    note: str | None = None


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
    rows = [{"organization_id": organization_id, "extra": None, **asdict(rule)} for rule in rules]
    table = pa.Table.from_pylist(rows, schema=ALLOCATION_RULES.schema)
    standing = lake.head(object_key(ALLOCATION_RULES.name, RULES_DAY))
    return write_day(lake, ALLOCATION_RULES, RULES_DAY, table, {}, standing=standing)
