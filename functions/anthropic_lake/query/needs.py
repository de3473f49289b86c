"""The data that a saved question needs, without which its answer would mislead.

Comments in its SQL declare it, a line for each asset:

    -- needs users
    -- needs usage_report grouped by api_key_id, model over 30 days
    -- needs cost_report in the month of current_date
    -- needs usage_report by the hour on DATE '2026-11-21'

An asset may always lag: the last three days before today may be missing, and what was read of them
need not be final. Without a period an asset only has to be as new as that, as a snapshot does.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from anthropic_lake.assets import ASSETS
from anthropic_lake.utc import ONE_DAY

_DECLARATION = re.compile(
    r"^-- needs (?P<asset>\w+)(?: grouped by (?P<dimensions>\w+(?:, \w+)*))?"
    r"(?P<by_hour> by the hour)?"
    r"(?: (?P<period>over|in the month of|on) (?P<of>.+))?$",
    re.MULTILINE,
)
_LAST_DUE = "CAST(current_date - INTERVAL '4' DAY AS date)"
_LAST_OF_MONTH = "CAST(date_trunc('month', {of}) + INTERVAL '1' MONTH - INTERVAL '1' DAY AS date)"
_PERIODS = {
    "over": (
        "CAST(current_date - INTERVAL '{days}' DAY + INTERVAL '1' DAY AS date)",
        _LAST_DUE,
    ),
    "in the month of": (
        "CAST(date_trunc('month', {of}) AS date)",
        f"least({_LAST_OF_MONTH}, {_LAST_DUE})",
    ),
    "on": ("CAST({of} AS date)", "CAST({of} AS date)"),
    None: ("current_date", _LAST_DUE),
}
"""By period: its first and its last day that must be in the lake, as SQL."""

_CHECK = """\
SELECT
    {number} AS number,
    {first_day} AS first_day,
    {last_day} AS last_day,
    date_diff('day', {first_day}, {last_day}) + 1 AS days,
    count(DISTINCT CASE WHEN {is_read} THEN day END) AS days_read,
    count(DISTINCT CASE WHEN {is_read}{is_fit} THEN day END) AS days_fit,
    max(day) AS latest_day
FROM sync_days
WHERE date >= least(
        CAST(date_trunc('month', {first_day}) AS date),
        CAST(date_trunc('month', current_date) - INTERVAL '1' MONTH AS date)
    )
    AND date <= current_date
    AND day(date) = 1
    AND day <= current_date
    AND asset = '{asset}'"""


@dataclass(frozen=True)
class Need:
    """One asset that a question needs.

    Args:
        asset: Name of the asset.
        dimensions: What its rows must be grouped by.
        by_hour: Whether its time buckets must be hours, or shorter.
        first_day: The first day that must be in the lake, as SQL.
        last_day: The last one; before the first: no day must, but the asset must be new.
    """

    asset: str
    dimensions: tuple[str, ...]
    by_hour: bool
    first_day: str
    last_day: str

    @property
    def misfit(self) -> str:
        """What is wrong with days that are there and do not fit, in words."""
        if self.by_hour:
            return "has time buckets of a whole day"
        return f"is not grouped by {', '.join(self.dimensions)}"

    @property
    def change(self) -> str:
        """What to do with the setting, in words; `{}` stands for its name."""
        return "set {} to 1h" if self.by_hour else f"add {', '.join(self.dimensions)} to {{}}"

    @property
    def setting(self) -> str | None:
        """The variable that decides whether days fit."""
        time_buckets = ASSETS[self.asset].time_buckets
        if time_buckets is None or time_buckets.settings is None:
            return None
        group_by, bucket_width = time_buckets.settings
        return bucket_width if self.by_hour else group_by

    def check(self, number: int) -> str:
        """Return a statement of one row that says how far the ledger meets the need."""
        is_read = (
            f"day BETWEEN {self.first_day} AND {self.last_day} AND (is_final OR day > {_LAST_DUE})"
        )
        fits = [f"',' || grouped_by || ',' LIKE '%,{name},%'" for name in self.dimensions]
        fits += ["bucket_width <> '1d'"] if self.by_hour else []
        return _CHECK.format(
            number=number,
            asset=self.asset,
            first_day=self.first_day,
            last_day=self.last_day,
            is_read=is_read,
            is_fit="".join(f" AND {fit}" for fit in fits),
        )


@dataclass(frozen=True)
class Gap:
    """What a lake lacks of a need.

    Args:
        asset: Name of the asset.
        text: What is lacking, in words.
        interval: The days to read again, the end exclusive; None: the asset is to be synced.
        setting: The variable to change before; None: the settings are right.
        change: What to do with it: a text in which `{}` stands for its name.
    """

    asset: str
    text: str
    interval: tuple[date, date] | None = None
    setting: str | None = None
    change: str = ""


def needs(sql: str) -> list[Need]:
    """Return what a statement needs, by its comments, whose parameters are filled in."""
    return [_need(match) for match in _DECLARATION.finditer(sql)]


def coverage_check(wanted: list[Need]) -> str:
    """Return a statement that asks the ledger, for Athena and DuckDB alike."""
    return "\nUNION ALL\n".join(need.check(number) for number, need in enumerate(wanted))


def gaps(wanted: list[Need], answer: Iterable[Mapping[str, Any]]) -> list[Gap]:
    """Return what is lacking, by the rows that the check gives."""
    rows = sorted(answer, key=lambda row: int(row["number"]))
    candidates = (_gap(need, row) for need, row in zip(wanted, rows, strict=True))
    return [gap for gap in candidates if gap]


def _need(match: re.Match[str]) -> Need:
    """Return the need of a comment."""
    of = match["of"] or ""
    first_day, last_day = (
        day.format(of=of, days=of.removesuffix(" days")) for day in _PERIODS[match["period"]]
    )
    dimensions = tuple((match["dimensions"] or "").split(", ")) if match["dimensions"] else ()
    return Need(match["asset"], dimensions, bool(match["by_hour"]), first_day, last_day)


def _gap(need: Need, row: Mapping[str, Any]) -> Gap | None:
    """Return what is lacking of one need."""
    days, first_day, last_day, latest_day = (
        row[name] for name in ("days", "first_day", "last_day", "latest_day")
    )
    if latest_day is None:
        return Gap(need.asset, f"{need.asset} was read for no day of this month or the last")
    if latest_day < last_day:
        return Gap(need.asset, f"{need.asset} was last read for {latest_day}")
    interval = (first_day, last_day + ONE_DAY)
    if row["days_read"] < days:
        text = f"{need.asset} lacks {_span(days - row['days_read'], row)}"
        return Gap(need.asset, text, interval)
    if row["days_fit"] < days:
        text = f"{need.asset} {need.misfit} on {_span(days - row['days_fit'], row)}"
        return Gap(need.asset, text, interval, need.setting, need.change)
    return None


def _span(count: int, row: Mapping[str, Any]) -> str:
    """Return how many days of a period are meant, in words."""
    if row["days"] == 1:
        return str(row["first_day"])
    return f"{count} of the {row['days']} days from {row['first_day']} to {row['last_day']}"
