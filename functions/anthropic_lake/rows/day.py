"""Batches gathered into days of rows, each handed on when it is whole."""

from collections.abc import Iterable, Iterator
from datetime import date

import pyarrow as pa

from anthropic_lake.assets import Asset
from anthropic_lake.errors import ContractBroken, TooLarge
from anthropic_lake.extract.batch import Batch, DayEnd
from anthropic_lake.rows.arrow import FieldError
from anthropic_lake.rows.reader import Rows, read_rows
from anthropic_lake.schema.table import Table
from anthropic_lake.strict_json import InvalidJson

MAX_DAY_BYTES = 320 << 20  # of Arrow columns; sorting takes as much again, twice


class Day:
    """The rows of all of an asset's tables on one day.

    Args:
        asset: Whose rows they are.
        date: The day.

    Attributes:
        unknown_fields: Number of fields and enumerated values that the tables do not know.
        warnings: What was left out and why.
    """

    def __init__(self, asset: Asset, date: date) -> None:
        self.date = date
        self.unknown_fields = 0
        self.warnings: tuple[str, ...] = ()
        self._asset = asset
        self._bytes = 0
        self._parts: dict[str, list[pa.Table]] = {table.name: [] for table in asset.tables}

    def add(self, rows: Rows) -> None:
        """Add rows.

        Raises:
            TooLarge: The day would not fit into memory.
        """
        self.unknown_fields += rows.unknown_fields
        for table, part in zip(self._asset.tables, rows.tables, strict=True):
            self._bytes += part.nbytes
            if self._bytes > MAX_DAY_BYTES:
                raise TooLarge(
                    f"{self._asset.name}: {self.date} has more than {MAX_DAY_BYTES >> 20} MiB of "
                    "rows: group by fewer dimensions, or by longer time buckets"
                )
            self._parts[table.name].append(part)

    def take_rows(self, table: Table) -> pa.Table:
        """Return all rows of one of the tables, and keep none of them."""
        parts = self._parts.pop(table.name) or [table.schema.empty_table()]
        return pa.concat_tables(parts).combine_chunks()  # one chunk is sorted in half the time


def days(asset: Asset, extracted: Iterable[Batch | DayEnd]) -> Iterator[Day]:
    """Gather what was extracted into days.

    Args:
        asset: Whose records they are.
        extracted: Batches of one day, the end of this day, batches of the next one, ...

    Raises:
        ContractBroken: A record cannot be a row.
        TooLarge: A day would not fit into memory.
    """
    day: Day | None = None
    for item in extracted:
        day = day or Day(asset, item.day)
        if isinstance(item, Batch):
            _add_batch(day, asset, item)
            continue
        day.warnings = item.warnings
        yield day
        day = None


def _add_batch(day: Day, asset: Asset, batch: Batch) -> None:
    """Add the rows of a batch, or name what is wrong with it."""
    shared = {"organization_id": batch.origin.organization_id, **batch.shared}
    request_id = batch.origin.request_id
    try:
        for rows in read_rows(asset.tables, batch.records_text, shared, day.date):
            day.add(rows)
    except InvalidJson as error:
        raise ContractBroken(
            str(error), asset=asset.name, field="data[]", request_id=request_id
        ) from None
    except FieldError as error:
        raise ContractBroken(
            error.problem, asset=asset.name, field=error.field, request_id=request_id
        ) from None
