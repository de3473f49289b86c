"""Verify a lake: its objects against the ledger, and the watermarks against both."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

from anthropic_lake.assets import Asset
from anthropic_lake.errors import StorageError
from anthropic_lake.lake.layout import object_day, object_key, table_prefix
from anthropic_lake.lake.ledger import DayEntry, Ledger, Read
from anthropic_lake.lake.objects import Lake, inspect
from anthropic_lake.lake.watermark import Watermarks
from anthropic_lake.schema.table import Table
from anthropic_lake.sync.adoption import entries_of_objects
from anthropic_lake.sync.window import EARLIEST_DAY, History
from anthropic_lake.utc import ONE_DAY


@dataclass(frozen=True)
class Difference:
    """Something that is not as the ledger says.

    Args:
        asset: Name of the asset.
        day: The day, None where it is none of one day.
        problem: What differs.
    """

    asset: str
    day: date | None
    problem: str


def verify(asset: Asset, lake: Lake, watermarks: Watermarks) -> Iterator[Difference]:
    """Yield every difference between an asset's objects, its ledger and its watermarks.

    Every object is read whole.

    Raises:
        LakeError: The lake or the watermarks cannot be read.
    """
    history = History(watermarks.first(asset.name), watermarks.last(asset.name))
    days_of_objects: set[date] = set()
    for table in asset.tables:
        for key, day in _keys(lake, table):
            if day is None:
                yield Difference(
                    asset.name, None, f"{key} is none of this lake's objects: move it away"
                )
            else:
                days_of_objects.add(day)
    first_days = [day for day in (history.first, *days_of_objects) if day is not None]
    start = min([EARLIEST_DAY, *first_days])
    entries = Ledger(lake, asset.name).entries(start, _end(history, days_of_objects))
    for day, entry in entries.items():
        yield from _differences_of_day(asset, lake, day, entry)
    for day in sorted(days_of_objects - entries.keys()):
        problem = "the ledger does not know of the day's objects"
        yield Difference(asset.name, day, problem)
    yield from _differences_of_history(asset, history, entries)


def note_objects(asset: Asset, lake: Lake, days: set[date]) -> None:
    """Note days in the ledger as their objects are: a snapshot cannot be read again.

    Raises:
        LakeError: The objects cannot be read, or the ledger cannot be written.
    """
    entries, _ = entries_of_objects(lake, asset, last_final=max(days))
    reads = [
        Read(replace(entries[day], in_history=True), was_put=True) for day in days & entries.keys()
    ]
    ledger = Ledger(lake, asset.name)
    ledger.record(reads, is_second_look=True)
    ledger.forget(days - entries.keys())


def _keys(lake: Lake, table: Table) -> Iterator[tuple[str, date | None]]:
    """Yield the keys below a table's prefix, each with its day; None: it is not one of ours."""
    prefix = table_prefix(table.name)
    for listed in lake.listing(prefix):
        day = object_day(listed.key.removeprefix(prefix))
        is_ours = day is not None and listed.key == object_key(table.name, day)
        yield listed.key, day if is_ours else None


def _end(history: History, days_of_objects: set[date]) -> date:
    """Return the day after the last one that anything is known of."""
    days = [day for day in (history.last, *days_of_objects) if day is not None]
    return max(days, default=EARLIEST_DAY) + 32 * ONE_DAY


def _differences_of_day(
    asset: Asset, lake: Lake, day: date, entry: DayEntry
) -> Iterator[Difference]:
    """Yield how the objects of a day differ from its entry."""
    rows = 0
    for number, table in enumerate(asset.tables):
        try:
            stored = inspect(lake, table, object_key(table.name, day))
        except StorageError as error:
            yield Difference(asset.name, day, str(error))
            return
        if stored is None:
            problem = f"the object of {table.name} is missing"
            yield Difference(asset.name, day, problem)
            return
        rows += stored.rows
        if number == 0 and stored.digest != entry.digest:
            problem = f"the object of {table.name} holds other rows than were written"
            yield Difference(asset.name, day, problem)
            return
    if rows != entry.rows:
        problem = f"the objects have {rows} rows, the ledger says {entry.rows}"
        yield Difference(asset.name, day, problem)


def _differences_of_history(
    asset: Asset, history: History, entries: dict[date, DayEntry]
) -> Iterator[Difference]:
    """Yield the days between the watermarks that the ledger does not know as final."""
    if history.first is None or history.last is None:
        if history.last is not None:
            yield Difference(asset.name, None, "written by version 0.1.0 and not adopted yet")
        return
    if not asset.kind.dated:
        return
    day = history.first
    while day <= history.last:
        entry = entries.get(day)
        if entry is None or not entry.is_final:
            problem = "the watermark has passed the day, and the ledger does not have it as final"
            yield Difference(asset.name, day, problem)
        day += ONE_DAY
