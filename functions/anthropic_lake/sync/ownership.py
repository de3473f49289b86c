"""Whose lake this is: the manifest, the watermarks and the key must belong together."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from anthropic_lake import __version__
from anthropic_lake.assets import ASSETS
from anthropic_lake.errors import NotThisLake, SettingsError
from anthropic_lake.lake.layout import table_prefix
from anthropic_lake.lake.manifest import (
    Manifest,
    complete_manifest,
    new_manifest,
    read_manifest,
    write_manifest,
)
from anthropic_lake.lake.objects import Lake
from anthropic_lake.lake.watermark import State, Watermarks

OLD_DEFAULT_PREFIX = "/anthropic-lake"
"""Where version 0.1.0 kept the watermarks of every lake that named no other place."""


@dataclass(frozen=True)
class Place:
    """Where a lake is, and where its watermarks may be.

    Args:
        address: How the command line names it: a folder, or s3://bucket/prefix.
        lake: The store of its objects.
        state_at: Opens the store of its watermarks, by prefix.
        default_prefix: The prefix of a new lake; None: its watermarks are files of the lake.
        chosen_prefix: The prefix that the settings name; None: they name none.
    """

    address: str
    lake: Lake
    state_at: Callable[[str | None], State]
    default_prefix: str | None = None
    chosen_prefix: str | None = None


class OwnedLake:
    """A lake whose watermarks are known to be its own.

    Args:
        place: Where it is.

    Attributes:
        is_empty: Whether there is neither a manifest nor an object.

    Raises:
        NotThisLake: The watermarks belong to another lake, or are kept elsewhere.
        SettingsError: A newer version has made the lake.
        StorageError: The manifest or the watermarks cannot be read.
    """

    def __init__(self, place: Place) -> None:
        self.lake = place.lake
        self._manifest = read_manifest(place.lake)
        self.is_empty = self._manifest is None and not any(place.lake.listing(table_prefix()))
        self._prefix = _state_prefix(place, self._manifest, is_empty=self.is_empty)
        self.watermarks = Watermarks(place.state_at(self._prefix))
        self._refuse_foreign_watermarks()

    def admit(
        self, organization_id: str | None, organization_id_of_rows: str | None, now: datetime
    ) -> None:
        """Let a key's data in; a lake without a manifest gets one now.

        Args:
            organization_id: The key's organization, None if the API does not say.
            organization_id_of_rows: Whose rows the lake holds already, None if they do not say.
            now: The time, UTC.

        Raises:
            NotThisLake: The lake holds another organization's data, or another run has made
                another lake here meanwhile.
        """
        owner = organization_id_of_rows
        if self._manifest is not None:
            owner = self._manifest.organization_id
        if owner and organization_id and owner != organization_id:
            raise NotThisLake(
                f"the key is of organization {organization_id}, the lake holds {owner}: use that "
                "organization's key, or another place for this one"
            )
        owner = owner or organization_id
        raced = "another run has made another lake here meanwhile: run again"
        if self._manifest is None:
            by = f"anthropic-lake {__version__}"
            self._manifest = write_manifest(self.lake, new_manifest(owner, self._prefix, now, by))
            if self._manifest.state_prefix != self._prefix:
                raise NotThisLake(raced)
        prefix = self._manifest.state_prefix or self._prefix
        known = replace(self._manifest, organization_id=owner, state_prefix=prefix)
        if known != self._manifest:  # it was not known when the lake was made, or copied to S3
            self._manifest = complete_manifest(self.lake, known)
            if self._manifest != known:
                raise NotThisLake(raced)
        if self.watermarks.claim(self._manifest.lake_id) != self._manifest.lake_id:
            raise _others(self._prefix)

    def _refuse_foreign_watermarks(self) -> None:
        """Raise where the watermarks are another lake's."""
        lake_id = self.watermarks.lake_id
        if lake_id is not None and (self._manifest is None or lake_id != self._manifest.lake_id):
            raise _others(self._prefix)
        if lake_id is None and self.is_empty and any(map(self.watermarks.last, ASSETS)):
            raise NotThisLake(
                f"the lake is empty, and {_where(self._prefix)} say that it is not: they are "
                "another lake's. Set STATE_PREFIX to a new path, or delete them to start anew"
            )


def _state_prefix(place: Place, manifest: Manifest | None, *, is_empty: bool) -> str | None:
    """Return where the watermarks of a lake are kept, None: in the lake."""
    if place.default_prefix is None:
        return None
    if manifest and manifest.state_prefix:
        if place.chosen_prefix not in (None, manifest.state_prefix):
            raise _elsewhere(manifest.state_prefix, place.chosen_prefix)
        return manifest.state_prefix
    if place.chosen_prefix:
        return place.chosen_prefix
    old = Watermarks(place.state_at(OLD_DEFAULT_PREFIX))
    if not is_empty and old.lake_id is None and any(map(old.last, ASSETS)):
        return OLD_DEFAULT_PREFIX
    return place.default_prefix


def _where(prefix: str | None) -> str:
    """Return what people call the place of watermarks."""
    return f"the SSM parameters below {prefix}" if prefix else "the files in _watermarks"


def _others(prefix: str | None) -> SettingsError:
    """Return the error of watermarks that another lake has claimed."""
    return NotThisLake(
        f"{_where(prefix)} belong to another lake: set STATE_PREFIX to a new path, name that lake, "
        "or delete them if that lake is gone"
    )


def _elsewhere(kept: str | None, chosen: str | None) -> SettingsError:
    """Return the error of a state prefix that is not the lake's."""
    return NotThisLake(
        f"the lake keeps its watermarks below {kept}, and STATE_PREFIX is {chosen}: set it to "
        f"{kept}, or leave it out"
    )
