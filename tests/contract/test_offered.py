"""What an organization does not have is told by every way of running, and fails none of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from anthropic_lake.assets import ASSETS
from anthropic_lake.cli.main import main
from anthropic_lake.errors import MissingPermission, NotFound, NotThisLake
from tests.contract.lab import KEY, ONE_DAY, TODAY, Lab
from tests.contract.test_handler import EVENT, Deployment
from tests.contract.test_handler import deployed as deployed  # noqa: PLC0414  a fixture
from tests.simulator import AdminApiServer, Fault, Organization

OFFERED = ["analytics_usage", "analytics_cost", "rate_limits", "spend_limits"]
BETAS = [name for name in OFFERED if name != "rate_limits"]
EVERYBODYS = [name for name in ASSETS if name not in OFFERED]
REASON = "not offered to this organization, the next run asks again: "


def withhold(api: AdminApiServer, asset: str, status: int = 404) -> None:
    """Let the organization not have an asset's endpoint."""
    api.answers.not_offered[ASSETS[asset].path.removeprefix("/v1/organizations/")] = status


@pytest.mark.parametrize("asset", OFFERED)
def test_a_run_of_what_is_not_offered_is_recorded_with_the_answer(
    lab: Lab, simulated: AdminApiServer, asset: str
) -> None:
    withhold(simulated, asset)
    run = lab.run(asset)
    assert (run.status, run.requests, run.retries) == ("unavailable", 1, 0)
    (row,) = lab.runs()
    assert (row["asset"], row["status"], row["days_written"]) == (asset, "unavailable", 0)
    assert (row["error_type"], row["error_message"]) == (None, None)
    assert row["organization_id"] == simulated.organization.id
    assert row["finished_at"] is not None
    assert row["last_synced_date"] is None
    (warning,) = json.loads(row["warnings"])
    assert warning.startswith(f"{REASON}{asset}: HTTP 404")
    assert "req_" in warning
    written = {name for name, _ in lab.files() if not name.startswith("asset=sync_runs/")}
    assert written == {"_lake.json", "_watermarks/lake_id"}


def test_what_is_not_offered_says_nothing_of_where_its_history_begins(
    lab: Lab, simulated: AdminApiServer
) -> None:
    lab.environment = {"HISTORY_START": "2025-01-01"}
    withhold(simulated, "analytics_cost")
    (warning,) = lab.run("analytics_cost").warnings
    assert warning.startswith(REASON)


@pytest.mark.parametrize("asset", BETAS)
def test_a_403_that_names_the_beta_says_so_too(
    lab: Lab, simulated: AdminApiServer, asset: str
) -> None:
    withhold(simulated, asset, 403)
    run = lab.run(asset)
    assert (run.status, run.requests) == ("unavailable", 1)
    assert str(ASSETS[asset].beta) in run.warnings[0]


@pytest.mark.parametrize("asset", OFFERED)
def test_a_403_that_does_not_is_a_missing_permission(
    lab: Lab, simulated: AdminApiServer, asset: str
) -> None:
    simulated.faults.append(Fault(asset.replace("_", "/", asset.startswith("analytics")),
                                  times=None, status=403, message="missing scope"))  # fmt: skip
    with pytest.raises(MissingPermission, match="missing scope"):
        lab.run(asset)
    assert lab.runs()[0]["status"] == "failed"


@pytest.mark.parametrize("asset", OFFERED)
def test_it_is_read_from_the_run_on_for_which_it_is_offered_and_stays_when_it_is_not(
    lab: Lab, simulated: AdminApiServer, asset: str
) -> None:
    withhold(simulated, asset)
    lab.run(asset)
    simulated.answers.not_offered.clear()
    assert lab.run(asset).status == "succeeded"
    held, watermark = lab.objects(), lab.watermark(asset)
    assert lab.days(asset)[-1] == TODAY
    assert watermark is not None
    withhold(simulated, asset)
    lab.now += ONE_DAY
    simulated.answers.now = lambda: lab.now
    run = lab.run(asset)
    assert (run.status, run.last_synced_date, run.days_behind) == ("unavailable", watermark, 0)
    assert (lab.objects(), lab.watermark(asset)) == (held, watermark)


def test_an_interval_of_what_is_not_offered_is_no_failure(
    lab: Lab, simulated: AdminApiServer
) -> None:
    withhold(simulated, "analytics_cost")
    run = lab.run("analytics_cost", (TODAY - 3 * ONE_DAY, TODAY))
    assert (run.status, run.days_behind, run.days_written) == ("unavailable", None, 0)


def test_without_the_header_of_the_organization_it_is_asked_for(
    lab: Lab, simulated: AdminApiServer
) -> None:
    simulated.names_organization = False
    withhold(simulated, "spend_limits")
    assert lab.run("spend_limits").requests == 2
    manifest = json.loads((lab.root / "_lake.json").read_text())
    assert manifest["organization_id"] == simulated.organization.id


