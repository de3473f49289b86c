"""The simulated rate limits and spend limits keep the contract."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from tests.contract.client import Client, connected
from tests.simulator import AdminApiServer, Organization
from tests.simulator.limits import GROUP_TYPES, SCOPE_TYPES, SPEND_LIMIT_READS
from tests.simulator.usage import MODELS

Json = dict[str, Any]

RATES, SPEND = "rate_limits", "spend_limits"
BETA = {"anthropic-beta": SPEND_LIMIT_READS}
NEWER = {"anthropic-version": "2026-10-21"}


@pytest.fixture
def org() -> Organization:
    return Organization.invent(seed=7, today=date(2026, 11, 22), days=1)


@pytest.fixture
def api(org: Organization) -> Iterator[AdminApiServer]:
    with AdminApiServer(org) as server:
        yield server


@pytest.fixture
def client(api: AdminApiServer) -> Iterator[Client]:
    with connected(api.url) as client:
        yield client


def of(workspace_id: str) -> str:
    return f"workspaces/{workspace_id}/rate_limits"


def overridden(org: Organization) -> str:
    """A workspace with limits of its own."""
    return next(iter(org.rate_limit_overrides))


# --- rate limits ------------------------------------------------------------------------------


def test_every_group_of_rate_limits_is_listed(client: Client, org: Organization) -> None:
    page = client.page(RATES)
    assert page.keys() == {"data", "next_page"}
    assert page["next_page"] is None
    entries = page["data"]
    assert [entry["id"] for entry in entries] == [entry["id"] for entry in org.rate_limits]
    assert {entry["group"]["type"] for entry in entries} == set(GROUP_TYPES)
    for entry in entries:
        of_models = entry["group"]["type"] == "model_group"
        assert ("display_name" in entry["group"]) == of_models == (entry["models"] is not None)
        assert all(limit.keys() == {"type", "value"} for limit in entry["limits"])
    models = [model for entry in entries for model in entry["models"] or ()]
    assert sorted(models) == sorted(MODELS)


@pytest.mark.parametrize("limit", [1, 3, 8, 1000])
def test_rate_limits_page_by_tokens_without_has_more(
    client: Client, api: AdminApiServer, org: Organization, limit: int
) -> None:
    for path, query in ((RATES, {}), (of(overridden(org)), {"include_inherited": "true"})):
        whole = client.page(path, **query)["data"]
        assert len(whole) == len(org.rate_limits) == 8
        api.clear()
        pages = client.pages(path, **query, limit=limit)
        assert [entry for page in pages for entry in page["data"]] == whole
        assert len(api.requests) == -(-len(whole) // limit)
        if limit < len(whole):
            token = pages[0]["next_page"]
            assert (
                client.error(path, **query, limit=limit, group_type="files", page=token)[0] == 400
            )
        for wrong in (0, 1001, "x"):
            assert client.error(path, **query, limit=wrong)[0] == 400


def test_filters_of_rate_limits(client: Client) -> None:
    (entry,) = client.page(RATES, model="claude-sonnet-4-6")["data"]
    assert "claude-sonnet-4-6" in entry["models"]
    assert client.error(RATES, model="claude-1")[0] == 404
    kinds = {e["group"]["type"] for e in client.page(RATES, group_type="batch")["data"]}
    assert kinds == {"batch"}
    assert client.error(RATES, group_type="video")[0] == 400
    assert client.error(RATES, include_inherited="true")[0] == 400  # a workspace's alone


def test_group_type_is_gone_in_the_newer_version_and_may_be_gone_in_both(
    client: Client, api: AdminApiServer, org: Organization
) -> None:
    for path in (RATES, of(overridden(org))):
        api.answers.has_group_type = True
        older, newer = client.page(path)["data"], client.page(path, headers=NEWER)["data"]
        assert all(entry["group_type"] == entry["group"]["type"] for entry in older)
        assert newer == [{k: v for k, v in e.items() if k != "group_type"} for e in older]
        api.answers.has_group_type = False
        assert client.page(path)["data"] == newer


def test_a_workspace_lists_its_overrides_and_what_it_inherits(
    client: Client, org: Organization
) -> None:
    path = of(overridden(org))
    own = client.page(path)["data"]
    whole = client.page(path, include_inherited="true")["data"]
    known = {entry["id"]: entry for entry in org.rate_limits}
    for entry in whole:
        assert "id" not in entry
        assert entry["type"] == "workspace_rate_limit"
        assert entry["workspace_id"] == overridden(org)
        assert entry["models"] == known[entry["rate_limit_id"]]["models"]
        for limit in entry["limits"]:
            inherited = limit["source"] == {"type": "organization"}
            assert inherited or limit["source"] == {"type": "workspace"}
            assert (limit["value"] == limit["org_limit"]) == inherited
    sources = [limit["source"]["type"] for entry in own for limit in entry["limits"]]
    assert sources == ["workspace"] * 2
    assert [limit["org_limit"] for entry in own for limit in entry["limits"]] == [4000, None]
    every = {limit["source"]["type"] for entry in whole for limit in entry["limits"]}
    assert every == {"organization", "workspace"}
    assert client.page(of(org.default_workspace_id))["data"] == []
    assert len(client.page(of(org.default_workspace_id), include_inherited="true")["data"]) == 8


def test_some_workspaces_have_no_rate_limits_to_show(client: Client, api: AdminApiServer) -> None:
    org = api.organization
    missing = org.workspaces[1]["id"]
    archived = next(w["id"] for w in org.workspaces if w["archived_at"])
    assert client.get(of(missing)).ok
    api.answers.missing_rate_limits = {missing}
    assert client.error(of(missing))[0] == client.error(of("wrkspc_nowhere"))[0] == 404
    assert client.error(of(archived))[0] == 400
    assert client.get(f"workspaces/{missing}/members").ok
    assert client.get(RATES).ok


# --- spend limits -----------------------------------------------------------------------------


def test_every_kind_of_spend_limit_is_listed(client: Client, org: Organization) -> None:
    page = client.page(SPEND, headers=BETA)
    assert page == {"data": org.spend_limits, "next_page": None}
    limits = page["data"]
    assert {limit["scope"]["type"] for limit in limits} == set(SCOPE_TYPES)
    assert {limit["period"] for limit in limits} == {"daily", "weekly", "monthly"}
    amounts = [limit["amount"] for limit in limits]
    assert None in amounts
    assert "0" in amounts
    assert all(amount is None or amount.isdigit() for amount in amounts)
    created = [limit["created_at"] for limit in limits]
    assert created == sorted(created, reverse=True)
    off = [limit["scope"]["type"] for limit in limits if not limit["is_enabled"]]
    assert off == ["organization"]


@pytest.mark.parametrize("limit", [1, 4, 1000])
def test_spend_limits_page_by_tokens(
    client: Client, api: AdminApiServer, org: Organization, limit: int
) -> None:
    pages = client.pages(SPEND, headers=BETA, limit=limit)
    assert [entry for page in pages for entry in page["data"]] == org.spend_limits
    assert len(api.requests) == -(-len(org.spend_limits) // limit)
    org.spend_limits *= 3
    assert len(client.page(SPEND, headers=BETA)["data"]) == 20  # by default


@pytest.mark.parametrize("name", ["scope_type", "scope_type[]"])
def test_filters_of_spend_limits(client: Client, org: Organization, name: str) -> None:
    two = ["user", "usage_tier"]
    kinds = {e["scope"]["type"] for e in client.all(SPEND, headers=BETA, **{name: two})}
    assert kinds == set(two)
    assert client.error(SPEND, headers=BETA, **{name: "planet"})[0] == 400
    workspace = org.default_workspace_id
    (limit,) = client.all(SPEND, headers=BETA, workspace_id=workspace)
    assert limit["scope"] == {"type": "workspace", "workspace_id": workspace}


def test_spend_limits_are_a_beta(client: Client) -> None:
    assert client.error(SPEND)[0] == 404
    assert client.get(SPEND, headers={"anthropic-beta": f"a,{SPEND_LIMIT_READS}"}).ok


# --- what an organization does not have ---------------------------------------------------------


def test_limits_may_not_be_offered(org: Organization) -> None:
    offered = {RATES: 404, SPEND: 403}
    with AdminApiServer(org, not_offered=offered) as api, connected(api.url) as client:
        assert client.error(RATES)[0] == 404
        assert client.error(of(org.default_workspace_id))[0] == 404
        status, said = client.error(SPEND, headers=BETA)
        assert status == 403
        assert SPEND_LIMIT_READS in said
        assert client.get("workspaces").ok
        api.answers.not_offered.clear()
        assert client.get(RATES).ok


def test_limits_follow_from_the_seed_and_leave_the_entities_alone() -> None:
    first, again = Organization.invent(seed=3), Organization.invent(seed=3)
    assert first.rate_limits == again.rate_limits
    assert first.spend_limits == again.spend_limits
    other = Organization.invent(seed=4)
    assert other.spend_limits[0]["id"] != first.spend_limits[0]["id"]
    groups = [[entry["group"] for entry in org.rate_limits] for org in (first, other)]
    assert groups[0] == groups[1]  # a group is the same in every organization
    assert other.rate_limits[0]["id"] != first.rate_limits[0]["id"]


def test_it_runs_by_itself_without_what_is_not_offered() -> None:
    command = [sys.executable, "-m", "tests.simulator", "--days", "1"]
    command += ["--not-offered", "analytics", RATES]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        with connected(process.stdout.readline().strip()) as client:
            answers = [client.get(path, headers=BETA) for path in ("analytics/cost", RATES, SPEND)]
        process.terminate()
    assert [answer.status_code for answer in answers] == [404, 404, 200]
    assert json.loads(answers[0].content)["error"]["type"] == "not_found_error"
