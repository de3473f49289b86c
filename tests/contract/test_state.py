"""State that cannot lie: between runs, lakes, organizations, clocks and machines no day is lost.

The real extractor asks the simulated API over HTTP. A lake is a folder, or a bucket of the
embedded AWS where the test is about what two lakes of an account share.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from anthropic_lake import aws as aws_clients
from anthropic_lake.cli.main import main
from anthropic_lake.errors import LakeError, NotThisLake, SettingsError, WrongClock
from anthropic_lake.sync.runs import Run
from tests.aws.embedded import EmbeddedAws
from tests.contract.lab import KEY, NOW, ONE_DAY, TODAY, Lab, S3Lab, each_day
from tests.simulator import AdminApiServer, Fault, Organization

Json = dict[str, Any]
YESTERDAY = TODAY - ONE_DAY
FIRST = TODAY - timedelta(days=4)  # of the lab's history
BUCKET = "a-bucket"
DATED = pytest.mark.parametrize("asset", ["cost_report", "claude_code_usage"])
EACH_KIND = pytest.mark.parametrize("asset", ["users", "cost_report", "claude_code_usage"])


# --- what a lake holds


def manifest(lab: Lab) -> Json:
    members: Json = json.loads((lab.root / "_lake.json").read_text())
    return members


def first_day(lab: Lab, asset: str = "cost_report") -> date:
    return date.fromisoformat((lab.root / "_watermarks" / f"{asset}.first").read_text().strip())


def ledger(lab: Lab, asset: str = "cost_report") -> dict[date, Json]:
    return {
        row["day"]: row
        for path in sorted(lab.root.glob(f"asset=sync_days/*/{asset}.parquet"))
        for row in pq.read_table(path, partitioning=None).to_pylist()
    }


def everything(lab: Lab) -> dict[str, bytes]:
    """Every file but locks."""
    return {name: path.read_bytes() for name, path in lab.files() if not name.startswith("_locks")}


@contextmanager
def refused(lab: Lab, message: str, error: type[LakeError] = SettingsError) -> Iterator[None]:
    """A run ends with an error, and leaves nothing but its row."""
    before = everything(lab)
    with pytest.raises(error, match=message):
        yield
    changed = {name for name, body in everything(lab).items() if before.get(name) != body}
    assert all(name.startswith("asset=sync_runs/") for name in changed)
    assert before.keys() <= everything(lab).keys()


# --- 1: a watermark belongs to one lake


@dataclass
class Account:
    """Lakes in one AWS account."""

    aws: EmbeddedAws
    api: AdminApiServer
    folder: Path
    calls: list[str] = field(default_factory=list)

    def lab(self, address: str, state_prefix: str = "") -> S3Lab:
        return S3Lab(
            self.api, self.folder, environment={"STATE_PREFIX": state_prefix}, address=address
        )

    def objects(self, prefix: str = "") -> dict[str, str]:
        """ETag and time of each object below a prefix."""
        listed = self.aws.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=prefix)
        return {o["Key"]: f"{o['ETag']} {o['LastModified']}" for o in listed.get("Contents", [])}

    def rows(self, key: str) -> list[Json]:
        body = self.aws.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
        rows: list[Json] = pq.read_table(pa.BufferReader(body), partitioning=None).to_pylist()
        return rows

    def days(self, prefix: str, table: str = "cost_report") -> list[date]:
        keys = self.objects(f"{prefix}asset={table}/")
        return sorted(date.fromisoformat(key.split("date=")[1][:10]) for key in keys)

    def parameters(self) -> dict[str, str]:
        pages = self.aws.client("ssm").get_paginator("describe_parameters").paginate()
        names = [parameter["Name"] for page in pages for parameter in page["Parameters"]]
        ssm = self.aws.client("ssm")
        return {name: ssm.get_parameter(Name=name)["Parameter"]["Value"] for name in names}


@pytest.fixture
def account(
    aws: EmbeddedAws, simulated: AdminApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Account]:
    for name, text in aws.environment.items():
        monkeypatch.setenv(name, text)
    aws.client("s3").create_bucket(Bucket=BUCKET)
    aws_clients.client.cache_clear()
    yield Account(aws, simulated, tmp_path)
    aws_clients.client.cache_clear()


def test_two_lakes_of_one_account_share_nothing(account: Account) -> None:
    first, second = account.lab(f"s3://{BUCKET}/one"), account.lab(f"s3://{BUCKET}/two")
    first.run("cost_report")
    before = account.objects("one/")
    second.environment["HISTORY_START"] = "2026-11-15"
    assert second.run("cost_report").interval_start == date(2026, 11, 15)
    assert account.days("two/") == each_day(date(2026, 11, 15), TODAY)
    assert account.days("one/") == each_day(FIRST, TODAY)
    assert account.objects("one/") == before
    parameters = account.parameters()
    for name, start in (("one", FIRST), ("two", date(2026, 11, 15))):
        below = f"/anthropic-lake/{BUCKET}/{name}"
        assert parameters[f"{below}/cost_report/first_synced_date"] == str(start)
        assert parameters[f"{below}/cost_report/last_synced_date"] == str(YESTERDAY)
    assert len({parameters[f"/anthropic-lake/{BUCKET}/{n}/lake_id"] for n in ("one", "two")}) == 2


def test_a_lakes_watermarks_are_where_its_manifest_says(account: Account) -> None:
    """A laptop and the stack that write to one lake go on from each other."""
    account.lab(f"s3://{BUCKET}/lake", state_prefix="/stack").run("cost_report")
    before = account.parameters()
    run = account.lab(f"s3://{BUCKET}/lake").run("cost_report")
    assert (run.days_changed, run.last_synced_date) == (0, YESTERDAY)
    assert account.parameters() == before
    assert {name.split("/")[1] for name in before} == {"stack"}


@pytest.mark.parametrize("asset", ["cost_report", "users"])
def test_another_lakes_watermarks_are_refused_before_any_request(
    account: Account, asset: str
) -> None:
    account.lab(f"s3://{BUCKET}/one", state_prefix="/stack").run("cost_report")
    objects, parameters = account.objects(), account.parameters()
    account.api.clear()
    with pytest.raises(NotThisLake, match="below /stack belong to another lake: set STATE_PREFIX"):
        account.lab(f"s3://{BUCKET}/two", state_prefix="/stack").run(asset)
    assert account.api.requests == []
    assert (account.objects(), account.parameters()) == (objects, parameters)


def test_watermarks_of_version_0_1_0_are_not_taken_for_those_of_an_empty_lake(
    account: Account,
) -> None:
    name = "/stack/cost_report/last_synced_date"
    account.aws.client("ssm").put_parameter(Name=name, Value="2026-11-19", Type="String")
    with pytest.raises(NotThisLake, match="the lake is empty, and the SSM parameters below /stack"):
        account.lab(f"s3://{BUCKET}/two", state_prefix="/stack").run("cost_report")
    assert account.objects() == {}
    assert account.parameters() == {name: "2026-11-19"}


def test_another_state_prefix_than_the_lakes_own_is_refused(account: Account) -> None:
    account.lab(f"s3://{BUCKET}/lake", state_prefix="/stack").run("cost_report")
    objects, parameters = account.objects(), account.parameters()
    with pytest.raises(NotThisLake, match="below /stack, and STATE_PREFIX is /other"):
        account.lab(f"s3://{BUCKET}/lake", state_prefix="/other").run("cost_report")
    assert (account.objects(), account.parameters()) == (objects, parameters)


def test_one_of_two_lakes_that_begin_at_once_gets_the_watermarks(account: Account) -> None:
    """Both have looked before either has claimed them."""
    labs = [account.lab(f"s3://{BUCKET}/{n}", state_prefix="/stack") for n in ("one", "two")]
    both_ask = threading.Barrier(2, timeout=30)
    account.api.faults.append(
        Fault(
            "cost_report", times=2, kind="replace", replace=lambda page: (both_ask.wait(), page)[1]
        )
    )
    ended = at_once(*(lambda lab=lab: lab.run("cost_report") for lab in labs))
    (loser,) = (lab for lab, error in zip(labs, ended, strict=True) if error)
    (winner,) = (lab for lab in labs if lab is not loser)
    assert isinstance(ended[labs.index(loser)], NotThisLake)
    below = {lab.address: lab.address.removeprefix(f"s3://{BUCKET}/") + "/" for lab in labs}
    assert account.days(below[winner.address]) == each_day(FIRST, TODAY)
    assert account.objects(below[loser.address]).keys() <= {f"{below[loser.address]}_lake.json"}


def test_a_lake_of_a_newer_format_is_refused_before_any_request(lab: Lab) -> None:
    lab.run("users")
    place = lab.root / "_lake.json"
    place.write_text(json.dumps(manifest(lab) | {"format": 2}))
    lab.api.clear()
    with refused(lab, "the lake has format 2, this anthropic-lake knows 1: upgrade it"):
        lab.run("users")
    assert lab.api.requests == []


def test_a_manifest_says_which_lake_it_is_and_whose(lab: Lab) -> None:
    lab.run("users")
    members = manifest(lab)
    lab.run("cost_report")
    assert manifest(lab) == members
    assert members["format"] == 1
    assert members["organization_id"] == lab.api.organization.id
    assert members["created_by"].startswith("anthropic-lake ")
    assert datetime.fromisoformat(members["created_at"]) == NOW
    assert (lab.root / "_watermarks" / "lake_id").read_text().strip() == members["lake_id"]


# --- 2: no gap


@DATED
def test_a_later_history_start_that_would_leave_a_gap_is_refused(lab: Lab, asset: str) -> None:
    lab.now = NOW - timedelta(days=10)
    lab.environment = {"HISTORY_START": "2026-11-08"}
    lab.run(asset)
    assert lab.watermark(asset) == date(2026, 11, 11)
    lab.now = NOW
    lab.environment = {"HISTORY_START": "2026-11-18"}
    with refused(lab, "would leave out the days from 2026-11-12 on.*use 2026-11-12 at the latest"):
        lab.run(asset)
    assert [row["status"] for row in lab.runs()] == ["succeeded", "failed"]
    assert lab.api.requests[-1].query["starting_at"][0].startswith("2026-11-12")  # of the first run
    lab.environment = {"HISTORY_START": "2026-11-12"}
    lab.run(asset)
    assert lab.days(asset) == each_day(date(2026, 11, 8), TODAY)


@DATED
def test_a_history_start_in_the_future_is_refused(lab: Lab, asset: str) -> None:
    lab.environment = {"HISTORY_START": str(TODAY + ONE_DAY)}
    with pytest.raises(SettingsError, match=f"{TODAY + ONE_DAY} is in the future: use {TODAY}"):
        lab.run(asset)
    assert lab.days(asset) == []
    assert lab.watermark(asset) is None


def test_an_earlier_history_start_of_a_page_is_read(lab: Lab) -> None:
    lab.run("cost_report")
    lab.environment = {"HISTORY_START": "2026-11-12"}
    run = lab.run("cost_report")
    assert run.warnings == []
    assert lab.days("cost_report") == each_day(date(2026, 11, 12), TODAY)
    assert first_day(lab) == date(2026, 11, 12)
    assert all(entry["in_history"] for entry in ledger(lab).values())


def test_an_earlier_history_start_of_more_names_the_days_and_the_command(lab: Lab) -> None:
    lab.run("claude_code_usage")
    lab.environment = {"HISTORY_START": "2026-11-12"}
    (warning,) = lab.run("claude_code_usage").warnings
    interval = f"--interval-start 2026-11-12 --interval-end {FIRST}"
    assert warning == (
        "the days 2026-11-12 to 2026-11-17 are not in the lake: read them with "
        f"`anthropic-lake sync claude_code_usage --lake {lab.root} {interval}`"
    )
    assert first_day(lab, "claude_code_usage") == FIRST
    lab.run("claude_code_usage", (date(2026, 11, 12), FIRST))
    assert first_day(lab, "claude_code_usage") == date(2026, 11, 12)
    assert lab.watermark("claude_code_usage") == YESTERDAY
    assert lab.run("claude_code_usage").warnings == []
    assert lab.days("claude_code_usage") == each_day(date(2026, 11, 12), TODAY)


def test_an_interval_elsewhere_is_an_island(lab: Lab) -> None:
    lab.run("cost_report")
    lab.run("cost_report", (date(2026, 11, 12), date(2026, 11, 14)))
    assert (first_day(lab), lab.watermark("cost_report")) == (FIRST, YESTERDAY)
    entries = ledger(lab)
    assert [day for day in entries if not entries[day]["in_history"]] == each_day(
        date(2026, 11, 12), date(2026, 11, 13)
    )


@pytest.mark.parametrize("start", ["2026-11-18", "2026-11-05"], ids=["later", "earlier"])
def test_a_first_run_that_is_cut_off_between_the_two_watermarks_leaves_no_gap(
    lab: Lab, start: str
) -> None:
    """It had set the first day, and then the history start is another one."""
    lab.now = NOW - timedelta(days=10)
    lab.environment = {"HISTORY_START": "2026-11-08"}
    lab.run("cost_report")
    (lab.root / "_watermarks" / "cost_report").unlink()
    lab.now = NOW
    lab.environment = {"HISTORY_START": start}
    lab.run("cost_report")
    history = each_day(date.fromisoformat(start), YESTERDAY)
    assert (first_day(lab), lab.watermark("cost_report")) == (history[0], YESTERDAY)
    assert set(history) <= set(lab.days("cost_report"))
    assert all(ledger(lab)[day]["in_history"] for day in history)


# --- 4: events of another day


@pytest.mark.parametrize("name", ["scheduled_time", "time"])
def test_a_replayed_event_does_not_replace_that_days_snapshot(lab: Lab, name: str) -> None:
    lab.now = NOW - timedelta(days=60)
    lab.run("users")
    event = {name: lab.now.isoformat()}
    lab.now = NOW
    lab.run("users")
    lab.api.organization.users.pop()
    lab.api.clear()
    with refused(lab, "a snapshot of now, and the run was meant for 2026-09-23 12:00 UTC"):
        lab.run("users", event=event)
    assert lab.api.requests == []


@EACH_KIND
def test_an_event_of_the_future_is_refused(lab: Lab, asset: str) -> None:
    """Its snapshot would hide the newer ones."""
    lab.run(asset)
    event = {"scheduled_time": (NOW + timedelta(hours=1)).isoformat()}
    with refused(lab, "scheduled_time is in the future"):
        lab.run(asset, event=event)
    assert len(lab.runs()) == 1


@DATED
def test_a_replayed_event_of_a_report_reads_again_and_moves_nothing_back(
    lab: Lab, asset: str
) -> None:
    lab.run(asset)
    before = lab.objects()
    run = lab.run(asset, event={"scheduled_time": (NOW - timedelta(days=2)).isoformat()})
    assert (run.days_changed, run.last_synced_date) == (0, YESTERDAY)
    assert lab.objects() == before
    assert ledger(lab, asset)[TODAY - timedelta(days=2)]["is_final"]


def test_a_snapshot_of_last_night_may_come_this_morning(lab: Lab) -> None:
    run = lab.run("users", event={"scheduled_time": (NOW - timedelta(hours=20)).isoformat()})
    assert run.interval_start == YESTERDAY


# --- 5: a lake belongs to one organization


@pytest.fixture
def other() -> Iterator[AdminApiServer]:
    """Another organization, whose key is as good."""
    with AdminApiServer(Organization.invent(seed=4, today=TODAY, days=12, people=3)) as server:
        yield server


@pytest.mark.parametrize("is_named", [True, False], ids=["by the header", "by asking"])
@EACH_KIND
def test_another_organizations_key_writes_nothing(
    lab: Lab, other: AdminApiServer, asset: str, is_named: bool
) -> None:
    lab.run(asset)
    before, ours = everything(lab), lab.api.organization.id
    other.names_organization = is_named
    foreign = replace(lab, api=other)
    for interval in (None, (FIRST, YESTERDAY)) if asset != "users" else (None,):
        with pytest.raises(NotThisLake, match=f"{other.organization.id}, the lake holds {ours}"):
            foreign.run(asset, interval)
    assert everything(lab) == before
    assert lab.run(asset).days_changed == 0


@pytest.mark.parametrize("is_named", [True, False], ids=["by the header", "by asking"])
@pytest.mark.parametrize("problem", ["the open day is refused", "no day can be kept"])
def test_another_organizations_key_leaves_no_row_where_it_brings_nothing_to_write(
    lab: Lab, other: AdminApiServer, problem: str, is_named: bool
) -> None:
    lab.environment = {"LOOKBACK_DAYS": "0"}
    lab.run("cost_report")
    before = everything(lab)
    other.names_organization = is_named
    fault = Fault("cost_report", status=400)
    if problem == "no day can be kept":
        fault = Fault("cost_report", kind="replace", replace=_without_amounts)
    other.faults.append(fault)
    with pytest.raises(NotThisLake):
        replace(lab, api=other).run("cost_report")
    assert everything(lab) == before


def _without_amounts(page: Json) -> Json:
    for bucket in page["data"]:
        bucket["results"] = [{"currency": "USD"}]
    return page


def test_a_lake_learns_whose_it_is_when_the_api_says_so(lab: Lab, other: AdminApiServer) -> None:
    lab.api.names_organization = False
    lab.api.faults.append(Fault("/me", status=403, times=2))
    run = lab.run("cost_report")
    assert run.status == "succeeded"
    (warning,) = run.warnings
    assert "the key's organization is not known, so it is not checked" in warning
    assert manifest(lab)["organization_id"] is None
    lab_id = manifest(lab)["lake_id"]
    lab.api.names_organization = True
    assert lab.run("cost_report").warnings == []
    assert manifest(lab)["organization_id"] == lab.api.organization.id
    assert manifest(lab)["lake_id"] == lab_id
    with pytest.raises(NotThisLake):
        replace(lab, api=other).run("cost_report")


def test_of_two_organizations_whose_keys_fill_a_lake_at_once_one_gets_it(
    account: Account, other: AdminApiServer
) -> None:
    """The lake did not know whose it is, and both have looked before either has said so."""
    lab = account.lab(f"s3://{BUCKET}/lake")
    account.api.names_organization = False
    account.api.faults.append(Fault("/me", status=403))
    lab.run("cost_report")
    account.api.names_organization = True
    both_ask = threading.Barrier(2, timeout=30)
    fault = Fault("cost_report", kind="replace", replace=lambda page: (both_ask.wait(), page)[1])
    account.api.faults.append(fault)
    other.faults.append(replace(fault))
    foreign = replace(lab, api=other)
    ended = at_once(lambda: lab.run("cost_report"), lambda: foreign.run("cost_report"))
    (loser,) = (number for number, error in enumerate(ended) if error)
    assert isinstance(ended[loser], NotThisLake)
    winner = (other, account.api)[loser].organization.id
    body = account.aws.client("s3").get_object(Bucket=BUCKET, Key="lake/_lake.json")["Body"].read()
    assert json.loads(body)["organization_id"] == winner


@pytest.mark.parametrize("identifier", [["x"], {"a": 1}, "", None, 7])
def test_an_organization_is_not_named_by_anything_but_a_text(lab: Lab, identifier: object) -> None:
    lab.api.names_organization = False
    lab.api.faults.append(
        Fault("/me", kind="replace", replace=lambda page: page | {"id": identifier})
    )
    assert "the API does not name it" in lab.run("cost_report").warnings[0]
    assert manifest(lab)["organization_id"] is None


# --- 6: the time is the API's


@pytest.mark.parametrize(
    ("hours", "direction"), [(24 * 14, "336.0 hours ahead of"), (-30, "30.0 hours behind")]
)
@EACH_KIND
def test_a_clock_that_is_wrong_writes_nothing(
    held: Organization, tmp_path: Path, asset: str, hours: int, direction: str
) -> None:
    """A clock two weeks ahead would call days final that have not happened."""
    with AdminApiServer(held, now=lambda: NOW) as api:
        api.says_time = True
        lab = Lab(api, tmp_path)
        lab.run(asset)
        before = everything(lab)
        lab.now = NOW + timedelta(hours=hours)
        with pytest.raises(WrongClock, match=f"clock is {direction} the API's: set it right"):
            lab.run(asset)
        assert everything(lab) == before


def test_a_wrong_clock_makes_no_lake(held: Organization, tmp_path: Path) -> None:
    with AdminApiServer(held, now=lambda: NOW) as api:
        api.says_time = True
        lab = Lab(api, tmp_path / "lake", now=NOW + timedelta(days=14))
        with pytest.raises(WrongClock):
            lab.run("cost_report")
    assert everything(lab) == {}


@pytest.mark.parametrize("minutes", [-59, 59])
def test_a_clock_that_is_almost_right_is_right(
    held: Organization, tmp_path: Path, minutes: int
) -> None:
    with AdminApiServer(held, now=lambda: NOW) as api:
        api.says_time = True
        lab = Lab(api, tmp_path, now=NOW + timedelta(minutes=minutes))
        assert lab.run("cost_report").status == "succeeded"


# --- 8: overlapping runs


def at_once(*calls: Callable[[], Run]) -> list[BaseException | None]:
    """Call some functions in threads, and return what each of them raised."""
    ended: dict[int, BaseException | None] = {}

    def call(number: int) -> None:
        try:
            calls[number]()
        except LakeError as error:
            ended[number] = error
        else:
            ended[number] = None

    threads = [threading.Thread(target=call, args=(number,)) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return [ended[number] for number in range(len(calls))]


@pytest.mark.parametrize("asset", ["users", "cost_report", "usage_report", "claude_code_usage"])
def test_an_older_answer_does_not_replace_a_newer_one(account: Account, asset: str) -> None:
    """The first run's answer is on its way while a second run asks, and writes what is new."""
    lab = account.lab(f"s3://{BUCKET}/lake")
    lab.run(asset)
    organization, answered, arrives = account.api.organization, threading.Event(), threading.Event()

    def hold(page: Json) -> Json:
        answered.set()
        assert arrives.wait(30)
        return page

    def newer() -> Run:
        assert answered.wait(30)
        organization.restate(YESTERDAY, 5)
        organization.users[0]["name"] = "Newer"
        try:
            return lab.run(asset)
        finally:
            arrives.set()

    organization.restate(YESTERDAY, 3)
    organization.users[0]["name"] = "Older"
    path = {"users": "/users", "cost_report": "cost_report"}.get(asset, "usage_report")
    starts_at = "2026-11-21" if asset == "claude_code_usage" else ""
    account.api.faults.append(
        Fault(
            lambda request: path in request.path and starts_at in request.target,
            kind="replace",
            replace=hold,
        )
    )
    assert at_once(lambda: lab.run(asset), newer) == [None, None]
    day = TODAY if asset == "users" else YESTERDAY
    held_rows = account.rows(f"lake/asset={asset}/date={day}/{asset}.parquet")
    fresh = account.lab(f"s3://{BUCKET}/fresh")
    fresh.run(asset)
    assert held_rows == account.rows(f"fresh/asset={asset}/date={day}/{asset}.parquet")


