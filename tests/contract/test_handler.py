"""The Lambda handler against S3, SSM and Secrets Manager; the same lake as on a laptop."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from anthropic_lake import aws as aws_clients
from anthropic_lake import handler as module
from anthropic_lake.assets import ASSETS
from anthropic_lake.errors import (
    BadKey,
    LakeError,
    MissingPermission,
    SecretError,
    SettingsError,
    StorageError,
)
from anthropic_lake.rows.pseudonyms import Pseudonyms
from tests.aws.embedded import EmbeddedAws
from tests.contract.lab import KEY, ONE_DAY, Lab
from tests.simulator import AdminApiServer, Fault, Organization
from tests.today import schedule_of_today

Json = dict[str, Any]
BUCKET, STATE = "data-bucket", "/a-stack"
NOW = schedule_of_today()
TODAY = NOW.date()
YESTERDAY = TODAY - ONE_DAY
HISTORY_START = TODAY - 4 * ONE_DAY
EVENT = {"scheduled_time": NOW.isoformat()}


@dataclass
class Context:
    """What Lambda tells a function about its invocation."""

    function_name: str = "a-function"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:a-function"
    aws_request_id: str = "52fdfc07-2182-154f-163f-5f0f9a621d72"
    left: Callable[[], float] = field(default=lambda: 900.0)

    def get_remaining_time_in_millis(self) -> int:
        return int(self.left() * 1000)


@dataclass
class Deployment:
    """A function for each asset, its bucket, its key and its watermarks."""

    aws: EmbeddedAws
    api: AdminApiServer
    patch: pytest.MonkeyPatch
    secret: str = ""

    def invoke(
        self, asset: str, event: object = EVENT, context: Context | None = None, **other: str
    ) -> Json:
        """Invoke a function in a new environment."""
        self.cool_down()
        environment = {
            "ASSET": asset,
            "DATA_BUCKET": BUCKET,
            "DATA_PREFIX": "lake",
            "ADMIN_KEY_SECRET_ARN": self.secret,
            "STATE_PREFIX": STATE,
            "HISTORY_START": str(HISTORY_START),
            "ANTHROPIC_BASE_URL": self.api.url,
            "REQUESTS_PER_MINUTE": "100000000",
            **self.aws.environment,
            **other,
        }
        for name, text in environment.items():
            self.patch.setenv(name, text)
        return self.warm(event, context)

    def warm(self, event: object = EVENT, context: Context | None = None) -> Json:
        """Invoke the same function again, in the environment that it has."""
        handler: Any = module.handler
        summary: Json = handler(event, context or Context())
        return summary

    def cool_down(self) -> None:
        module._extractor_and_asset.cache_clear()
        aws_clients.client.cache_clear()

    # --- what AWS holds

    def versions(self) -> list[tuple[str, str]]:
        """Every version of every object of the assets' tables."""
        found = self.aws.client("s3").list_object_versions(Bucket=BUCKET).get("Versions", [])
        others = ("lake/asset=sync_", "lake/_")
        return sorted((v["Key"], v["VersionId"]) for v in found if not v["Key"].startswith(others))

    def bodies(self) -> dict[str, bytes]:
        s3 = self.aws.client("s3")
        keys = {key for key, _ in self.versions()}
        return {
            key.removeprefix("lake/"): s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
            for key in keys
        }

    def watermark(self, asset: str) -> str | None:
        names = self.aws.client("ssm").get_parameters(Names=[f"{STATE}/{asset}/last_synced_date"])
        return next((each["Value"] for each in names["Parameters"]), None)

    def runs(self, folder: Path) -> list[Json]:
        """The rows of sync_runs."""
        s3, lab = self.aws.client("s3"), Lab(self.api, folder)
        listed = s3.list_objects_v2(Bucket=BUCKET, Prefix="lake/asset=sync_runs/")
        for each in listed.get("Contents", []):
            place = folder / each["Key"].removeprefix("lake/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(s3.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read())
        return sorted(lab.runs(), key=lambda row: str(row["started_at"]))


@pytest.fixture
def held() -> Organization:
    """An organization whose last day is today: a function reads the machine's clock."""
    return Organization.invent(seed=3, today=TODAY, days=12, people=6, workspaces=4)


@pytest.fixture
def lab(simulated: AdminApiServer, tmp_path: Path) -> Lab:
    history_start = {"HISTORY_START": str(HISTORY_START)}
    return Lab(simulated, tmp_path / "lake", now=NOW, environment=history_start)


@pytest.fixture
def deployed(
    aws: EmbeddedAws, simulated: AdminApiServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Deployment]:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    deployment = Deployment(aws, simulated, monkeypatch)
    secret = aws.client("secretsmanager").create_secret(Name="admin-key", SecretString=KEY)
    deployment.secret = secret["ARN"]
    yield deployment
    deployment.cool_down()


def test_a_function_paces_itself_by_its_share_and_reads_what_its_memory_holds(
    deployed: Deployment,
) -> None:
    deployed.invoke(
        "cost_report",
        REQUESTS_PER_MINUTE="6000000",
        BACKFILL_CONCURRENCY="3",
        AWS_LAMBDA_FUNCTION_MEMORY_SIZE="1024",
    )
    connection = module._extractor_and_asset()[0].connection
    assert connection.pace.per_minute == 1_200_000
    assert connection.memory_bytes == 1024 << 20
    deployed.warm({"interval_start": str(YESTERDAY), "interval_end": str(TODAY)})
    assert connection.pace.per_minute == 400_000
    deployed.warm(EVENT)
    assert connection.pace.per_minute == 1_200_000


@pytest.mark.parametrize("asset", ASSETS)
def test_a_schedule_fills_the_lake_and_the_second_one_puts_nothing(
    deployed: Deployment, asset: str
) -> None:
    summary = deployed.invoke(asset, EVENT)
    assert json.loads(json.dumps(summary)) == summary
    assert (summary["asset"], summary["trigger"], summary["status"]) == (
        asset,
        "schedule",
        "succeeded",
    )
    before = deployed.versions()
    days = 5 if ASSETS[asset].kind.dated else 1
    assert len(before) == days * len(ASSETS[asset].tables)
    assert summary["days_written"] == summary["days_changed"] == days
    assert deployed.watermark(asset) == str(YESTERDAY if ASSETS[asset].kind.dated else TODAY)
    again = deployed.warm(EVENT)
    assert deployed.versions() == before
    assert (again["days_changed"], again["bytes"]) == (0, 0)


def test_the_lake_is_the_same_from_a_handler_and_from_a_laptop_byte_for_byte(
    deployed: Deployment, lab: Lab
) -> None:
    for asset in ASSETS:
        deployed.invoke(asset)
        lab.run(asset)
    in_folder = {
        name: path.read_bytes()
        for name, path in lab.files()
        if name.startswith("asset=") and not name.startswith("asset=sync_")
    }
    in_bucket = deployed.bodies()
    assert in_bucket.keys() == in_folder.keys()
    assert [name for name in in_folder if in_folder[name] != in_bucket[name]] == []
    for asset in ASSETS:
        assert deployed.watermark(asset) == str(lab.watermark(asset))


def test_only_a_restated_day_has_a_new_version(deployed: Deployment, held: Organization) -> None:
    deployed.invoke("cost_report")
    before = deployed.versions()
    held.restate(YESTERDAY)
    deployed.warm()
    new = [key for key, version in deployed.versions() if (key, version) not in before]
    assert new == [f"lake/asset=cost_report/date={YESTERDAY}/cost_report.parquet"]


def test_an_object_tells_what_it_is(deployed: Deployment) -> None:
    deployed.invoke("organization")
    key = f"lake/asset=organization/date={TODAY}/organization.parquet"
    head = deployed.aws.client("s3").head_object(Bucket=BUCKET, Key=key)
    assert head["ContentType"] == "application/vnd.apache.parquet"
    assert len(head["Metadata"]["rows-sha256"]) == 64


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        {"interval_start": str(HISTORY_START), "interval_end": "2999-01-01"},
        {"since": str(HISTORY_START)},
    ],
)
@pytest.mark.filterwarnings("ignore:No application metrics")
def test_an_event_that_cannot_be_used_asks_and_writes_nothing(
    deployed: Deployment, event: object
) -> None:
    with pytest.raises(SettingsError):
        deployed.invoke("cost_report", event)
    assert deployed.api.requests == []
    assert deployed.versions() == []


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("ASSET", "usrs", "unknown asset 'usrs'"),
        ("ASSET", "", "unknown asset ''"),
        ("DATA_BUCKET", "", "DATA_BUCKET"),
        ("ADMIN_KEY_SECRET_ARN", "", "ADMIN_KEY_SECRET_ARN"),
        ("HISTORY_START", "soon", "HISTORY_START"),
        ("ANTHROPIC_BASE_URL", "http://example.com", "ANTHROPIC_BASE_URL"),
    ],
)
@pytest.mark.filterwarnings("ignore:No application metrics")
def test_a_function_with_settings_that_cannot_be_used_says_so(
    deployed: Deployment, setting: str, value: str, message: str
) -> None:
    asset = value if setting == "ASSET" else "users"
    with pytest.raises(SettingsError, match=message):
        deployed.invoke(asset, EVENT, None, **{setting: value})
    assert deployed.api.requests == []


