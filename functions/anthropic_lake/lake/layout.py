"""The layout of a lake: the only file that spells a key."""

import re
from datetime import date

DIGEST = "rows-sha256"
"""Name of the metadata of an object that holds the digest of its rows."""

MANIFEST = "_lake.json"
"""Key of the object that says which lake this is."""

LAKE_ID = "lake_id"
"""Name, below the state's prefix, of the identifier of the lake that the state belongs to."""

METADATA_PREFIX = "anthropic_lake."
"""Start of the names of our entries in a Parquet file's metadata."""

DAY_PREFIX = "date="
"""Start of the folder of a day, below its table's prefix: the name of the partition column."""

_OBJECT = re.compile(
    DAY_PREFIX + r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})/(?![._])[^/]+\.parquet", re.ASCII
)


def table_prefix(table: str = "") -> str:
    """Return the start of the keys of a table's objects; without a name, of all objects."""
    return f"asset={table}/" if table else "asset="


def partition_prefix(table: str, day: str) -> str:
    """Return the start of the keys of a day of a table, the day written as the caller likes."""
    return f"{table_prefix(table)}{DAY_PREFIX}{day}/"


def object_key(table: str, day: date, name: str | None = None) -> str:
    """Return the key of the object that holds a day of a table.

    Args:
        table: Name of the table.
        day: The partition.
        name: Name of the object without its ending; the table's by default.
    """
    return f"{partition_prefix(table, day.isoformat())}{name or table}.parquet"


def object_day(name: str) -> date | None:
    """Return the day of a key below its table's prefix; None if the key is not of this layout."""
    match = _OBJECT.fullmatch(name)
    try:
        return date.fromisoformat(match["day"]) if match else None
    except ValueError:
        return None


def last_synced_name(asset: str) -> str:
    """Return the name, below the state's prefix, of the last day of an asset's history."""
    return f"{asset}/last_synced_date"


def first_synced_name(asset: str) -> str:
    """Return the name, below the state's prefix, of the first day of an asset's history."""
    return f"{asset}/first_synced_date"


def state_file(name: str) -> str:
    """Return the file of a local lake that holds a value of its state."""
    asset, _, kind = name.partition("/")
    return f"_watermarks/{asset}" + (".first" if kind == "first_synced_date" else "")


def lock_file(asset: str) -> str:
    """Return the file of a local lake that says which process syncs an asset."""
    return f"_locks/{asset}"


def progress_key(asset: str) -> str:
    """Return the key of the part of an unfinished snapshot; no reader takes it for a table."""
    return f"_progress/{asset}.parquet"
