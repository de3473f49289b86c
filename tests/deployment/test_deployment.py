"""The stack as deployed: all of it is there, and each function does its work and no other's."""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError

from anthropic_lake.assets import ASSETS, Asset
from tests.aws.deployment import deploy
from tests.aws.embedded import ACCOUNT_ID, EVERYTHING, REGION, EmbeddedAws
from tests.deployment.conftest import (
    ADMIN_KEY,
    DAYS,
    HISTORY_START,
    SETTINGS,
    TODAY,
    Deployed,
    Invocation,
)
from tests.simulator import AdminApiServer, Fault, Organization

DENIED = {"AccessDenied", "AccessDeniedException", "403"}
assets = pytest.mark.parametrize("asset", ASSETS.values(), ids=list(ASSETS))


@pytest.fixture(scope="session")
def runs(deployed: Deployed) -> dict[str, Invocation]:
    """What the nine functions answered to their schedules."""
    return deployed.run_all()


@pytest.fixture(scope="session")
def second(aws: EmbeddedAws, deployed: Deployed) -> Deployed:
    """A second stack beside the first, with everything switched on."""
    second = Deployed(aws, deploy(aws, "lake-2", {**SETTINGS, **everything(aws)}))
    second.put_admin_key(json.dumps({"api_key": ADMIN_KEY, "pseudonym_key": "0123456789" * 4}))
    return second


def everything(aws: EmbeddedAws) -> dict[str, str]:
    """Make what the optional parameters refer to, and return all of them."""
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(VpcId=vpc, GroupName="lake", Description="lake")["GroupId"]
    boundary = aws.client("iam").create_policy(
        PolicyName="boundary", PolicyDocument=json.dumps(EVERYTHING)
    )
    queue = aws.client("sqs").create_queue(QueueName="snowflake")["QueueUrl"].rsplit("/", 1)[-1]
    return {
        "AlarmEmail": "finance@example.com",
        "DataPrefix": "lake/anthropic",
        "GlueDatabaseName": "ai_spend",
        "CostLookbackDays": "0",  # the whole month is read all the same, for its spend
        "HistoryStart": str(HISTORY_START),
        "KmsKeyArn": aws.client("kms").create_key()["KeyMetadata"]["Arn"],
        "MonthlyBudgetUsd": "5000",
        "People": "pseudonym",
        "PermissionsBoundaryArn": boundary["Policy"]["Arn"],
        "ReportFrequency": "daily",
        "SnowflakeExternalId": "LAKE_SFCRole=2_abc",
        "SnowflakeQueueArn": f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{queue}",
        "SnowflakeUserArn": f"arn:aws:iam::{ACCOUNT_ID}:user/snowflake",
        "UsageBucketWidth": "1h",
        "VpcSecurityGroupIds": group,
        "VpcSubnetIds": subnet,
    }


