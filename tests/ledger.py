"""Ledgers for tests: entries of `sync_days`, and the objects that hold them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from anthropic_lake.lake.layout import object_key
from anthropic_lake.lake.ledger import SYNC_DAYS
from anthropic_lake.lake.local import LocalLake
from anthropic_lake.lake.objects import ANYTHING, put_rows

Entry = dict[str, Any]


def entry(asset: str, day: date, **columns: object) -> Entry:
    """A row of the ledger: a final day of the history, read once on the morning after."""
    read_at = datetime.combine(day + timedelta(days=1), time(6), UTC)
    defaults: Entry = {
        "asset": asset,
        "day": day,
        "organization_id": None,
        "in_history": True,
        "first_read_at": read_at,
        "last_read_at": read_at,
        "last_changed_at": read_at,
        "times_changed": 0,
        "is_final": True,
        "rows": 1,
        "bytes": 1000,
        "digest": "0" * 64,
        "last_run_id": "run",
    }
    return defaults | columns


def write_ledger(lake: Path, entries: Iterable[Entry]) -> None:
    """Write entries as the lake keeps them: one object an asset and month."""
    months: dict[tuple[str, date], list[Entry]] = defaultdict(list)
    for each in entries:
        months[each["asset"], each["day"].replace(day=1)].append(each)
    for (asset, month), rows in months.items():
        table = pa.Table.from_pylist(rows, schema=SYNC_DAYS.schema)
        key = object_key(SYNC_DAYS.name, month, asset)
        put_rows(LocalLake(lake), SYNC_DAYS, key, table, {}, replaces=ANYTHING)
