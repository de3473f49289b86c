"""The simulated analytics pair keeps the contract, and agrees with the older reports."""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contract.client import Client, at, connected, span
from tests.simulator import AdminApiServer, Analytics, Fault, Lag, Organization, Pricing
from tests.simulator.analytics import COMPONENTS, DIMENSIONS, FAN_OUT
from tests.simulator.analytics_endpoints import ANALYTICS, FILTERS
from tests.simulator.usage import TOKEN_TYPES, UNBILLED_TIERS

Json = dict[str, Any]

TODAY = date(2026, 11, 22)
DAY = TODAY - timedelta(days=9)
COST, USAGE = "analytics/cost", "analytics/usage"
BOTH = (COST, USAGE)
BETA = {"anthropic-beta": f"other-1, {ANALYTICS}"}
DEFAULT = ["actor", "api_key_id", "workspace_id", "model", "product"]
DAILY: Json = {"time_bucket_width": "1d", "headers": BETA, "limit": 1000}
BY_TIME: Json = {**DAILY, "order_by": "time", "order": "asc"}


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


def grouped(row: Json) -> str:
    return json.dumps([row["starting_at"], row["group"]], sort_keys=True)


def amount(row: Json) -> Decimal:
    return Decimal(row["cost"]["amount"])


# --- what is refused --------------------------------------------------------------------------

RANGE = {**span(DAY), "time_bucket_width": "1d"}
SIX = [*DEFAULT, "speed"]
REFUSED: list[tuple[str, Json, str]] = [
    (COST, {}, "starting_at: Field required"),
    (USAGE, {"starting_at": "2026-11-01T00:00:00"}, "RFC 3339 datetime with a timezone"),
    (USAGE, {"starting_at": "2026-11-01"}, "RFC 3339"),
    (COST, {"starting_at": "2025-12-31T23:59:59Z"}, "no earlier than 2026-01-01T00:00:00Z"),
    (COST, {"starting_at": at(DAY), "time_bucket_width": "1d"}, "ending_at: Field required"),
    (COST, {**span(DAY, -1)}, "Invalid date range"),
    (USAGE, {**span(DAY, 0)}, "Invalid date range"),
    (USAGE, {"starting_at": at(TODAY + timedelta(days=3))}, "Invalid date range"),
    (COST, {**span(date(2026, 9, 1), 32)}, "31 days"),
    (USAGE, {**span(DAY, 2), "time_bucket_width": "1m"}, "24 hours"),
    (USAGE, {**RANGE, "time_bucket_width": "1w"}, "'1d', '1h', '1m'"),
    (COST, {**RANGE, "group_by[]": SIX}, "Cannot specify more than 5 group_by[] dimensions."),
    (USAGE, {**RANGE, "group_by[]": "cost_type"}, "group_by[]"),
    (USAGE, {**RANGE, "group_by[]": "token_type"}, "group_by[]"),
    (COST, {**RANGE, "group_by[]": "user"}, "group_by[]"),
    (COST, {**RANGE, "group_by[]": ["rbac_group_id", "claude_tag_user_id"]}, "rbac_group_id"),
    (
        USAGE,
        {**RANGE, "group_by[]": "claude_tag_user_id", "rbac_group_ids[]": "rbac_group_1"},
        "rbac_group_id",
    ),
    (COST, {**RANGE, "order_by": "total_tokens"}, "'amount', 'list_amount', 'time'"),
    (USAGE, {**RANGE, "order_by": "amount"}, "order_by"),
    (USAGE, {**RANGE, "order": "up"}, "'asc', 'desc'"),
    (USAGE, {**RANGE, "exclude_deleted_users": "true"}, "group_by[]=actor"),
    (COST, {**RANGE, "limit": 0}, "between 1 and 1000"),
    (COST, {**RANGE, "limit": 1001}, "between 1 and 1000"),
    (COST, {**RANGE, "context_window[]": "0-200k"}, "Extra inputs are not permitted"),
    (COST, {**RANGE, "bucket_width": "1d"}, "Extra inputs are not permitted"),
    (COST, {**RANGE, "products[]": "messages"}, "'messages_api'"),
    (COST, {**RANGE, "actor_types[]": "robot"}, "'federated_actor'"),
    (COST, {**RANGE, "page": "page_nonsense"}, "page"),
]


