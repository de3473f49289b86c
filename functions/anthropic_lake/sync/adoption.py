"""What a lake of version 0.1.0 says of itself: history and ledger follow from its objects."""

from dataclasses import dataclass, replace
from datetime import date

from anthropic_lake.assets import Asset
from anthropic_lake.errors import StorageError
from anthropic_lake.lake.layout import object_day, object_key, table_prefix
from anthropic_lake.lake.ledger import DayEntry, Ledger, Read
from anthropic_lake.lake.objects import Lake, ListedObject, inspect
from anthropic_lake.lake.watermark import Watermarks
from anthropic_lake.sync.window import History
from anthropic_lake.utc import ONE_DAY, midnight


@dataclass(frozen=True)
class Adoption:
    """What an asset's objects say, where neither ledger nor first day has been written yet.

    Args:
        history: The unbroken run of objects that ends at the watermark.
        reads: The entries of the ledger that the objects stand for.
        organization_id: Whose rows they hold; None: they do not say.
    """

    history: History
    reads: tuple[Read, ...] = ()
    organization_id: str | None = None

    def write(self, lake: Lake, watermarks: Watermarks, asset: Asset) -> None:
        """Write the ledger, then the first day."""
        if self.reads and self.history.first:
            Ledger(lake, asset.name).record(self.reads, is_second_look=True)
            watermarks.start_at(asset.name, self.history.first)


def find_history(lake: Lake, watermarks: Watermarks, asset: Asset) -> Adoption:
    """Return an asset's history, and what is to be adopted.

    Raises:
        StorageError: The watermark stands at a day that is not in the lake.
    """
    first, last = watermarks.first(asset.name), watermarks.last(asset.name)
    if last is None or first is not None:
        return Adoption(History(first, last))
    entries, organization_id = entries_of_objects(lake, asset, last)
    if last not in entries:
        raise StorageError(
            f"{asset.name}: the watermark is {last}, and the lake has no object of that day: "
            "restore it, or delete the watermark to read the history again"
        )
    first = last
    while first - ONE_DAY in entries:
        first -= ONE_DAY
    history = History(first, last)
    reads = [
        Read(replace(entry, in_history=day in history), was_put=True)
        for day, entry in entries.items()
    ]
    return Adoption(history, tuple(reads), organization_id)


def entries_of_objects(
    lake: Lake, asset: Asset, last_final: date | None
) -> tuple[dict[date, DayEntry], str | None]:
    """Return the ledger's entries that an asset's objects stand for, and whose rows they hold.

    Args:
        lake: The lake.
        asset: The asset.
        last_final: The watermark: days up to it were complete when they were read.

    Raises:
        LakeError: The objects cannot be listed or read.
    """
    first_table, *_ = asset.tables
    entries: dict[date, DayEntry] = {}
    organization_id = None
    prefix = table_prefix(first_table.name)
    for listed in lake.listing(prefix):
        day = object_day(listed.key.removeprefix(prefix))
        if day is None or listed.key != object_key(first_table.name, day):
            continue
        entries[day] = _entry(
            lake, asset, day, listed, is_final=bool(last_final and day <= last_final)
        )
        organization_id = entries[day].organization_id or organization_id
    return entries, organization_id


def _entry(
    lake: Lake, asset: Asset, day: date, listed: ListedObject, *, is_final: bool
) -> DayEntry:
    """Return the entry that the objects of one day stand for."""
    inspected = (inspect(lake, table, object_key(table.name, day)) for table in asset.tables)
    objects = [stored for stored in inspected if stored is not None]
    read_at = listed.changed_at
    if is_final and asset.kind.dated:  # what has not changed since was read again, and not put
        read_at = max(read_at, midnight(day + ONE_DAY))
    return DayEntry(
        day=day,
        organization_id=objects[0].organization_id,
        in_history=False,
        first_read_at=listed.changed_at,
        last_read_at=read_at,
        last_changed_at=listed.changed_at,
        times_changed=0,
        is_final=is_final,
        rows=sum(stored.rows for stored in objects),
        bytes=sum(stored.bytes for stored in objects),
        digest=objects[0].digest,
        last_run_id=None,
        grouped_by=objects[0].metadata.get("grouped_by"),
        bucket_width=objects[0].metadata.get("bucket_width"),
        people=objects[0].metadata.get("people"),
    )