def test_a_run_that_runs_out_of_time_is_partial_and_the_next_goes_on(
    deployed: Deployment,
) -> None:
    def left() -> float:
        return 900.0 if len(deployed.versions()) < 2 else 50.0

    summary = deployed.invoke("cost_report", context=Context(left=left))
    assert summary["status"] == "partial"
    assert summary["days_behind"] == 2
    assert deployed.watermark("cost_report") == str(TODAY - 3 * ONE_DAY)
    assert deployed.warm()["status"] == "succeeded"
    assert deployed.watermark("cost_report") == str(YESTERDAY)


def test_a_snapshot_that_cannot_be_continued_fails_and_the_next_run_goes_on(
    deployed: Deployment, tmp_path: Path
) -> None:
    with pytest.raises(LakeError, match=r"cannot start .*:a-function: check that lambda:Invoke"):
        deployed.invoke("workspace_members", context=Context(left=lambda: 50.0))
    (row,) = deployed.runs(tmp_path)
    assert row["status"] == "partial"
    assert deployed.versions() == []
    asked = len(deployed.api.requests)
    assert deployed.warm()["status"] == "succeeded"
    paths = [request.path for request in deployed.api.requests if "/members" in request.path]
    assert len(paths) == len(set(paths)) > 1  # none is asked for twice
    assert len(deployed.api.requests) > asked
    assert len(deployed.versions()) == 1


