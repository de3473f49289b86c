"""The demo lake: the same folder of Parquet files each time, for whoever queries a lake in a test.

    organization = build_lake(tmp_path / "lake")
    upload(tmp_path / "lake", aws.client("s3"), "bucket", "prefix")

An invented organization is synced on three mornings through the Extractor, by HTTP from the
simulator. What one would look for in a real lake is in it: a quiet week before the first use, a
restated day, a run that failed, a last day that is not over yet, a key and a user that do nothing,
a person who leaves and whose key stays, a workspace that costs after it was archived, a day that
was read again by the hour, and rules of a chargeback. By itself:
`python -m tests.lakes FOLDER`.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from uuid import UUID

from anthropic_lake.api.connection import Connection, Pace
from anthropic_lake.cli.allocation_file import read_rules
from anthropic_lake.cli.place import local_place
from anthropic_lake.errors import ApiError
from anthropic_lake.lake.allocation import put_rules
from anthropic_lake.lake.local import LocalLake
from anthropic_lake.lake.manifest import read_manifest
from anthropic_lake.settings import read_settings
from anthropic_lake.sync.extractor import Extractor
from anthropic_lake.sync.request import Interval, Request
from tests.simulator import AdminApiServer, Fault, Organization

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anthropic_lake.lake.objects import Lake

DEMO_RULES = Path(__file__).with_name("allocation.csv")
TODAY = date(2026, 11, 22)
FIRST_DAY = date(2026, 9, 24)
HISTORY_START = date(2026, 9, 17)
RESTATED = date(2026, 11, 16)
BY_THE_HOUR = date(2026, 11, 21)
_LEAVER = "user_01Leaver00000000000000000"
MORNINGS = tuple(datetime(2026, 11, day, 6, tzinfo=UTC) for day in (20, 21, 22))


def build_lake(path: Path) -> Organization:
    """Make the demo lake in a folder that is empty or not there yet.

    Args:
        path: The folder.

    Returns:
        The organization as it is after the last sync: what the lake has to agree with.
    """
    organization = demo_organization()
    clock = _Clock(MORNINGS[0])
    with (
        AdminApiServer(organization, now=lambda: clock.now) as api,
        patch("uuid.uuid4", clock.identifier),
    ):
        extractor = _extractor(path, api, clock)
        for morning in MORNINGS:
            clock.now = morning
            if morning == MORNINGS[1]:
                organization.restate(RESTATED)
                api.faults.append(Fault(match="/invites", status=403))
            if morning == MORNINGS[2]:
                leave(organization)
            _sync(extractor, Request("schedule", morning), clock)
            api.clear()
        by_the_hour = _extractor(path, api, clock, USAGE_BUCKET_WIDTH="1h")
        interval = Interval(BY_THE_HOUR, BY_THE_HOUR + timedelta(days=1))
        request = Request("interval", clock.now, interval)
        usage_report = by_the_hour.settings.asset("usage_report")
        by_the_hour.run(usage_report, request, by_the_hour.new_run(usage_report, request))
    load_demo_rules(LocalLake(path))
    return organization


def load_demo_rules(lake: Lake) -> None:
    """Make allocation.csv the rules of a lake of the demo's organization."""
    manifest = read_manifest(lake)
    assert manifest
    put_rules(lake, read_rules(DEMO_RULES), manifest.organization_id)


def upload(path: Path, s3: Any, bucket: str, prefix: str = "") -> None:
    """Copy a lake's objects into a bucket, with their keys below the prefix."""
    for file in objects(path):
        key = "/".join(filter(None, (prefix, file.relative_to(path).as_posix())))
        s3.put_object(Bucket=bucket, Key=key, Body=file.read_bytes())


def objects(path: Path) -> Iterator[Path]:
    """The Parquet files of a lake in a folder, in the order of their keys."""
    return iter(sorted(path.glob("asset=*/date=*/*.parquet")))


def demo_organization(today: date = TODAY) -> Organization:
    """The invented one, and what deserves a second look; its use stays as it was drawn."""
    organization = Organization.invent(seed=7, today=today)
    key, user = organization.api_keys[-1], organization.users[0]
    forgotten = {"id": "apikey_01Forgotten0000000000000", "name": "Forgotten", "status": "active"}
    organization.api_keys.append({**key, **forgotten})
    left = {"id": "apikey_01LeftBehind0000000000", "name": "Left behind", "status": "active"}
    creator = {"created_by": {"id": _LEAVER, "type": "user"}}
    organization.api_keys.append({**key, **left, **creator})
    leaver = {"id": _LEAVER, "email": "leaver@example.com", "name": "Lea Verne"}
    organization.users.append({**user, **leaver, "role": "developer"})
    absent = {"id": "user_01Absent00000000000000000", "email": "absent@example.com"}
    absent |= {"name": "Absent O'Neil", "role": "claude_code_user"}
    organization.users.append({**user, **absent})
    [archived] = [each for each in organization.workspaces if each["name"] == "Checkout: fraud"]
    archived["archived_at"] = f"{today - timedelta(days=12)}T09:30:00.000000Z"
    return organization


def leave(organization: Organization) -> None:
    """The person leaves whose key stays active."""
    organization.users = [user for user in organization.users if user["id"] != _LEAVER]


class _Clock:
    """A time that moves a second with each look, and identifiers that count."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.runs = 0

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now

    def identifier(self) -> UUID:
        self.runs += 1
        return UUID(int=self.runs)


def _extractor(path: Path, api: AdminApiServer, clock: _Clock, **environment: str) -> Extractor:
    start = HISTORY_START.isoformat()
    settings = read_settings({"ANTHROPIC_BASE_URL": api.url, "HISTORY_START": start, **environment})
    connection = Connection(lambda: api.key, Pace(1_000_000), settings.base_url)
    return Extractor(settings, connection, local_place(path), clock)


def _sync(extractor: Extractor, request: Request, clock: _Clock) -> None:
    """Sync all assets; a failed one leaves its row in sync_runs."""
    for asset in extractor.settings.assets.values():
        clock()
        with suppress(ApiError):
            extractor.run(asset, request, extractor.new_run(asset, request))


if __name__ == "__main__":
    build_lake(Path(sys.argv[1]))