def test_two_first_runs_of_a_snapshot_begin_one_history(account: Account) -> None:
    """Last night's comes late, beside this morning's."""
    lab = account.lab(f"s3://{BUCKET}/lake")
    both_ask = threading.Barrier(2, timeout=30)
    account.api.faults.append(
        Fault("users", times=2, kind="replace", replace=lambda page: (both_ask.wait(), page)[1])
    )
    late = {"scheduled_time": (NOW - timedelta(hours=20)).isoformat()}
    ended = at_once(lambda: lab.run("users"), lambda: lab.run("users", event=late))
    assert ended == [None, None]
    below = f"/anthropic-lake/{BUCKET}/lake/users"
    parameters = account.parameters()
    first, last = (parameters[f"{below}/{name}_synced_date"] for name in ("first", "last"))
    assert first <= last
    assert account.days("lake/", "users") == [YESTERDAY, TODAY]


def test_two_runs_of_one_asset_leave_one_ledger(account: Account) -> None:
    """A schedule beside a backfill: neither forgets what the other has noted."""
    lab = account.lab(f"s3://{BUCKET}/lake")
    lab.run("cost_report")
    both_ask = threading.Barrier(2, timeout=30)
    account.api.faults.append(
        Fault(
            "cost_report", times=2, kind="replace", replace=lambda page: (both_ask.wait(), page)[1]
        )
    )
    island = date(2026, 11, 12)
    ended = at_once(
        lambda: lab.run("cost_report"),
        lambda: lab.run("cost_report", (island, island + 2 * ONE_DAY)),
    )
    assert ended == [None, None]
    entries = account.rows("lake/asset=sync_days/date=2026-11-01/cost_report.parquet")
    days = [*each_day(island, island + ONE_DAY), *each_day(FIRST, TODAY)]
    assert [entry["day"] for entry in entries] == days


