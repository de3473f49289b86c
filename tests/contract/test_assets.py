"""Every asset's rows are what the organization holds, counted from its events."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from anthropic_lake.errors import SettingsError
from tests.contract.lab import NOW, TODAY, Lab, each_day
from tests.simulator import AdminApiServer, Organization, UsageEvent
from tests.simulator.usage import COUNTERS, SERVICE_TIERS, UNBILLED_TIERS, WEB_SEARCH_CENTS

Json = dict[str, Any]
FIRST = TODAY - timedelta(days=8)
INTERVAL = (FIRST, TODAY)  # the end is exclusive
DAYS = each_day(FIRST, TODAY - timedelta(days=1))
COLUMNS = dict(
    zip(
        COUNTERS,
        (
            "uncached_input_tokens",
            "cache_read_input_tokens",
            "cache_creation_ephemeral_5m_input_tokens",
            "cache_creation_ephemeral_1h_input_tokens",
            "output_tokens",
            "server_tool_use_web_search_requests",
        ),
        strict=True,
    )
)


def moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


# --- snapshots


def test_the_organization_is_one_row(lab: Lab, held: Organization) -> None:
    lab.run("organization")
    (row,) = lab.rows("organization")
    assert (row["id"], row["name"], row["type"]) == (held.id, held.name, "organization")
    assert row["organization_id"] == held.id
    assert row["extra"] is None


def test_workspaces_include_the_default_one_and_archived_ones(lab: Lab, held: Organization) -> None:
    lab.run("workspaces")
    rows = {row["id"]: row for row in lab.rows("workspaces")}
    assert rows.keys() == {workspace["id"] for workspace in held.workspaces}
    assert held.default_workspace_id in rows
    assert sum(row["archived_at"] is not None for row in rows.values()) == 2
    for workspace in held.workspaces:
        row = rows[workspace["id"]]
        assert row["archived_at"] == moment(workspace["archived_at"])
        assert row["created_at"] == moment(workspace["created_at"])
        residency = workspace["data_residency"]
        geos = json.loads(row["data_residency_allowed_inference_geos"])
        assert geos == residency["allowed_inference_geos"]
        assert (json.loads(row["tags"]) if row["tags"] else None) == workspace.get("tags")


def test_api_keys_come_in_every_status_scope_and_shape(lab: Lab, held: Organization) -> None:
    lab.run("api_keys")
    rows = {row["id"]: row for row in lab.rows("api_keys")}
    assert rows.keys() == {key["id"] for key in held.api_keys}
    assert Counter(row["status"] for row in rows.values()) == Counter(
        key["status"] for key in held.api_keys
    )
    for key in held.api_keys:
        row, scope = rows[key["id"]], key.get("scope", {})
        principal = key.get("principal") or {}
        identifiers = {principal.get(n) for n in ("user_id", "service_account_id", "id")} - {None}
        assert row["scope_type"] == scope.get("type")
        assert row["workspace_id"] == key.get("workspace_id", scope.get("workspace_id"))
        assert {row["principal_id"]} - {None} == identifiers
        assert row["created_by_id"] == (key["created_by"] or {}).get("id")
    assert {row["scope_type"] for row in rows.values()} == {"workspace", "organization", None}


def test_invites_and_users_are_all_there_with_roles_that_nobody_knew(
    lab: Lab, held: Organization
) -> None:
    lab.run("invites")
    users = lab.run("users")
    invites = {row["id"]: row for row in lab.rows("invites")}
    assert {i: (r["status"], r["email"]) for i, r in invites.items()} == {
        each["id"]: (each["status"], each["email"]) for each in held.invites
    }
    for invite in held.invites:
        assert invites[invite["id"]]["invited_at"] == moment(invite["invited_at"])
        assert invites[invite["id"]]["accepted_at"] == moment(invite["accepted_at"])
    rows = {row["id"]: row for row in lab.rows("users")}
    assert {i: (r["name"], r["role"], r["added_at"]) for i, r in rows.items()} == {
        each["id"]: (each["name"], each["role"], moment(each["added_at"])) for each in held.users
    }
    assert users.unknown_fields == 0


def test_an_unknown_role_is_kept_and_counted(lab: Lab, held: Organization) -> None:
    held.users[0]["role"] = "workspace_steward"
    held.users[1]["nickname"] = "Bee"
    run = lab.run("users")
    rows = {row["id"]: row for row in lab.rows("users")}
    assert rows[held.users[0]["id"]]["role"] == "workspace_steward"
    assert json.loads(rows[held.users[1]["id"]]["extra"]) == {"nickname": "Bee"}
    assert run.unknown_fields == 2


def test_members_are_those_of_every_workspace_that_has_a_list(
    lab: Lab, held: Organization, simulated: AdminApiServer
) -> None:
    run = lab.run("workspace_members")
    found = Counter(
        (row["workspace_id"], row["user_id"], row["workspace_role"])
        for row in lab.rows("workspace_members")
    )
    assert found == Counter(
        (workspace, member["user_id"], member["workspace_role"])
        for workspace, members in held.members.items()
        for member in members
    )
    archived = {each["id"] for each in held.workspaces if each["archived_at"]}
    assert archived & {workspace for workspace, _, _ in found}
    assert run.warnings == []
    paths = [request.path for request in simulated.requests]
    assert not any(held.default_workspace_id in path for path in paths)


def test_a_workspace_that_is_gone_is_left_out_with_a_warning(
    lab: Lab, held: Organization, simulated: AdminApiServer
) -> None:
    gone = held.workspaces[2]["id"]
    simulated.answers.missing_members = [gone]
    run = lab.run("workspace_members")
    assert {row["workspace_id"] for row in lab.rows("workspace_members")} == {
        workspace for workspace, members in held.members.items() if members and workspace != gone
    }
    assert run.status == "succeeded"
    assert len(run.warnings) == 1
    assert gone in run.warnings[0]


def test_rate_limits_are_the_organizations_and_those_that_hold_in_each_active_workspace(
    lab: Lab, held: Organization
) -> None:
    assert lab.run("rate_limits").warnings == []
    rows = {
        (row["workspace_id"], row["group_id"], row["limiter"]): row
        for row in lab.rows("rate_limits")
    }
    own = {
        (None, entry["group"]["id"], limit["type"]): (entry, limit["value"])
        for entry in held.rate_limits
        for limit in entry["limits"]
    }
    for key, (entry, value) in own.items():
        row = rows[key]
        assert (row["id"], row["group_type"], row["value"]) == (
            entry["id"],
            entry["group"]["type"],
            value,
        )
        assert (row["org_limit"], row["source"], row["type"]) == (None, None, "rate_limit")
        assert (json.loads(row["models"]) if row["models"] else None) == entry["models"]
    active = {each["id"] for each in held.workspaces if each["archived_at"] is None}
    assert held.default_workspace_id in active
    assert {workspace for workspace, _, _ in rows} == {None} | active
    sources = Counter[str]()
    for (workspace, group, limiter), row in rows.items():
        if workspace is None:
            continue
        of_organization = own.get((None, group, limiter), (None, None))[1]
        chosen = held.rate_limit_overrides.get(workspace, {}).get(row["id"], {}).get(limiter)
        assert row["value"] == (of_organization if chosen is None else chosen)
        assert (row["org_limit"], row["type"]) == (of_organization, "workspace_rate_limit")
        sources[json.loads(row["source"])["type"]] += 1
    assert sources["workspace"] == 2 * len(active & held.rate_limit_overrides.keys()) > 0
    assert sources["organization"] >= len(own) * (len(active) - 1)
    assert len(rows) == len(lab.rows("rate_limits"))


def test_spend_limits_are_all_there_in_cents_and_dollars(lab: Lab, held: Organization) -> None:
    run = lab.run("spend_limits")
    rows = {row["id"]: row for row in lab.rows("spend_limits")}
    assert rows.keys() == {limit["id"] for limit in held.spend_limits}
    for limit in held.spend_limits:
        row, amount = rows[limit["id"]], limit["amount"]
        assert row["amount_cents"] == (None if amount is None else int(amount))
        assert row["amount_usd"] == (None if amount is None else Decimal(amount) / 100)
        assert json.loads(row["scope"]) == limit["scope"]
        assert row["scope_workspace_id"] == limit["scope"].get("workspace_id")
        assert row["scope_user_id"] == limit["scope"].get("user_id")
        assert row["updated_at"] == moment(limit["updated_at"])
        assert row["is_enabled"] is limit["is_enabled"]
    assert {row["amount_cents"] for row in rows.values()} >= {None, 0}
    assert run.month_to_date_usd(TODAY.replace(day=1)) is None  # a cap is no spend


@pytest.mark.parametrize("pages", [1, 3])
@pytest.mark.parametrize("has_group_type", [True, False])
def test_limits_are_read_in_every_shape_and_on_any_number_of_pages(
    lab: Lab, simulated: AdminApiServer, held: Organization, pages: int, has_group_type: bool
) -> None:
    simulated.answers.has_group_type = has_group_type
    held.spend_limits += [
        held.spend_limits[0] | {"id": f"spl_{number:05}"} for number in range(1000 * (pages - 1))
    ]
    for asset in ("rate_limits", "spend_limits"):
        assert lab.run(asset).unknown_fields == 0
    assert len(lab.rows("spend_limits")) == len(held.spend_limits)
    types = {row["group_type"] for row in lab.rows("rate_limits")}
    assert types == {entry["group"]["type"] for entry in held.rate_limits}


@pytest.mark.parametrize("asset", ["users", "api_keys", "invites", "spend_limits"])
def test_a_snapshot_of_nothing_is_a_file_without_rows(
    lab: Lab, held: Organization, asset: str
) -> None:
    getattr(held, asset).clear()
    lab.run(asset)
    assert lab.rows(asset) == []


def test_lists_of_several_pages_are_read_whole(tmp_path: Path) -> None:
    """A page of a list holds at most a thousand."""
    organization = Organization.invent(seed=5, today=TODAY, days=1, people=1203, workspaces=2)
    with AdminApiServer(organization) as api:
        lab = Lab(api, tmp_path)
        for asset in ("users", "workspace_members"):
            lab.run(asset)
        users = [request for request in api.requests if request.path.endswith("/users")]
    assert {row["id"] for row in lab.rows("users")} == {user["id"] for user in organization.users}
    assert len(users) == 2
    assert len(lab.rows("workspace_members")) == sum(map(len, organization.members.values()))


# --- usage


def events(held: Organization) -> list[UsageEvent]:
    return [event for day in DAYS for event in held.events(day)]


def usage_of(held: Organization, group_by: tuple[str, ...], seconds: int = 86400) -> Counter[Any]:
    """Sums of the counters by time bucket and dimensions, from the events themselves."""
    found: Counter[Any] = Counter()
    for event in events(held):
        start = datetime.fromtimestamp(event.starting_at.timestamp() // seconds * seconds, UTC)
        key = (start, *(getattr(event, name) for name in group_by))
        for counter, column in COLUMNS.items():
            found[(*key, column)] += getattr(event, counter)
    return +found


def usage_in(rows: list[Json], group_by: tuple[str, ...]) -> Counter[Any]:
    found: Counter[Any] = Counter()
    for row in rows:
        key = (row["starting_at"], *(row[name] for name in group_by))
        for column in COLUMNS.values():
            found[(*key, column)] += row[column]
    return +found


@pytest.mark.parametrize(
    ("group_by", "width", "seconds"),
    [
        ("api_key_id,workspace_id,model,service_tier,context_window", "1d", 86400),
        ("account_id,service_account_id,inference_geo,speed,model", "1d", 86400),
        ("model", "1h", 3600),
        pytest.param("workspace_id", "1m", 60, marks=pytest.mark.slow),
    ],
)
def test_usage_is_the_sum_of_the_events_by_the_dimensions_asked_for(
    lab: Lab, held: Organization, group_by: str, width: str, seconds: int
) -> None:
    lab.environment = {"USAGE_GROUP_BY": group_by, "USAGE_BUCKET_WIDTH": width}
    run = lab.run("usage_report", INTERVAL)
    names, rows = tuple(group_by.split(",")), lab.all_rows("usage_report")
    assert usage_in(rows, names) == usage_of(held, names, seconds)
    assert lab.days("usage_report") == DAYS
    assert all(row["starting_at"].date() == row["date"] for row in rows)
    assert {row["bucket_width"] for row in rows} == {width}
    assert {row["grouped_by"] for row in rows} == {",".join(sorted(names))}
    assert {row["organization_id"] for row in rows} == {held.id}
    assert {row["extra"] for row in rows} == {None}
    assert run.rows == len(rows)
    assert run.unknown_fields == 0


def test_usage_tells_every_dimension_apart(lab: Lab, held: Organization) -> None:
    lab.run("usage_report", INTERVAL)
    rows = lab.all_rows("usage_report")
    assert {row["service_tier"] for row in rows} == set(SERVICE_TIERS)
    assert {row["context_window"] for row in rows} == {"0-200k", "200k-1M"}
    assert None in {row["workspace_id"] for row in rows}  # the default workspace
    assert None in {row["api_key_id"] for row in rows}  # the Console
    assert {row["speed"] for row in rows} == {None}  # not grouped by


def test_an_hour_of_usage_takes_several_pages(lab: Lab, simulated: AdminApiServer) -> None:
    lab.environment = {"USAGE_BUCKET_WIDTH": "1h"}
    lab.run("usage_report", INTERVAL)
    pages = [request for request in simulated.requests if "page" in request.query]
    assert len(pages) == 1  # 192 time buckets, 168 to a page
    assert {request.query["limit"][0] for request in simulated.requests} == {"168"}


# --- cost


def cost_of(held: Organization, day: date) -> dict[str | None, Decimal]:
    """Cents by workspace, from the events themselves."""
    cents: dict[str | None, Decimal] = defaultdict(Decimal)
    for event in held.events(day):
        cents[event.workspace_id] += sum(event.cost_cents.values(), Decimal(0))
        cents[event.workspace_id] += event.web_search_requests * WEB_SEARCH_CENTS
    for service in held.day(day).services:
        cents[service.workspace_id] += service.cents
    return {workspace: total for workspace, total in cents.items() if total}


def test_cost_is_the_sum_of_what_was_used_in_exact_cents_and_dollars(
    lab: Lab, held: Organization
) -> None:
    run = lab.run("cost_report", INTERVAL)
    for day in DAYS:
        rows, found = lab.rows("cost_report", day), Counter[Any]()
        for row in rows:
            found[row["workspace_id"]] += row["amount_cents"]
            assert row["amount_usd"] * 100 == row["amount_cents"]
        assert found == cost_of(held, day)
        assert {row["currency"] for row in rows} == {"USD"}
        assert {row["extra"] for row in rows} == {None}
    assert run.unknown_fields == 0


def test_cost_rows_are_told_apart_by_type_token_and_description(lab: Lab) -> None:
    lab.run("cost_report", INTERVAL)
    rows = lab.all_rows("cost_report")
    types = {"tokens", "web_search", "code_execution", "session_usage"}
    assert {row["cost_type"] for row in rows} == types
    assert {row["token_type"] for row in rows if row["cost_type"] != "tokens"} == {None}
    assert not {row["service_tier"] for row in rows} & UNBILLED_TIERS
    keys = Counter((row["date"], row["workspace_id"], row["description"]) for row in rows)
    assert set(keys.values()) == {1}
    assert any(row["amount_cents"] % 1 for row in rows)  # fractions of a cent


# --- Claude Code


def test_claude_code_rows_are_one_for_each_session_kind(lab: Lab, held: Organization) -> None:
    run = lab.run("claude_code_usage", INTERVAL)
    for day in DAYS:
        expected: Counter[Any] = Counter()
        tokens: Counter[Any] = Counter()
        cents: dict[Any, Decimal] = defaultdict(Decimal)
        for event in held.day(day).claude_code_sessions:
            session = event.session
            assert session
            person = session.actor if session.actor_type == "user_actor" else None
            key_name = session.actor if session.actor_type == "api_actor" else None
            key = (
                session.actor_type,
                person,
                key_name,
                session.customer_type,
                session.subscription_type,
                session.terminal_type,
                session.is_remote,
            )
            expected[key] = 1
            tokens[key] += sum(event.tokens)
            cents[key] += sum(event.list_cents.values(), Decimal(0))
        rows = lab.rows("claude_code_usage", day)
        assert Counter(_session(row) for row in rows) == expected
        for row in rows:
            assert _tokens(row) == tokens[_session(row)]
            assert abs(row["estimated_cost_amount_cents"] - cents[_session(row)]) < Decimal("1e-9")
            assert row["organization_id"] == held.id
        assert {row["extra"] for row in rows} <= {None}
    assert run.unknown_fields == 0


def _session(row: Json) -> tuple[Any, ...]:
    names = "actor_type actor_email_address actor_api_key_name customer_type subscription_type"
    return tuple(row[name] for name in [*names.split(), "terminal_type", "is_remote"])


def _tokens(row: Json) -> int:
    kinds = ("input", "output", "cache_read", "cache_creation")
    return sum(row[f"tokens_{kind}"] for kind in kinds)


def test_claude_code_tells_remote_local_and_key_actors_apart(lab: Lab) -> None:
    lab.run("claude_code_usage", (TODAY - timedelta(days=11), TODAY))
    rows = lab.all_rows("claude_code_usage")
    assert {row["actor_type"] for row in rows} == {"user_actor", "api_actor"}
    assert {row["is_remote"] for row in rows} == {True, False, None}
    assert {row["customer_type"] for row in rows} == {"api", "subscription"}
    assert all(row["actor_email_address"] is None for row in rows if row["actor_api_key_name"])


def test_models_are_a_table_of_their_own_that_adds_up_to_the_parent(
    lab: Lab, held: Organization
) -> None:
    lab.run("claude_code_usage", INTERVAL)
    children = lab.all_rows("claude_code_model_usage")
    parents = lab.all_rows("claude_code_usage")
    assert sum(map(_tokens, children)) == sum(map(_tokens, parents))
    by_session: Counter[Any] = Counter()
    for child in children:
        by_session[(child["date"], _session(child))] += child["estimated_cost_amount_cents"]
    for parent in parents:
        key = (parent["date"], _session(parent))
        assert by_session[key] == parent["estimated_cost_amount_cents"]
    models = Counter(
        (day, event.session, event.model)
        for day in DAYS
        for event in held.day(day).claude_code_sessions
        if event.model
    )
    assert len(children) == len(models)


def test_claude_code_of_many_people_takes_several_pages(tmp_path: Path) -> None:
    organization = Organization.invent(
        seed=6, today=TODAY, days=2, people=1100, workspaces=2, groups=10
    )
    day = TODAY - timedelta(days=1)
    with AdminApiServer(organization) as api:
        lab = Lab(api, tmp_path)
        lab.run("claude_code_usage", (day, TODAY))
        assert len(api.requests) == 2
    assert len(lab.rows("claude_code_usage", day)) == len(organization.claude_code_records(day))


def test_a_day_before_the_first_use_is_a_file_without_rows(lab: Lab, held: Organization) -> None:
    day = held.days[0] - timedelta(days=3)
    for asset in ("usage_report", "cost_report", "claude_code_usage"):
        lab.run(asset, (day, day + timedelta(days=1)))
        assert lab.rows(asset, day) == []
    assert lab.rows("claude_code_model_usage", day) == []


@pytest.mark.parametrize("asset", ["organization", "users", "workspace_members"])
def test_a_snapshot_has_no_interval(lab: Lab, simulated: AdminApiServer, asset: str) -> None:
    with pytest.raises(SettingsError, match="snapshot"):
        lab.run(asset, INTERVAL)
    assert simulated.requests == []
    assert not lab.root.exists()


def test_a_run_is_recorded(lab: Lab, held: Organization) -> None:
    run = lab.run("cost_report")
    (row,) = lab.runs()
    assert row["run_id"] == run.run_id
    assert (row["asset"], row["trigger"], row["status"]) == ("cost_report", "schedule", "succeeded")
    assert (row["interval_start"], row["interval_end"]) == (
        TODAY - timedelta(days=4),
        TODAY + timedelta(days=1),
    )
    assert (row["days_written"], row["days_changed"]) == (5, 5)
    assert row["rows"] == len(lab.all_rows("cost_report"))
    assert row["bytes"] == sum(
        path.stat().st_size for name, path in lab.files() if name.startswith("asset=cost_report")
    )
    assert (row["requests"], row["retries"], row["unknown_fields"]) == (2, 0, 0)
    assert row["last_synced_date"] == TODAY - timedelta(days=1)
    assert (row["grouped_by"], row["bucket_width"]) == ("description,workspace_id", "1d")
    assert row["organization_id"] == held.id
    assert row["started_at"] == row["finished_at"] == NOW
    assert (row["error_type"], row["error_message"], row["request_id"]) == (None, None, None)
    assert row["extra"] is None
