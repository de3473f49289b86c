"""Days of a lake that were written before people had pseudonyms, or had those of another key."""

import shlex

from anthropic_lake.assets import Asset
from anthropic_lake.lake.layout import object_key
from anthropic_lake.lake.ledger import DayEntry, Ledger
from anthropic_lake.sync.ownership import Place
from anthropic_lake.utc import ONE_DAY


def plain_days_warnings(asset: Asset, place: Place, mark: str) -> list[str]:
    """Return the warnings about days that name people otherwise than the run does.

    Args:
        asset: What was synced.
        place: The lake.
        mark: The mark of the run's pseudonyms.

    Raises:
        LakeError: The ledger cannot be read.
    """
    entries = [
        entry
        for entry in Ledger(place.lake, asset.name).all_entries()
        if entry.people != mark and entry.rows
    ]
    warn = _warning_of_days if asset.kind.dated else _warning_of_snapshots
    named = {
        "people's plain names": [entry for entry in entries if entry.people is None],
        "pseudonyms of another key": [entry for entry in entries if entry.people is not None],
    }
    return [warn(asset, place, what, days) for what, days in named.items() if days]


def _warning_of_days(asset: Asset, place: Place, what: str, entries: list[DayEntry]) -> str:
    """Return the warning about days that can be read again."""
    days = sorted(entry.day for entry in entries)
    command = (
        f"PEOPLE=pseudonym anthropic-lake sync {asset.name} --lake {shlex.quote(place.address)} "
        f"--interval-start {days[0]} --interval-end {days[-1] + ONE_DAY}"
    )
    return f"{_count(entries)} from {days[0]} to {days[-1]} hold {what}: read them with `{command}`"


def _warning_of_snapshots(asset: Asset, place: Place, what: str, entries: list[DayEntry]) -> str:
    """Return the warning about snapshots, which cannot be taken again."""
    days = sorted(entry.day for entry in entries)
    first, last = (object_key(asset.tables[0].name, day) for day in (days[0], days[-1]))
    command = f"anthropic-lake verify {asset.name} --lake {shlex.quote(place.address)} --repair"
    return (
        f"{_count(entries)} from {first} to {last} hold {what}, and snapshots cannot be taken "
        f"again: delete the objects with their old versions, then run `{command}` "
        "(docs/privacy.md)"
    )


def _count(entries: list[DayEntry]) -> str:
    """Return how many days there are, in words."""
    return "1 day" if len(entries) == 1 else f"{len(entries)} days"