@pytest.mark.parametrize(("path", "query", "message"), REFUSED)
def test_bad_questions_are_refused(client: Client, path: str, query: Json, message: str) -> None:
    status, said = client.error(path, headers=BETA, **query)
    assert status == 400
    assert message in said


def test_five_dimensions_may_be_fanned_out(client: Client) -> None:
    assert client.all(COST, **RANGE, headers=BETA, group_by__=[*DEFAULT, *FAN_OUT])


@pytest.mark.parametrize("path", BOTH)
def test_history_ends_after_365_days(org: Organization, path: str) -> None:
    now = datetime(2027, 3, 1, 12, tzinfo=UTC)
    with AdminApiServer(org, now=lambda: now) as api, connected(api.url) as client:
        status, said = client.error(path, **span(date(2026, 3, 1)), headers=BETA)
        assert (status, said) == (400, "starting_at: Must be within the last 365 days")
        assert client.page(path, **span(date(2026, 3, 2)), headers=BETA)["data"] == []


@pytest.mark.parametrize("path", BOTH)
def test_without_its_beta_the_pair_does_not_exist(client: Client, path: str) -> None:
    known = client.error(path, **RANGE)
    assert known == client.error(path, **RANGE, headers={"anthropic-beta": "other-1"})
    assert known[0] == 404
    assert client.get(path, **RANGE, headers=BETA).ok


@pytest.mark.parametrize(
    ("status", "message"),
    [(404, "Not found: /v1/organizations/analytics/cost"), (403, ANALYTICS)],
)
def test_an_organization_may_not_have_it(org: Organization, status: int, message: str) -> None:
    with AdminApiServer(org, not_offered={COST: status}) as api, connected(api.url) as client:
        refused, said = client.error(COST, **RANGE, headers=BETA)
        assert refused == status
        assert message in said
        assert client.get(USAGE, **RANGE, headers=BETA).ok
        api.answers.not_offered.clear()
        assert client.get(COST, **RANGE, headers=BETA).ok


@pytest.mark.parametrize("path", BOTH)
@pytest.mark.parametrize(("mode", "status"), [("accept", 200), ("refuse", 400), ("clamp", 200)])
def test_an_end_in_the_future_may_be_refused(
    org: Organization, path: str, mode: Any, status: int
) -> None:
    noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
    with (
        AdminApiServer(org, future_ending_at=mode, now=lambda: noon) as api,
        connected(api.url) as client,
    ):
        assert client.get(path, **span(TODAY), **BY_TIME).status_code == status
        assert client.get(path, **span(TODAY - timedelta(days=1)), **BY_TIME).ok


