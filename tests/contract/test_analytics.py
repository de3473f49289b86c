"""The successor reports arrive whole, by day, from a simulated API over a socket."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from anthropic_lake.assets import ASSETS
from anthropic_lake.errors import ContractBroken
from anthropic_lake.lake.ledger import Ledger
from anthropic_lake.lake.local import LocalLake
from tests.contract.client import Client, connected
from tests.contract.lab import NOW, ONE_DAY, TODAY, Lab, each_day
from tests.simulator import AdminApiServer, Analytics, Fault, Lag, Organization

Json = dict[str, Any]
PAIR = pytest.mark.parametrize("name", ["analytics_cost", "analytics_usage"])
YESTERDAY = TODAY - ONE_DAY
START = TODAY - 4 * ONE_DAY
"""The first day of a lab's lake."""
BETA = {"anthropic-beta": "analytics-usage-cost-2026-08-24"}


@pytest.fixture
def client(simulated: AdminApiServer) -> Iterator[Client]:
    with connected(simulated.url) as client:
        yield client


def reported(client: Client, name: str, day: date) -> list[Json]:
    """The rows of a day as somebody else reads them: a few a page, the largest first."""
    by = ASSETS[name].time_buckets
    assert by
    path = name.replace("_", "/")
    query: Json = {
        "starting_at": f"{day}T00:00:00Z",
        "ending_at": f"{day + ONE_DAY}T00:00:00Z",
        "time_bucket_width": "1d",
        "group_by[]": list(by.asked_by),
        "limit": 7,
    }
    rows: list[Json] = []
    page: Json = {"next_page": None}
    while not rows or page["next_page"]:
        token = {"page": page["next_page"]} if page["next_page"] else {}
        page = client.get(path, headers=BETA, **query, **token).json()
        rows += page["data"]
    return rows


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, object]]:
    """The values of a record that are not null, by path; a provider is whole."""
    if isinstance(value, dict) and not path.endswith("provider"):
        for name, part in value.items():
            yield from leaves(part, f"{path}.{name}" if path else name)
    elif value is not None:
        yield path, value


def as_reported(name: str, row: Json) -> frozenset[tuple[str, object]]:
    """A row of the lake as the API's record, by the declaration's paths."""
    table = ASSETS[name].tables[0]
    found = {}
    for column in table.all_columns:
        value = row[column.name]
        own = {"organization_id", "extra", "bucket_width", "grouped_by", "data_refreshed_at"}
        if value is None or column.usd_where or column.name in own:
            continue
        if isinstance(value, datetime):
            value = f"{value:%Y-%m-%dT%H:%M:%SZ}"
        if column.name == "actor_provider":
            value = json.dumps(json.loads(value), sort_keys=True)
        found[column.paths[0]] = value
    return frozenset(found.items())


def as_record(record: Json) -> frozenset[tuple[str, object]]:
    """A record of the API in the same form."""
    found = dict(leaves(record))
    for path, value in found.items():
        if path.endswith("provider"):
            found[path] = json.dumps(value, sort_keys=True)
        elif path.endswith("amount"):
            found[path] = Decimal(str(value))
    return frozenset(found.items())


@PAIR
def test_every_row_of_every_day_arrives_as_it_was_reported(
    lab: Lab, client: Client, name: str
) -> None:
    """Equal rows as often as they are: identities that nobody can name are rows of their own."""
    run = lab.run(name)
    assert (run.status, run.unknown_fields, run.warnings) == ("succeeded", 0, [])
    for day in each_day(START, TODAY):
        rows = Counter(as_reported(name, row) for row in lab.rows(name, day))
        assert rows == Counter(map(as_record, reported(client, name, day)))
        assert rows.total() > 10


def test_rows_that_nobody_can_name_are_rows_of_their_own(lab: Lab) -> None:
    lab.run("analytics_usage")
    rows = [row for row in lab.all_rows("analytics_usage") if row["actor_type"] is None]
    combinations = Counter(
        (row["date"], row["api_key_id"], row["workspace_id"], row["model"], row["product"])
        for row in rows
    )
    assert max(combinations.values()) > 1


