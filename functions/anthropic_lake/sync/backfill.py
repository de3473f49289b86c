"""Split a backfill into items: each is one asset and at most one month."""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

from anthropic_lake.assets import ASSETS
from anthropic_lake.errors import SettingsError
from anthropic_lake.utc import parse_day

_ACCEPTED = (
    'send {"assets": ["usage_report"], "interval_start": "2026-01-01", '
    '"interval_end": "2026-04-01"} (the end is exclusive), or the cause of a failed backfill'
)

Item = dict[str, str]


def items(event: object, context: object) -> dict[str, list[Item]]:  # noqa: ARG001  Lambda's
    """Return the items of a backfill, each `{"asset", "interval_start", "interval_end"}`.

    Args:
        event: One of three forms: a request `{"assets", "interval_start", "interval_end"}`, which
            is split; `{"items": [...]}`, which are checked and returned; `{"run": {...}}`, the
            summary of a run that ran out of time, whose other days become one item.
        context: Lambda's context, not used.

    Raises:
        SettingsError: The event has another form.
    """
    match event:
        case {"assets": list(names), "interval_start": start, "interval_end": end, **more} if (
            not more
        ):
            return {
                "items": [
                    _item(name, first, last)
                    for name in names
                    for first, last in _months(*_interval(name, start, end))
                ]
            }
        case {"items": list(entries), **more} if not more:
            return {"items": [_checked(item) for item in entries]}
        case {"run": Mapping() as run, **more} if not more:
            return {"items": [_rest(run)]}
        case _:
            raise SettingsError(f"cannot read the request: {_ACCEPTED}")


def _checked(item: Any) -> Item:  # noqa: ANN401  any JSON
    """Return an item of an event, or raise SettingsError."""
    match item:
        case {"asset": name, "interval_start": start, "interval_end": end}:
            return _item(name, *_interval(name, start, end))
        case _:
            raise SettingsError(f"cannot read the item {item!r}: {_ACCEPTED}")


def _rest(run: Mapping[str, Any]) -> Item:
    """Return the days of a run's interval that the run did not write."""
    start, end = _interval(run["asset"], run["interval_start"], run["interval_end"])
    return _item(run["asset"], start + timedelta(days=run["days_written"]), end)


def _interval(asset: object, start: object, end: object) -> tuple[date, date]:
    """Return the interval of an asset as dates.

    Raises:
        SettingsError: The asset or the interval cannot be used; the message names all problems.
    """
    problems = []
    dated = [name for name, known_asset in ASSETS.items() if known_asset.kind.dated]
    if asset not in dated:
        problems.append(f"{asset!r} has no past to read: choose from {', '.join(dated)}")
    days = []
    for name, value in (("interval_start", start), ("interval_end", end)):
        try:
            days.append(parse_day(str(value)))
        except ValueError as error:
            problems.append(f"{name}: {error}")
    if len(days) == len(("start", "end")) and days[0] >= days[1]:
        problems.append(f"interval_end {end} is not after interval_start {start}")
    if problems:
        raise SettingsError(f"{'; '.join(problems)}: {_ACCEPTED}")
    return days[0], days[1]


def _months(start: date, end: date) -> Iterator[tuple[date, date]]:
    """Split an interval at the first day of each month."""
    while start < end:
        next_month = (start.replace(day=1) + timedelta(days=32)).replace(day=1)
        yield start, min(next_month, end)
        start = next_month


def _item(asset: str, start: date, end: date) -> Item:
    """Return an item with its days as ISO text."""
    return {
        "asset": asset,
        "interval_start": start.isoformat(),
        "interval_end": end.isoformat(),
    }
