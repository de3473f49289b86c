"""The ledger, table `sync_days`: what was last read of each day, one object an asset and month."""

from collections import defaultdict
from collections.abc import Iterator, Sequence, Set
from dataclasses import asdict, dataclass, fields, replace
from datetime import date, datetime, timedelta

import pyarrow as pa

from anthropic_lake.errors import StorageError
from anthropic_lake.lake.layout import object_day, object_key, table_prefix
from anthropic_lake.lake.objects import Conflict, Lake, put_rows, read_rows_with_metadata
from anthropic_lake.schema.table import Column, Table
from anthropic_lake.schema.types import BOOLEAN, DATE, INTEGER, STRING, TIMESTAMP

_MAX_TRIES = 10

SYNC_DAYS = Table(
    name="sync_days",
    comment="What was last read of one day of an asset; its partition is the first of the month.",
    key=(
        Column("asset", STRING, "Asset that was read.", required=True),
        Column("day", DATE, "Day of the asset, UTC.", required=True),
    ),
    columns=(
        Column(
            "in_history",
            BOOLEAN,
            "Whether the day belongs to the unbroken history; false: an interval read it alone.",
        ),
        Column("first_read_at", TIMESTAMP, "When the day was first read, UTC."),
        Column("last_read_at", TIMESTAMP, "When the API was last asked for the day, UTC."),
        Column("last_changed_at", TIMESTAMP, "When a read last found other rows, UTC."),
        Column(
            "times_changed",
            INTEGER,
            "How often a read found other rows of a final day, since it is grouped, and people are "
            "named, as now.",
        ),
        Column("is_final", BOOLEAN, "Whether the day was complete when it was read."),
        Column("rows", INTEGER, "Rows of the day, all tables together."),
        Column("bytes", INTEGER, "Size of the day's objects, all tables together."),
        Column("digest", STRING, "SHA-256 of the rows of the asset's first table."),
        Column("last_run_id", STRING, "Run that last read the day."),
        Column("grouped_by", STRING, "Dimensions grouped by; null: the asset has none."),
        Column("bucket_width", STRING, "Length of a time bucket; null: the asset has none."),
        Column("data_refreshed_at", TIMESTAMP, "Until when the API's data reached, UTC, or null."),
    ),
    later_columns=(
        Column(
            "people",
            STRING,
            "Pseudonym of the text `anthropic-lake`: tells by which key people have pseudonyms on "
            "the day; null: they are named plainly, or the asset names nobody.",
        ),
    ),
)


@dataclass(frozen=True)
class DayEntry:
    """One row of `sync_days`; the fields are its columns but `asset` and `extra`."""

    day: date
    organization_id: str | None
    in_history: bool
    first_read_at: datetime
    last_read_at: datetime
    last_changed_at: datetime
    times_changed: int
    is_final: bool
    rows: int
    bytes: int
    digest: str
    last_run_id: str | None
    grouped_by: str | None = None
    bucket_width: str | None = None
    data_refreshed_at: datetime | None = None
    people: str | None = None

    def followed_by(self, read: "DayEntry") -> "DayEntry":
        """Return the entry after a later read of the day.

        Args:
            read: The entry that this read alone would leave.
        """
        is_other = read.digest != self.digest
        is_same_question = (read.grouped_by, read.bucket_width, read.people) == (
            self.grouped_by,
            self.bucket_width,
            self.people,
        )
        times_changed = 0  # counted anew where the grouping is another, or how people are named
        if is_same_question:
            times_changed = self.times_changed + (is_other and self.is_final)
        return replace(
            read,
            in_history=read.in_history or self.in_history,
            first_read_at=self.first_read_at,
            last_changed_at=read.last_read_at if is_other else self.last_changed_at,
            times_changed=times_changed,
            is_final=read.is_final or self.is_final,
        )


@dataclass(frozen=True)
class Read:
    """One read of a day, whose objects are in the lake.

    Args:
        entry: What this read alone would leave in the ledger.
        was_put: Whether the day's first object was put; False: the lake held the same rows.
    """

    entry: DayEntry
    was_put: bool