def test_cost_agrees_with_the_older_report_by_day_and_workspace(lab: Lab) -> None:
    """To the last digit; the older report writes null for the default workspace."""
    assert lab.run("analytics_cost").spend_usd == {}  # the month's metric is the cost report's
    assert lab.run("cost_report").spend_usd != {}
    default = lab.api.organization.default_workspace_id
    sums: dict[str, dict[tuple[date, str], Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for name in ("analytics_cost", "cost_report"):
        for row in lab.all_rows(name):
            sums[name][row["date"], row["workspace_id"] or default] += row["amount_usd"]
    assert sums["analytics_cost"] == sums["cost_report"]
    assert len(sums["cost_report"]) > 10


def test_every_kind_of_actor_has_its_columns(tmp_path: Path) -> None:
    organization = Organization.invent(seed=7, today=TODAY, days=6)
    with AdminApiServer(organization) as api:
        lab = Lab(api, tmp_path)
        lab.run("analytics_cost")
    by_type = defaultdict(list)
    for row in lab.all_rows("analytics_cost"):
        by_type[row["actor_type"]].append(row)
    assert all(row["actor_user_id"] for row in by_type["user_actor"])
    assert {row["actor_deleted"] for row in by_type["user_actor"]} == {True, False}
    assert all(row["actor_service_account_id"] for row in by_type["service_account_actor"])
    assert all(row["actor_api_key_id"] for row in by_type["api_actor"])
    assert all(json.loads(row["actor_provider"])["type"] for row in by_type["federated_actor"])
    assert any(row["actor_federated_subject"] for row in by_type["federated_actor"])
    assert by_type.keys() >= {None}


def test_other_dimensions_and_hours_are_asked_for_and_say_so(lab: Lab) -> None:
    lab.environment = {"ANALYTICS_GROUP_BY": "actor_type,model", "ANALYTICS_BUCKET_WIDTH": "1h"}
    lab.run("analytics_cost")
    rows = lab.rows("analytics_cost", YESTERDAY)
    assert {row["grouped_by"] for row in rows} == {"actor_type,cost_type,model,token_type"}
    assert {row["bucket_width"] for row in rows} == {"1h"}
    assert {row["ending_at"] - row["starting_at"] for row in rows} == {timedelta(hours=1)}
    assert {"api_actor", "user_actor"} <= {row["actor_type"] for row in rows}
    assert len({row["starting_at"] for row in rows}) > 3


# --- requests


@PAIR
@pytest.mark.parametrize(("days", "walks"), [(1, 1), (31, 1), (32, 2), (62, 2)])
def test_a_range_takes_a_walk_for_every_31_days_and_a_page_for_every_thousand_rows(
    tmp_path: Path, name: str, days: int, walks: int
) -> None:
    organization = Organization.invent(seed=3, today=TODAY, days=3, people=3, workspaces=2)
    with AdminApiServer(organization) as api:
        lab = Lab(api, tmp_path)
        run = lab.run(name, (TODAY - days * ONE_DAY, TODAY))
    assert (run.requests, run.days_written) == (walks, days)


@PAIR
def test_pages_are_as_few_as_rows_allow(tmp_path: Path, name: str) -> None:
    """Rows that cost is split into do not count: a page is longer by them."""
    organization = Organization.invent(seed=3, today=TODAY, days=9, groups=400)
    with AdminApiServer(organization) as api:
        lab = Lab(api, tmp_path)
        run = lab.run(name, (TODAY - 7 * ONE_DAY, TODAY))
        rows = lab.all_rows(name)
    split_by = {"cost_type", "token_type"}
    combinations = Counter(
        tuple(
            row[column.name] for column in ASSETS[name].tables[0].key if column.name not in split_by
        )
        for row in rows
    )
    assert run.requests == math.ceil(len(combinations) / 1000) > 1


@PAIR
def test_a_daily_run_takes_a_walk_of_the_lookback_and_one_of_the_open_day(
    lab: Lab, name: str
) -> None:
    lab.run(name)
    before = lab.objects()
    run = lab.run(name)
    assert (run.requests, run.days_written, run.days_changed) == (2, 5, 0)
    assert lab.objects() == before


# --- pages of all kinds


@PAIR
@pytest.mark.parametrize("last_page", [None, ""])
def test_has_more_may_be_absent(
    held: Organization, tmp_path: Path, name: str, last_page: str | None
) -> None:
    objects = []
    for number, has_more in enumerate([True, False]):
        analytics = Analytics(has_more=has_more, last_page=last_page)
        with AdminApiServer(held, analytics=analytics) as api:
            lab = Lab(api, tmp_path / str(number))
            lab.run(name)
        objects.append({key: value.split()[0] for key, value in lab.objects().items()})
    assert objects[0] == objects[1]
    assert objects[0]


def test_an_expired_cursor_costs_requests_and_no_row(tmp_path: Path) -> None:
    organization = Organization.invent(seed=3, today=TODAY, days=9, groups=400)
    labs = []
    for number, fault in enumerate([None, Fault.expired_cursor("analytics")]):
        with AdminApiServer(organization) as api:
            lab = Lab(api, tmp_path / str(number))
            api.faults += [fault] if fault else []
            run = lab.run("analytics_usage", (TODAY - 7 * ONE_DAY, TODAY))
            labs.append((lab, run.requests))
    (calm, requests), (expired, more_requests) = labs
    assert expired.all_rows("analytics_usage") == calm.all_rows("analytics_usage")
    assert more_requests > requests


# --- how fresh the figures are


def aged(held: Organization, hours: float) -> AdminApiServer:
    """The API at noon, whose figures are so many hours old."""
    return AdminApiServer(
        held, now=lambda: NOW, analytics=Analytics(refreshed_ago=timedelta(hours=hours))
    )


def test_the_watermark_never_passes_what_the_api_has(held: Organization, tmp_path: Path) -> None:
    """Yesterday is there in part: written, and not final."""
    with aged(held, hours=16) as api:
        lab = Lab(api, tmp_path)
        run = lab.run("analytics_cost")
    assert (run.status, run.lag_days, run.days_behind) == ("succeeded", 1, 0)
    assert run.warnings == [
        f"the report ends before {YESTERDAY}, 1 complete days short: the next run reads them"
    ]
    assert run.last_synced_date == YESTERDAY - ONE_DAY == lab.watermark("analytics_cost")
    assert lab.days("analytics_cost") == each_day(START, YESTERDAY)
    entries = Ledger(LocalLake(tmp_path), "analytics_cost").entries(START, TODAY)
    assert not entries[YESTERDAY].is_final
    assert entries[YESTERDAY - ONE_DAY].is_final
    refreshed = NOW - timedelta(hours=16)
    assert {entry.data_refreshed_at for entry in entries.values()} == {refreshed}


def test_a_refresh_brings_the_rest_of_the_day(held: Organization, tmp_path: Path) -> None:
    for hours in (16, 1):
        with aged(held, hours) as api:
            lab = Lab(api, tmp_path)
            run = lab.run("analytics_cost")
    assert (run.lag_days, run.last_synced_date) == (None, YESTERDAY)
    with AdminApiServer(held, now=lambda: NOW) as api, connected(api.url) as client:
        expected = Counter(map(as_record, reported(client, "analytics_cost", YESTERDAY)))
    rows = lab.rows("analytics_cost", YESTERDAY)
    assert Counter(as_reported("analytics_cost", row) for row in rows) == expected


def test_a_refresh_alone_rewrites_nothing(held: Organization, tmp_path: Path) -> None:
    """The rows keep the time at which they last changed; the ledger has the newest."""
    interval = (START, YESTERDAY)
    for hours in (6, 3):
        with aged(held, hours) as api:
            lab = Lab(api, tmp_path)
            run = lab.run("analytics_usage", interval)
    assert (run.days_written, run.days_changed) == (3, 0)
    refreshed = {row["data_refreshed_at"] for row in lab.all_rows("analytics_usage")}
    assert refreshed == {NOW - timedelta(hours=6)}
    entries = Ledger(LocalLake(tmp_path), "analytics_usage").entries(*interval)
    assert {entry.data_refreshed_at for entry in entries.values()} == {NOW - timedelta(hours=3)}


def test_figures_that_become_older_leave_the_whole_of_a_day_in_the_lake(
    held: Organization, tmp_path: Path
) -> None:
    """Of yesterday the API has a part again, of which nobody would read the rest in time."""
    objects = []
    for hours in (1, 16):
        with aged(held, hours) as api:
            lab = Lab(api, tmp_path)
            run = lab.run("analytics_cost", (START, TODAY))
        objects.append(lab.objects())
    assert objects[0] == objects[1]
    assert (run.status, run.lag_days) == ("succeeded", 1)
    entries = Ledger(LocalLake(tmp_path), "analytics_cost").entries(START, TODAY)
    assert entries[YESTERDAY].data_refreshed_at == NOW - timedelta(hours=1)


def test_figures_that_are_days_old_fail_the_run_and_keep_what_is_there(
    held: Organization, tmp_path: Path
) -> None:
    with aged(held, hours=12) as api:
        lab = Lab(api, tmp_path)
        lab.run("analytics_cost", (START, TODAY))
        before = lab.objects()
    with aged(held, hours=24 * 5) as api, pytest.raises(ContractBroken, match="4 complete days"):
        Lab(api, tmp_path).run("analytics_cost")
    assert lab.objects() == before


def test_without_a_word_about_its_freshness_a_day_is_complete_when_it_has_settled(
    held: Organization, tmp_path: Path
) -> None:
    analytics = Analytics(says_refreshed=False)
    with AdminApiServer(held, now=lambda: NOW, analytics=analytics) as api:
        run = Lab(api, tmp_path).run("analytics_cost")
    assert (run.lag_days, run.last_synced_date) == (None, YESTERDAY)


def test_days_after_the_latest_available_one_are_left_alone(
    held: Organization, simulated: AdminApiServer, lab: Lab
) -> None:
    simulated.answers.lags["analytics/cost"] = Lag(days=2, is_refused=True)
    run = lab.run("analytics_cost")
    latest = TODAY - 3 * ONE_DAY
    assert (run.status, run.lag_days, run.last_synced_date) == ("succeeded", 2, latest)
    assert lab.days("analytics_cost") == each_day(START, latest)


# --- the window


def test_the_history_begins_where_the_api_has_it_and_is_told_once(lab: Lab) -> None:
    lab.environment = {"HISTORY_START": "2025-03-01"}
    run = lab.run("analytics_usage")
    (warning,) = run.warnings
    depth = "the API gives the last 365 days, and none before 2026-01-01"
    assert warning == f"the history begins on 2026-01-01: {depth}"
    assert lab.days("analytics_usage") == each_day(date(2026, 1, 1), TODAY)
    assert lab.run("analytics_usage").warnings == []


def test_a_lake_that_slept_for_a_year_names_the_lost_days_and_goes_on(
    held: Organization, tmp_path: Path
) -> None:
    with AdminApiServer(held) as api:
        lab = Lab(api, tmp_path, environment={"LOOKBACK_DAYS": "2"})
        lab.run("analytics_usage")
    later = TODAY + timedelta(days=400)
    asleep = Organization.invent(seed=3, today=later, days=3, people=3, workspaces=2)
    asleep.id = held.id
    with AdminApiServer(asleep, now=lambda: lab.now) as api:
        lab.api, lab.now = api, datetime(later.year, later.month, later.day, 12, tzinfo=UTC)
        run = lab.run("analytics_usage")
        first = later - timedelta(days=364)
        (warning,) = run.warnings
        assert warning.startswith(f"the days {TODAY} to {first - ONE_DAY} are lost: the API gives")
        assert run.last_synced_date == later - ONE_DAY
        first_day = (tmp_path / "_watermarks" / "analytics_usage.first").read_text().strip()
        assert first_day == str(first)
        assert lab.run("analytics_usage").warnings == []


def test_an_interval_before_what_the_api_has_reads_nothing_and_says_so(lab: Lab) -> None:
    run = lab.run("analytics_usage", (date(2025, 3, 1), date(2025, 4, 1)))
    assert (run.status, run.days_written) == ("succeeded", 0)
    assert "the days 2025-03-01 to 2025-03-31 cannot be read" in run.warnings[0]
    assert lab.days("analytics_usage") == []
