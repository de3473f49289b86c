"""The lake's manifest, `_lake.json`: which lake this is, whose, and where its watermarks are."""

import json
import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from anthropic_lake.errors import SettingsError, StorageError
from anthropic_lake.lake.layout import MANIFEST
from anthropic_lake.lake.objects import Conflict, Lake, StoredObject

FORMAT = 1

_MAX_TRIES = 5


@dataclass(frozen=True)
class Manifest:
    """What stands in `_lake.json`, written once when the lake is made or adopted.

    Args:
        format: Version of the lake's layout.
        lake_id: Identifies the lake; `lake_id` beside its watermarks repeats it.
        organization_id: Whose data it holds; None: the API did not say.
        state_prefix: Start of the names of its SSM parameters; None: they are files of the lake.
        created_at: When it was written, ISO 8601, UTC.
        created_by: What wrote it: name and version.
    """

    format: int
    lake_id: str
    organization_id: str | None
    state_prefix: str | None
    created_at: str
    created_by: str


def new_manifest(
    organization_id: str | None, state_prefix: str | None, now: datetime, created_by: str
) -> Manifest:
    """Return the manifest of a lake that has none yet."""
    return Manifest(
        FORMAT, uuid.uuid4().hex, organization_id, state_prefix, now.isoformat(), created_by
    )


def read_manifest(lake: Lake) -> Manifest | None:
    """Return the lake's manifest, None where it has none yet.

    Raises:
        SettingsError: A newer version has made the lake.
        StorageError: It cannot be read, or is not a manifest.
    """
    stored = lake.get(MANIFEST)
    return _manifest(stored) if stored else None


def _manifest(stored: StoredObject) -> Manifest:
    """Return the manifest that an object holds."""
    try:
        members = json.loads(stored.body)
        manifest_format = int(members["format"])
    except (ValueError, TypeError, LookupError):
        raise StorageError(
            f"{MANIFEST} is not a lake's manifest: restore it from the data bucket's versions, or "
            "name another place"
        ) from None
    if manifest_format > FORMAT:
        raise SettingsError(
            f"the lake has format {manifest_format}, this anthropic-lake knows {FORMAT}: upgrade it"
        )
    known = {name: members.get(name) for name in Manifest.__dataclass_fields__}
    return Manifest(**known)


def write_manifest(lake: Lake, manifest: Manifest) -> Manifest:
    """Write the manifest unless there is one already, and return the one that stands.

    Raises:
        LakeError: It cannot be written.
    """
    try:
        lake.put(MANIFEST, _body(manifest), replaces=None)
    except Conflict:
        standing = read_manifest(lake)
        if standing is not None:
            return standing
        raise
    return manifest


def complete_manifest(lake: Lake, wanted: Manifest) -> Manifest:
    """Add what has become known of a lake, organization or state prefix; return what stands.

    What the manifest says already never changes, also where another run was faster.

    Raises:
        LakeError: It cannot be written.
    """
    for _ in range(_MAX_TRIES):
        stored = lake.get(MANIFEST)
        if stored is None:
            return write_manifest(lake, wanted)
        standing = _manifest(stored)
        known = replace(
            standing,
            organization_id=standing.organization_id or wanted.organization_id,
            state_prefix=standing.state_prefix or wanted.state_prefix,
        )
        if known == standing:
            return standing
        with suppress(Conflict):
            lake.put(MANIFEST, _body(known), replaces=stored.etag)
            return known
    raise StorageError(f"other runs keep changing {MANIFEST}: run again later")


def _body(manifest: Manifest) -> bytes:
    """Return the manifest's file."""
    return (json.dumps(asdict(manifest), indent=1) + "\n").encode()