@contextmanager
def process() -> Iterator[subprocess.Popen[bytes]]:
    """A process that lives."""
    living = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        yield living
    finally:
        living.communicate(timeout=30)


def lock(lab: Lab, asset: str, owner: str) -> Path:
    """Let an owner have locked an asset of a local lake."""
    place = lab.root / "_locks" / asset
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(owner)
    return place


def test_a_second_local_run_of_an_asset_is_refused_by_name(lab: Lab) -> None:
    lab.run("users")
    with process() as living:
        place = lock(lab, "users", f"{living.pid} {os.uname().nodename}")
        lab.api.clear()
        with refused(lab, f"process {living.pid} on .* syncs users into this lake: wait for it"):
            lab.run("users")
        assert lab.api.requests == []
        assert place.exists()
        assert lab.run("invites").status == "succeeded"


def test_the_lock_of_a_process_that_is_dead_is_taken_over(lab: Lab) -> None:
    with process() as dead:
        pass
    place = lock(lab, "users", f"{dead.pid} {os.uname().nodename}")
    assert lab.run("users").status == "succeeded"
    assert not place.exists()


def test_the_lock_of_another_machine_is_left_alone_and_named(lab: Lab) -> None:
    place = lock(lab, "users", "17 another-machine")
    with pytest.raises(SettingsError, match=f"process 17 on another-machine .* or delete {place}"):
        lab.run("users")
    assert place.read_text() == "17 another-machine"