# --- pages ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", BOTH)
@pytest.mark.parametrize("order", [{"order_by": "time", "order": "asc"}, {}, {"order": "asc"}])
@pytest.mark.parametrize("limit", [1, 7, 20, 400])
def test_a_walk_gives_the_same_rows_whatever_the_limit(
    client: Client, api: AdminApiServer, path: str, order: Json, limit: int
) -> None:
    query = {**span(DAY, 3), **DAILY, **order, "group_by__": DEFAULT}
    whole = client.page(path, **query)["data"]
    api.clear()
    pages = client.pages(path, **query | {"limit": limit})
    assert [row for page in pages for row in page["data"]] == whole
    assert len(api.requests) == len(pages) == -(-len(whole) // limit)


def test_twenty_rows_by_default(client: Client) -> None:
    page = client.page(COST, **RANGE, headers=BETA, group_by__=DEFAULT)
    assert len(page["data"]) == 20
    assert page["has_more"]


def test_rows_of_a_fan_out_do_not_count(client: Client) -> None:
    plain = {**span(DAY, 3), **BY_TIME, "group_by__": DEFAULT, "limit": 10}
    fanned = plain | {"group_by__": [*DEFAULT, *FAN_OUT]}
    for narrow, wide in zip(client.pages(COST, **plain), client.pages(COST, **fanned), strict=True):
        sums: defaultdict[str, Decimal] = defaultdict(Decimal)
        for row in wide["data"]:
            sums[grouped({**row, "group": row["group"] | dict.fromkeys(FAN_OUT)})] += amount(row)
        assert len(wide["data"]) > len(narrow["data"])
        assert sum(sums.values()) == sum(map(amount, narrow["data"]))
        assert sums.keys() == set(map(grouped, narrow["data"]))


@pytest.mark.parametrize("path", BOTH)
def test_a_page_token_is_bound_to_its_query(client: Client, path: str) -> None:
    query = {**span(DAY, 9), **BY_TIME, "group_by[]": "model", "limit": 3}
    token = client.page(path, **query)["next_page"]
    assert client.page(path, **query, page=token)["data"]
    for changed in ({"limit": 4}, {"group_by[]": "speed"}, {"models[]": "x"}, span(DAY, 8)):
        assert client.error(path, **query | changed, page=token)[0] == 400
    other = USAGE if path is COST else COST
    assert client.error(other, **query, page=token)[0] == 400


@pytest.mark.parametrize("path", BOTH)
def test_pages_may_say_less(own: Organization, path: str) -> None:
    query = {**RANGE, "headers": BETA, "group_by__": DEFAULT, "limit": 1000}
    with AdminApiServer(own) as api, connected(api.url) as client:
        page = client.page(path, **query)
        assert (page["has_more"], page["next_page"]) == (False, None)
        assert page["data_refreshed_at"] == f"{TODAY}T23:59:59Z"
        chosen = Analytics(has_more=False, last_page="", says_refreshed=False)
        api.answers.analytics = chosen
        first = client.page(path, **query | {"limit": 1})
        assert first.keys() == {"data", "next_page", "data_refreshed_at"}
        assert first["next_page"].startswith("page_")
        last = client.page(path, **query)
        assert (last["next_page"], last["data_refreshed_at"]) == ("", None)
        assert client.all(path, **query | {"limit": 7}) == page["data"]


def test_a_cursor_expires(org: Organization) -> None:
    query = {**span(DAY, 3), **BY_TIME, "group_by__": DEFAULT, "limit": 20}
    expired = (410, "The page token has expired.")
    chosen = Analytics(cursor_pages=2)
    with AdminApiServer(org, analytics=chosen) as api, connected(api.url) as client:
        second = client.page(COST, **query)["next_page"]
        third = client.page(COST, **query, page=second)["next_page"]
        assert client.error(COST, **query, page=third) == expired
        assert client.error(COST, **query, page=third) == expired
        assert client.page(COST, **query, page=second)["next_page"] == third
        api.faults.append(Fault.expired_cursor("analytics/cost"))
        assert client.get(USAGE, **query).ok
        assert client.get(COST, **query).ok
        assert client.error(COST, **query, page=second) == expired
        assert client.get(COST, **query, page=second).ok


def test_pages_of_two_states_never_mix(own: Organization) -> None:
    query = {**span(TODAY - timedelta(days=2), 3), **BY_TIME, "group_by__": DEFAULT, "limit": 30}
    clock = [datetime(2026, 11, 22, 9, tzinfo=UTC)]
    with AdminApiServer(own, now=lambda: clock[0]) as api, connected(api.url) as client:
        walked = client.all(COST, **query)
        first = client.page(COST, **query)
        clock[0] += timedelta(hours=8)
        rest = [first]
        while token := rest[-1]["next_page"]:
            rest.append(client.page(COST, **query, page=token))
        assert [row for page in rest for row in page["data"]] == walked
        assert {page["data_refreshed_at"] for page in rest} == {"2026-11-22T09:00:00Z"}
        assert len(client.all(COST, **query)) > len(walked)
        own.restate(DAY)
        assert client.get(COST, **query, page=first["next_page"]).ok  # not one of its days
        own.restate(TODAY)
        assert client.error(COST, **query, page=first["next_page"])[0] == 410


@pytest.mark.parametrize("path", BOTH)
def test_figures_may_be_hours_old(org: Organization, path: str) -> None:
    now = datetime(2026, 11, 22, 6, tzinfo=UTC)
    chosen = Analytics(refreshed_ago=timedelta(hours=20))
    refreshed = now - chosen.refreshed_ago
    query = {**span(TODAY - timedelta(days=2), 3), **BY_TIME, "time_bucket_width": "1h"}
    with (
        AdminApiServer(org, now=lambda: now, analytics=chosen) as api,
        connected(api.url) as client,
    ):
        page = client.page(path, **query)
    assert page["data_refreshed_at"] == "2026-11-21T10:00:00Z"
    starts = [datetime.fromisoformat(row["starting_at"]) for row in page["data"]]
    assert max(starts) < refreshed <= max(starts) + timedelta(hours=4)
    if path is USAGE:
        total = sum(row["usage"]["total_tokens"] for row in page["data"])
        days = [refreshed.date() - timedelta(days=1), refreshed.date()]
        events = [event for day in days for event in org.events(day)]
        assert total == sum(sum(e.tokens) for e in events if e.starting_at < refreshed)


@pytest.mark.parametrize("path", BOTH)
def test_it_may_lag_by_days(own: Organization, path: str) -> None:
    latest = TODAY - timedelta(days=2)
    query = {**span(TODAY - timedelta(days=4), 5), **BY_TIME}
    with AdminApiServer(own) as api, connected(api.url) as client:
        api.answers.lags[path] = Lag(1)
        days = {row["starting_at"] for row in client.all(path, **query)}
        assert max(days) == at(latest)
        api.answers.lags[path] = Lag(1, is_refused=True)
        message = f"Latest available data for this query is {latest}"
        assert client.error(path, **query) == (400, message)
        assert client.page(path, **query | span(latest))["data"]
        other = USAGE if path is COST else COST
        assert client.get(other, **query).ok


# --- order ------------------------------------------------------------------------------------


def ranks(rows: list[Json]) -> list[tuple[str, Any]]:
    return [
        (row["starting_at"], amount(row) if "cost" in row else row["usage"]["total_tokens"])
        for row in rows
    ]


@pytest.mark.parametrize("path", BOTH)
@pytest.mark.parametrize("width", ["1d", "1h"])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_rows_in_the_order_of_time_are_largest_first_within_a_bucket(
    client: Client, path: str, width: str, order: str
) -> None:
    query = {**span(DAY, 4), **BY_TIME, "group_by__": ["actor", "model"], "order": order}
    rows = ranks(client.all(path, **query | {"time_bucket_width": width, "limit": 17}))
    starts = [start for start, _ in rows]
    assert starts == sorted(starts, reverse=order == "desc")
    assert all(a >= b for (one, a), (two, b) in pairwise(rows) if one == two)
    assert len(set(starts)) > 3


@pytest.mark.parametrize("path", BOTH)
def test_the_largest_come_first_by_default(client: Client, path: str) -> None:
    query = {**span(DAY, 4), **DAILY, "group_by__": ["actor", "model"]}
    rows = ranks(client.all(path, **query))
    assert [rank for _, rank in rows] == sorted((rank for _, rank in rows), reverse=True)
    smallest = ranks(client.all(path, **query, order="asc"))
    assert [rank for _, rank in smallest] == sorted(rank for _, rank in rows)


@pytest.mark.parametrize("metric", ["requests", "output_tokens", "uncached_input_tokens"])
def test_usage_is_ranked_by_other_counters(client: Client, metric: str) -> None:
    query = {**span(DAY, 4), **DAILY, "group_by__": ["model"], "order_by": metric}
    counts = [row["usage"][metric] for row in client.all(USAGE, **query)]
    assert counts == sorted(counts, reverse=True)


# --- rows -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", BOTH)
@pytest.mark.parametrize("name", DIMENSIONS)
def test_a_dimension_is_null_unless_grouped(client: Client, path: str, name: str) -> None:
    rows = client.all(path, **span(DAY, 7), **BY_TIME, group_by__=[name])
    names = set(DIMENSIONS) | (set(FAN_OUT) if path is COST else set())
    assert all(row["group"].keys() == names for row in rows)
    others = names - {name}
    assert all(row["group"][other] is None for row in rows for other in others)
    tagged = {"claude_tag_category", "claude_tag_user_id", "slack_channel_id"}  # claude.ai only
    assert any(row["group"][name] is not None for row in rows) == (name not in tagged)


@pytest.mark.parametrize("path", BOTH)
def test_a_bucket_without_usage_has_no_row(client: Client, org: Organization, path: str) -> None:
    first = TODAY - timedelta(days=62)  # the organization begins three days later
    rows = client.all(path, **span(first, 6), **BY_TIME)
    assert [row["starting_at"] for row in rows] == [at(first + timedelta(n)) for n in (3, 4, 5)]
    assert all(row["ending_at"] > row["starting_at"] for row in rows)
    hours = client.all(path, **span(DAY), **BY_TIME | {"time_bucket_width": "1h"})
    used = {event.starting_at.hour for event in org.events(DAY)}
    assert {int(row["starting_at"][11:13]) for row in hours} <= used | {0}


@pytest.mark.parametrize("path", BOTH)
def test_without_a_width_a_row_covers_the_range(client: Client, path: str) -> None:
    half = {"starting_at": f"{DAY}T06:40:00Z", "ending_at": f"{DAY + timedelta(2)}T09:59:59Z"}
    (row,) = client.all(path, **half, headers=BETA)
    assert row["starting_at"] == f"{DAY}T06:00:00Z"
    assert row["ending_at"] == f"{DAY + timedelta(2)}T09:00:00Z"
    rows = client.all(path, **half, headers=BETA, group_by__=["model"])
    ranked = [rank for _, rank in ranks(rows)]
    assert sum(ranked) == ranks([row])[0][1]
    assert ranked == sorted(ranked, reverse=True)
    (month,) = client.all(path, starting_at=at(TODAY - timedelta(days=40)), headers=BETA)
    assert month["ending_at"] == at(TODAY - timedelta(days=9))
    (open_end,) = client.all(path, starting_at=at(DAY), headers=BETA)
    assert open_end["ending_at"] == f"{TODAY}T23:00:00Z"


def test_requests_are_counted_where_they_can_be(client: Client) -> None:
    query = {**span(DAY, 2), **BY_TIME}
    for fan_out in (["cost_type"], ["token_type"], [*FAN_OUT]):
        rows = client.all(COST, **query, group_by__=["model", *fan_out])
        assert {row["cost"]["requests"] for row in rows} == {None}
    usage = client.all(USAGE, **query, group_by__=["product"])
    assert all(row["usage"]["requests"] > 0 for row in usage)
    sandbox = [row for row in usage if row["group"]["product"] is None]
    assert {row["usage"]["total_tokens"] for row in sandbox} == {0}
    assert sandbox
    assert all(row["cost"]["requests"] is not None for row in client.all(COST, **query))


def test_a_fan_out_splits_cost_into_its_parts(client: Client) -> None:
    query = {**span(TODAY - timedelta(days=20), 20), **BY_TIME}

    def parts(*fan_out: str) -> dict[tuple[str | None, str | None], Decimal]:
        sums: defaultdict[tuple[str | None, str | None], Decimal] = defaultdict(Decimal)
        for row in client.all(COST, **query, group_by__=["model", *fan_out]):
            sums[row["group"]["cost_type"], row["group"]["token_type"]] += amount(row)
        return sums

    both = parts("cost_type", "token_type")
    assert both.keys() == set(COMPONENTS)
    of_tokens = sum(value for (kind, _), value in both.items() if kind == "tokens")
    types = parts("cost_type")
    assert types.keys() == {(kind, None) for kind, _ in COMPONENTS}
    assert types["tokens", None] == of_tokens
    tokens = parts("token_type")
    assert tokens == {key: value for key, value in both.items() if key[0] == "tokens"}
    assert parts() == {(None, None): sum(both.values())}


def test_every_kind_of_actor_is_there(client: Client, org: Organization) -> None:
    rows = client.all(COST, **span(TODAY - timedelta(days=14), 14), **BY_TIME, group_by__=["actor"])
    actors = [row["group"]["actor"] for row in rows]
    known = [actor for actor in actors if actor is not None]
    assert {actor["type"] for actor in known} == {
        "user_actor",
        "service_account_actor",
        "federated_actor",
        "api_actor",
    }
    federated = [actor for actor in known if actor["type"] == "federated_actor"]
    assert {actor["provider"]["type"] for actor in federated} == {"aws", "azure", "gcp", "oidc"}
    assert {actor["subject"] is None for actor in federated} == {True, False}
    oidc = [a["provider"]["issuer"] for a in federated if a["provider"]["type"] == "oidc"]
    assert {issuer is None for issuer in oidc} == {True, False}
    users = [actor for actor in known if actor["type"] == "user_actor"]
    shapes = {
        (user["deleted"], user["email_address"] is None, user["name"] in (None, "Deleted User"))
        for user in users
    }
    assert shapes == {
        (False, False, False),  # a member
        (False, False, True),  # who has no name
        (False, True, False),  # one that the vendor minted
        (True, False, False),  # who has left
        (True, False, True),  # and whose name is hidden
        (True, True, True),  # whose account is deleted
    }
    members = {user["id"]: user for user in org.users}
    mine = [user for user in users if user["user_id"] in members]
    assert all(members[user["user_id"]]["email"] == user["email_address"] for user in mine)
    keys = {key["id"] for key in org.api_keys}
    assert {actor["api_key_id"] for actor in known if actor["type"] == "api_actor"} <= keys


@pytest.mark.parametrize("path", BOTH)
def test_those_whom_nobody_can_render_are_rows_of_their_own(client: Client, path: str) -> None:
    query = {**span(TODAY - timedelta(days=14), 14), **BY_TIME, "group_by__": DEFAULT}
    seen = Counter(map(grouped, client.all(path, **query)))
    twice = [json.loads(row)[1]["actor"] for row, count in seen.items() if count > 1]
    assert twice
    assert set(twice) == {None}


def test_who_leaves_is_deleted(own: Organization) -> None:
    query = {**RANGE, "headers": BETA, "group_by__": ["actor"], "limit": 1000}
    with AdminApiServer(own) as api, connected(api.url) as client:

        def member() -> Json | None:
            actors = [row["group"]["actor"] or {} for row in client.all(USAGE, **query)]
            return next((actor for actor in actors if actor.get("user_id") == left["id"]), None)

        left = own.users[0]
        before = member()
        assert before
        assert not before["deleted"]
        own.users.remove(left)
        assert member() == before | {"deleted": True}
        excluded = client.all(USAGE, **query, exclude_deleted_users="true")
        assert excluded
        assert not any((row["group"]["actor"] or {}).get("deleted") for row in excluded)
        pages = client.pages(USAGE, **query | {"limit": 3}, exclude_deleted_users="true")
        assert min(len(page["data"]) for page in pages[:-1]) < 3
        assert [row for page in pages for row in page["data"]] == excluded


def test_dimensions_have_the_values_of_the_successor(client: Client, org: Organization) -> None:
    def values(name: str) -> set[str | None]:
        query = {**span(TODAY - timedelta(days=20), 20), **BY_TIME, "group_by__": [name]}
        return {row["group"][name] for row in client.all(USAGE, **query)}

    assert values("inference_geo") == {"global", "us", None}
    assert None not in values("workspace_id")
    assert org.default_workspace_id in values("workspace_id")
    assert values("context_window") == {"0-200k", "200k-1M", None}
    assert values("organization_id") == {org.id}
    assert values("product") == {
        "claude_code",
        "claude_console",
        "managed_agents_api",
        "message_batches_api",
        "messages_api",
        "cc_security_autopatch",
        "other",
        None,
    }


def test_people_in_two_groups_count_twice(client: Client, org: Organization) -> None:
    query = {**span(DAY, 7), **BY_TIME}
    rows = client.all(USAGE, **query, group_by__=["rbac_group_id"])
    total = sum(row["usage"]["total_tokens"] for row in client.all(USAGE, **query))
    assert sum(row["usage"]["total_tokens"] for row in rows) > total
    groups = {row["group"]["rbac_group_id"] for row in rows}
    assert groups == {None, *org.directory.rbac_groups}
    filtered = client.all(USAGE, **query, rbac_group_ids__=org.directory.rbac_groups)
    assert 0 < sum(row["usage"]["total_tokens"] for row in filtered) < total


def test_claude_ai_has_neither_workspace_nor_service_tier(org: Organization) -> None:
    query = {**span(TODAY - timedelta(days=20), 20), **BY_TIME}
    chosen = Analytics(has_enterprise=True)
    with AdminApiServer(org, analytics=chosen) as api, connected(api.url) as client:
        rows = client.all(USAGE, **query, group_by__=["workspace_id", "product", "service_tier"])
        tags = client.all(
            USAGE,
            **query,
            group_by__=["claude_tag_category", "claude_tag_user_id", "slack_channel_id"],
        )
        api.answers.analytics.has_enterprise = False
        plain = client.all(USAGE, **query, group_by__=["workspace_id", "product", "service_tier"])
    seats = [row["group"] for row in rows if row["group"]["workspace_id"] is None]
    assert {seat["service_tier"] for seat in seats} == {None}
    assert {seat["product"] for seat in seats} == {
        "chat",
        "chat_cowork_unified",
        "claude_code",
        "claude_design",
        "claude_in_chrome",
        "claude_tag",
        "cowork",
        "office_agent",
    }
    assert [row for row in rows if row["group"]["workspace_id"] is not None] == plain
    categories = {row["group"]["claude_tag_category"] for row in tags}
    assert {"monitoring", "engaged", None} <= categories
    assert {
        row["group"]["claude_tag_user_id"]
        for row in tags
        if row["group"]["claude_tag_category"] == "monitoring"
    } == {None}


# --- filters ----------------------------------------------------------------------------------


@pytest.mark.parametrize("parameter", FILTERS)
def test_a_filter_keeps_what_a_grouping_shows(own: Organization, parameter: str) -> None:
    name = FILTERS[parameter][0].replace("actor_id", "actor")
    query = {**span(TODAY - timedelta(days=14), 14), **BY_TIME}
    chosen = Analytics(has_enterprise=True)
    with AdminApiServer(own, analytics=chosen) as api, connected(api.url) as client:
        rows = client.all(USAGE, **query, group_by__=[name])
        by_value: defaultdict[str | None, int] = defaultdict(int)
        for row in rows:
            by_value[identifier(row["group"][name])] += row["usage"]["total_tokens"]
        allowed = FILTERS[parameter][1]
        value = max(v for v in by_value if v is not None and (allowed is None or v in allowed))
        kept = client.all(USAGE, **query, **{parameter: value})
    assert sum(row["usage"]["total_tokens"] for row in kept) == by_value[value] > 0


def identifier(value: Any) -> str | None:
    if not isinstance(value, dict):
        return None if value is None else str(value)
    ids = (value.get(name) for name in ("user_id", "service_account_id", "api_key_id"))
    return next((each for each in ids if each), None)


def test_filters_name_what_is_null(client: Client) -> None:
    query = {**span(DAY, 7), **BY_TIME}
    rows = client.all(USAGE, **query, group_by__=["api_key_id"], **{"api_key_ids[]": ""})
    assert {row["group"]["api_key_id"] for row in rows} == {None}
    query |= {"inference_geos[]": "not_available"}
    rows = client.all(USAGE, **query, group_by__=["inference_geo"])
    assert {row["group"]["inference_geo"] for row in rows} == {None}


# --- the older reports agree ------------------------------------------------------------------

Sums = dict[tuple[str, str], Any]


def old_costs(client: Client, first: date, days: int, default: str) -> Sums:
    sums: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    query = {**span(first, days), "limit": 31, "group_by__": ["workspace_id", "description"]}
    for bucket in client.all("cost_report", **query):
        for row in bucket["results"]:
            place = row["workspace_id"] or default
            sums[bucket["starting_at"], place] += Decimal(row["amount"])
    return nonzero(sums)


def new_costs(client: Client, first: date, days: int, name: str = "amount") -> Sums:
    sums: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    query = {**span(first, days), **BY_TIME, "group_by__": [*DEFAULT, *FAN_OUT]}
    for row in client.all(COST, **query):
        sums[row["starting_at"], row["group"]["workspace_id"]] += Decimal(row["cost"][name])
    return nonzero(sums)


def nonzero(sums: Sums) -> Sums:
    return {key: value for key, value in sums.items() if value}


def counts(usage: Json) -> Counter[str]:
    names = ("uncached_input_tokens", "cache_read_input_tokens", "output_tokens")
    inner = usage["cache_creation"] | usage["server_tool_use"]
    return Counter({name: usage[name] for name in names} | inner)


def old_usage(client: Client, first: date, days: int, default: str) -> Sums:
    sums: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    query = {**span(first, days), "limit": 31, "group_by__": ["workspace_id", "model"]}
    for bucket in client.all("usage_report/messages", **query):
        for row in bucket["results"]:
            sums[bucket["starting_at"], row["workspace_id"] or default] += counts(row)
    return nonzero(sums)


def new_usage(client: Client, first: date, days: int) -> Sums:
    sums: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for row in client.all(USAGE, **span(first, days), **BY_TIME, group_by__=DEFAULT):
        counted = counts(row["usage"])
        assert row["usage"]["total_tokens"] + counted["web_search_requests"] == counted.total()
        sums[row["starting_at"], row["group"]["workspace_id"]] += counted
    return nonzero(sums)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 40), st.integers(0, 23))