class Ledger:
    """The ledger of one asset.

    Args:
        lake: Where it stands.
        asset: Name of the asset.
    """

    def __init__(self, lake: Lake, asset: str) -> None:
        self._lake = lake
        self._asset = asset

    def entries(self, start: date, end: date) -> dict[date, DayEntry]:
        """Return the entries of some days, by day.

        Args:
            start: First day.
            end: The day after the last.

        Raises:
            LakeError: The ledger cannot be read, or a newer version has written it.
        """
        entries: dict[date, DayEntry] = {}
        month = start.replace(day=1)
        while month < end:
            entries |= self._read_month(month)[0]
            month = (month + timedelta(days=32)).replace(day=1)
        return {day: entry for day, entry in sorted(entries.items()) if start <= day < end}

    def all_entries(self) -> Iterator[DayEntry]:
        """Yield the entries of all days, month by month.

        Raises:
            LakeError: The ledger cannot be read, or a newer version has written it.
        """
        prefix = table_prefix(SYNC_DAYS.name)
        for listed in self._lake.listing(prefix):
            month = object_day(listed.key.removeprefix(prefix))
            if month and listed.key == self._key(month):
                entries, _ = self._read_month(month)
                yield from entries.values()

    def start_of_final_days(self, day: date) -> date:
        """Return the first of the final days that end before a day without a gap.

        Args:
            day: The day after the last of them; returned where the day before it is not final.

        Raises:
            LakeError: The ledger cannot be read, or a newer version has written it.
        """
        while True:
            month = (day - timedelta(days=1)).replace(day=1)
            entries, _ = self._read_month(month)
            while (entry := entries.get(day - timedelta(days=1))) and entry.is_final:
                day = entry.day
            if day > month:
                return day

    def record(self, reads: Sequence[Read], *, is_second_look: bool = False) -> list[date]:
        """Record reads, month by month.

        An object that another run put meanwhile may hold an older answer. Conditional puts refuse
        most of that; what they cannot see, the ledger does: an entry that another run left after
        this run's question, or other rows where this run found nothing to put.

        Args:
            reads: The reads, whose objects are in the lake.
            is_second_look: The days were read again already: record them whatever stands there.

        Returns:
            The days that must be read again; they are not recorded.

        Raises:
            LakeError: The ledger cannot be read or written.
        """
        by_month = defaultdict[date, list[Read]](list)
        for read in reads:
            by_month[read.entry.day.replace(day=1)].append(read)
        return [
            day
            for month, reads_of_month in sorted(by_month.items())
            for day in self._record_month(month, reads_of_month, is_second_look)
        ]

    def mark_in_history(self, start: date, end: date) -> None:
        """Note that some days, all recorded, have become part of the unbroken history."""
        entries = self.entries(start, end).values()
        later = [replace(entry, in_history=True) for entry in entries if not entry.in_history]
        self.record([Read(entry, was_put=True) for entry in later], is_second_look=True)

    def forget(self, days: Set[date]) -> None:
        """Drop the entries of days whose objects are lost for good."""
        for month in sorted({day.replace(day=1) for day in days}):
            entries, etag = self._read_month(month)
            kept = {day: entry for day, entry in entries.items() if day not in days}
            if kept != entries:
                self._put_month(month, kept, etag)

    def _record_month(self, month: date, reads: list[Read], is_second_look: bool) -> list[date]:
        """Record reads of one month, again while other runs put the month's object."""
        for _ in range(_MAX_TRIES):
            entries, etag = self._read_month(month)
            overtaken = []
            for read in reads:
                day = read.entry.day
                standing = entries.get(day)
                if standing and not is_second_look and _is_overtaken(read, standing):
                    overtaken.append(day)
                else:
                    entries[day] = standing.followed_by(read.entry) if standing else read.entry
            try:
                self._put_month(month, entries, etag)
            except Conflict:
                continue
            return overtaken
        raise StorageError(
            f"{self._asset}: other runs keep changing the ledger of {month:%Y-%m}: run again later"
        )

    def _read_month(self, month: date) -> tuple[dict[date, DayEntry], str | None]:
        """Return the entries of a month by day, and the ETag of their object, if there is one."""
        stored = self._lake.get(self._key(month))
        if stored is None:
            return {}, None
        table, _ = read_rows_with_metadata(SYNC_DAYS, stored.body)
        entries = [
            DayEntry(**{name: row[name] for name in _ENTRY_FIELDS}) for row in table.to_pylist()
        ]
        return {entry.day: entry for entry in entries}, stored.etag

    def _put_month(self, month: date, entries: dict[date, DayEntry], etag: str | None) -> None:
        """Put the entries of a month, unless their object has changed since it was read."""
        rows = [{"asset": self._asset, "extra": None, **asdict(entries[day])} for day in entries]
        table = pa.Table.from_pylist(rows, schema=SYNC_DAYS.schema)
        put_rows(self._lake, SYNC_DAYS, self._key(month), table, {}, replaces=etag)

    def _key(self, month: date) -> str:
        """Return the key of a month's object."""
        return object_key(SYNC_DAYS.name, month, self._asset)


_ENTRY_FIELDS = [field.name for field in fields(DayEntry)]


def _is_overtaken(read: Read, standing: DayEntry) -> bool:
    """Return whether the day's objects may be another run's, with an older answer."""
    if standing.digest == read.entry.digest:
        return False
    return standing.last_read_at > read.entry.last_read_at or not read.was_put
