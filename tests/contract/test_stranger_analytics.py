"""Proof by a stranger: the official SDK pages through the analytics pair and the limits.

It sends the key as a bearer token, the newest version and no `?beta=true`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from anthropic import Anthropic, APIStatusError, NotFoundError, PermissionDeniedError
from anthropic.types.beta.organization import (
    BetaAnalyticsAPIActor,
    BetaAnalyticsFederatedActor,
    BetaAnalyticsReportUserActor,
    BetaAnalyticsServiceAccountActor,
    BetaOrganizationRateLimit,
    BetaSpendLimit,
)
from anthropic.types.beta.organization.analytics import (
    BetaAnalyticsCostGroupBy,
    BetaAnalyticsCostItem,
    BetaAnalyticsUsageGroupBy,
    BetaAnalyticsUsageItem,
)
from anthropic.types.beta.organization.workspaces import BetaWorkspaceRateLimit

from tests.contract.test_stranger import KEY, accepted
from tests.simulator import AdminApiServer, Analytics, Fault, Organization, Pricing
from tests.simulator.analytics import FAN_OUT
from tests.simulator.analytics_endpoints import ANALYTICS
from tests.simulator.limits import SCOPE_TYPES, SPEND_LIMIT_READS

TODAY = date(2026, 11, 22)
START = datetime(2026, 11, 9, tzinfo=UTC)
END = START + timedelta(days=14)
GROUP_BY: list[BetaAnalyticsUsageGroupBy] = [
    "actor",
    "api_key_id",
    "workspace_id",
    "model",
    "product",
]
COST_GROUP_BY: list[BetaAnalyticsCostGroupBy] = [*GROUP_BY, "cost_type", "token_type"]


@pytest.fixture(scope="module")
def org() -> Organization:
    return Organization.invent(seed=11, today=TODAY, days=30, people=20)


@pytest.fixture
def api(org: Organization) -> Iterator[AdminApiServer]:
    chosen = Analytics(Pricing(discount=Decimal("0.1")), has_enterprise=True)
    with AdminApiServer(org, analytics=chosen) as server:
        yield server


@pytest.fixture
def sdk(api: AdminApiServer) -> Iterator[Anthropic]:
    with Anthropic(api_key=KEY, base_url=api.url, max_retries=0) as client:
        yield client


@pytest.mark.parametrize("limit", [30, 1000])
def test_it_pages_through_cost(sdk: Anthropic, api: AdminApiServer, limit: int) -> None:
    page = sdk.beta.organization.analytics.cost.list(
        starting_at=START,
        ending_at=END,
        time_bucket_width="1d",
        group_by=COST_GROUP_BY,
        order_by="time",
        order="asc",
        limit=limit,
    )
    assert page.data_refreshed_at == datetime(2026, 11, 22, 23, 59, 59, tzinfo=UTC)
    items = [accepted(BetaAnalyticsCostItem, item) for item in page]
    starts = [item.starting_at for item in items]
    assert starts == sorted(starts)
    assert {item.ending_at - item.starting_at for item in items} == {timedelta(days=1)}
    assert len(set(starts)) == 14
    assert {item.cost.currency for item in items} == {"USD"}
    assert {item.cost.requests for item in items} == {None}
    dear = [item for item in items if Decimal(item.cost.amount) < Decimal(item.cost.list_amount)]
    assert {item.group.cost_type for item in dear} == {"tokens"}
    assert {item.group.cost_type for item in items} == {
        "tokens",
        "web_search",
        "code_execution",
        "session_usage",
    }
    groups = Counter(
        (item.starting_at, item.group.model_copy(update=dict.fromkeys(FAN_OUT)).to_json())
        for item in items
    )
    assert max(groups.values()) > 5
    assert len(api.requests) > (5 if limit == 30 else 0)
    assert_the_sdk_asks_as_it_does(api, ANALYTICS)


@pytest.mark.parametrize("chosen", [Analytics(), Analytics(has_more=False, last_page="")])
def test_it_pages_through_usage(
    sdk: Anthropic, api: AdminApiServer, org: Organization, chosen: Analytics
) -> None:
    api.answers.analytics = chosen
    items = [
        accepted(BetaAnalyticsUsageItem, item)
        for item in sdk.beta.organization.analytics.usage.list(
            starting_at=START,
            ending_at=END,
            time_bucket_width="1h",
            group_by=GROUP_BY,
            order_by="time",
            order="asc",
            limit=40,
        )
    ]
    assert len(api.requests) > 5
    days = [(START + timedelta(days=number)).date() for number in range(14)]
    tokens = sum(sum(event.tokens) for day in days for event in org.events(day))
    assert sum(item.usage.total_tokens for item in items) == tokens
    assert all(item.usage.requests for item in items)
    assert_the_sdk_asks_as_it_does(api, ANALYTICS)


def test_it_knows_every_kind_of_actor(sdk: Anthropic) -> None:
    items = list(
        sdk.beta.organization.analytics.usage.list(
            starting_at=START, ending_at=END, group_by=["actor"], limit=10
        )
    )
    actors = [accepted(BetaAnalyticsUsageItem, item).group.actor for item in items]
    assert {type(actor) for actor in actors} == {
        BetaAnalyticsReportUserActor,
        BetaAnalyticsServiceAccountActor,
        BetaAnalyticsFederatedActor,
        BetaAnalyticsAPIActor,
        type(None),
    }
    assert sum(actor is None for actor in actors) > 1  # each whom nobody can render has a row
    providers = {a.provider.type for a in actors if isinstance(a, BetaAnalyticsFederatedActor)}
    assert providers == {"aws", "azure", "gcp", "oidc"}
    users = [actor for actor in actors if isinstance(actor, BetaAnalyticsReportUserActor)]
    assert {user.deleted for user in users} == {True, False}
    assert any(user.email_address is None for user in users)
    assert any(user.name is None for user in users)


def test_it_filters(sdk: Anthropic, org: Organization) -> None:
    users = [user["id"] for user in org.users[:2]]
    items = list(
        sdk.beta.organization.analytics.cost.list(
            starting_at=START,
            ending_at=END,
            group_by=["actor"],
            actor_ids=users,
            actor_types=["user_actor"],
            exclude_deleted_users=True,
        )
    )
    actors = {item.group.actor and item.group.actor.to_dict()["user_id"] for item in items}
    assert actors == set(users)


def test_it_lists_rate_limits(sdk: Anthropic, api: AdminApiServer, org: Organization) -> None:
    limits = [
        accepted(BetaOrganizationRateLimit, limit)
        for limit in sdk.beta.organization.rate_limits.list(limit=3)
    ]
    assert [limit.id for limit in limits] == [limit["id"] for limit in org.rate_limits]
    assert len(api.requests) == 3
    (sonnet,) = sdk.beta.organization.rate_limits.list(model="claude-sonnet-4-6")
    assert "claude-sonnet-4-6" in (sonnet.models or [])
    for workspace in org.workspaces:
        if workspace["archived_at"] is None:
            listed = sdk.beta.organization.workspaces.rate_limits.list(
                workspace["id"], include_inherited=True, limit=5
            )
            held = [accepted(BetaWorkspaceRateLimit, limit) for limit in listed]
            assert {limit.rate_limit_id for limit in held} == {limit.id for limit in limits}


def test_it_lists_spend_limits(sdk: Anthropic, api: AdminApiServer, org: Organization) -> None:
    limits = [
        accepted(BetaSpendLimit, limit)
        for limit in sdk.beta.organization.spend_limits.list(limit=2)
    ]
    assert [limit.id for limit in limits] == [limit["id"] for limit in org.spend_limits]
    assert {limit.scope.type for limit in limits} == set(SCOPE_TYPES)
    assert_the_sdk_asks_as_it_does(api, SPEND_LIMIT_READS)
    filtered = sdk.beta.organization.spend_limits.list(scope_type=["user", "workspace"])
    assert {limit.scope.type for limit in filtered} == {"user", "workspace"}


def test_it_reads_the_refusals(sdk: Anthropic, api: AdminApiServer) -> None:
    cost = sdk.beta.organization.analytics.cost
    api.answers.not_offered["analytics/cost"] = 404
    with pytest.raises(NotFoundError):
        cost.list(starting_at=START)
    api.answers.not_offered["analytics/cost"] = 403
    with pytest.raises(PermissionDeniedError, match=ANALYTICS):
        cost.list(starting_at=START)
    api.answers.not_offered.clear()
    api.faults.append(Fault.expired_cursor())
    with pytest.raises(APIStatusError) as expired:
        list(cost.list(starting_at=START, group_by=["model"], limit=1))
    assert expired.value.status_code == 410


def assert_the_sdk_asks_as_it_does(api: AdminApiServer, beta: str) -> None:
    """What admin_api says of 2.12.0; another SDK may ask otherwise, and then this should say so."""
    for request in api.requests:
        headers: dict[str, Any] = request.headers
        assert headers["authorization"] == f"Bearer {KEY}"
        assert headers["anthropic-version"] == "2026-10-21"
        assert headers["anthropic-beta"] == beta
        assert "beta" not in request.query