def refusal(call: Any, **parameters: Any) -> str:
    """Return the error code that a call gets."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return str(caught.value.response["Error"]["Code"])


def days_of(asset: Asset) -> list[date]:
    return DAYS if asset.kind.dated else [TODAY]


def test_every_resource_of_the_template_is_created(deployed: Deployed, second: Deployed) -> None:
    created = deployed.stack.resources.keys() | second.stack.resources.keys()
    assert created == deployed.stack.declared
    assert second.stack.resources.keys() == second.stack.declared


def test_the_outputs_name_what_is_there(deployed: Deployed, second: Deployed) -> None:
    names = {function.name for function in deployed.stack.functions.values()}
    assert set(deployed.stack.outputs["FunctionNames"].split(",")) == names
    assert second.stack.outputs["DataLocation"] == f"s3://{second.bucket}/lake/anthropic/"
    secret = deployed.stack.functions["users"].environment["ADMIN_KEY_SECRET_ARN"]
    assert secret in deployed.stack.outputs["FillSecretCommand"]
    assert all(deployed.stack.outputs.values())


@assets
def test_a_schedule_lands_the_tables_of_its_asset(
    asset: Asset, deployed: Deployed, runs: dict[str, Invocation]
) -> None:
    run = runs[asset.name]
    assert not run.error, run.payload
    assert run.payload["status"] == "succeeded"
    expected = {
        f"asset={table.name}/date={day}/{table.name}.parquet"
        for table in asset.tables
        for day in days_of(asset)
    }
    assert expected <= deployed.keys()
    s3 = deployed.aws.client("s3")
    bodies = [s3.get_object(Bucket=deployed.bucket, Key=key)["Body"].read() for key in expected]
    rows = sum(pq.read_table(io.BytesIO(body)).num_rows for body in bodies)
    assert rows == run.payload["rows"] > 0


def test_the_functions_write_nothing_else(deployed: Deployed, runs: dict[str, Invocation]) -> None:
    tables = {table.name for asset in ASSETS.values() for table in asset.tables}
    prefixes = {key.split("/")[0] for key in deployed.keys()}  # noqa: SIM118
    assert prefixes == {f"asset={table}" for table in tables | {"sync_days", "sync_runs"}} | {
        "_lake.json"
    }
    ledger = re.compile(rf"asset=sync_days/date=\d{{4}}-\d\d-01/({'|'.join(ASSETS)})\.parquet")
    keys = [key for key in deployed.keys() if "sync_days" in key]  # noqa: SIM118
    assert [key for key in keys if not ledger.fullmatch(key)] == []
    recorded = {key.rsplit("/", 1)[-1] for key in deployed.keys() if "sync_runs" in key}  # noqa: SIM118
    assert recorded >= {f"{run.payload['run_id']}.parquet" for run in runs.values()}


def test_the_watermarks_stand_at_the_last_complete_day(
    deployed: Deployed, runs: dict[str, Invocation]
) -> None:
    yesterday = str(TODAY - timedelta(days=1))
    dated = {name: yesterday for name, asset in ASSETS.items() if asset.kind.dated}
    snapshots = {name: str(TODAY) for name, asset in ASSETS.items() if not asset.kind.dated}
    assert runs
    assert deployed.watermarks() == dated | snapshots
    first = {name: str(min(days_of(asset))) for name, asset in ASSETS.items()}
    assert deployed.watermarks("first_synced_date") == first


def test_the_lake_its_watermarks_and_its_organization_belong_together(
    deployed: Deployed, runs: dict[str, Invocation], organization: Organization
) -> None:
    assert runs
    body = deployed.aws.client("s3").get_object(Bucket=deployed.bucket, Key="_lake.json")["Body"]
    lake = json.load(body)
    assert lake["lake_id"] == deployed.parameters()["lake_id"]
    assert lake["organization_id"] == organization.id
    assert lake["state_prefix"] == f"/{deployed.stack.name}"


def test_the_alarms_wait_for_metrics_that_the_functions_emit(
    deployed: Deployed, second: Deployed, runs: dict[str, Invocation]
) -> None:
    emitted = {metric for run in runs.values() for metric in run.metrics}
    assert deployed.watched_metrics()
    assert deployed.watched_metrics() <= emitted
    spend = {metric for metric in second.watched_metrics() if metric.name == "MonthToDateUsd"}
    assert spend
    assert spend <= second.run("cost_report").metrics


@assets
def test_a_function_may_use_what_is_its_own(asset: Asset, deployed: Deployed) -> None:
    function = deployed.stack.functions[asset.name]
    s3 = deployed.aws.client("s3", function.role)
    for table in asset.tables:
        key = f"asset={table.name}/date=2020-01-01/{table.name}.parquet"
        s3.put_object(Bucket=deployed.bucket, Key=key, Body=b"")
        s3.head_object(Bucket=deployed.bucket, Key=key)
        deployed.aws.client("s3").delete_object(Bucket=deployed.bucket, Key=key)
    listed = s3.list_objects_v2(Bucket=deployed.bucket, Prefix=f"asset={asset.name}/")
    assert listed["ResponseMetadata"]["HTTPStatusCode"] == 200
    secrets = deployed.aws.client("secretsmanager", function.role)
    assert secrets.get_secret_value(SecretId=function.environment["ADMIN_KEY_SECRET_ARN"])


@assets
def test_a_function_is_denied_other_objects(asset: Asset, deployed: Deployed) -> None:
    s3 = deployed.aws.client("s3", deployed.stack.functions[asset.name].role)
    own = {table.name for table in asset.tables}
    others = {table.name for other in ASSETS.values() for table in other.tables} - own
    for table in others:
        where = {
            "Bucket": deployed.bucket,
            "Key": f"asset={table}/date={TODAY}/{table}.parquet",
        }
        assert refusal(s3.put_object, **where, Body=b"") in DENIED
        assert refusal(s3.get_object, **where) in DENIED
    mine = f"asset={asset.tables[0].name}/date={TODAY}/{asset.tables[0].name}.parquet"
    assert refusal(s3.delete_object, Bucket=deployed.bucket, Key=mine) in DENIED
    for prefix in ({}, {"Prefix": ""}, {"Prefix": "elsewhere/"}):
        assert refusal(s3.list_objects_v2, Bucket=deployed.bucket, **prefix) in DENIED


@assets
def test_a_function_keeps_its_own_ledger_and_progress_only(
    asset: Asset, deployed: Deployed, runs: dict[str, Invocation]
) -> None:
    def ledger(name: str) -> dict[str, str]:
        key = f"asset=sync_days/date={TODAY.replace(day=1)}/{name}.parquet"
        return {"Bucket": deployed.bucket, "Key": key}

    assert runs
    s3 = deployed.aws.client("s3", deployed.stack.functions[asset.name].role)
    own = s3.get_object(**ledger(asset.name))
    s3.put_object(**ledger(asset.name), Body=own["Body"].read(), IfMatch=own["ETag"])
    for other in ASSETS.keys() - {asset.name}:
        assert refusal(s3.get_object, **ledger(other)) in DENIED
        assert refusal(s3.put_object, **ledger(other), Body=b"") in DENIED
    for name in ASSETS:
        progress = {"Bucket": deployed.bucket, "Key": f"_progress/{name}.parquet"}
        if name == asset.name and asset.fan_out:
            s3.put_object(**progress, Body=b"")
            assert s3.get_object(**progress)["Body"].read() == b""
            deployed.aws.client("s3").delete_object(**progress)
        else:
            assert refusal(s3.put_object, **progress, Body=b"") in DENIED


@assets
def test_only_a_fan_out_starts_itself_and_nothing_else(asset: Asset, deployed: Deployed) -> None:
    functions = deployed.aws.client("lambda", deployed.stack.functions[asset.name].role)
    others = {name for name in ASSETS if name != asset.name or asset.fan_out is None}
    for name in others:
        other = deployed.stack.functions[name].name
        assert refusal(functions.invoke, FunctionName=other, Payload=b"{}") in DENIED


@assets
def test_a_function_is_denied_other_parameters(asset: Asset, deployed: Deployed) -> None:
    ssm = deployed.aws.client("ssm", deployed.stack.functions[asset.name].role)
    others = [name for name in ASSETS if name != asset.name]
    stack = deployed.stack.name
    seen = [f"/{stack}/{other}/last_synced_date" for other in others]
    unseen = [f"/{stack}/{other}/first_synced_date" for other in others]
    unseen += [f"/{stack}/data_location", f"/{stack}-2/{asset.name}/last_synced_date"]
    unseen += [f"/{stack}-2/lake_id"]
    for name in unseen:
        assert refusal(ssm.get_parameter, Name=name) in DENIED
    for name in seen + unseen:
        value = {"Value": "2020-01-01", "Type": "String", "Overwrite": True}
        assert refusal(ssm.put_parameter, Name=name, **value) in DENIED
    assert refusal(ssm.get_parameters_by_path, Path=f"/{stack}") in DENIED


@assets
def test_a_function_is_denied_other_secrets(
    asset: Asset, deployed: Deployed, aws: EmbeddedAws
) -> None:
    function = deployed.stack.functions[asset.name]
    name = f"payroll/{asset.name}"
    arn = aws.client("secretsmanager").create_secret(Name=name, SecretString="s")["ARN"]
    secrets = aws.client("secretsmanager", function.role)
    assert refusal(secrets.get_secret_value, SecretId=arn) in DENIED
    own = function.environment["ADMIN_KEY_SECRET_ARN"]
    assert refusal(secrets.put_secret_value, SecretId=own, SecretString="s") in DENIED


@assets
def test_a_schedule_may_start_its_function_and_report_a_failure(
    asset: Asset, deployed: Deployed
) -> None:
    schedule = deployed.stack.schedule(asset.name)
    role = schedule["RoleArn"].rsplit("/", 1)[-1]
    trust = deployed.aws.client("iam").get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    [statement] = trust["Statement"]
    assert statement["Principal"] == {"Service": "scheduler.amazonaws.com"}
    queue = deployed.stack.outputs["FailureQueueUrl"]
    assert schedule["DeadLetterConfig"]["Arn"].rsplit(":", 1)[-1] == queue.rsplit("/", 1)[-1]
    sqs = deployed.aws.client("sqs", schedule["RoleArn"])
    assert sqs.send_message(QueueUrl=queue, MessageBody="{}")
    assert refusal(sqs.receive_message, QueueUrl=queue) in DENIED


def test_snowflake_reads_tables_and_nothing_else(second: Deployed) -> None:
    admin = second.aws.client("s3")
    s3 = second.aws.client("s3", second.stack.outputs["SnowflakeRoleArn"])
    inside, outside = "lake/anthropic/asset=users/date=2020-01-01/users.parquet", "lake/other"
    for key in (inside, outside):
        admin.put_object(Bucket=second.bucket, Key=key, Body=b"")
    assert s3.get_object(Bucket=second.bucket, Key=inside)
    assert refusal(s3.get_object, Bucket=second.bucket, Key=outside) in DENIED
    assert refusal(s3.put_object, Bucket=second.bucket, Key=inside, Body=b"") in DENIED
    for key in (inside, outside):
        admin.delete_object(Bucket=second.bucket, Key=key)


def test_two_stacks_share_no_name(deployed: Deployed, second: Deployed) -> None:
    first, other = deployed.stack.names(), second.stack.names()
    assert not (set(first.values()) & set(other.values()))


def test_a_second_stack_works_under_its_prefix(
    deployed: Deployed, second: Deployed, runs: dict[str, Invocation]
) -> None:
    before = deployed.keys(), deployed.watermarks()
    assert runs
    for asset in ("users", "usage_report"):
        run = second.run(asset)
        assert not run.error, run.payload
        keys = second.keys()
        assert f"lake/anthropic/asset={asset}/date={TODAY}/{asset}.parquet" in keys
    inside = ("lake/anthropic/asset=", "lake/anthropic/_lake.json")
    assert all(key.startswith(inside) for key in second.keys())  # noqa: SIM118
    assert (deployed.keys(), deployed.watermarks()) == before


def test_a_stack_that_asks_for_pseudonyms_names_nobody_and_looks_into_its_ledger(
    second: Deployed,
) -> None:
    for _ in range(2):
        run = second.run("users")
        assert not run.error, run.payload
        assert run.payload["warnings"] == []
    key = f"lake/anthropic/asset=users/date={TODAY}/users.parquet"
    body = second.aws.client("s3").get_object(Bucket=second.bucket, Key=key)["Body"].read()
    users = pq.read_table(io.BytesIO(body))
    for text in users["email"].to_pylist() + users["name"].to_pylist():
        assert re.fullmatch(r"p_[0-9a-f]{16}", text)


def test_a_lake_of_the_first_version_is_adopted_with_the_rights_of_a_function(
    second: Deployed,
) -> None:
    def versions(table: str) -> list[str]:
        prefix = f"lake/anthropic/asset={table}/"
        listed = s3.list_object_versions(Bucket=second.bucket, Prefix=prefix)["Versions"]
        return [version["VersionId"] for version in listed]

    s3, ssm = second.aws.client("s3"), second.aws.client("ssm")
    assert not second.run("cost_report").error
    before, first = versions("cost_report"), second.watermarks("first_synced_date")["cost_report"]
    unknown_then = [key for key in second.keys() if "sync_days" in key or "_lake" in key]  # noqa: SIM118
    for key in unknown_then:
        s3.delete_object(Bucket=second.bucket, Key=key)
    for name in second.parameters():
        if name == "lake_id" or name.endswith("/first_synced_date"):
            ssm.delete_parameter(Name=f"/{second.stack.name}/{name}")
    run = second.run("cost_report")
    assert not run.error, run.payload
    assert run.payload["days_changed"] == 0
    assert versions("cost_report") == before
    assert second.watermarks("first_synced_date") == {"cost_report": first}
    [ledger] = {key for key in unknown_then if f"date={first[:7]}" in key and "cost" in key}
    body = s3.get_object(Bucket=second.bucket, Key=ledger)["Body"].read()
    assert str(pq.read_table(io.BytesIO(body))["day"][0]) == first


def test_a_snapshot_that_is_too_long_for_one_run_is_continued_by_itself(
    deployed: Deployed, second: Deployed, runs: dict[str, Invocation]
) -> None:
    function = second.stack.functions["workspace_members"]
    functions = second.aws.client("lambda")
    functions.update_function_configuration(FunctionName=function.name, Timeout=50)
    try:
        answer = functions.invoke(FunctionName=function.name, Payload=b"{}")
        assert json.load(answer["Payload"])["status"] == "partial"
        recorded = wait_for(lambda: ended(second.rows_of_runs("workspace_members")))
    finally:
        functions.update_function_configuration(
            FunctionName=function.name, Timeout=function.timeout
        )
    statuses = [row["status"] for row in recorded]
    assert statuses == ["partial"] * (len(statuses) - 1) + ["succeeded"]
    assert len(statuses) > 2
    assert [row["trigger"] for row in recorded] == ["manual"] + ["schedule"] * (len(statuses) - 1)
    assert runs["workspace_members"].payload["status"] == "succeeded"  # in one run
    s3, tables = second.aws.client("s3"), "lake/anthropic/asset=workspace_members/"
    [version] = s3.list_object_versions(Bucket=second.bucket, Prefix=tables)["Versions"]
    assert f"date={recorded[0]['interval_start']}/" in version["Key"]  # and never half of it
    whole = f"asset=workspace_members/date={TODAY}/workspace_members.parquet"
    in_parts = s3.get_object(Bucket=second.bucket, Key=version["Key"])["Body"].read()
    assert in_parts == s3.get_object(Bucket=deployed.bucket, Key=whole)["Body"].read()


def ended(recorded: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the runs once the last of them is no part."""
    return recorded if recorded and recorded[-1]["status"] == "succeeded" else []


