"""Proof by a stranger: the official SDK lists the simulated organization, paging its own way.

Its typed models are validated strictly, because the SDK builds them without looking.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pydantic
import pytest
from anthropic import Anthropic, AuthenticationError, NotFoundError
from anthropic.types import OrganizationInfo
from anthropic.types.organization import (
    APIKey,
    OrganizationInvite,
    OrganizationUser,
    Workspace,
    WorkspaceMember,
)

from tests.simulator import AdminApiServer, Organization

KEY = "sk-ant-admin01-simulated"


@pytest.fixture(scope="module")
def org() -> Organization:
    """Every object in the shape of the SDK's day: nothing newer, nothing older."""
    return Organization.invent(seed=11, people=50, drift=False)


@pytest.fixture
def api(org: Organization) -> Iterator[AdminApiServer]:
    with AdminApiServer(org) as server:
        yield server


@pytest.fixture
def sdk(api: AdminApiServer) -> Iterator[Anthropic]:
    with Anthropic(api_key=KEY, base_url=api.url, max_retries=0) as client:
        yield client


def accepted(model: type[pydantic.BaseModel], item: Any) -> Any:
    """The object as the SDK's model has it, strictly: JSON in, no field unknown, none guessed."""
    model.model_rebuild()
    raw = item if isinstance(item, dict) else item.to_dict(mode="json", exclude_unset=True)
    valid = model.model_validate_json(json.dumps(raw), strict=True)
    assert not unknown(valid) - {"workspace_id"}  # a key's deprecated one, which the SDK dropped
    return valid


def unknown(value: Any) -> set[str]:
    """Names of fields that a model holds without knowing them, at any depth."""
    if not isinstance(value, pydantic.BaseModel):
        return set()
    inner = (unknown(getattr(value, name)) for name in type(value).model_fields)
    return set(value.model_extra or {}).union(*inner)


def ids(items: Any) -> list[str]:
    return [item["id"] if isinstance(item, dict) else item.id for item in items]


def test_it_finds_the_organization(sdk: Anthropic, org: Organization) -> None:
    found = sdk.organization.retrieve()
    assert accepted(OrganizationInfo, found).id == org.id


@pytest.mark.parametrize("limit", [1, 7, 50, 1000])
def test_it_lists_users(sdk: Anthropic, api: AdminApiServer, org: Organization, limit: int) -> None:
    users = list(sdk.organization.users.list(limit=limit))
    assert ids(users) == ids(org.users)
    assert len(api.requests) == -(-len(org.users) // limit)
    for user in users:
        accepted(OrganizationUser, user)


def test_it_lists_users_of_roles_in_brackets(sdk: Anthropic, org: Organization) -> None:
    users = sdk.organization.users.list(roles=["admin", "owner"], limit=3)
    assert ids(users) == ids(u for u in org.users if u["role"] in ("admin", "owner"))


def test_it_walks_backwards(sdk: Anthropic, org: Organization) -> None:
    last = org.users[-1]["id"]
    users = sdk.organization.users.list(before_id=last, limit=20)
    assert sorted(ids(users)) == sorted(ids(org.users[:-1]))


@pytest.mark.parametrize("limit", [2, 1000])
def test_it_lists_invites(sdk: Anthropic, org: Organization, limit: int) -> None:
    invites = list(sdk.organization.invites.list(limit=limit))
    assert ids(invites) == ids(org.invites)
    for invite in invites:
        accepted(OrganizationInvite, invite)
    pending = sdk.organization.invites.list(statuses=["pending"], limit=2)
    assert {invite.status for invite in pending} == {"pending"}


def test_it_lists_workspaces_and_their_members(sdk: Anthropic, org: Organization) -> None:
    workspaces = list(
        sdk.organization.workspaces.list(limit=3, include_archived=True, include_default=True)
    )
    assert ids(workspaces) == ids(org.workspaces)
    for workspace in workspaces:
        accepted(Workspace, workspace)
        members = list(sdk.organization.workspaces.members.list(workspace.id, limit=100))
        assert [member.user_id for member in members] == [
            member["user_id"] for member in org.members[workspace.id]
        ]
        for member in members:
            accepted(WorkspaceMember, member)
    assert len(list(sdk.organization.workspaces.list())) == 5


def test_it_pages_members_by_their_user_ids(
    sdk: Anthropic, api: AdminApiServer, org: Organization
) -> None:
    workspace = org.claude_code_workspace_id
    members = list(sdk.organization.workspaces.members.list(workspace, limit=4))
    assert len(members) == len(org.members[workspace]) > 8
    assert api.requests[1].query["after_id"] == [members[3].user_id]


@pytest.mark.parametrize("limit", [5, 1000])
def test_it_lists_api_keys(sdk: Anthropic, org: Organization, limit: int) -> None:
    keys = list(sdk.organization.api_keys.list(limit=limit))
    assert ids(keys) == ids(org.api_keys)
    for key in keys:
        accepted(APIKey, key)
    archived = sdk.organization.api_keys.list(status="archived", limit=2)
    assert {key.status for key in archived} == {"archived"}


def test_it_reads_the_errors(sdk: Anthropic, api: AdminApiServer) -> None:
    with pytest.raises(NotFoundError) as missing:
        sdk.organization.workspaces.members.list("wrkspc_nowhere")
    assert missing.value.request_id == api_request_id(missing.value)
    with pytest.raises(AuthenticationError):
        sdk.with_options(api_key="sk-ant-admin01-other").organization.retrieve()


def api_request_id(error: NotFoundError) -> str:
    assert isinstance(error.body, dict)
    return str(error.body["request_id"])


def test_it_takes_a_bearer_token(org: Organization) -> None:
    with (
        AdminApiServer(org, auth_token="oauth") as api,
        Anthropic(api_key=None, auth_token="oauth", base_url=api.url) as sdk,
    ):
        assert sdk.organization.retrieve().id == org.id


def test_it_refuses_nothing_but_what_has_drifted() -> None:
    """With objects of other months it still lists all, and its models name the drift."""
    org = Organization.invent(seed=11, people=50)
    refused: list[str] = []
    with (
        AdminApiServer(org) as api,
        Anthropic(api_key=KEY, base_url=api.url, max_retries=0) as sdk,
    ):
        listed: list[tuple[type[pydantic.BaseModel], list[Any], list[Any]]] = [
            (OrganizationUser, org.users, list(sdk.organization.users.list())),
            (APIKey, org.api_keys, list(sdk.organization.api_keys.list())),
            (Workspace, org.workspaces[1:6], list(sdk.organization.workspaces.list())),
        ]
    for model, expected, found in listed:
        assert ids(found) == ids(expected)
        for item in expected:
            try:
                accepted(model, item)
            except pydantic.ValidationError as error:
                refused += {f"{model.__name__}.{e['loc'][0]}" for e in error.errors()}
    assert set(refused) == {
        "OrganizationUser.role",  # an unknown one
        "APIKey.principal",  # as documented in August
        "APIKey.scope",  # absent before it was added
        "Workspace.tags",
        "Workspace.compartment_id",
    }