def test_a_failed_run_raises_after_its_row_is_written(
    deployed: Deployment, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    deployed.api.faults.append(Fault(times=None, status=403, message=f"{KEY} may not"))
    with pytest.raises(MissingPermission, match=r"users: HTTP 403.*req_"):
        deployed.invoke("users")
    (row,) = deployed.runs(tmp_path)
    assert (row["status"], row["error_type"]) == ("failed", "MissingPermission")
    assert row["request_id"]
    assert deployed.versions() == []
    assert deployed.watermark("users") is None
    logged = [vars(record) for record in caplog.records if record.message == "the run failed"]
    assert [each["run"]["error_type"] for each in logged] == ["MissingPermission"]
    assert KEY not in str(logged)


def test_a_key_that_was_rotated_is_read_again_by_a_warm_function(deployed: Deployment) -> None:
    deployed.invoke("users")
    deployed.api.key = "sk-ant-admin01-rotated"
    secret = json.dumps({"api_key": deployed.api.key})
    secrets = deployed.aws.client("secretsmanager")
    secrets.put_secret_value(SecretId="admin-key", SecretString=secret)
    summary = deployed.warm()
    assert (summary["status"], summary["retries"]) == ("succeeded", 1)


def test_a_key_that_was_revoked_fails_and_a_new_one_heals_the_same_function(
    deployed: Deployment,
) -> None:
    deployed.invoke("users")
    deployed.api.key = "sk-ant-admin01-rotated"
    with pytest.raises(BadKey):
        deployed.warm()
    secrets = deployed.aws.client("secretsmanager")
    secrets.put_secret_value(SecretId="admin-key", SecretString=deployed.api.key)
    assert deployed.warm()["status"] == "succeeded"


@pytest.mark.parametrize("secret", ["", "sk-ant-api03-Hidden", '{"api_key": "Hidden"}', None])
def test_a_secret_without_a_usable_key_sends_nothing(
    deployed: Deployment, secret: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    secrets = deployed.aws.client("secretsmanager")
    if secret:
        secrets.put_secret_value(SecretId="admin-key", SecretString=secret)
    elif secret is None:
        secrets.put_secret_value(SecretId="admin-key", SecretBinary=b"Hidden")
    else:
        deployed.secret += "-gone"
    with pytest.raises(SecretError):
        deployed.invoke("users")
    assert deployed.api.requests == []
    assert deployed.versions() == []
    assert "Hidden" not in capsys.readouterr().out


def test_the_pseudonym_key_stands_in_the_secret_beside_the_admin_key(
    deployed: Deployment, lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    key = "fedcba9876543210fedcba9876543210"
    text = json.dumps({"api_key": KEY, "pseudonym_key": key})
    deployed.aws.client("secretsmanager").put_secret_value(SecretId="admin-key", SecretString=text)
    lab.environment["PEOPLE"] = "pseudonym"
    lab.secret = lambda: text
    for asset in ("users", "claude_code_usage"):
        deployed.invoke(asset, PEOPLE="pseudonym")
        lab.run(asset)
    laptop = {name: path.read_bytes() for name, path in lab.files() if name in deployed.bodies()}
    assert deployed.bodies() == laptop
    assert {row["email"] for row in lab.rows("users", TODAY)} >= {
        Pseudonyms(key).of("person1@example.com")
    }
    assert key not in caplog.text
    assert "@example.com" not in caplog.text


def test_without_a_pseudonym_key_a_function_asks_nothing_and_its_run_says_why(
    deployed: Deployment, tmp_path: Path
) -> None:
    with pytest.raises(SecretError, match="store it as pseudonym_key in the secret's JSON"):
        deployed.invoke("users", PEOPLE="pseudonym")
    assert deployed.api.requests == []
    assert deployed.versions() == []
    (row,) = deployed.runs(tmp_path)
    assert row["status"] == "failed"
    assert "there is no pseudonym key" in row["error_message"]


def test_a_bucket_that_does_not_exist_is_found_out_before_any_request(
    deployed: Deployment,
) -> None:
    with pytest.raises(LakeError, match="no-such-bucket"):
        deployed.invoke("users", DATA_BUCKET="no-such-bucket")
    assert deployed.api.requests == []
    assert deployed.watermark("users") is None


def test_a_watermark_that_is_no_date_fails_before_any_request(deployed: Deployment) -> None:
    ssm = deployed.aws.client("ssm")
    ssm.put_parameter(Name=f"{STATE}/users/last_synced_date", Value="soon", Type="String")
    with pytest.raises(StorageError, match="does not hold a date"):
        deployed.invoke("users")
    assert deployed.api.requests == []


def test_a_watermark_that_a_person_changed_is_read_by_a_warm_function(
    deployed: Deployment,
) -> None:
    deployed.invoke("cost_report", LOOKBACK_DAYS="0")
    ssm = deployed.aws.client("ssm")
    name = f"{STATE}/cost_report/last_synced_date"
    ssm.put_parameter(Name=name, Value=str(HISTORY_START), Type="String", Overwrite=True)
    assert deployed.warm()["interval_start"] == str(HISTORY_START + ONE_DAY)
    assert deployed.watermark("cost_report") == str(YESTERDAY)


def test_a_late_retry_writes_the_snapshot_of_the_intended_day(deployed: Deployment) -> None:
    intended = NOW - timedelta(hours=20)
    deployed.invoke("users", {"scheduled_time": intended.isoformat()})
    assert [key for key, _ in deployed.versions()] == [
        f"lake/asset=users/date={intended.date()}/users.parquet"
    ]


@pytest.mark.filterwarnings("ignore:No application metrics")
def test_a_replayed_event_replaces_no_snapshot(deployed: Deployment) -> None:
    deployed.invoke("users")
    before = deployed.versions()
    for days in (2, 60):
        replayed = {"scheduled_time": (NOW - timedelta(days=days)).isoformat()}
        with pytest.raises(SettingsError, match="users is a snapshot of now"):
            deployed.warm(replayed)
    assert deployed.versions() == before


def test_metrics_and_the_summary_are_in_the_log(
    deployed: Deployment, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    summary = deployed.invoke("cost_report")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (metrics,) = (line for line in lines if "_aws" in line)
    (ended,) = (record for record in caplog.records if record.message == "the run ended")
    assert vars(ended)["run"] == summary
    assert metrics["asset"] == "cost_report"
    assert metrics["Rows"] == [float(summary["rows"])]
    assert metrics["Requests"] == [float(summary["requests"])]
    names = {"Rows", "Bytes", "Requests", "Retries", "UnknownFields", "Duration", "DaysBehind"}
    assert names <= metrics.keys()


def test_a_time_that_is_long_past_moves_no_watermark_back(deployed: Deployment) -> None:
    deployed.invoke("cost_report")
    past = (NOW - timedelta(days=2)).isoformat()
    deployed.warm({"scheduled_time": past})
    assert deployed.watermark("cost_report") == str(YESTERDAY)
    assert date.fromisoformat(str(deployed.watermark("cost_report"))) < datetime.fromisoformat(
        past
    ).date() + timedelta(days=2)
