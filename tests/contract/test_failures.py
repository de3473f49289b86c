"""Whatever goes wrong is named, and nothing of the day that it concerns is touched."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from anthropic_lake.assets import ASSETS
from anthropic_lake.errors import (
    ApiError,
    ApiUnavailable,
    BadKey,
    BadRequest,
    ContractBroken,
    MissingPermission,
    NotFound,
    RateLimited,
)
from tests.contract.lab import HURRY, KEY, ONE_DAY, TODAY, Lab
from tests.simulator import AdminApiServer, Fault, Organization, Request

Json = dict[str, Any]
Edit = Callable[[Json], Json | bytes]
YESTERDAY = TODAY - ONE_DAY


def untouched(
    lab: Lab, asset: str, kind: type[ApiError], time_left: Callable[[], float] = HURRY
) -> ApiError:
    """Fail a run, and check that the lake knows of it and holds what it held before."""
    before, watermark = lab.objects(), lab.watermark(asset)
    with pytest.raises(kind) as caught:
        lab.run(asset, time_left=time_left)
    assert lab.objects() == before
    assert lab.watermark(asset) == watermark
    row = lab.runs()[-1]
    assert (row["asset"], row["status"]) == (asset, "failed")
    assert (row["error_type"], row["request_id"]) == (kind.__name__, caught.value.request_id)
    assert row["error_message"]
    assert row["finished_at"] is not None
    assert str(caught.value).startswith(f"{asset}: ")
    assert "@example.com" not in str(caught.value) + row["error_message"]
    assert KEY not in str(caught.value) + row["error_message"]
    return caught.value


@pytest.mark.parametrize(
    ("asset", "status", "kind"),
    [
        *((asset, 403, MissingPermission) for asset in ASSETS),
        ("cost_report", 400, BadRequest),
        ("users", 401, BadKey),
        ("users", 404, NotFound),
        ("claude_code_usage", 429, RateLimited),
        ("users", 500, ApiUnavailable),
        ("workspace_members", 529, ApiUnavailable),
    ],
)
def test_a_refusal_is_named_with_asset_status_and_request(
    lab: Lab, simulated: AdminApiServer, asset: str, status: int, kind: type[ApiError]
) -> None:
    lab.environment = {"HISTORY_START": str(YESTERDAY)}
    headers = {"retry-after": "3600"} if status >= 429 else {}
    match = "members" if asset == "workspace_members" else ""
    simulated.faults.append(
        Fault(match, times=None, status=status, message="the reason", headers=headers)
    )
    error = untouched(lab, asset, kind)
    assert error.status == status
    assert f"HTTP {status}" in str(error)
    assert "the reason" in str(error)
    assert str(error.request_id) in str(error)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="truncate"),
        Fault(kind="truncated_json"),
        Fault(kind="disconnect"),
        Fault(kind="reset_headers"),
        Fault(kind="reset_body"),
        Fault(kind="chunked"),
        Fault(kind="gzip"),
        Fault(kind="html", status=200),
        Fault(status=503),
        Fault(status=429, headers={"retry-after": "0"}),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)
@pytest.mark.parametrize("asset", ["users", "usage_report"])
def test_what_passes_leaves_no_trace_in_the_lake(
    lab: Lab, simulated: AdminApiServer, asset: str, fault: Fault, tmp_path: Path
) -> None:
    undisturbed = Lab(simulated, tmp_path / "undisturbed")
    undisturbed.run(asset)
    simulated.faults.append(fault)
    fault.seen = 0
    run = lab.run(asset)
    contents = [
        {name: each.split()[0] for name, each in one.objects().items()}
        for one in (lab, undisturbed)
    ]
    assert contents[0] == contents[1]
    assert run.retries == (0 if fault.kind in ("chunked", "gzip") else 1)
    assert lab.runs()[-1]["retries"] == run.retries


@pytest.mark.parametrize("kind", ["truncate", "truncated_json", "disconnect", "reset_body"])
def test_what_never_passes_is_an_unavailable_api(
    lab: Lab, simulated: AdminApiServer, kind: str
) -> None:
    simulated.faults.append(Fault(times=None, kind=kind))
    with pytest.raises(ApiUnavailable) as caught:
        _hurried(lab, "users")
    assert str(caught.value).startswith("users: ")
    assert not lab.place("users", TODAY).exists()


def _hurried(lab: Lab, asset: str) -> None:
    """Run with the time for one quick retry at most."""
    lab.run(asset, time_left=lambda: 20.3)


def test_a_server_that_nobody_runs_is_an_unavailable_api(
    lab: Lab, simulated: AdminApiServer
) -> None:
    with (
        simulated.refusing(),
        pytest.raises(ApiUnavailable, match=r"users: .* takes no connection"),
    ):
        _hurried(lab, "users")
    assert lab.runs()[-1]["status"] == "failed"


# --- broken contracts: nothing of that day is written


def edit_record(**fields: Any) -> Edit:
    """Change fields of a page's first record, in its first time bucket if there is one."""

    def edit(page: Json) -> Json:
        record = page["data"][0] if "data" in page else page
        if "results" in record:
            record = next(bucket for bucket in page["data"] if bucket["results"])["results"][0]
        for path, value in fields.items():
            place, *names = record, *path.split("__")
            for name in names[:-1]:
                place = place[name][0] if isinstance(place[name], list) else place[name]
            if value is ...:
                del place[names[-1]]
            else:
                place[names[-1]] = value
        return page

    return edit


def edit_bucket(**fields: Any) -> Edit:
    def edit(page: Json) -> Json:
        page["data"][-1] |= fields
        return page

    return edit


