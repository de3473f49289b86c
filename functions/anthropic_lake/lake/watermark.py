"""The watermark: the last day of an asset that is complete and written."""

from datetime import date
from typing import Protocol

from anthropic_lake.errors import StorageError


class Watermark(Protocol):
    """A store for the last synced date of each asset."""

    def get(self, asset: str) -> date | None:
        """Return the last synced date, None before the first sync.

        Raises:
            LakeError: The date cannot be read, or is not a date.
        """

    def put(self, asset: str, day: date) -> None:
        """Write the last synced date.

        Raises:
            LakeError: The date cannot be written.
        """


def advance(watermark: Watermark, asset: str, day: date) -> date:
    """Move the watermark forward to a day, and return where it is then.

    It never moves back. It is read again first: another run of the asset may have moved it.
    """
    current = watermark.get(asset)
    if current is not None and current >= day:
        return current
    watermark.put(asset, day)
    return day


def stored_date(text: str, source: str) -> date:
    """Return the date in the text of a watermark.

    Raises:
        StorageError: The text is not a date; the message names the source.
    """
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise StorageError(
            f"{source} does not hold a date such as 2026-01-31: write one there, or delete it to "
            "start again from the first day of history"
        ) from None