# --- 13: coverage says what is so, and a run that is cut off


def coverage(lab: Lab, asset: str, today: date = TODAY) -> dict[date, str]:
    """The calendar of an asset, as the command line prints it."""
    sql = f"SELECT date, status FROM coverage WHERE asset = '{asset}' ORDER BY date"
    options = ["--lake", str(lab.root), "--today", str(today), "--format", "json"]
    result = CliRunner().invoke(main, ["query", sql, *options])
    assert result.exit_code == 0, result.output
    return {date.fromisoformat(row["date"]): row["status"] for row in json.loads(result.output)}


def calendar(first: date, first_open: date, today: date = TODAY) -> dict[date, str]:
    """Days that are final, then days that are open."""
    return {day: "open" if day >= first_open else "final" for day in each_day(first, today)}


@DATED
def test_an_odd_interval_does_not_mislead_coverage(lab: Lab, asset: str) -> None:
    lab.run(asset)
    lab.run(asset, (date(2023, 3, 1), date(2023, 3, 2)))
    for typo in (date(1926, 3, 1), date(2020, 3, 1)):
        with refused(lab, f"interval_start {typo} is too early: use 2023-01-01 or later"):
            lab.run(asset, (typo, typo + ONE_DAY))
    assert coverage(lab, asset) == calendar(FIRST, TODAY)


