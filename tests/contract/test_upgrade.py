"""A lake that version 0.1.0 has written keeps working: the first run adopts it.

`lake_of_0_1_0.zip` was written by the code of that version, against the simulated organization
below: all assets on the mornings of 20 and 22 November at 06:00 UTC with HISTORY_START 2026-11-15,
then the cost report's interval from 12 to 13 November.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from anthropic_lake import aws as aws_clients
from anthropic_lake.cli.main import main
from anthropic_lake.errors import NotThisLake
from tests.aws.embedded import EmbeddedAws
from tests.contract.lab import ONE_DAY, TODAY, Lab, S3Lab, each_day
from tests.simulator import AdminApiServer, Organization

Json = dict[str, Any]
OLD = Path(__file__).with_name("lake_of_0_1_0.zip")
MORNING = datetime(2026, 11, 22, 6, tzinfo=UTC)
FIRST = date(2026, 11, 15)
ISLAND = each_day(date(2026, 11, 12), date(2026, 11, 13))
BUCKET = "a-bucket"
ASSETS = (
    *("organization", "workspaces", "api_keys", "invites", "users", "workspace_members"),
    *("usage_report", "cost_report", "claude_code_usage"),
)
"""The assets of that version."""


@pytest.fixture
def api() -> Iterator[AdminApiServer]:
    organization = Organization.invent(seed=3, today=TODAY, days=12, people=3, workspaces=2)
    with AdminApiServer(organization, now=lambda: MORNING) as server:
        yield server


@pytest.fixture
def old(api: AdminApiServer, tmp_path: Path) -> Lab:
    """The lake in a folder, on the morning on which it was last synced."""
    with zipfile.ZipFile(OLD) as archive:
        archive.extractall(tmp_path / "lake")
    return Lab(api, tmp_path / "lake", MORNING, {"HISTORY_START": str(FIRST)})


def data(lab: Lab) -> dict[str, str]:
    """The objects of the assets, with what tells whether they were put again."""
    return {name: mark for name, mark in lab.objects().items() if name.startswith("asset=")}


def ledger(lab: Lab, asset: str) -> dict[date, Json]:
    return {
        row["day"]: row
        for path in sorted(lab.root.glob(f"asset=sync_days/*/{asset}.parquet"))
        for row in pq.read_table(path, partitioning=None).to_pylist()
    }


def state(lab: Lab, name: str) -> str:
    return (lab.root / "_watermarks" / name).read_text().strip()


def verify(lab: Lab, *arguments: str) -> tuple[int, str]:
    """The exit code and the screen of the command, without a key."""
    result = CliRunner().invoke(main, ["verify", *arguments, "--lake", str(lab.root)])
    return result.exit_code, result.output


def test_the_first_run_adopts_the_lake_and_puts_nothing_again(old: Lab) -> None:
    before = data(old)
    for name in ASSETS:
        run = old.run(name)
        assert (run.status, run.days_changed, run.warnings) == ("succeeded", 0, [])
    assert data(old) == before
    manifest = json.loads((old.root / "_lake.json").read_text())
    assert manifest["organization_id"] == old.api.organization.id
    assert state(old, "lake_id") == manifest["lake_id"]
    for asset in map(old.asset, ASSETS):
        assert state(old, f"{asset.name}.first") == str(FIRST if asset.kind.dated else TODAY)
        assert state(old, asset.name) == str(TODAY - ONE_DAY if asset.kind.dated else TODAY)
    assert verify(old)[0] == 0


def test_the_ledger_of_an_adopted_lake_is_what_its_objects_say(old: Lab) -> None:
    old.run("cost_report")
    entries = ledger(old, "cost_report")
    assert list(entries) == [*ISLAND, *each_day(FIRST, TODAY)]
    assert [day for day in entries if not entries[day]["in_history"]] == ISLAND
    assert [day for day in entries if not entries[day]["is_final"]] == [TODAY]
    for day, entry in entries.items():
        assert entry["rows"] == len(old.rows("cost_report", day))
        assert entry["bytes"] == old.place("cost_report", day).stat().st_size
        assert entry["times_changed"] == 0
    old.run("users")
    users = ledger(old, "users")
    assert list(users) == [date(2026, 11, 20), TODAY]
    old_one = users[date(2026, 11, 20)]  # nobody has read it since it was put
    assert old_one["first_read_at"] == old_one["last_read_at"] == old_one["last_changed_at"]


def test_the_next_morning_goes_on_from_the_watermark(old: Lab) -> None:
    old.run("cost_report")
    before = data(old)
    old.now = MORNING + ONE_DAY
    old.environment |= {"LOOKBACK_DAYS": "0"}
    old.api.answers.now = lambda: old.now
    run = old.run("cost_report")
    assert (run.interval_start, run.last_synced_date) == (TODAY, TODAY)
    changed = {name for name, mark in data(old).items() if before.get(name) != mark}
    assert changed == {
        f"asset=cost_report/date={TODAY + n * ONE_DAY}/cost_report.parquet" for n in (0, 1)
    }


def test_verify_says_that_it_is_not_adopted_yet_and_repair_does_it_at_once(old: Lab) -> None:
    before = data(old)
    code, screen = verify(old)
    assert code == 1
    assert "written by version 0.1.0 and not adopted yet" in screen
    code, screen = verify(old, "--repair")
    assert code == 0, screen
    assert old.api.requests == []
    assert data(old) == before
    assert old.run("cost_report").days_changed == 0


def test_another_organizations_key_is_refused_by_the_rows_that_are_there(old: Lab) -> None:
    before = {name: path.read_bytes() for name, path in old.files()}
    other = Organization.invent(seed=4, today=TODAY, days=12, people=3)
    with AdminApiServer(other, now=lambda: MORNING) as api:
        lab = Lab(api, old.root, MORNING, old.environment)
        for asset in ASSETS:
            with pytest.raises(NotThisLake, match=f"{other.id}, the lake holds"):
                lab.run(asset)
    assert {name: path.read_bytes() for name, path in old.files()} == before


# --- in a bucket


@pytest.fixture
def uploaded(old: Lab, aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedAws]:
    """The lake in a bucket; its watermarks are still to be put."""
    for name, text in aws.environment.items():
        monkeypatch.setenv(name, text)
    aws_clients.client.cache_clear()
    aws.client("s3").create_bucket(Bucket=BUCKET)
    for name, path in old.files():
        if name.startswith("asset="):
            digest = pq.read_metadata(path).metadata[b"anthropic_lake.rows-sha256"].decode()
            for place in ("lake", "second"):
                aws.client("s3").put_object(
                    Bucket=BUCKET,
                    Key=f"{place}/{name}",
                    Body=path.read_bytes(),
                    Metadata={"rows-sha256": digest},
                )
    yield aws
    aws_clients.client.cache_clear()


def put_watermarks(aws: EmbeddedAws, old: Lab, prefix: str) -> None:
    for asset in ASSETS:
        name = f"{prefix}/{asset}/last_synced_date"
        aws.client("ssm").put_parameter(Name=name, Value=state(old, asset), Type="String")


def in_bucket(old: Lab, place: str, state_prefix: str = "") -> S3Lab:
    environment = {**old.environment, "STATE_PREFIX": state_prefix}
    return S3Lab(old.api, old.root, MORNING, environment, address=f"s3://{BUCKET}/{place}")


def parameter(aws: EmbeddedAws, name: str) -> str:
    return str(aws.client("ssm").get_parameter(Name=name)["Parameter"]["Value"])


def etags(aws: EmbeddedAws) -> dict[str, Any]:
    pages = aws.client("s3").get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    listed = [item for page in pages for item in page["Contents"]]
    return {o["Key"]: o["LastModified"] for o in listed if "asset=sync_" not in o["Key"]}


@pytest.mark.parametrize(
    ("prefix", "chosen"), [("/anthropic-lake", ""), ("/stack", "/stack")], ids=["laptop", "stack"]
)
def test_a_lake_in_a_bucket_keeps_its_watermarks_where_they_are(
    old: Lab, uploaded: EmbeddedAws, prefix: str, chosen: str
) -> None:
    put_watermarks(uploaded, old, prefix)
    before = etags(uploaded)
    for asset in ("users", "cost_report"):
        assert in_bucket(old, "lake", chosen).run(asset).days_changed == 0
    manifest = json.loads(
        uploaded.client("s3").get_object(Bucket=BUCKET, Key="lake/_lake.json")["Body"].read()
    )
    assert etags(uploaded).keys() - before.keys() == {"lake/_lake.json"}
    assert before.items() <= etags(uploaded).items()
    assert manifest["state_prefix"] == prefix
    assert parameter(uploaded, f"{prefix}/lake_id") == manifest["lake_id"]
    assert parameter(uploaded, f"{prefix}/cost_report/first_synced_date") == str(FIRST)


def test_of_two_lakes_that_shared_watermarks_the_first_keeps_them(
    old: Lab, uploaded: EmbeddedAws
) -> None:
    """Version 0.1.0 let them; the second one reads its history anew, below a prefix of its own."""
    put_watermarks(uploaded, old, "/anthropic-lake")
    in_bucket(old, "lake").run("cost_report")
    run = in_bucket(old, "second").run("cost_report")
    assert (run.interval_start, run.days_changed) == (FIRST, 0)
    below = f"/anthropic-lake/{BUCKET}/second"
    assert parameter(uploaded, f"{below}/cost_report/first_synced_date") == str(FIRST)
    ids = {parameter(uploaded, f"{prefix}/lake_id") for prefix in ("/anthropic-lake", below)}
    assert len(ids) == 2
