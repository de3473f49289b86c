"""Batches gathered into days of rows, each handed on when it is whole."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime

import pyarrow as pa

from anthropic_lake.assets import Asset
from anthropic_lake.errors import ContractBroken, TooLarge
from anthropic_lake.extract.batch import (
    AnswerFields,
    Batch,
    DayEnd,
    DayRestart,
    Extracted,
    PartEnd,
    ReportEnd,
)
from anthropic_lake.rows.arrow import FieldError
from anthropic_lake.rows.pseudonyms import Pseudonyms
from anthropic_lake.rows.reader import Rows, read_rows
from anthropic_lake.schema.table import Table
from anthropic_lake.strict_json import InvalidJson
from anthropic_lake.utc import ONE_DAY, midnight

MAX_DAY_BYTES = 320 << 20  # of Arrow columns; sorting takes as much again, twice


class Day:
    """The rows of all of an asset's tables on one day.

    Args:
        asset: Whose rows they are.
        date: The day.
        pseudonyms: What stands for people in the rows; None: their names.

    Attributes:
        unknown_fields: Number of fields and enumerated values that the tables do not know.
        warnings: What was left out and why.
        error: Why the day cannot be kept, and has no rows; None: it can.
        data_refreshed_at: Until when the API's data reached, UTC; None: it did not say.
    """

    def __init__(self, asset: Asset, date: date, pseudonyms: Pseudonyms | None = None) -> None:
        self.date = date
        self.unknown_fields = 0
        self.warnings: tuple[str, ...] = ()
        self.error: ContractBroken | TooLarge | None = None
        self.data_refreshed_at: datetime | None = None
        self._asset = asset
        self._pseudonyms = pseudonyms
        self._bytes = 0
        self._parts: dict[str, list[pa.Table]] = {table.name: [] for table in asset.tables}
        self._ended_parts = 0
        self._request_id: str | None = None

    @property
    def has_all_data(self) -> bool:
        """Whether the API's data reached to the end of the day, as far as the API says."""
        end = midnight(self.date + ONE_DAY)
        return self.data_refreshed_at is None or end <= self.data_refreshed_at

    def add(self, batch: Batch) -> None:
        """Add the rows of a batch, or note why the day cannot be kept."""
        if self.error:
            return
        self._request_id = batch.origin.request_id
        shared = {"organization_id": batch.origin.organization_id, **batch.shared}
        try:
            for rows in read_rows(self._asset.tables, batch.records_text, shared, self.date):
                self._add_rows(rows)
        except InvalidJson as error:
            self._refuse(self._broken(str(error), "data[]"))
        except FieldError as error:
            self._refuse(self._broken(error.problem, error.field))
        except TooLarge as error:
            self._refuse(error)

    def end_part(self, part: PartEnd) -> "Part | None":
        """Return the rows that were added since the last part, None if they cannot be kept."""
        self.warnings += part.warnings
        rows = []
        for table in self._asset.tables:
            added = self._parts[table.name][self._ended_parts :]
            try:
                rows.append(
                    distinct_rows(table, pa.concat_tables([table.schema.empty_table(), *added]))
                )
            except FieldError as repeated:
                self._refuse(self._broken(repeated.problem, repeated.field))
                return None
        self._ended_parts = len(self._parts[self._asset.tables[0].name])
        return Part(part.workspace_id, tuple(rows), part.warnings)

    def end(self, end: DayEnd) -> None:
        """Note that no rows follow; a snapshot's record that came twice is kept once."""
        self.data_refreshed_at = end.data_refreshed_at
        if end.error:
            self._refuse(end.error)
        if self._asset.kind.dated or self.error:
            return
        try:
            for table in self._asset.tables:
                rows = distinct_rows(table, self.take_rows(table))
                self._parts[table.name] = [rows]
        except FieldError as repeated:
            self._refuse(self._broken(repeated.problem, repeated.field))

    def take_rows(self, table: Table) -> pa.Table:
        """Return all rows of one of the tables, and keep none of them."""
        parts = self._parts.pop(table.name) or [table.schema.empty_table()]
        return pa.concat_tables(parts).combine_chunks()  # one chunk is sorted in half the time

    def _add_rows(self, rows: Rows) -> None:
        """Add rows, unless the day would not fit into memory."""
        self.unknown_fields += rows.unknown_fields
        for table, plain in zip(self._asset.tables, rows.tables, strict=True):
            part = self._pseudonyms.of_rows(table, plain) if self._pseudonyms else plain
            self._bytes += part.nbytes
            if self._bytes > MAX_DAY_BYTES:
                raise TooLarge(
                    f"{self._asset.name}: {self.date} has more than {MAX_DAY_BYTES >> 20} MiB of "
                    "rows: group by fewer dimensions, or by longer time buckets"
                )
            self._parts[table.name].append(part)

    def _refuse(self, error: ContractBroken | TooLarge) -> None:
        """Note why the day cannot be kept, and drop its rows."""
        self.error = error
        self._parts = {table.name: [] for table in self._asset.tables}

    def _broken(self, problem: str, field: str) -> ContractBroken:
        """Return the error of a day whose answer cannot be kept."""
        return ContractBroken(
            f"{problem}, on {self.date}",
            asset=self._asset.name,
            field=field,
            request_id=self._request_id,
        )


@dataclass(frozen=True)
class Part:
    """The rows of one list in a snapshot of several, whole; the day has them, too.

    Args:
        workspace_id: The workspace; None: the asset's own list.
        rows: Its rows of each table, in the order of the tables.
        warnings: Why its records are left out; empty when they are not.
    """

    workspace_id: str | None
    rows: tuple[pa.Table, ...]
    warnings: tuple[str, ...]


def days(
    asset: Asset, extracted: Iterable[Extracted], pseudonyms: Pseudonyms | None = None
) -> Iterator[Day | Part | ReportEnd | AnswerFields]:
    """Gather what was extracted into days; what is no record is handed on as it is.

    A day that cannot be kept does not hide the ones after it: it comes without rows and with its
    error. A snapshot's ends the walk. A day that has begun and does not end is dropped.

    Args:
        asset: Whose records they are.
        extracted: Batches of one day, the end of this day, batches of the next one, ...
        pseudonyms: What stands for people in the rows; None: their names.
    """
    day: Day | None = None
    for item in extracted:
        if isinstance(item, AnswerFields | ReportEnd):
            yield item
            continue
        if isinstance(item, DayRestart):
            day = None
            continue
        day = day or Day(asset, item.day, pseudonyms)
        if isinstance(item, Batch):
            day.add(item)
        elif isinstance(item, PartEnd) and (part := day.end_part(item)):
            yield part
        if isinstance(item, DayEnd):
            day.end(item)
            yield day
            day = None
        elif day.error and not asset.kind.dated:
            yield day
            return


def distinct_rows(table: Table, rows: pa.Table) -> pa.Table:
    """Return rows of which none is there twice, the first of equal ones.

    Args:
        table: The table that they belong to, which says what identifies a row.
        rows: The rows.

    Raises:
        FieldError: Different rows have the same key.
    """
    keys = list(zip(*(rows[name].to_pylist() for name in table.identity), strict=True))
    if len(set(keys)) == len(keys):
        return rows
    firsts: dict[tuple[object, ...], int] = {}
    for number, key in enumerate(keys):
        first = firsts.setdefault(key, number)
        if rows.slice(first, 1) != rows.slice(number, 1):
            problem = f"different rows of the table {table.name} have the same key"
            raise FieldError(", ".join(table.identity), problem)
    return rows.take(pa.array(firsts.values(), pa.int64()))