def wait_for(found: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return what is found, in a minute at most."""
    until = time.monotonic() + 60
    while not (rows := found()) and time.monotonic() < until:
        time.sleep(0.2)
    return rows


def test_an_update_resets_no_watermark(second: Deployed) -> None:
    ssm = second.aws.client("ssm")
    name = f"/{second.stack.name}/cost_report/last_synced_date"
    ssm.put_parameter(Name=name, Value=str(HISTORY_START), Type="String", Overwrite=True)
    before = second.stack.names()
    earlier = str(HISTORY_START - timedelta(days=60))
    second.stack.update({"HistoryStart": earlier, "DailyHour": "5", "LogRetentionDays": "30"})
    assert ssm.get_parameter(Name=name)["Parameter"]["Value"] == str(HISTORY_START)
    assert second.stack.names() == before
    assert second.stack.functions["cost_report"].environment["HISTORY_START"] == earlier
    assert second.stack.schedule_expression("users") == "cron(20 5 * * ? *)"


def test_a_run_that_fails_for_good_is_in_the_failure_queue(
    second: Deployed, admin_api: AdminApiServer
) -> None:
    fault = Fault("/invites", times=None, status=403)
    admin_api.faults.append(fault)
    try:
        second.aws.client("lambda").invoke(
            FunctionName=second.stack.functions["invites"].name,
            InvocationType="Event",
            Payload=json.dumps({}),
        )
        queue = second.stack.outputs["FailureQueueUrl"]
        sqs = second.aws.client("sqs")
        [message] = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20)["Messages"]
    finally:
        admin_api.faults.remove(fault)
    record = json.loads(message["Body"])
    assert record["responsePayload"]["errorType"] == "MissingPermission"
    assert record["requestContext"]["approximateInvokeCount"] == 3
