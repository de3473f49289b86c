"""Watermarks: the first and the last day of each asset's unbroken history in the lake."""

from datetime import date
from typing import Protocol

from anthropic_lake.errors import StorageError
from anthropic_lake.lake.layout import LAKE_ID, first_synced_name, last_synced_name


class State(Protocol):
    """A store for a few small texts, by name. Every method raises LakeError where it fails."""

    def get(self, name: str) -> str | None:
        """Return a text, None if there is none."""

    def put(self, name: str, text: str) -> None:
        """Write a text."""

    def create(self, name: str, text: str) -> bool:
        """Write a text unless there is one, and return whether it was written."""

    def place(self, name: str) -> str:
        """Return what people call the place of a text."""


class Watermarks:
    """The watermarks of a lake, and whose they are.

    Args:
        state: Where they are kept.
    """

    def __init__(self, state: State) -> None:
        self._state = state

    @property
    def lake_id(self) -> str | None:
        """The lake that they belong to, None if no lake has claimed them."""
        text = self._state.get(LAKE_ID)
        return text.strip() if text else None

    def claim(self, lake_id: str) -> str:
        """Note that they belong to a lake, unless another was faster; return whose they are."""
        if self._state.create(LAKE_ID, lake_id):
            return lake_id
        return self.lake_id or lake_id

    def last(self, asset: str) -> date | None:
        """Return the last complete day in the lake, None before the first sync."""
        return self._day(last_synced_name(asset))

    def first(self, asset: str) -> date | None:
        """Return the first day of the unbroken history that ends at the last day."""
        return self._day(first_synced_name(asset))

    def advance(self, asset: str, day: date) -> date:
        """Move the last day forward, and return where it is then.

        It never moves back. It is read again first: another run of the asset may have moved it.
        """
        current = self.last(asset)
        if current is not None and current >= day:
            return current
        self._state.put(last_synced_name(asset), day.isoformat())
        return day

    def begin(self, asset: str, day: date) -> date:
        """Set the first day, unless another run has done so meanwhile; return what it is then."""
        if self._state.create(first_synced_name(asset), day.isoformat()):
            return day
        return self.first(asset) or day

    def start_at(self, asset: str, day: date) -> None:
        """Set the first day."""
        self._state.put(first_synced_name(asset), day.isoformat())

    def _day(self, name: str) -> date | None:
        """Return a day, None if there is none."""
        text = self._state.get(name)
        if text is None:
            return None
        try:
            return date.fromisoformat(text.strip())
        except ValueError:
            raise StorageError(
                f"{self._state.place(name)} does not hold a date such as 2026-01-31: write one "
                "there, or delete it to start again from the first day of history"
            ) from None
