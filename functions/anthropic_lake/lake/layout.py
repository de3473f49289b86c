"""The layout of a lake: the only file that spells a key."""

import re
from datetime import date

DIGEST = "rows-sha256"
"""Name of the metadata of an object that holds the digest of its rows."""

METADATA_PREFIX = "anthropic_lake."
"""Start of the names of our entries in a Parquet file's metadata."""

_OBJECT = re.compile(r"date=(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})/(?![._])[^/]+\.parquet", re.ASCII)


def table_prefix(table: str = "") -> str:
    """Return the start of the keys of a table's objects, of all tables' without a name."""
    return f"asset={table}/" if table else "asset="


def partition_prefix(table: str, day: str) -> str:
    """Return the start of the keys of a day of a table, the day written as the caller likes."""
    return f"{table_prefix(table)}date={day}/"


def object_key(table: str, day: date, name: str | None = None) -> str:
    """Return the key of the object that holds a day of a table.

    Args:
        table: Name of the table.
        day: The partition.
        name: Name of the object without its ending; the table's by default.
    """
    return f"{partition_prefix(table, day.isoformat())}{name or table}.parquet"


def object_day(name: str) -> date | None:
    """Return the partition of a key below its table's prefix, None where it is not one of ours."""
    match = _OBJECT.fullmatch(name)
    try:
        return date.fromisoformat(match["day"]) if match else None
    except ValueError:
        return None
