"""A run sends the fewest requests that its asset can be had with, and one for the open day."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from anthropic_lake.api.connection import Connection, Pace
from anthropic_lake.assets import ASSETS
from anthropic_lake.cli.place import local_place
from anthropic_lake.settings import read_settings
from anthropic_lake.sync.extractor import Extractor
from anthropic_lake.sync.request import Interval, Request
from tests.simulator import AdminApiServer, Organization

TODAY = date(2026, 3, 31)
NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
DAYS = 90
BUCKETS_A_PAGE = 31
RECORDS_A_PAGE = 1000
REPORTS = pytest.mark.parametrize(
    "asset", ["usage_report", "cost_report", "analytics_usage", "analytics_cost"]
)
"""Reports whose 31 days fit into a page here, in time buckets or in rows."""


@pytest.fixture(scope="module")
def api() -> Iterator[AdminApiServer]:
    organization = Organization.invent(today=TODAY, days=DAYS, people=3, groups=20)
    with AdminApiServer(organization, now=lambda: NOW) as server:
        yield server


@pytest.fixture(scope="module")
def large() -> Iterator[AdminApiServer]:
    """An organization whose users and Claude Code records do not fit into one page."""
    organization = Organization.invent(today=TODAY, days=3, people=1100, groups=20)
    with AdminApiServer(organization, now=lambda: NOW) as server:
        yield server


def sync(api: AdminApiServer, folder: Path, asset: str, interval: Interval | None = None) -> int:
    """Sync an asset and give the requests that the API saw."""
    api.clear()
    settings = read_settings({"HISTORY_START": str(TODAY - timedelta(days=DAYS - 1))})
    extractor = Extractor(
        settings,
        Connection(lambda: api.key, Pace(1_000_000), api.url),
        local_place(folder),
        clock=lambda: NOW,
    )
    chosen, request = settings.asset(asset), Request("manual", NOW, interval)
    run = extractor.new_run(chosen, request)
    extractor.run(chosen, request, run)
    assert run.status == "succeeded"
    assert run.requests == len(api.requests)
    assert run.retries == 0
    return len(api.requests)


def pages(records: int) -> int:
    """The pages of a list: an empty one has one, too."""
    return max(1, math.ceil(records / RECORDS_A_PAGE))


def chain_per_workspace(organization: Organization) -> int:
    """The pages of the workspaces but the default one, and of the members of each."""
    listed = [
        organization.members[workspace["id"]]
        for workspace in organization.workspaces
        if workspace["id"] != organization.default_workspace_id
    ]
    return pages(len(listed)) + sum(pages(len(members)) for members in listed)


def test_every_asset_is_counted_here() -> None:
    snapshots = {"organization", "workspaces", "api_keys", "invites", "users", "workspace_members"}
    reports = {"usage_report", "cost_report", "claude_code_usage"}
    analytics = {"analytics_usage", "analytics_cost"}
    assert set(ASSETS) == snapshots | reports | analytics | {"rate_limits", "spend_limits"}


def test_the_organization_takes_one_request(api: AdminApiServer, tmp_path: Path) -> None:
    assert sync(api, tmp_path, "organization") == 1


@pytest.mark.parametrize("asset", ["workspaces", "api_keys", "invites", "users"])
def test_a_list_takes_a_request_for_every_thousand(
    large: AdminApiServer, tmp_path: Path, asset: str
) -> None:
    assert sync(large, tmp_path, asset) == pages(len(getattr(large.organization, asset)))


def test_members_take_the_list_of_workspaces_and_a_chain_for_each(
    large: AdminApiServer, tmp_path: Path
) -> None:
    assert sync(large, tmp_path, "workspace_members") == chain_per_workspace(large.organization)


def test_rate_limits_take_the_own_list_that_of_the_workspaces_and_one_for_each_active_one(
    large: AdminApiServer, tmp_path: Path
) -> None:
    workspaces = large.organization.workspaces
    active = [each for each in workspaces if each["archived_at"] is None]
    assert 1 < len(active) < len(workspaces)
    assert sync(large, tmp_path, "rate_limits") == 1 + pages(len(active)) + len(active)


def test_spend_limits_take_a_request_for_every_thousand(tmp_path: Path) -> None:
    organization = Organization.invent(today=TODAY, days=1)
    one = organization.spend_limits[0]
    organization.spend_limits = [one | {"id": f"spl_{number:04}"} for number in range(2500)]
    with AdminApiServer(organization, now=lambda: NOW) as api:
        assert sync(api, tmp_path, "spend_limits") == 3
        organization.spend_limits.clear()
        assert sync(api, tmp_path, "spend_limits") == 1


@REPORTS
def test_a_report_takes_a_request_for_every_31_days_and_one_for_the_open_day(
    api: AdminApiServer, tmp_path: Path, asset: str
) -> None:
    assert sync(api, tmp_path, asset) == math.ceil((DAYS - 1) / BUCKETS_A_PAGE) + 1


@REPORTS
@pytest.mark.parametrize(("days", "requests"), [(1, 1), (31, 1), (32, 2), (62, 2), (63, 3)])
def test_ended_days_take_a_request_for_every_31(
    api: AdminApiServer, tmp_path: Path, asset: str, days: int, requests: int
) -> None:
    ended = Interval(TODAY - timedelta(days=days), TODAY)
    assert sync(api, tmp_path, asset, ended) == requests


@REPORTS
def test_a_daily_run_of_a_report_takes_two_requests(
    api: AdminApiServer, tmp_path: Path, asset: str
) -> None:
    sync(api, tmp_path, asset)
    assert sync(api, tmp_path, asset) == 2


def test_claude_code_takes_a_chain_for_every_day(large: AdminApiServer, tmp_path: Path) -> None:
    days = [TODAY - timedelta(days=number) for number in range(3)]
    records = Counter({day: len(large.organization.claude_code_records(day, NOW)) for day in days})
    week = Interval(days[-1], TODAY + timedelta(days=1))
    assert sync(large, tmp_path, "claude_code_usage", week) == sum(map(pages, records.values()))


def test_large_pages_are_followed_by_smaller_ones_and_nothing_is_read_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anthropic_lake.extract.buckets.SHRINK_ABOVE_BYTES", 100_000)
    organization = Organization.invent(today=TODAY, days=40, groups=20)
    with AdminApiServer(organization, now=lambda: NOW) as api:
        ended = Interval(TODAY - timedelta(days=39), TODAY)
        sync(api, tmp_path, "usage_report", ended)
        limits = [int(request.query["limit"][0]) for request in api.requests]
        starts = [request.query["starting_at"][0] for request in api.requests]
    assert limits[0] == BUCKETS_A_PAGE
    assert limits[1] < BUCKETS_A_PAGE
    assert starts[1] == f"{ended.start + timedelta(days=BUCKETS_A_PAGE)}T00:00:00Z"
    assert len(limits) == 1 + math.ceil((39 - BUCKETS_A_PAGE) / limits[1])