def test_the_pair_agrees_with_the_older_reports(seed: int, people: int, hour: int) -> None:
    org = Organization.invent(seed=seed, today=TODAY, days=8, people=people)
    first = TODAY - timedelta(days=9)
    now = datetime(TODAY.year, TODAY.month, TODAY.day, hour, 30, tzinfo=UTC)
    org.restate(TODAY - timedelta(days=3), factor=3)
    org.clear_day(TODAY - timedelta(days=2))
    default = org.default_workspace_id
    with AdminApiServer(org, now=lambda: now) as api, connected(api.url) as client:
        assert new_costs(client, first, 10) == old_costs(client, first, 10, default) != {}
        assert new_usage(client, first, 10) == old_usage(client, first, 10, default) != {}


def test_a_scaled_organization_agrees_too() -> None:
    org = Organization.invent(groups=1000, people=40, days=2, today=TODAY)
    first, default = TODAY - timedelta(days=1), org.default_workspace_id
    with AdminApiServer(org) as api, connected(api.url) as client:
        assert new_costs(client, first, 2) == old_costs(client, first, 2, default)
        assert new_usage(client, first, 2) == old_usage(client, first, 2, default)
        rows = client.all(USAGE, **span(TODAY), **BY_TIME, group_by__=DEFAULT)
    assert 450 < len(rows) < 550  # half of the groups differ in their context window only