def test_another_organizations_key_is_refused_although_it_has_nothing_to_read(
    lab: Lab, tmp_path: Path
) -> None:
    lab.run("users")
    before = {name: path.read_bytes() for name, path in lab.files()}
    with AdminApiServer(Organization.invent(seed=4, today=TODAY, days=1)) as other:
        withhold(other, "spend_limits")
        with pytest.raises(NotThisLake):
            Lab(other, lab.root).run("spend_limits")
    assert {name: path.read_bytes() for name, path in lab.files()} == before


@pytest.mark.parametrize("asset", EVERYBODYS)
def test_on_every_other_asset_a_404_stays_an_error(
    lab: Lab, simulated: AdminApiServer, asset: str
) -> None:
    simulated.faults.append(Fault(times=None, status=404))
    with pytest.raises(NotFound):
        lab.run(asset)
    assert lab.runs()[0]["status"] == "failed"


# --- rate limits


def test_a_list_of_workspaces_that_is_missing_is_an_error(
    lab: Lab, simulated: AdminApiServer
) -> None:
    simulated.faults.append(
        Fault(lambda asked: asked.path.endswith("/workspaces"), times=None, status=404)
    )
    with pytest.raises(NotFound):
        lab.run("rate_limits")


def test_a_workspace_without_rate_limits_is_left_out_by_name(
    lab: Lab, simulated: AdminApiServer, held: Organization
) -> None:
    gone = held.workspaces[1]["id"]
    simulated.answers.missing_rate_limits = [gone]
    run = lab.run("rate_limits")
    assert run.status == "succeeded"
    (warning,) = run.warnings
    assert gone in warning
    active = {each["id"] for each in held.workspaces if each["archived_at"] is None}
    found = {row["workspace_id"] for row in lab.rows("rate_limits")}
    assert found == {None} | active - {gone}


# --- the command line and the function


@pytest.fixture
def today() -> date:
    return datetime.now(UTC).date()


@pytest.fixture
def withheld(today: date) -> Iterator[AdminApiServer]:
    """An organization of today that has none of what only some have."""
    organization = Organization.invent(seed=3, today=today, days=4, people=3, workspaces=2)
    with AdminApiServer(organization) as api:
        for asset in OFFERED:
            withhold(api, asset)
        yield api


def command(api: AdminApiServer, *arguments: str) -> Result:
    environment = {
        "ANTHROPIC_BASE_URL": api.url,
        "ANTHROPIC_ADMIN_KEY": KEY,
        "REQUESTS_PER_MINUTE": "100000000",
        "HISTORY_START": str(datetime.now(UTC).date() - timedelta(days=2)),
        "COLUMNS": "200",
    }
    return CliRunner().invoke(main, list(arguments), env=environment)


def test_the_command_line_tells_it_and_ends_with_0(
    withheld: AdminApiServer, tmp_path: Path
) -> None:
    result = command(withheld, "sync", "--lake", str(tmp_path / "lake"))
    assert result.exit_code == 0, result.output
    statuses = {row["asset"]: row["status"] for row in Lab(withheld, tmp_path / "lake").runs()}
    assert {name for name, status in statuses.items() if status == "unavailable"} == set(OFFERED)
    for asset in OFFERED:
        assert f"warning: {asset}: {REASON}{asset}: HTTP 404" in result.output
    assert result.output.count("unavailable") == len(OFFERED)


def test_summaries_tell_it(withheld: AdminApiServer, tmp_path: Path) -> None:
    result = command(withheld, "sync", "spend_limits", "--lake", str(tmp_path), "--json")
    assert result.exit_code == 0
    (summary,) = json.loads(result.stdout)
    assert (summary["status"], summary["error_type"]) == ("unavailable", None)
    assert summary["warnings"][0].startswith(REASON)


def test_check_tells_it_and_ends_with_0(withheld: AdminApiServer) -> None:
    result = command(withheld, "check")
    assert result.exit_code == 0, result.output
    for asset in EVERYBODYS:
        assert f"{asset}: allowed\n" in result.output
    for asset in BETAS:
        assert f"{asset}: not offered to this organization (beta)\n" in result.output
    assert "rate_limits: not offered to this organization\n" in result.output


def test_check_ends_with_1_where_something_else_is_refused(withheld: AdminApiServer) -> None:
    withheld.faults.append(Fault("/invites", times=None, status=403))
    result = command(withheld, "check")
    assert result.exit_code == 1
    assert "spend_limits: not offered" in result.output


@pytest.mark.parametrize("asset", OFFERED)
def test_a_function_returns_and_says_that_it_is_not_behind(
    deployed: Deployment,
    simulated: AdminApiServer,
    capsys: pytest.CaptureFixture[str],
    asset: str,
) -> None:
    withhold(simulated, asset)
    summary = deployed.invoke(asset, EVENT)
    assert summary["status"] == "unavailable"
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line]
    (metrics,) = [each for each in printed if "DaysBehind" in each]
    assert (metrics["asset"], metrics["DaysBehind"]) == (asset, [0.0])
    assert deployed.watermark(asset) is None