@pytest.mark.parametrize("by", ["a schedule", "an interval"])
def test_a_day_that_has_not_settled_is_open(lab: Lab, by: str) -> None:
    lab.environment = {"SETTLE_HOURS": "48", "HISTORY_START": str(FIRST)}
    lab.run("cost_report", (FIRST, TODAY + ONE_DAY) if by == "an interval" else None)
    assert coverage(lab, "cost_report") == calendar(FIRST, TODAY - timedelta(days=2))
    lab.environment = {"HISTORY_START": str(FIRST)}
    lab.run("cost_report", (FIRST, TODAY + ONE_DAY) if by == "an interval" else None)
    assert coverage(lab, "cost_report") == calendar(FIRST, TODAY)


@pytest.fixture
def today() -> date:
    """Of the machine's clock, which a process reads."""
    return datetime.now(UTC).date()


@pytest.fixture
def hanging(today: date) -> Iterator[AdminApiServer]:
    """An API whose third day takes longer than the test."""
    with AdminApiServer(Organization.invent(seed=3, today=today, days=6, people=3)) as api:
        api.faults.append(Fault("claude_code", after=2, kind="hang", seconds=60))
        yield api


def cut_off(api: AdminApiServer, folder: Path, today: date, number: int) -> int:
    """Sync in a process, and send it a signal while it waits for the third day; its exit code."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith("AWS")}
    environment |= {
        "ANTHROPIC_BASE_URL": api.url,
        "ANTHROPIC_ADMIN_KEY": KEY,
        "HISTORY_START": str(today - timedelta(days=5)),
    }
    command = [sys.executable, "-m", "anthropic_lake.cli", "sync", "claude_code_usage", "--lake"]
    with subprocess.Popen([*command, str(folder)], env=environment) as running:
        until = time.monotonic() + 30
        while len(api.requests) < 3 and time.monotonic() < until:
            time.sleep(0.02)
        running.send_signal(number)
        return running.wait(30)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_cut_off_loses_nothing_and_the_next_one_goes_on(
    hanging: AdminApiServer, tmp_path: Path, today: date, number: signal.Signals
) -> None:
    assert cut_off(hanging, tmp_path, today, number) == (
        -number if number is signal.SIGKILL else 128 + number
    )
    lab = Lab(hanging, tmp_path, now=datetime.now(UTC))
    lab.environment = {"HISTORY_START": str(today - timedelta(days=5))}
    written = each_day(today - timedelta(days=5), today - timedelta(days=4))
    assert lab.days("claude_code_usage") == written
    (row,) = lab.runs()
    if number is signal.SIGTERM:
        assert list(ledger(lab, "claude_code_usage")) == written
        final = [
            day for day, s in coverage(lab, "claude_code_usage", today).items() if s == "final"
        ]
        assert final == written
        assert lab.watermark("claude_code_usage") == written[-1]
        assert row["error_type"] == "Terminated"
    else:
        assert row["error_type"] == "Unfinished"
        assert (lab.root / "_locks" / "claude_code_usage").exists()
    before = {name: mark for name, mark in lab.objects().items() if name.startswith("asset=")}
    hanging.clear()
    run = lab.run("claude_code_usage")
    assert run.status == "succeeded"
    assert lab.days("claude_code_usage") == each_day(written[0], today)
    assert coverage(lab, "claude_code_usage", today) == calendar(written[0], today, today)
    assert before.items() <= lab.objects().items()
    assert list((lab.root / "_locks").iterdir()) == []