def test_restatements_reach_the_pair(own: Organization) -> None:
    with AdminApiServer(own) as api, connected(api.url) as client:
        cost, usage = new_costs(client, DAY, 2), new_usage(client, DAY, 2)
        own.restate(DAY, factor=2)
        restated = new_costs(client, DAY, 2)
        assert restated == {k: v * (2 if k[0] == at(DAY) else 1) for k, v in cost.items()}
        assert new_usage(client, DAY, 2) != usage
        own.clear_day(DAY)
        assert {day for day, _ in new_usage(client, DAY, 2)} == {at(DAY + timedelta(days=1))}
        own.restore(DAY)
        assert (new_costs(client, DAY, 2), new_usage(client, DAY, 2)) == (cost, usage)


def test_a_discount_is_of_tokens(org: Organization) -> None:
    chosen = Analytics(Pricing(discount=Decimal("0.15")))
    query = {**span(TODAY - timedelta(days=20), 20), **BY_TIME, "group_by__": ["cost_type"]}
    with AdminApiServer(org, analytics=chosen) as api, connected(api.url) as client:
        rows = client.all(COST, **query)
        at_list = new_costs(client, DAY, 3, "list_amount")
        assert at_list == old_costs(client, DAY, 3, org.default_workspace_id)
    for row in rows:
        paid = Decimal("0.85") if row["group"]["cost_type"] == "tokens" else 1
        assert amount(row) == Decimal(row["cost"]["list_amount"]) * paid
    assert len({row["group"]["cost_type"] for row in rows}) == 4


