"""An unfinished snapshot: what its run has read, for the next run of the same day."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

import pyarrow as pa

from anthropic_lake.errors import StorageError
from anthropic_lake.lake.layout import progress_key
from anthropic_lake.lake.objects import ANYTHING, Lake, put_rows, read_rows_with_metadata
from anthropic_lake.schema.table import Table


@dataclass
class Unfinished:
    """The parts whose records have come whole.

    Args:
        day: The day of the snapshot, UTC.
        workspace_ids: The workspaces, those whose records are left out, too; None: the asset's
            own list.
        rows: Their rows.
        warnings: Why records of some are left out.
    """

    day: date
    workspace_ids: set[str | None] = field(default_factory=set)
    rows: list[pa.Table] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add(self, workspace_id: str | None, rows: pa.Table, warnings: Iterable[str]) -> None:
        """Add a part."""
        self.workspace_ids.add(workspace_id)
        self.rows.append(rows)
        self.warnings += warnings

    def save(self, lake: Lake, table: Table) -> None:
        """Write it beside the tables, where no reader looks.

        Raises:
            LakeError: It cannot be written.
        """
        metadata = {
            "day": self.day.isoformat(),
            "workspace_ids": json.dumps(sorted(self.workspace_ids, key=str)),
            "warnings": json.dumps(self.warnings),
        }
        rows = pa.concat_tables([table.schema.empty_table(), *self.rows])
        put_rows(lake, table, progress_key(table.name), rows, metadata, replaces=ANYTHING)


def read_unfinished(lake: Lake, table: Table, day: date) -> Unfinished:
    """Return what earlier runs have read of a day's snapshot; nothing, where they have not.

    What cannot be read counts as nothing: it is read again.

    Raises:
        LakeError: The lake cannot be used.
    """
    stored = lake.get(progress_key(table.name))
    if stored is None:
        return Unfinished(day)
    try:
        rows, metadata = read_rows_with_metadata(table, stored.body)
        if metadata["day"] != day.isoformat():
            return Unfinished(day)
        workspace_ids = set(json.loads(metadata["workspace_ids"]))
        return Unfinished(day, workspace_ids, [rows], json.loads(metadata["warnings"]))
    except (StorageError, LookupError, ValueError):
        return Unfinished(day)