def edit_page(**fields: Any) -> Edit:
    return lambda page: page | fields


def in_bytes(old: bytes, new: bytes) -> Edit:
    def edit(page: Json) -> bytes:
        body = json.dumps(page).encode()
        assert old in body
        return body.replace(old, new, 1)

    return edit


BROKEN: list[
    tuple[str, Edit, str]
] = [  # one way of each asset; the others: unit/test_every_leaf.py
    ("organization", edit_record(name=5), "name"),
    ("workspaces", edit_record(created_at="2026-01-01T00:00:00"), "created_at"),
    ("api_keys", edit_record(scope=[]), "scope"),
    ("invites", edit_record(email={}), "email"),
    ("users", edit_record(id=...), "id"),
    ("users", edit_page(has_more="no"), "has_more"),
    ("workspace_members", edit_record(user_id=...), "user_id"),
    ("usage_report", edit_record(output_tokens=2**63), "output_tokens"),
    ("usage_report", edit_bucket(starting_at="2026-01-01T00:00:00Z"), "starting_at"),
    ("cost_report", edit_record(amount="0.0000000000001"), "amount"),
    ("claude_code_usage", edit_record(core_metrics__num_sessions="many"), "core_metrics.num_sess"),
]


@pytest.mark.parametrize(
    ("asset", "edit", "field"), BROKEN, ids=[f"{a}-{f}-{n}" for n, (a, _, f) in enumerate(BROKEN)]
)
def test_a_broken_record_is_named_by_asset_field_and_request_and_its_day_stays_as_it_was(
    lab: Lab, simulated: AdminApiServer, held: Organization, asset: str, edit: Edit, field: str
) -> None:
    lab.environment = {"HISTORY_START": str(YESTERDAY), "LOOKBACK_DAYS": "1"}
    lab.run(asset)
    held.restate(YESTERDAY)
    held.users[0]["name"] = "Somebody else"
    match = "members" if asset == "workspace_members" else ""
    simulated.faults.append(Fault(match, times=None, kind="replace", replace=edit))
    error = untouched(lab, asset, ContractBroken)
    assert isinstance(error, ContractBroken)
    assert error.field is not None
    assert error.field.startswith(field)
    assert error.request_id
    assert error.request_id in str(error)


@pytest.mark.parametrize("asset", ["users", "usage_report"])
def test_more_pages_without_a_token_are_no_silent_end(
    lab: Lab, simulated: AdminApiServer, asset: str
) -> None:
    lab.environment = {"HISTORY_START": str(YESTERDAY)}
    simulated.faults.append(Fault(times=None, kind="no_token"))
    untouched(lab, asset, ContractBroken)
    assert len(simulated.requests) == 1


@pytest.mark.parametrize("asset", ["users", "usage_report"])
def test_a_token_that_leads_in_circles_ends_the_run(
    lab: Lab, simulated: AdminApiServer, asset: str
) -> None:
    def is_later(request: Request) -> bool:
        return bool({"page", "after_id"} & request.query.keys())

    again: Json = {"has_more": True, "next_page": "again", "last_id": "again"}
    empty = json.dumps({"data": [], **again}).encode()
    simulated.faults = [
        Fault(is_later, times=None, status=200, body=empty),
        Fault(times=None, kind="replace", replace=edit_page(**again)),
    ]
    with pytest.raises(ContractBroken, match="twice"):
        lab.run(asset)
    assert lab.runs()[-1]["error_type"] == "ContractBroken"
    assert len(simulated.requests) == 2


@pytest.mark.parametrize(
    ("asset", "old", "new"),
    [
        ("users", b'"data":', b'"data": [], "data":'),
        ("users", b'"email":', b'"em\\u0061il": "other", "email":'),
        ("usage_report", b'"results":', b'"results": [], "results":'),
        ("claude_code_usage", b'"tokens":', b'"tokens": {}, "tokens":'),
    ],
)
def test_a_key_that_stands_twice_is_refused(
    lab: Lab, simulated: AdminApiServer, asset: str, old: bytes, new: bytes
) -> None:
    lab.environment = {"HISTORY_START": str(YESTERDAY)}
    edit = in_bytes(old, new)
    simulated.faults.append(Fault(times=None, kind="replace", replace=edit))
    assert "twice" in str(untouched(lab, asset, ContractBroken))


@pytest.mark.parametrize("asset", ["users", "usage_report", "claude_code_usage"])
def test_a_text_that_is_no_utf_8_is_named(lab: Lab, simulated: AdminApiServer, asset: str) -> None:
    lab.environment = {"HISTORY_START": str(YESTERDAY)}
    old = {"users": b'"name": "', "usage_report": b'"model": "'}.get(asset, b'"model": "')
    edit = in_bytes(old, old + b"\xff")
    simulated.faults.append(Fault(times=None, kind="replace", replace=edit))
    untouched(lab, asset, ContractBroken)


def test_one_workspace_that_is_forbidden_fails_the_whole_snapshot(
    lab: Lab, simulated: AdminApiServer, held: Organization
) -> None:
    simulated.faults.append(Fault(f"{held.workspaces[-1]['id']}/members", times=None, status=403))
    untouched(lab, "workspace_members", MissingPermission, time_left=lambda: float("inf"))


# --- the key


def test_a_token_is_sent_as_a_bearer(held: Organization, tmp_path: Path) -> None:
    with AdminApiServer(held, auth_token="oat-1") as api:
        lab = Lab(api, tmp_path, secret=lambda: json.dumps({"auth_token": "oat-1"}))
        assert lab.run("users").status == "succeeded"
    assert "x-api-key" not in api.requests[0].headers
