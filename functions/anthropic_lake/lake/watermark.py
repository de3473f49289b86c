"""The watermark: the last day of an asset that is complete and safely in the lake."""

from datetime import date
from typing import TYPE_CHECKING, Protocol

from anthropic_lake.errors import StorageError

if TYPE_CHECKING:
    pass


class Watermark(Protocol):
    """Remembers the last synced date of each asset."""

    def get(self, asset: str) -> date | None:
        """Give the last synced date, None before the first.

        Raises:
            LakeError: It cannot be read, or is not a date.
        """

    def put(self, asset: str, day: date) -> None:
        """Remember a last synced date.

        Raises:
            LakeError: It cannot be written.
        """


def advance(watermark: Watermark, asset: str, day: date) -> date:
    """Move the watermark on to a day, never back, and give where it stands then.

    It is read again first, because another run of the asset may have moved it meanwhile.
    """
    current = watermark.get(asset)
    if current is not None and current >= day:
        return current
    watermark.put(asset, day)
    return day


def stored_date(text: str, place: str) -> date:
    """Read a stored date."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise StorageError(
            f"{place} does not hold a date such as 2026-01-31: write one there, or delete it to "
            "start again from the first day of history"
        ) from None