def test_priority_tier_has_usage_and_by_default_no_cost(org: Organization) -> None:
    query = {**span(TODAY - timedelta(days=20), 20), **BY_TIME, "group_by__": ["service_tier"]}
    with AdminApiServer(org) as api, connected(api.url) as client:

        def tiers(path: str) -> set[str]:
            return {row["group"]["service_tier"] for row in client.all(path, **query)}

        assert tiers(USAGE) >= UNBILLED_TIERS
        fanned = client.all(COST, **query | {"group_by__": ["service_tier", *FAN_OUT]})
        tokens = [row["group"] for row in fanned if row["group"]["token_type"] in TOKEN_TYPES]
        assert not {group["service_tier"] for group in tokens} & UNBILLED_TIERS
        api.answers.analytics.pricing = Pricing(has_priority=True)
        assert tiers(COST) >= UNBILLED_TIERS


# --- large organizations ----------------------------------------------------------------------


def test_thousands_of_rows_a_day_come_as_fast_as_a_client_reads() -> None:
    org = Organization.invent(groups=8000, people=50, days=2, today=TODAY)
    query = {**span(TODAY), **BY_TIME, "group_by__": [*DEFAULT, *FAN_OUT]}
    with AdminApiServer(org) as api, connected(api.url) as client:
        rows = client.all(COST, **query)
        begun = time.monotonic()
        pages = client.pages(COST, **query)
    assert len(rows) > 20_000
    assert len(pages) == 5
    assert time.monotonic() - begun < 5
