"""The simulated Admin API keeps the contract, its three reports agree, its faults are faithful."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests

from tests.contract.client import KEY, Client, at, connected, span
from tests.simulator import AdminApiServer, Fault, Lag, Organization, UsageEvent
from tests.simulator.faults import ERROR_TYPES, KINDS
from tests.simulator.usage import COUNTERS, DIMENSIONS, TOKEN_TYPES, UNBILLED_TIERS

Json = dict[str, Any]

TODAY = date(2026, 11, 22)
DAY = TODAY - timedelta(days=9)
USAGE, COST, CLAUDE_CODE = "usage_report/messages", "cost_report", "usage_report/claude_code"
BETA = {"anthropic-beta": "other-1,fast-mode-2026-02-01"}
BAD_RANGE = "Invalid date range: ending date must be after starting date"


@pytest.fixture(scope="module")
def org() -> Organization:
    """Read, not changed."""
    return Organization.invent(seed=7, today=TODAY, days=60)


@pytest.fixture
def own() -> Organization:
    """For tests that change it."""
    return Organization.invent(seed=7, today=TODAY, days=60)


@pytest.fixture
def api(org: Organization) -> Iterator[AdminApiServer]:
    with AdminApiServer(org) as server:
        yield server


@pytest.fixture
def client(api: AdminApiServer) -> Iterator[Client]:
    with connected(api.url) as client:
        yield client


# --- who may ask ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x-api-key": KEY}, 200),
        ({"authorization": f"Bearer {KEY}"}, 200),
        ({"authorization": "bearer an-oauth-token"}, 200),
        ({}, 401),
        ({"x-api-key": "an-oauth-token"}, 401),
        ({"x-api-key": KEY + "x", "authorization": f"Bearer {KEY}"}, 401),
        ({"authorization": f"Basic {KEY}"}, 401),
        ({"authorization": "Bearer None"}, 401),
    ],
)
def test_it_takes_the_key_in_both_headers(org: Organization, headers: Json, status: int) -> None:
    with AdminApiServer(org, auth_token="an-oauth-token") as api:
        version = {"anthropic-version": "2026-10-21"}
        answer = requests.get(
            api.url + "/v1/organizations/me", headers=headers | version, timeout=10
        )
    assert answer.status_code == status
    assert answer.headers["request-id"].startswith("req_")
    assert ("anthropic-organization-id" in answer.headers) == (status == 200)


def test_an_organization_answers_to_its_name(client: Client, org: Organization) -> None:
    answer = client.get("me")
    assert answer.json() == {"id": org.id, "type": "organization", "name": org.name}
    assert answer.headers["anthropic-organization-id"] == org.id
    assert not org.name.isascii()


def test_the_version_header_is_required(client: Client) -> None:
    assert client.error("me", headers={"anthropic-version": None})[0] == 400
    assert client.error("me", headers={"anthropic-version": "2099-01-01"})[0] == 400


def test_only_known_paths_and_one_method(client: Client) -> None:
    for path in ("", "nothing", "users/", "usage_report", "workspaces/wrkspc_1/members"):
        assert client.error(path)[0] == 404
    posted = client.session.post(client.url + "users", json={"a": 1}, timeout=10)
    assert posted.status_code == 405
    assert client.get("me").status_code == 200  # on the same connection


def test_requests_are_recorded_in_order(client: Client, api: AdminApiServer) -> None:
    client.get("users", roles__=["admin", "owner"], limit=3)
    client.get("nowhere")
    first, second = api.requests
    assert (first.method, first.path) == ("GET", "/v1/organizations/users")
    assert first.query == {"roles[]": ["admin", "owner"], "limit": ["3"]}
    assert first.headers["x-api-key"] == KEY
    assert KEY not in repr(first)
    assert (first.status, second.status) == (200, 404)
    assert first.at <= second.at
    api.clear()
    assert api.requests == []


# --- lists walked by id -----------------------------------------------------------------------


def listed(org: Organization, path: str) -> tuple[list[Json], Json]:
    """What a list endpoint should hold, and the parameters that show all of it."""
    shown = {"include_archived": "true", "include_default": "true"}
    return {
        "workspaces": (org.workspaces, shown),
        "api_keys": (org.api_keys, {}),
        "invites": (org.invites, {}),
        "users": (org.users, {}),
        "members": (org.members[org.claude_code_workspace_id], {}),
    }[path]


@pytest.mark.parametrize("limit", [1, 2, 1000])
@pytest.mark.parametrize("name", ["workspaces", "api_keys", "invites", "users", "members"])
def test_lists_page_by_id_in_both_directions(
    client: Client, org: Organization, name: str, limit: int
) -> None:
    expected, query = listed(org, name)
    cursor = "user_id" if name == "members" else "id"
    path = f"workspaces/{org.claude_code_workspace_id}/members" if name == "members" else name
    assert len(expected) > 2

    pages = client.pages(path, limit=limit, **query)
    assert [item for page in pages for item in page["data"]] == expected
    assert all(len(page["data"]) == limit for page in pages[:-1])
    assert all(page["last_id"] == page["data"][-1][cursor] for page in pages)

    back = client.page(path, limit=2, before_id=expected[-1][cursor], **query)
    assert back["data"] == expected[-3:-1]
    assert back["has_more"] == (len(expected) > 3)
    assert client.error(path, after_id="x", before_id="y", **query)[0] == 400
    assert client.error(path, after_id="x", **query)[0] == 400


def test_an_empty_list_has_no_ids(client: Client, org: Organization) -> None:
    page = client.page(f"workspaces/{org.default_workspace_id}/members")
    assert page == {"data": [], "has_more": False, "first_id": None, "last_id": None}


def test_twenty_objects_by_default() -> None:
    org = Organization.invent(people=45)
    with AdminApiServer(org) as api, connected(api.url) as client:
        assert [len(page["data"]) for page in client.pages("users")] == [20, 20, 5]
        assert len(client.page("users", limit=1000)["data"]) == 45


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "ten", "", "1.5", "٣"])
def test_limits_of_lists(client: Client, limit: str) -> None:
    assert client.error("users", limit=limit)[0] == 400
    assert client.error(CLAUDE_CODE, starting_at="2026-11-01", limit=limit)[0] == 400


def test_archived_and_default_workspaces_are_shown_when_asked_for(
    client: Client, org: Organization
) -> None:
    def names(**query: str) -> set[str]:
        return {workspace["name"] for workspace in client.all("workspaces", **query)}

    plain, archived = names(), names(include_archived="true")
    assert len(plain) == 5
    assert "Default" not in archived
    assert archived - plain == {"Pilot 2025", "Hackathon ½"}
    assert names(include_default="true") - plain == {"Default"}
    assert names(**{"ids[]": org.claude_code_workspace_id}) == {"Claude Code"}
    assert client.error("workspaces", include_default="yes")[0] == 400


def test_filters_of_keys(client: Client, org: Organization) -> None:
    counts = Counter(key["status"] for key in org.api_keys)
    assert counts.keys() == {"active", "inactive", "archived", "expired"}
    for status, count in counts.items():
        assert len(client.all("api_keys", status=status)) == count
    user = org.users[0]["id"]
    assert all(
        k["created_by"]["id"] == user for k in client.all("api_keys", created_by_user_id=user)
    )
    mine = client.all("api_keys", workspace_id=org.claude_code_workspace_id)
    assert {key["name"][:16] for key in mine} == {"claude_code_key_"}
    assert client.error("api_keys", status="deleted")[0] == 400


@pytest.mark.parametrize("brackets", ["__", ""])
def test_filters_of_people(own: Organization, brackets: str) -> None:
    own.invites[0]["status"] = "deleted"
    with AdminApiServer(own) as api, connected(api.url) as client:
        pending = client.all("invites", **{f"statuses{brackets}": "pending"})
        assert [invite["status"] for invite in pending] == ["pending", "pending"]
        assert len(client.all("invites")) == len(own.invites) - 1
        roles = {f"roles{brackets}": ["admin", "owner"]}
        assert {user["role"] for user in client.all("users", **roles)} == {"admin", "owner"}
        email = own.users[3]["email"].upper()
        assert client.all("users", email=email) == [own.users[3]]
        assert client.error("invites", **{f"statuses{brackets}": "deleted"})[0] == 400


def test_a_hostile_identifier_is_found_when_it_is_encoded(own: Organization) -> None:
    hostile = "../users?limit=1#/é"
    own.workspaces.append(own.workspaces[1] | {"id": hostile})
    own.members[hostile] = own.members[own.claude_code_workspace_id]
    with AdminApiServer(own) as api, connected(api.url) as client:
        assert client.all(f"workspaces/{quote(hostile, safe='')}/members") == own.members[hostile]
        assert client.get(f"workspaces/{hostile}/members").json() != own.members[hostile]


def test_members_of_some_workspaces_can_be_missing(org: Organization) -> None:
    archived = next(w["id"] for w in org.workspaces if w["archived_at"])
    with AdminApiServer(org, missing_members={archived}) as api, connected(api.url) as client:
        assert client.error(f"workspaces/{archived}/members")[0] == 404
        assert client.get(f"workspaces/{org.default_workspace_id}/members").ok


# --- reports: paging and refusals -------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "width", "default", "maximum"),
    [(USAGE, "1d", 7, 31), (USAGE, "1h", 24, 168), (USAGE, "1m", 60, 1440), (COST, "1d", 7, 31)],
)
def test_a_page_holds_time_buckets_and_not_rows(
    client: Client, path: str, width: str, default: int, maximum: int
) -> None:
    query = {"starting_at": at(TODAY - timedelta(days=40)), "bucket_width": width}
    assert len(client.page(path, **query)["data"]) == default
    assert len(client.page(path, **query, limit=maximum)["data"]) == maximum
    for limit in (0, maximum + 1):
        assert client.error(path, **query, limit=limit)[0] == 400


@pytest.mark.parametrize(("path", "width"), [(USAGE, "1d"), (USAGE, "1h"), (COST, "1d")])
def test_time_buckets_come_in_order_and_without_gaps(client: Client, path: str, width: str) -> None:
    first = TODAY - timedelta(days=66)  # the organization begins a week later
    buckets = client.all(path, **span(first, 12), bucket_width=width, limit=5)
    starts = [bucket["starting_at"] for bucket in buckets]
    assert starts == sorted(starts)
    assert starts[0] == at(first)
    assert [bucket["ending_at"] for bucket in buckets[:-1]] == starts[1:]
    assert buckets[-1]["ending_at"] == at(first + timedelta(days=12))
    assert buckets[0]["results"] == []
    assert any(bucket["results"] for bucket in buckets)


def test_a_page_token_is_bound_to_its_query(client: Client) -> None:
    query = {**span(DAY, 9), "group_by[]": "model", "limit": 3}
    token = client.page(USAGE, **query)["next_page"]
    assert client.page(USAGE, **query, page=token)["data"][0]["starting_at"] == at(
        DAY + timedelta(days=3)
    )
    for changed in ({"limit": 4}, {"group_by[]": "speed"}, {"models[]": "x"}, span(DAY, 8)):
        assert client.error(USAGE, **query | changed, page=token, headers=BETA)[0] == 400
    assert client.error(COST, **span(DAY, 9), limit=3, page=token)[0] == 400
    for forged in ("", "page_", "page_ÿ", "nonsense", token[:-6]):
        assert client.error(USAGE, **query, page=forged)[0] == 400


def test_the_start_is_snapped_down_and_the_end_is_exclusive(client: Client) -> None:
    query = {"starting_at": f"{DAY}T13:37:59.9Z", "ending_at": f"{DAY + timedelta(1)}T23:59:59Z"}
    assert [b["starting_at"] for b in client.all(USAGE, **query)] == [at(DAY)]
    hours = client.all(USAGE, **query, bucket_width="1h")
    assert hours[0]["starting_at"] == f"{DAY}T13:00:00Z"
    assert hours[-1]["ending_at"] == f"{DAY + timedelta(1)}T23:00:00Z"
    minutes = client.all(USAGE, **query, bucket_width="1m", limit=1440)
    assert minutes[0]["starting_at"] == f"{DAY}T13:37:00Z"
    zoned = {"starting_at": f"{DAY}T01:00:00+02:00", "ending_at": f"{DAY}T02:00:00+02:00"}
    assert [b["starting_at"] for b in client.all(USAGE, **zoned)] == [at(DAY - timedelta(days=1))]


FIVE = ["account_id", "api_key_id", "context_window", "model", "workspace_id"]
REFUSED: list[tuple[str, Json, str]] = [
    (USAGE, {}, "starting_at: Field required"),
    (COST, {}, "starting_at: Field required"),
    (CLAUDE_CODE, {}, "starting_at: Field required"),
    (USAGE, {"starting_at": "2026-11-01"}, "RFC 3339"),
    (USAGE, {"starting_at": "2026-11-01T00:00:00"}, "RFC 3339"),
    (USAGE, {"starting_at": "2026-02-30T00:00:00Z"}, "day is out of range"),
    (USAGE, {"starting_at": "0001-01-01T00:00:00+12:00"}, "out of range"),
    (USAGE, {"starting_at": at(DAY), "ending_at": "tomorrow"}, "RFC 3339"),
    (COST, {"starting_at": at(DAY), "ending_at": f"{DAY}T23:59:59Z"}, BAD_RANGE),
    (COST, span(DAY, -1), BAD_RANGE),
    (COST, {"starting_at": at(TODAY)}, BAD_RANGE),
    (COST, {"starting_at": at(TODAY + timedelta(days=2))}, BAD_RANGE),
    (USAGE, span(DAY, 0), BAD_RANGE),
    (USAGE, {**span(DAY), "bucket_width": "1w"}, "'1d', '1h', '1m'"),
    (COST, {**span(DAY), "bucket_width": "1h"}, "'1d'"),
    (USAGE, {**span(DAY), "group_by[]": "user"}, "group_by[]"),
    (COST, {**span(DAY), "group_by[]": "model"}, "group_by[]"),
    (
        USAGE,
        {**span(DAY), "group_by[]": [*FIVE, "inference_geo"]},
        "Cannot specify more than 5 group_by[] dimensions.",
    ),
    (USAGE, {**span(DAY), "group_by[]": "speed"}, "fast-mode-2026-02-01"),
    (USAGE, {**span(DAY), "speeds[]": "fast"}, "fast-mode-2026-02-01"),
    (USAGE, {**span(DAY), "service_tiers[]": "cheap"}, "service_tiers[]"),
    (USAGE, {**span(DAY), "group_by": "model"}, "group_by: Extra inputs are not permitted"),
    (COST, {**span(DAY), "workspace_ids[]": "w"}, "Extra inputs are not permitted"),
    (CLAUDE_CODE, {"starting_at": at(DAY)}, "pattern '^\\d{4}-\\d{2}-\\d{2}$'"),
    (CLAUDE_CODE, {"starting_at": "2026-11-31"}, "day is out of range"),
    (CLAUDE_CODE, {"starting_at": str(DAY), "ending_at": str(DAY)}, "Extra inputs"),
]


@pytest.mark.parametrize(("path", "query", "message"), REFUSED)
def test_bad_questions_are_refused(client: Client, path: str, query: Json, message: str) -> None:
    status, said = client.error(path, **query)
    assert status == 400
    assert message in said


def test_strangers_may_send_parameters_that_nobody_knows(org: Organization) -> None:
    with AdminApiServer(org, unknown_parameters="ignore") as api, connected(api.url) as client:
        assert client.get("users", order="asc").ok


@pytest.mark.parametrize(
    ("mode", "usage", "cost"),
    [("accept", [TODAY], [TODAY]), ("refuse", 400, 400), ("clamp", [TODAY], 400)],
)
def test_what_an_end_in_the_future_gets_can_be_chosen(
    org: Organization, mode: Any, usage: object, cost: object
) -> None:
    noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
    with (
        AdminApiServer(org, future_ending_at=mode, now=lambda: noon) as api,
        connected(api.url) as client,
    ):
        assert outcome(client.get(USAGE, **span(TODAY))) == usage
        assert outcome(client.get(COST, **span(TODAY, 5))) == cost
        yesterday = TODAY - timedelta(days=1)
        assert outcome(client.get(COST, **span(yesterday))) == [yesterday]


def outcome(response: requests.Response) -> object:
    if not response.ok:
        return response.status_code
    return [date.fromisoformat(b["starting_at"][:10]) for b in response.json()["data"]]


def test_reports_hold_what_has_happened_by_now(org: Organization) -> None:
    now = datetime(2026, 11, 20, 10, 30, tzinfo=UTC)
    day = now.date()
    with AdminApiServer(org, now=lambda: now) as api, connected(api.url) as client:
        usage = client.all(USAGE, **span(day))
        claude_code = client.all(CLAUDE_CODE, starting_at=str(day))
        assert client.all(CLAUDE_CODE, starting_at=str(TODAY)) == []
    happened = [event for event in org.events(day) if event.starting_at < now]
    assert 0 < len(happened) < len(org.events(day))
    assert totals(usage) == truth(happened)
    early = [
        e for e in org.day(day).claude_code_sessions if e.starting_at < now - timedelta(hours=1)
    ]
    assert sum_tokens(claude_code) == sum(sum(event.tokens) for event in early)


# --- the three reports agree ------------------------------------------------------------------


def truth(events: list[UsageEvent]) -> list[int]:
    return [sum(getattr(event, name) for event in events) for name in COUNTERS]


def totals(buckets: list[Json]) -> list[int]:
    rows = [row for bucket in buckets for row in bucket["results"]]
    return [
        sum(row["uncached_input_tokens"] for row in rows),
        sum(row["cache_read_input_tokens"] for row in rows),
        sum(row["cache_creation"]["ephemeral_5m_input_tokens"] for row in rows),
        sum(row["cache_creation"]["ephemeral_1h_input_tokens"] for row in rows),
        sum(row["output_tokens"] for row in rows),
        sum(row["server_tool_use"]["web_search_requests"] for row in rows),
    ]


def sum_tokens(records: list[Json]) -> int:
    return sum(sum(m["tokens"].values()) for r in records for m in r["model_breakdown"])


GROUPINGS = [(), *((name,) for name in DIMENSIONS), *combinations(DIMENSIONS, 5)]


@pytest.mark.parametrize("group_by", GROUPINGS[::9] + GROUPINGS[1:10])
def test_every_grouping_sums_to_the_same_totals(
    client: Client, org: Organization, group_by: tuple[str, ...]
) -> None:
    buckets = client.all(USAGE, **span(DAY, 3), group_by__=group_by, headers=BETA)
    days = [DAY + timedelta(days=number) for number in range(3)]
    assert totals(buckets) == truth([event for day in days for event in org.events(day)])
    for bucket, day in zip(buckets, days, strict=True):
        keys = {tuple(getattr(event, name) for name in group_by) for event in org.events(day)}
        rows = [tuple(row[name] for name in group_by) for row in bucket["results"]]
        assert len(rows) == len(keys)
        assert set(rows) == keys
        ungrouped = set(DIMENSIONS) - set(group_by) - {"speed"}
        assert all(row[name] is None for row in bucket["results"] for name in ungrouped)
        assert all(("speed" in row) == ("speed" in group_by) for row in bucket["results"])


@pytest.mark.parametrize("width", ["1h", "1m"])
def test_narrower_time_buckets_sum_to_the_same_totals(
    client: Client, org: Organization, width: str
) -> None:
    buckets = client.all(USAGE, **span(DAY), bucket_width=width, group_by__=["model"])
    assert len(buckets) == {"1h": 24, "1m": 1440}[width]
    assert totals(buckets) == truth(org.events(DAY))
    for bucket in buckets:
        start = datetime.fromisoformat(bucket["starting_at"])
        end = datetime.fromisoformat(bucket["ending_at"])
        held = [event for event in org.events(DAY) if start <= event.starting_at < end]
        assert totals([bucket]) == truth(held)


def test_filters_of_the_usage_report(client: Client, org: Organization) -> None:
    events = org.events(DAY)
    one = next(event for event in events if event.api_key_id and event.session is None)
    model, tiers = str(one.model), ["standard", "batch"]
    buckets = client.all(USAGE, **span(DAY), models__=[model], service_tiers__=tiers)
    held = [e for e in events if e.model == model and e.service_tier in tiers]
    assert totals(buckets) == truth(held)
    buckets = client.all(USAGE, **span(DAY), api_key_ids__=[one.api_key_id])
    assert totals(buckets) == truth([e for e in events if e.api_key_id == one.api_key_id])
    buckets = client.all(USAGE, **span(DAY), workspace_ids__=[org.default_workspace_id])
    assert totals(buckets) == truth([e for e in events if e.workspace_id is None])


def cost_truth(org: Organization, day: date) -> Decimal:
    held = org.day(day)
    tokens = [cents for event in held.events for cents in event.cost_cents.values()]
    searches = [Decimal(event.web_search_requests) for event in held.events]
    return sum([*tokens, *searches, *(service.cents for service in held.services)], Decimal())


@pytest.mark.parametrize(
    "group_by", [[], ["workspace_id"], ["description"], ["workspace_id", "description"]]
)
def test_costs_are_tokens_times_price(
    client: Client, org: Organization, group_by: list[str]
) -> None:
    for bucket in client.all(COST, **span(DAY, 8), group_by__=group_by):
        rows = bucket["results"]
        day = date.fromisoformat(bucket["starting_at"][:10])
        assert sum(Decimal(row["amount"]) for row in rows) == cost_truth(org, day)
        named = {name for row in rows for name, value in row.items() if value is not None}
        assert ("workspace_id" in named) == ("workspace_id" in group_by)
        assert ({"model", "token_type"} <= named) == ("description" in group_by)
        keys = [(row["workspace_id"], row["description"]) for row in rows]
        assert len(keys) == len(set(keys))


def test_the_cost_report_is_as_odd_as_the_real_one(client: Client, org: Organization) -> None:
    buckets = client.all(COST, **span(TODAY - timedelta(days=31), 31), group_by__=["description"])
    rows = [row for bucket in buckets for row in bucket["results"]]
    assert {row["cost_type"] for row in rows} == {
        "tokens",
        "web_search",
        "code_execution",
        "session_usage",
    }
    assert {row["token_type"] for row in rows} == {None, *TOKEN_TYPES}
    assert {row["service_tier"] for row in rows} == {None, "standard", "batch"}
    assert max(len(row["amount"].partition(".")[2]) for row in rows) >= 6
    assert all(isinstance(row["amount"], str) and row["currency"] == "USD" for row in rows)
    # Flex has no value of its own: rows that differ in nothing but their description.
    same = Counter(
        (
            bucket["starting_at"],
            *(row[name] for name in row if name not in ("amount", "description")),
        )
        for bucket in buckets
        for row in bucket["results"]
    )
    assert max(same.values()) > 1
    used = {event.service_tier for day in org.days for event in org.events(day)}
    assert used & UNBILLED_TIERS


def test_claude_code_use_of_api_customers_is_in_the_usage_report(
    client: Client, org: Organization
) -> None:
    names = {key["id"]: key["name"] for key in org.api_keys}
    records = client.all(CLAUDE_CODE, starting_at=str(DAY), limit=3)
    api = [record for record in records if record["customer_type"] == "api"]
    minted = [k for k, name in names.items() if name.startswith("claude_code_key_")]
    usage = client.all(USAGE, **span(DAY), api_key_ids__=minted)
    people = [record for record in api if record["actor"]["type"] == "user_actor"]
    assert sum_tokens(people) == sum(totals(usage)[:-1])
    machines = [record for record in api if record["actor"]["type"] == "api_actor"]
    assert {record["actor"]["api_key_name"] for record in machines} <= set(names.values())
    assert sum_tokens(api) == sum(sum(e.tokens) for e in org.events(DAY) if e.session)


def test_claude_code_records_are_paged_and_unique_within_the_day(client: Client) -> None:
    pages = client.pages(CLAUDE_CODE, starting_at=str(DAY), limit=4)
    records = [record for page in pages for record in page["data"]]
    assert len(pages) > 2
    grain = [
        (json.dumps(r["actor"]), r["customer_type"], r["terminal_type"], r.get("is_remote"))
        for r in records
    ]
    assert len(set(grain)) == len(grain)
    assert {record["date"] for record in records} == {at(DAY)}
    nothing = client.page(CLAUDE_CODE, starting_at="2020-01-01")
    assert nothing == {"data": [], "has_more": False, "next_page": None}


# --- reports that lag, and what the headers say -------------------------------------------------


@pytest.mark.parametrize("path", [USAGE, COST])
def test_a_report_that_lags_has_no_time_buckets_for_its_last_days(
    own: Organization, path: str
) -> None:
    with AdminApiServer(own) as api, connected(api.url) as client:
        api.answers.lags[path] = Lag(2)
        buckets = client.all(path, **span(TODAY - timedelta(days=4), 5), limit=2)
        nothing = client.page(path, **span(TODAY - timedelta(days=1), 1))
        others = client.all(COST if path is USAGE else USAGE, **span(DAY, 5))
    assert [bucket["starting_at"] for bucket in buckets] == [
        at(TODAY - timedelta(days=4)),
        at(TODAY - timedelta(days=3)),
    ]
    assert nothing == {"data": [], "has_more": False, "next_page": None}
    assert len(others) == 5


@pytest.mark.parametrize("path", [USAGE, COST, CLAUDE_CODE])
def test_a_report_that_lags_may_refuse_what_it_does_not_have(own: Organization, path: str) -> None:
    latest = TODAY - timedelta(days=2)

    def query(last: date) -> Json:
        if path is CLAUDE_CODE:
            return {"starting_at": str(last)}
        return {"starting_at": at(DAY), "ending_at": at(last + timedelta(days=1))}

    with AdminApiServer(own) as api, connected(api.url) as client:
        api.answers.lags[path] = Lag(1, is_refused=True)
        message = f"Latest available data for this query is {latest}"
        assert client.error(path, **query(TODAY)) == (400, message)
        assert client.error(path, **query(TODAY - timedelta(days=1))) == (400, message)
        assert client.page(path, **query(latest))["data"]


def test_claude_code_records_that_lag_are_an_empty_day(own: Organization) -> None:
    with AdminApiServer(own) as api, connected(api.url) as client:
        api.answers.lags[CLAUDE_CODE] = Lag(1)
        assert client.all(CLAUDE_CODE, starting_at=str(TODAY - timedelta(days=1))) == []
        assert client.all(CLAUDE_CODE, starting_at=str(TODAY - timedelta(days=2)))


def test_the_time_is_said_only_when_asked_to_be(client: Client, api: AdminApiServer) -> None:
    assert "date" not in client.get("me").headers
    api.says_time = True
    assert client.get("me").headers["date"] == "Sun, 22 Nov 2026 23:59:59 GMT"
    assert client.get("nowhere").headers["date"] == "Sun, 22 Nov 2026 23:59:59 GMT"


def test_the_header_that_names_the_organization_may_be_missing(
    client: Client, api: AdminApiServer, org: Organization
) -> None:
    assert client.get("users").headers["anthropic-organization-id"] == org.id
    api.names_organization = False
    answer = client.get("me")
    assert "anthropic-organization-id" not in answer.headers
    assert answer.json()["id"] == org.id


# --- the invented organization ----------------------------------------------------------------


def test_an_organization_follows_from_its_arguments() -> None:
    first, second = Organization.invent(seed=3), Organization.invent(seed=3)
    assert first.api_keys == second.api_keys
    assert first.events(DAY) == second.events(DAY)
    assert first.claude_code_records(DAY) == second.claude_code_records(DAY)
    other = Organization.invent(seed=4)
    assert other.id != first.id
    assert other.events(DAY) != first.events(DAY)
    second.users.clear()
    second.api_keys.clear()
    assert first.events(TODAY) == second.events(TODAY)  # people leave, the past remains


def test_it_holds_every_shape_that_the_api_has(org: Organization) -> None:
    def shapes(values: Any) -> set[str]:
        return {"-" if value is None else type(value).__name__ for value in values}

    keys, spaces = org.api_keys, org.workspaces
    assert {key["scope"]["type"] for key in keys if "scope" in key} == {"workspace", "organization"}
    assert any("scope" not in key for key in keys)
    assert any("workspace_id" not in key for key in keys)
    principals = [key.get("principal") or {} for key in keys]
    assert {p.get("type") for p in principals} == {
        None,
        "user_actor",
        "service_account_actor",
        "user",
    }
    assert shapes(key["created_by"] for key in keys) == {"-", "dict"}
    assert shapes(key.get("expires_at") for key in keys) == {"-", "str"}
    assert shapes(s["data_residency"]["allowed_inference_geos"] for s in spaces) == {"str", "list"}
    assert shapes(s.get("external_key_id") for s in spaces) == {"-", "str"}
    assert {bool(s.get("tags")) for s in spaces} == {True, False}
    assert any("tags" not in space for space in spaces)
    assert {"owner", "workspace_steward"} <= {user["role"] for user in org.users}
    assert not all(user["name"].isascii() for user in org.users)
    assert {i["status"] for i in org.invites} == {"pending", "accepted", "expired"}
    assert {bool(i["rbac_group_ids"]) for i in org.invites} == {True, False}
    assert all((i["accepted_at"] is None) == (i["status"] != "accepted") for i in org.invites)


def test_usage_has_every_kind_of_null_and_value(org: Organization) -> None:
    events = org.usage_events
    for name in ("workspace_id", "api_key_id", "account_id", "service_account_id"):
        assert {getattr(event, name) is None for event in events} == {True, False}
    assert {event.inference_geo for event in events} == {"global", "us", "not_available"}
    assert {event.context_window for event in events} == {"0-200k", "200k-1M"}
    assert len({event.service_tier for event in events}) == 6
    assert {event.speed for event in events} == {"standard", "fast"}
    archived = {w["id"] for w in org.workspaces if w["archived_at"]}
    last = max(event.starting_at for event in events if event.real_workspace_id in archived)
    assert last.date() < TODAY - timedelta(days=10)


def test_claude_code_records_have_every_shape(org: Organization) -> None:
    records = [record for day in org.days for record in org.claude_code_records(day)]
    assert {record.get("is_remote") for record in records} == {None, True, False}
    assert any("is_remote" not in record for record in records)
    assert {r.get("subscription_type") for r in records} == {None, "team", "enterprise"}
    assert any("subscription_type" not in record for record in records)
    assert any(record["tool_actions"] == {} for record in records)
    assert any("browser_tool" in record["tool_actions"] for record in records)
    assert any(record["model_breakdown"] == [] for record in records)
    amounts = [m["estimated_cost"]["amount"] for r in records for m in r["model_breakdown"]]
    assert {type(amount) for amount in amounts} == {float, str}
    two = Counter((r["date"], json.dumps(r["actor"])) for r in records)
    assert max(two.values()) >= 2
    estimate = sum(Decimal(str(amount)) for amount in amounts)
    sessions = [event for day in org.days for event in org.day(day).claude_code_sessions]
    assert estimate == sum(sum(event.list_cents.values()) for event in sessions)


def test_without_drift_there_is_only_the_newest_shape() -> None:
    plain = Organization.invent(drift=False)
    assert all("scope" in key and "workspace_id" in key for key in plain.api_keys)
    assert all("tags" in workspace for workspace in plain.workspaces)
    assert "workspace_steward" not in {user["role"] for user in plain.users}


def test_a_scaled_organization_has_so_many_groups_and_users() -> None:
    org = Organization.invent(groups=2000, people=100, days=3)
    with AdminApiServer(org) as api, connected(api.url) as client:
        group_by = ["api_key_id", "workspace_id", "model", "service_tier", "context_window"]
        buckets = client.all(USAGE, **span(TODAY - timedelta(days=2), 3), group_by__=group_by)
        people = client.pages(CLAUDE_CODE, starting_at=str(TODAY), limit=1000)
    assert all(1950 <= len(bucket["results"]) <= 2050 for bucket in buckets)
    assert totals(buckets) == truth(org.usage_events)
    actors = [record["actor"]["type"] for page in people for record in page["data"]]
    assert Counter(actors)["user_actor"] == 100


def test_thousands_of_workspaces_are_invented_and_walked_in_seconds() -> None:
    begun = time.monotonic()
    org = Organization.invent(workspaces=5000, days=1, people=2)
    with AdminApiServer(org) as api, connected(api.url) as client:
        workspaces = client.all("workspaces", limit=1000, include_archived="true")
        one = workspaces[4321]["id"]
        assert client.all(f"workspaces/{one}/members") == org.members[one]
        api.faults.append(Fault(match=f"/{one}/members", status=400, times=None))
        assert client.error(f"workspaces/{one}/members")[0] == 400
    assert len(workspaces) >= 5000
    assert time.monotonic() - begun < 10


# --- changing the past ------------------------------------------------------------------------


def everything(client: Client, day: date) -> tuple[list[int], Decimal, int]:
    costs = client.all(COST, **span(day))
    amounts = [Decimal(row["amount"]) for bucket in costs for row in bucket["results"]]
    records = client.all(CLAUDE_CODE, starting_at=str(day), limit=1000)
    return totals(client.all(USAGE, **span(day))), sum(amounts, Decimal()), sum_tokens(records)


def test_a_day_can_be_restated_cleared_and_set(own: Organization) -> None:
    other = DAY + timedelta(days=1)
    with AdminApiServer(own) as api, connected(api.url) as client:
        usage, cost, claude_code = everything(client, DAY)
        untouched = everything(client, other)
        own.restate(DAY, factor=3)
        assert everything(client, DAY) == ([3 * n for n in usage], 3 * cost, 3 * claude_code)
        own.clear_day(DAY)
        assert everything(client, DAY) == ([0] * 6, Decimal(), 0)
        assert client.all(USAGE, **span(DAY))[0]["results"] == []
        session = next(event for event in own.events(other) if event.session)
        mine = replace(session, starting_at=session.starting_at - timedelta(days=1))
        own.set_usage(DAY, [mine, mine])
        expected = truth([mine, mine]), cost_truth(own, DAY), 2 * sum(mine.tokens)
        assert everything(client, DAY) == expected
        assert everything(client, other) == untouched
        own.restore(DAY)
        assert everything(client, DAY) == (usage, cost, claude_code)
    with pytest.raises(ValueError, match="not an event of"):
        own.set_usage(DAY, [session])


# --- faults -----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [*ERROR_TYPES, 410, 502, 503])
def test_a_status_comes_in_the_vendors_envelope(
    client: Client, api: AdminApiServer, status: int
) -> None:
    api.faults.append(Fault(status=status, message="No.", headers={"retry-after": "7"}))
    answer = client.get("users")
    assert (answer.status_code, answer.headers["retry-after"]) == (status, "7")
    assert answer.json()["error"]["message"] == "No."
    assert answer.json()["request_id"] == answer.headers["request-id"]
    assert client.get("users").ok


def test_a_spend_cap_is_a_429_that_names_itself(client: Client, api: AdminApiServer) -> None:
    api.faults.append(Fault.spend_cap(times=None))
    answer = client.get("users")
    assert answer.status_code == 429
    assert "retry-after" not in answer.headers
    assert answer.json()["error"]["details"] == {"error_code": "enforced_spend_limit_reached"}


def test_faults_choose_their_requests(client: Client, api: AdminApiServer) -> None:
    api.faults += [
        Fault(match="users", after=1, times=2, status=500),
        Fault(match="users", times=None, after=1, status=529),
        Fault(match=lambda request: request.query.get("limit") == ["9"], status=403),
    ]
    answers = [client.get("users").status_code for _ in range(5)]
    assert answers == [200, 500, 500, 529, 529]
    assert client.get("invites").ok
    assert client.get("invites", limit=9).status_code == 403
    assert [request.status for request in api.requests] == [*answers, 200, 403]
    assert len(api.requests[0].query) == 0


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("disconnect", "RemoteDisconnected"),
        ("reset_headers", "Connection"),
        ("reset_body", "Connection"),
        ("truncate", "IncompleteRead"),
    ],
)
def test_connections_break_where_they_should(
    client: Client, api: AdminApiServer, kind: str, error: str
) -> None:
    api.faults.append(Fault(kind=kind))
    with pytest.raises(requests.RequestException, match=error):
        client.get("users")
    assert client.get("users").ok


def test_a_reset_body_has_begun_and_is_not_ended_politely(api: AdminApiServer) -> None:
    api.faults.append(Fault(kind="reset_body"))
    with socket.create_connection(("127.0.0.1", api.port), timeout=5) as sock:
        sock.sendall(f"GET /v1/organizations/users HTTP/1.1\r\nx-api-key: {KEY}\r\n\r\n".encode())
        with pytest.raises(ConnectionResetError):
            read_all(sock)


def read_all(sock: socket.socket) -> None:
    while sock.recv(1 << 16):
        pass


def test_html_of_a_proxy(client: Client, api: AdminApiServer) -> None:
    api.faults += [Fault(kind="html"), Fault(kind="html", status=413)]
    for status in (502, 413):
        answer = client.get("users")
        assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html")
        assert "request-id" not in answer.headers
        assert answer.text.startswith(f"<html><head><title>{status}")


def test_truncated_json_is_whole_http(client: Client, api: AdminApiServer) -> None:
    api.faults.append(Fault(kind="truncated_json"))
    half, whole = client.get("users"), client.get("users")
    assert half.status_code == 200
    assert half.content == whole.content[: len(whole.content) // 2]
    with pytest.raises(requests.JSONDecodeError):
        half.json()


@pytest.mark.parametrize("kind", ["none", "chunked", "gzip", "drip", "hang"])
def test_correct_answers_may_travel_oddly(
    client: Client, api: AdminApiServer, org: Organization, kind: str
) -> None:
    api.faults.append(Fault(kind=kind, seconds=0.05))
    begun = time.monotonic()
    answer = client.get("users", limit=1000)
    assert answer.json()["data"] == org.users
    assert (time.monotonic() - begun >= 0.05) == (kind in ("drip", "hang"))
    assert answer.headers.get("content-encoding") == ("gzip" if kind == "gzip" else None)
    assert ("content-length" not in answer.headers) == (kind == "chunked")


def test_a_hang_ends_with_the_server(org: Organization) -> None:
    with AdminApiServer(org) as api:
        api.faults.append(Fault(kind="hang", seconds=60))
        with pytest.raises(requests.ReadTimeout):
            requests.get(api.url, timeout=0.05)
        threads = threading.active_count()
        begun = time.monotonic()
    assert time.monotonic() - begun < 5
    assert threading.active_count() < threads


def test_a_page_comes_twice_with_its_token(client: Client, api: AdminApiServer) -> None:
    for path, query in ((USAGE, span(DAY, 9)), ("users", {})):
        first = client.page(path, **query, limit=3)
        token = (
            {"page": first["next_page"]} if "next_page" in first else {"after_id": first["last_id"]}
        )
        api.faults.append(Fault(kind="repeat_page"))
        assert client.page(path, **query, limit=3, **token) == first
        assert client.page(path, **query, limit=3, **token) != first


def test_more_without_a_token(client: Client, api: AdminApiServer) -> None:
    api.faults.append(Fault(kind="no_token", times=2))
    page = client.page("users")
    assert (page["has_more"], page["last_id"]) == (True, None)
    page = client.page(USAGE, **span(DAY))
    assert (page["has_more"], page["next_page"]) == (True, None)


def test_empty_pages_without_an_end(client: Client, api: AdminApiServer) -> None:
    api.faults.append(Fault(kind="empty_page", times=7))
    for path, query, name in (("users", {}, "last_id"), (USAGE, span(DAY), "next_page")):
        pages = [client.page(path, **query) for _ in range(3)]
        assert [page["data"] for page in pages] == [[], [], []]
        assert all(page["has_more"] for page in pages)
        assert len({page[name] for page in pages}) == 3
    token = client.page(USAGE, **span(DAY))["next_page"]
    assert client.error(USAGE, **span(DAY), page=token)[0] == 400


def test_a_page_can_say_that_it_is_not_whole(client: Client, api: AdminApiServer) -> None:
    api.faults.append(Fault.members({"truncated": True, "warning": "too much"}, match="cost"))
    assert "truncated" not in client.page("users")
    page = client.page(COST, **span(DAY))
    assert (page["truncated"], page["warning"], len(page["data"])) == (True, "too much", 1)
    assert "truncated" not in client.page(COST, **span(DAY))


@pytest.mark.parametrize("changed", [{}, {"name": "Another"}])
def test_a_walk_can_give_a_record_twice(
    client: Client, api: AdminApiServer, org: Organization, changed: Json
) -> None:
    api.faults.append(Fault.duplicate(changed, after=1))
    assert client.all("users", limit=1000) == org.users
    assert client.all("users", limit=1000) == [*org.users, org.users[0] | changed]


def test_a_duplicate_may_come_pages_later(
    client: Client, api: AdminApiServer, org: Organization
) -> None:
    api.faults.append(Fault.duplicate(times=2))
    pages = client.pages("users", limit=4)
    assert pages[1]["data"] == [*org.users[4:8], org.users[0]]


def test_answers_can_be_edited(client: Client, api: AdminApiServer, org: Organization) -> None:
    api.faults += [
        Fault(kind="replace", replace=lambda page: page | {"data": page["data"][:1]}),
        Fault(kind="replace", replace=lambda page: json.dumps(page).encode() + b"NaN"),
    ]
    assert client.page("users")["data"] == org.users[:1]
    assert client.get("users").content.endswith(b"NaN")


def test_an_error_is_not_edited(client: Client, api: AdminApiServer) -> None:
    api.faults += [Fault(kind="no_token"), Fault(kind="replace", replace=lambda page: {})]
    assert client.error("users", limit=0)[0] == client.error("nowhere")[0] - 4 == 400


def test_a_bomb_is_a_status_with_a_body(client: Client, api: AdminApiServer) -> None:
    bomb = gzip.compress(bytes(1 << 20))
    api.faults.append(Fault(status=200, body=bomb, headers={"content-encoding": "gzip"}))
    assert client.get("users").content == bytes(1 << 20)


def test_faults_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="no fault of kind 'explode'"):
        Fault(kind="explode")
    with pytest.raises(ValueError, match="goes with the kind"):
        Fault(kind="replace")


def test_every_kind_of_fault_is_tested_here() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    assert [kind for kind in KINDS if f'"{kind}"' not in source] == []


# --- the server itself ------------------------------------------------------------------------


def test_it_refuses_connections_while_told_to(client: Client, api: AdminApiServer) -> None:
    url = api.url
    with api.refusing(), pytest.raises(requests.ConnectionError, match="refused"):
        client.get("users")
    assert api.url == url
    assert client.get("users").ok


def test_servers_come_and_go_without_a_trace(org: Organization) -> None:
    before, begun = threading.active_count(), time.monotonic()
    for _ in range(50):
        with AdminApiServer(org) as api, connected(api.url) as client:
            assert client.get("me").ok
        socket.create_server(("127.0.0.1", api.port)).close()
    assert time.monotonic() - begun < 5
    assert threading.active_count() <= before + 1


def test_many_clients_at_once(org: Organization) -> None:
    with AdminApiServer(org) as api:

        def walk() -> None:
            with connected(api.url) as client:
                counts.append(totals(client.all(USAGE, **span(DAY, 5))))

        counts: list[list[int]] = []
        threads = [threading.Thread(target=walk) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    events = [event for number in range(5) for event in org.events(DAY + timedelta(days=number))]
    assert counts == [truth(events)] * 8


def test_a_key_can_be_rotated(client: Client, api: AdminApiServer) -> None:
    api.key = "sk-ant-admin01-new"
    assert client.error("me")[0] == 401
    assert client.get("me", headers={"x-api-key": api.key}).ok


def test_garbage_is_hung_up_on(api: AdminApiServer) -> None:
    for garbage in (b"hello\r\n\r\n", b"GET /\r\n\r\n", bytes(1 << 19)):
        with socket.create_connection(("127.0.0.1", api.port), timeout=5) as sock:
            try:
                sock.sendall(garbage)
                assert sock.recv(1) == b""
            except ConnectionError:
                pass
    connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=5)
    connection.request("GET", "/v1/organizations/me", headers={"x-api-key": "x"})
    assert connection.getresponse().status == 401
    connection.close()


def test_it_runs_by_itself() -> None:
    command = [sys.executable, "-m", "tests.simulator", "--people", "30", "--key", KEY + "-2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        with connected(process.stdout.readline().strip()) as client:
            users = client.page("users", headers={"x-api-key": KEY + "-2"}, limit=1000)
        process.terminate()
    assert len(users["data"]) == 30
