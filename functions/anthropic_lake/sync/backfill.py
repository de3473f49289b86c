"""The items of a backfill: one asset and at most one month each."""

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
    """Split a backfill into items, each `{"asset", "interval_start", "interval_end"}`.

    Args:
        event: A request `{"assets", "interval_start", "interval_end"}`, which is split; or items
            `{"items": [...]}`, which are taken as they are; or `{"run": {...}}`, the summary of a
            run that ran out of time, which leaves its rest as one item.
        context: Lambda's, not used.

    Raises:
        SettingsError: The event is none of these.
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
        case {"items": list(given), **more} if not more:
            return {"items": [_given(item) for item in given]}
        case {"run": Mapping() as run, **more} if not more:
            return {"items": [_rest(run)]}
        case _:
            raise SettingsError(f"cannot read the request: {_ACCEPTED}")


def _given(item: Any) -> Item:  # noqa: ANN401  any JSON
    """Read an item that was made before."""
    match item:
        case {"asset": name, "interval_start": start, "interval_end": end}:
            return _item(name, *_interval(name, start, end))
        case _:
            raise SettingsError(f"cannot read the item {item!r}: {_ACCEPTED}")


def _rest(run: Mapping[str, Any]) -> Item:
    """Give the days of a run's interval after those that it wrote."""
    start, end = _interval(run["asset"], run["interval_start"], run["interval_end"])
    return _item(run["asset"], start + timedelta(days=run["days_written"]), end)


def _interval(asset: object, start: object, end: object) -> tuple[date, date]:
    """Check an asset and an interval of it.

    Raises:
        SettingsError: They cannot be used; all the problems are in one message.
    """
    problems = []
    dated = [name for name, known in ASSETS.items() if known.kind.dated]
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
    """Cut an interval where months begin."""
    while start < end:
        next_month = (start.replace(day=1) + timedelta(days=32)).replace(day=1)
        yield start, min(next_month, end)
        start = next_month


def _item(asset: str, start: date, end: date) -> Item:
    """Write an item as JSON knows it."""
    return {
        "asset": asset,
        "interval_start": start.isoformat(),
        "interval_end": end.isoformat(),
    }
