"""The template says what the assets say, grants no more than that, and fits beside itself."""

from __future__ import annotations

import base64
import itertools
import json
import re
from collections import Counter
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pytest
import sqlglot
import yaml

from anthropic_lake.assets import ASSETS, Asset
from anthropic_lake.lake.allocation import ALLOCATION_RULES
from anthropic_lake.lake.layout import MANIFEST, object_key, table_prefix
from anthropic_lake.lake.ledger import SYNC_DAYS
from anthropic_lake.query.catalog import CATALOG, TABLES, VIEWS, View
from anthropic_lake.schema.table import Table
from anthropic_lake.settings import read_settings
from tests.aws.template import Resolver, parameter_values, read, translate

Json = dict[str, Any]

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "template.yaml").read_text()
TEMPLATE = read(TEXT)
BACKFILL = yaml.safe_load((ROOT / "infra" / "backfill.asl.yaml").read_text())
REGION, ACCOUNT = "eu-west-1", "123456789012"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/abc"
EVERYTHING = {
    "AlarmEmail": "finance@example.com",
    "DataPrefix": "lake/anthropic",
    "KmsKeyArn": KEY,
    "MonthlyBudgetUsd": "5000",
    "PermissionsBoundaryArn": f"arn:aws:iam::{ACCOUNT}:policy/boundary",
    "SnowflakeExternalId": "id",
    "SnowflakeQueueArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:snowflake",
    "SnowflakeUserArn": f"arn:aws:iam::{ACCOUNT}:user/snowflake",
    "VpcSecurityGroupIds": "sg-1",
    "VpcSubnetIds": "subnet-1,subnet-2",
}

each_asset = pytest.mark.parametrize("asset", ASSETS.values(), ids=list(ASSETS))
each_table = pytest.mark.parametrize("table", TABLES, ids=[table.name for table in TABLES])
each_view = pytest.mark.parametrize("view", VIEWS, ids=[view.name for view in VIEWS])


@cache
def translated() -> Json:
    """What the SAM transform makes of the template."""
    packaged = read(TEXT)
    for resource in packaged["Resources"].values():
        for name in ("CodeUri", "ContentUri", "DefinitionUri"):
            if name in resource["Properties"]:
                resource["Properties"][name] = "s3://bucket/key"
    packaged["Globals"]["Function"]["CodeUri"] = "s3://bucket/key"
    return translate(packaged, REGION)


class Stack:
    """The template's resources and outputs as CloudFormation would see them."""

    def __init__(self, name: str = "lake", partition: str = "aws", **parameters: str) -> None:
        values = {
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": partition,
            "AWS::Region": REGION,
            "AWS::StackName": name,
            "AWS::URLSuffix": "amazonaws.com",
            **parameter_values(translated(), parameters),
        }
        self._resolver = Resolver(translated(), values, self._reference, self._attribute)
        self._resolver.check_rules()
        self.resources: dict[str, Json] = {
            logical_id: resource
            for logical_id, resource in translated()["Resources"].items()
            if "Condition" not in resource or self._resolver.condition(resource["Condition"])
        }
        self.outputs = {
            name: self._resolver.resolve(output["Value"])
            for name, output in translated()["Outputs"].items()
        }

    def __getitem__(self, logical_id: str) -> Json:
        """The properties of a resource."""
        properties: Json = self._resolver.resolve(self.resources[logical_id]["Properties"])
        return properties

    def of_type(self, kind: str) -> dict[str, Json]:
        """The properties of all resources of a type."""
        return {
            logical_id: self[logical_id]
            for logical_id, resource in self.resources.items()
            if resource["Type"] == kind
        }

    def _reference(self, logical_id: str) -> str:
        return f"<{logical_id}>"

    def _attribute(self, logical_id: str, name: str) -> str:
        if name == "Value":
            return str(self[logical_id]["Value"])
        return f"<{logical_id}.{name}>"


@pytest.fixture(scope="module")
def stack() -> Stack:
    return Stack()


@pytest.fixture(scope="module")
def full() -> Stack:
    return Stack(**EVERYTHING)


def camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def statements(stack: Stack, role: str) -> dict[str, Json]:
    """Everything that a role may do, by the statements' names."""
    policies = stack.of_type("AWS::IAM::ManagedPolicy")
    documents = [policy["PolicyDocument"] for policy in stack[role]["Policies"]]
    documents += [
        policies[reference.strip("<>")]["PolicyDocument"]
        for reference in stack[role].get("ManagedPolicyArns", [])
    ]
    allowed = [statement for document in documents for statement in document["Statement"]]
    assert all(statement["Effect"] == "Allow" for statement in allowed)
    return {statement["Sid"]: statement for statement in allowed}


def parsed(sql: str) -> sqlglot.exp.Query:
    query = sqlglot.parse_one(sql, read="trino")
    assert isinstance(query, sqlglot.exp.Query)
    return query


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


# --- functions


@each_asset
def test_an_asset_has_a_function(asset: Asset, stack: Stack) -> None:
    function = stack[f"{camel(asset.name)}Function"]
    assert function["FunctionName"] == f"lake-{asset.name}"
    assert function["Runtime"] == "python3.13"
    assert function["Architectures"] == ["arm64"]
    assert function["Timeout"] == 900
    assert function["Handler"] == "anthropic_lake.handler.handler"
    assert function["LoggingConfig"] == {"LogGroup": f"<{camel(asset.name)}LogGroup>"}
    log_group = stack[f"{camel(asset.name)}LogGroup"]
    assert log_group["LogGroupName"] == f"/aws/lambda/lake-{asset.name}"
    assert "VpcConfig" not in function


@each_asset
def test_a_function_is_told_what_it_uses(asset: Asset, stack: Stack) -> None:
    environment = stack[f"{camel(asset.name)}Function"]["Environment"]["Variables"]
    common = {
        "ADMIN_KEY_SECRET_ARN": "<AdminKeySecret>",
        "ASSET": asset.name,
        "BACKFILL_CONCURRENCY": "2",
        "DATA_BUCKET": "<DataBucket>",
        "DATA_PREFIX": "",
        "PEOPLE": "plain",
        "POWERTOOLS_METRICS_NAMESPACE": "AnthropicLake",
        "POWERTOOLS_SERVICE_NAME": "lake",
        "REQUESTS_PER_MINUTE": "60",
        "STATE_PREFIX": "/lake",
    }
    dated = {
        "HISTORY_START": "2025-01-01",
        "LOOKBACK_DAYS": str(asset.lookback_days),
        "SETTLE_HOURS": "2",
        **({"MONTHLY_BUDGET_USD": "0"} if asset.tells_spend else {}),
    }
    usage = {
        "USAGE_BUCKET_WIDTH": "1d",
        "USAGE_GROUP_BY": "api_key_id,context_window,model,service_tier,workspace_id",
    }
    analytics = {
        "ANALYTICS_BUCKET_WIDTH": "1d",
        "ANALYTICS_GROUP_BY": "actor,api_key_id,model,product,workspace_id",
    }
    own = {"usage_report": usage, "analytics_usage": analytics, "analytics_cost": analytics}
    expected = common | (dated if asset.kind.dated else {})
    assert environment == expected | own.get(asset.name, {})


def test_every_function_names_people_in_the_same_way() -> None:
    parameter = TEMPLATE["Parameters"]["People"]
    assert parameter["AllowedValues"] == ["plain", "pseudonym"]
    for value in parameter["AllowedValues"]:
        read_settings({"PEOPLE": value})
        functions = Stack(People=value).of_type("AWS::Lambda::Function").values()
        assert {each["Environment"]["Variables"]["PEOPLE"] for each in functions} == {value}


def test_there_are_no_other_functions(stack: Stack) -> None:
    functions = stack.of_type("AWS::Lambda::Function")
    assert functions.keys() == {f"{camel(name)}Function" for name in [*ASSETS, "backfill_items"]}


@each_asset
def test_a_failed_run_goes_to_the_failure_queue(asset: Asset, stack: Stack) -> None:
    [config] = [
        config
        for config in stack.of_type("AWS::Lambda::EventInvokeConfig").values()
        if config["FunctionName"] == f"<{camel(asset.name)}Function>"
    ]
    assert config["DestinationConfig"]["OnFailure"]["Destination"] == "<FailureQueue.Arn>"
    may = statements(stack, f"{camel(asset.name)}Role")["ReportFailures"]
    assert (may["Action"], may["Resource"]) == ("sqs:SendMessage", "<FailureQueue.Arn>")


# --- schedules


def schedule(stack: Stack, asset: str) -> Json:
    [properties] = [
        properties
        for properties in stack.of_type("AWS::Scheduler::Schedule").values()
        if properties["Target"]["Arn"] == f"<{camel(asset)}Function.Arn>"
    ]
    return properties


def minutes_of_the_day(expression: str) -> list[int]:
    """Read a daily or hourly cron expression of EventBridge Scheduler."""
    fields = re.fullmatch(r"cron\((\S+) (\S+) (\S+) (\S+) (\S+) (\S+)\)", expression)
    assert fields, expression
    minute, hour, day_of_month, month, day_of_week, year = fields.groups()
    assert [day_of_month, month, day_of_week, year] == ["*", "*", "?", "*"]
    assert re.fullmatch(r"[0-5]?\d", minute)
    assert re.fullmatch(r"\*|1?\d|2[0-3]", hour)
    hours = range(24) if hour == "*" else [int(hour)]
    return [60 * start + int(minute) for start in hours]


@each_asset
def test_a_schedule_starts_the_function_with_the_intended_time(asset: Asset, stack: Stack) -> None:
    properties = schedule(stack, asset.name)
    assert "Name" not in properties  # two stacks would collide
    assert properties["State"] == "ENABLED"
    assert properties["ScheduleExpressionTimezone"] == "UTC"
    assert properties["FlexibleTimeWindow"] == {"Mode": "OFF"}
    target = properties["Target"]
    assert json.loads(target["Input"]) == {"scheduled_time": "<aws.scheduler.scheduled-time>"}
    assert target["DeadLetterConfig"] == {"Arn": "<FailureQueue.Arn>"}
    assert target["RetryPolicy"]["MaximumRetryAttempts"] > 0
    assert target["RoleArn"] == "<SchedulerRole.Arn>"


@pytest.mark.parametrize("hour", ["0", "3", "23"])
@pytest.mark.parametrize("frequency", ["hourly", "daily"])
def test_schedules_are_valid_and_do_not_start_together(frequency: str, hour: str) -> None:
    stack = Stack(ReportFrequency=frequency, DailyHour=hour)
    starts = []
    for asset in ASSETS.values():
        times = minutes_of_the_day(schedule(stack, asset.name)["ScheduleExpression"])
        hourly = asset.kind.dated and frequency == "hourly"
        assert len(times) == (24 if hourly else 1)
        assert int(hour) in {time // 60 for time in times}
        starts += times
    starts.sort()
    assert all(later - earlier > 3 for earlier, later in itertools.pairwise(starts))


@pytest.mark.parametrize("hour", ["0", "3", "23"])
def test_all_that_may_run_at_once_share_the_budget_of_requests(hour: str) -> None:
    stack = Stack(ReportFrequency="hourly", DailyHour=hour)
    runs = []
    for asset in ASSETS.values():
        function = stack[f"{camel(asset.name)}Function"]
        settings = read_settings(function["Environment"]["Variables"])
        minutes = 1 + function["Timeout"] // 60  # a schedule may be a minute late
        expression = schedule(stack, asset.name)["ScheduleExpression"]
        runs += [(start, start + minutes) for start in minutes_of_the_day(expression)]
    share = settings.share_per_minute(is_backfill=False)
    item = settings.share_per_minute(is_backfill=True)
    for start, _ in runs:
        at_once = sum(start in range(*run) or start + 24 * 60 in range(*run) for run in runs)
        assert at_once * share + 2 * item <= 60


def test_one_switch_stops_all_schedules_and_mutes_their_alarms() -> None:
    stack = Stack(ScheduleState="DISABLED")
    schedules = stack.of_type("AWS::Scheduler::Schedule").values()
    assert {properties["State"] for properties in schedules} == {"DISABLED"}
    assert not any(stack[f"{camel(name)}BehindAlarm"]["ActionsEnabled"] for name in ASSETS)


def test_the_reports_in_beta_have_a_switch_of_their_own() -> None:
    stack = Stack(AnalyticsReports="false")
    off = {"analytics_usage", "analytics_cost"}
    for name in ASSETS:
        assert schedule(stack, name)["State"] == ("DISABLED" if name in off else "ENABLED")
        assert stack[f"{camel(name)}BehindAlarm"]["ActionsEnabled"] is (name not in off)


def test_the_schedules_may_start_the_functions_and_nothing_else(stack: Stack) -> None:
    may = statements(stack, "SchedulerRole")
    assert may.keys() == {"StartFunctions", "ReportFailures"}
    functions = {f"<{camel(name)}Function.Arn>" for name in ASSETS}
    assert set(may["StartFunctions"]["Resource"]) == functions


# --- least privilege


@each_asset
@pytest.mark.parametrize("prefix", ["", "lake/anthropic"])
def test_a_function_reaches_what_is_its_own(asset: Asset, prefix: str) -> None:
    stack = Stack(DataPrefix=prefix)
    lake = "arn:aws:s3:::<DataBucket>" + (f"/{prefix}" if prefix else "")
    may = statements(stack, f"{camel(asset.name)}Role")
    granted = {
        sid: (sorted(listed(statement["Action"])), sorted(listed(statement["Resource"])))
        for sid, statement in may.items()
    }
    parameters = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/lake"
    objects, texts = ["s3:GetObject", "s3:PutObject"], ["ssm:GetParameter", "ssm:PutParameter"]
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:lake-{asset.name}"
    continuation = {
        "KeepProgress": (objects, [f"{lake}/_progress/{asset.name}.parquet"]),
        "ContinueByItself": (["lambda:InvokeFunction"], [function]),
    }
    assert granted == (continuation if asset.fan_out else {}) | {
        "WriteTables": (
            objects,
            sorted(f"{lake}/asset={table.name}/*" for table in asset.tables),
        ),
        "KeepLedger": (objects, [f"{lake}/asset=sync_days/date=*/{asset.name}.parquet"]),
        "KeepWatermarks": (
            texts,
            [f"{parameters}/{asset.name}/{which}_synced_date" for which in ("first", "last")],
        ),
        "RecordRuns": (["s3:PutObject"], [f"{lake}/asset=sync_runs/*"]),
        "KeepManifest": (objects, [f"{lake}/_lake.json"]),
        "KeepLakeId": (texts, [f"{parameters}/lake_id"]),
        "SeeWatermarks": (["ssm:GetParameter"], [f"{parameters}/*/last_synced_date"]),
        "ListTables": (["s3:ListBucket"], ["arn:aws:s3:::<DataBucket>"]),
        "ReadAdminKey": (["secretsmanager:GetSecretValue"], ["<AdminKeySecret>"]),
        "ReportFailures": (["sqs:SendMessage"], ["<FailureQueue.Arn>"]),
        "WriteLogs": (
            ["logs:CreateLogStream", "logs:PutLogEvents"],
            [f"<{camel(asset.name)}LogGroup.Arn>"],
        ),
    }


@each_asset
@pytest.mark.parametrize("prefix", ["", "lake/anthropic"])
def test_a_function_lists_the_tables_of_this_lake_only(asset: Asset, prefix: str) -> None:
    may = statements(Stack(DataPrefix=prefix), f"{camel(asset.name)}Role")["ListTables"]
    tables = f"{prefix}/asset=*" if prefix else "asset=*"
    assert may["Condition"] == {"StringLike": {"s3:prefix": tables}}


def test_only_a_fan_out_may_start_itself_without_lambda_stopping_it(stack: Stack) -> None:
    recursion = {
        properties["Environment"]["Variables"]["ASSET"]: properties.get("RecursiveLoop")
        for properties in stack.of_type("AWS::Lambda::Function").values()
        if "ASSET" in properties["Environment"]["Variables"]
    }
    expected = {name: "Allow" if asset.fan_out else None for name, asset in ASSETS.items()}
    assert recursion == expected


def grants(stack: Stack) -> list[str]:
    """Everything that the roles may do, one role, action and resource a line."""
    return sorted(
        f"{role} {action} {resource}"
        for role in stack.of_type("AWS::IAM::Role")
        for statement in statements(stack, role).values()
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    )


def test_every_grant_is_one_that_somebody_has_looked_at(full: Stack) -> None:
    """A new one belongs into grants.txt, by hand, after a thought about who can do without it."""
    known = (Path(__file__).parent / "grants.txt").read_text(encoding="utf-8").splitlines()
    assert grants(full) == known


def test_nothing_is_allowed_everywhere_but_where_aws_knows_no_resources(full: Stack) -> None:
    everywhere = set()
    for role in full.of_type("AWS::IAM::Role"):
        for sid, statement in statements(full, role).items():
            assert not any("*" in action for action in listed(statement["Action"])), (role, sid)
            if "*" in listed(statement["Resource"]):
                everywhere.add((role, sid))
    in_vpc = {f"{camel(name)}Role" for name in [*ASSETS, "backfill_items"]}
    network = {(role, "ManageNetworkInterfaces") for role in in_vpc}
    assert everywhere == {*network, ("BackfillRole", "WriteLogs")}


def test_the_key_is_used_through_services_only(full: Stack) -> None:
    for role in full.of_type("AWS::IAM::Role"):
        for statement in statements(full, role).values():
            if any(action.startswith("kms:") for action in listed(statement["Action"])):
                assert statement["Resource"] == KEY
                services = listed(statement["Condition"]["StringEquals"]["kms:ViaService"])
                assert all(service.endswith(f".{REGION}.amazonaws.com") for service in services)
    assert "UseKeyThroughServices" in statements(full, "UsersRole")


def test_a_permissions_boundary_bounds_every_role(stack: Stack, full: Stack) -> None:
    bounds = [role.get("PermissionsBoundary") for role in full.of_type("AWS::IAM::Role").values()]
    assert set(bounds) == {EVERYTHING["PermissionsBoundaryArn"]}
    assert not any("PermissionsBoundary" in role for role in stack.of_type("AWS::IAM::Role"))


def test_functions_go_into_the_vpc_when_there_is_one(full: Stack) -> None:
    for function in full.of_type("AWS::Lambda::Function").values():
        assert function["VpcConfig"] == {
            "SubnetIds": ["subnet-1", "subnet-2"],
            "SecurityGroupIds": ["sg-1"],
        }


def test_snowflake_reads_the_tables_of_this_lake(full: Stack) -> None:
    role = full["SnowflakeRole"]
    [trust] = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"AWS": EVERYTHING["SnowflakeUserArn"]}
    assert trust["Condition"] == {"StringEquals": {"sts:ExternalId": "id"}}
    may = statements(full, "SnowflakeRole")
    tables = "arn:aws:s3:::<DataBucket>/lake/anthropic/asset=*"
    assert may["ReadTables"]["Action"] == ["s3:GetObject", "s3:GetObjectVersion"]
    assert may["ReadTables"]["Resource"] == tables
    prefix = may["ListTables"]["Condition"]["StringLike"]["s3:prefix"]
    assert prefix == "lake/anthropic/asset=*"
    assert full.outputs["SnowflakeRoleArn"].endswith(f":role/{role['RoleName']}")


@pytest.mark.parametrize(("daily", "task"), [("0", "3"), ("3", "6"), ("20", "23"), ("23", "2")])
def test_snowflakes_tasks_run_when_the_daily_runs_have_ended(daily: str, task: str) -> None:
    assert Stack(DailyHour=daily).outputs["SnowflakeTaskHour"] == task


def test_snowflake_needs_both_halves_of_the_handshake() -> None:
    with pytest.raises(Exception, match="SnowflakeExternalId"):
        Stack(SnowflakeUserArn=EVERYTHING["SnowflakeUserArn"])


# --- the lake


def test_the_data_bucket_is_private_encrypted_and_kept(stack: Stack) -> None:
    bucket = stack["DataBucket"]
    assert stack.resources["DataBucket"]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert "BucketName" not in bucket
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    [rule] = bucket["OwnershipControls"]["Rules"]
    assert rule == {"ObjectOwnership": "BucketOwnerEnforced"}
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    rules = {rule["Id"]: rule for rule in bucket["LifecycleConfiguration"]["Rules"]}
    assert rules.keys() == {"AbortedUploads", "OldVersions", "OldRuns", "UnfinishedSnapshots"}
    assert not any("ExpirationInDays" in rules[name] for name in ("AbortedUploads", "OldVersions"))
    assert rules["OldVersions"]["ExpiredObjectDeleteMarker"] is True
    assert "NotificationConfiguration" not in bucket


@pytest.mark.parametrize("prefix", ["", "lake/anthropic"])
@pytest.mark.parametrize(
    ("rule", "objects", "days"),
    [("OldRuns", "asset=sync_runs/", 400), ("UnfinishedSnapshots", "_progress/", 2)],
)
def test_objects_that_are_of_use_for_a_time_expire(
    rule: str, objects: str, days: int, prefix: str
) -> None:
    configuration = Stack(DataPrefix=prefix)["DataBucket"]["LifecycleConfiguration"]
    [expiring] = [each for each in configuration["Rules"] if each["Id"] == rule]
    assert expiring["Status"] == "Enabled"
    assert expiring["Prefix"] == (f"{prefix}/{objects}" if prefix else objects)
    assert expiring["ExpirationInDays"] == days


@pytest.mark.parametrize("bucket", ["DataBucket", "ResultsBucket"])
def test_buckets_are_reached_by_tls_only(bucket: str, full: Stack) -> None:
    [deny] = full[f"{bucket}Policy"]["PolicyDocument"]["Statement"]
    assert (deny["Effect"], deny["Principal"], deny["Action"]) == ("Deny", "*", "s3:*")
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert deny["Resource"] == [f"<{bucket}.Arn>", f"<{bucket}.Arn>/*"]
    [rule] = full[bucket]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["KMSMasterKeyID"] == KEY


def test_an_existing_bucket_is_used_as_it_is() -> None:
    stack = Stack(DataBucketName="ours", DataPrefix="anthropic", SnowflakeQueueArn="")
    assert not {"DataBucket", "DataBucketPolicy"} & stack.resources.keys()
    assert stack["UsersFunction"]["Environment"]["Variables"]["DATA_BUCKET"] == "ours"
    assert stack["DataLocation"]["Value"] == "ours/anthropic"
    location = stack["UsersTable"]["TableInput"]["StorageDescriptor"]["Location"]
    assert location == "s3://ours/anthropic/asset=users/"


def test_an_existing_secret_is_used_as_it_is() -> None:
    arn = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:admin-AbC123"
    stack = Stack(AdminKeySecretArn=arn)
    assert "AdminKeySecret" not in stack.resources
    assert stack["UsersFunction"]["Environment"]["Variables"]["ADMIN_KEY_SECRET_ARN"] == arn
    assert statements(stack, "UsersRole")["ReadAdminKey"]["Resource"] == arn
    assert arn in stack.outputs["FillSecretCommand"]


def test_the_created_secret_is_empty(stack: Stack) -> None:
    assert not {"SecretString", "GenerateSecretString", "Name"} & stack["AdminKeySecret"].keys()


@pytest.mark.parametrize("prefix", ["", "lake/anthropic", "team=ai/env=prod_1.0-a"])
def test_snowflake_is_told_of_changed_tables_and_of_nothing_else(prefix: str) -> None:
    """S3 compares the filter with percent-encoded keys."""
    stack = Stack(**EVERYTHING | {"DataPrefix": prefix})
    [config] = stack["DataBucket"]["NotificationConfiguration"]["QueueConfigurations"]
    assert config["Queue"] == EVERYTHING["SnowflakeQueueArn"]
    [rule] = config["Filter"]["S3Key"]["Rules"]
    assert rule["Name"] == "prefix"
    below = f"{prefix}/" if prefix else ""
    table, manifest = object_key("users", date(2026, 11, 24)), MANIFEST
    assert quote(below + table).startswith(rule["Value"])
    assert not quote(below + manifest).startswith(rule["Value"])
    assert quote(f"{below}{table_prefix()}") == rule["Value"]


def test_no_watermark_is_in_the_stack(stack: Stack) -> None:
    assert stack.of_type("AWS::SSM::Parameter").keys() == {"DataLocation", "StatePrefix"}


# --- the catalog

GLUE_TYPES = {
    pa.string(): "string",
    pa.int64(): "bigint",
    pa.bool_(): "boolean",
    pa.date32(): "date",
    pa.timestamp("us", "UTC"): "timestamp",
    pa.decimal128(38, 12): "decimal(38,12)",
}


@each_table
def test_a_table_of_the_catalog_is_what_the_definition_says(table: Table, stack: Stack) -> None:
    properties = stack[f"{camel(table.name)}Table"]
    assert properties["DatabaseName"] == "<Database>"
    described = properties["TableInput"]
    assert (described["Name"], described["Description"]) == (table.name, table.comment)
    storage = described["StorageDescriptor"]
    columns = [(column["Name"], column["Type"], column["Comment"]) for column in storage["Columns"]]
    assert columns == [
        (column.name, GLUE_TYPES[table.schema.field(column.name).type], column.comment)
        for column in table.all_columns
    ]
    assert all(len(comment) <= 255 for _, _, comment in columns)  # Glue takes no more
    assert "Parquet" in storage["SerdeInfo"]["SerializationLibrary"]
    [partition] = described["PartitionKeys"]
    assert (partition["Name"], partition["Type"]) == ("date", "date")


@each_table
def test_a_table_finds_its_days_without_a_crawler(table: Table, full: Stack) -> None:
    described = full[f"{camel(table.name)}Table"]["TableInput"]
    folder = f"s3://<DataBucket>/lake/anthropic/asset={table.name}/"
    assert described["StorageDescriptor"]["Location"] == folder
    ranges = {SYNC_DAYS: "2023-01-01,NOW", ALLOCATION_RULES: "2023-01-01,2023-01-02"}
    assert described["Parameters"] == {
        "classification": "parquet",
        "projection.enabled": "true",
        "projection.date.type": "date",
        "projection.date.format": "yyyy-MM-dd",
        "projection.date.range": ranges.get(table, "2025-01-01,NOW"),
        "storage.location.template": folder + "date=${date}/",
    }


@each_view
def test_a_view_of_the_catalog_is_what_its_file_says(view: View, stack: Stack) -> None:
    described = stack[f"{camel(view.name)}View"]["TableInput"]
    assert described["Name"] == view.name
    assert described["TableType"] == "VIRTUAL_VIEW"
    assert described["Parameters"] == {
        "presto_view": "true",
        "comment": "Presto View",
        "description": view.comment,
    }
    assert "Description" not in described  # Trino takes it for the comment
    encoded = re.fullmatch(r"/\* Presto View: (\S+) \*/", described["ViewOriginalText"])
    assert encoded
    presto = json.loads(base64.b64decode(encoded[1]))
    assert (presto["catalog"], presto["schema"]) == ("awsdatacatalog", "<Database>")
    assert parsed(presto["originalSql"]) == parsed(view.sql)
    glue = [
        (column["Name"], column["Type"]) for column in described["StorageDescriptor"]["Columns"]
    ]
    trino = [(column["name"], column["type"]) for column in presto["columns"]]
    assert trino == [(name, TRINO_TYPES[type_]) for name, type_ in glue]
    selected = [name.lower() for name in parsed(view.sql).named_selects]
    assert [name for name, _ in glue] == selected


TRINO_TYPES = {
    "string": "varchar",
    "bigint": "bigint",
    "boolean": "boolean",
    "date": "date",
    "double": "double",
    "timestamp": "timestamp(3)",
    "decimal(38,12)": "decimal(38,12)",
}


def test_the_catalog_has_nothing_else(stack: Stack) -> None:
    tables = {f"{camel(table.name)}Table" for table in TABLES}
    views = {f"{camel(view.name)}View" for view in VIEWS}
    assert stack.of_type("AWS::Glue::Table").keys() == tables | views


@pytest.mark.parametrize(
    ("stack_name", "parameter", "database"),
    [
        ("anthropic-lake", "", "anthropic_lake"),
        ("anthropic-lake-test", "", "anthropic_lake_test"),
        ("anthropic-lake", "ai_spend", "ai_spend"),
    ],
)
def test_the_database_is_called_after_the_stack(
    stack_name: str, parameter: str, database: str
) -> None:
    stack = Stack(stack_name, GlueDatabaseName=parameter)
    assert stack["Database"]["DatabaseInput"]["Name"] == database


def test_query_results_are_encrypted_and_scans_are_limited(stack: Stack, full: Stack) -> None:
    configuration = stack["Workgroup"]["WorkGroupConfiguration"]
    assert configuration["EnforceWorkGroupConfiguration"] is True
    assert int(configuration["BytesScannedCutoffPerQuery"]) == 10 * 2**30
    results = configuration["ResultConfiguration"]
    assert results["OutputLocation"] == "s3://<ResultsBucket>/"
    assert results["EncryptionConfiguration"] == {"EncryptionOption": "SSE_S3"}
    results = full["Workgroup"]["WorkGroupConfiguration"]["ResultConfiguration"]
    assert results["EncryptionConfiguration"] == {"EncryptionOption": "SSE_KMS", "KmsKey": KEY}


def test_every_named_query_is_in_the_workgroup(full: Stack) -> None:
    queries = full.of_type("AWS::Athena::NamedQuery").values()
    assert {query["Name"] for query in queries} == {query.name for query in CATALOG.saved_queries}
    for query in queries:
        assert (query["WorkGroup"], query["Database"]) == ("<Workgroup>", "<Database>")
        assert query["Description"].endswith("?")
        assert parsed(query["QueryString"]).named_selects
        assert "${" not in query["QueryString"]


# --- alarms, dashboard


@each_asset
def test_an_asset_that_falls_behind_is_seen(asset: Asset, stack: Stack) -> None:
    alarm = stack[f"{camel(asset.name)}BehindAlarm"]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AnthropicLake", "DaysBehind")
    assert alarm["Dimensions"] == [
        {"Name": "service", "Value": "lake"},
        {"Name": "asset", "Value": asset.name},
    ]
    assert alarm["TreatMissingData"] == "breaching"
    assert alarm["AlarmActions"] == ["<AlarmTopic>"]
    assert alarm["ActionsEnabled"] is True
    assert 86_400 < alarm["Period"] * alarm["EvaluationPeriods"] <= 604_800  # over a day's gap


@each_asset
def test_a_run_near_its_timeout_is_seen(asset: Asset, stack: Stack) -> None:
    alarm = stack[f"{camel(asset.name)}DurationAlarm"]
    function = stack[f"{camel(asset.name)}Function"]
    assert alarm["Dimensions"] == [
        {"Name": "FunctionName", "Value": f"<{camel(asset.name)}Function>"}
    ]
    most = 0.97 if asset.fan_out else 0.9  # which stops in time, and is continued
    assert most - 0.2 < alarm["Threshold"] / (1000 * function["Timeout"]) < most


@pytest.mark.parametrize(
    ("alarm", "percent"), [("SpendNearBudgetAlarm", 80), ("SpendOverBudgetAlarm", 100)]
)
def test_spend_is_compared_with_the_budget(alarm: str, percent: int, full: Stack) -> None:
    properties = full[alarm]
    expression, spend = properties["Metrics"]
    assert expression["Expression"] == "100 * spend / 5000"
    assert spend["MetricStat"]["Metric"]["MetricName"] == "MonthToDateUsd"
    assert (properties["Threshold"], properties["ComparisonOperator"]) == (
        percent,
        "GreaterThanOrEqualToThreshold",
    )


def test_without_budget_or_address_there_is_no_alarm_for_them(stack: Stack) -> None:
    absent = {"SpendNearBudgetAlarm", "SpendOverBudgetAlarm", "AlarmSubscription"}
    assert not absent & stack.resources.keys()


def test_every_alarm_tells_the_topic(full: Stack) -> None:
    alarms = full.of_type("AWS::CloudWatch::Alarm").values()
    assert {tuple(alarm["AlarmActions"]) for alarm in alarms} == {("<AlarmTopic>",)}


def test_the_dashboard_shows_every_metric(stack: Stack) -> None:
    body = json.loads(stack["Dashboard"]["DashboardBody"])
    shown = json.dumps([widget["properties"]["metrics"] for widget in body["widgets"]])
    for metric in ("DaysBehind", "MonthToDateUsd", "Rows", "Requests", "Retries", "Duration"):
        assert f'{{AnthropicLake,asset,service}} service=\\"lake\\" MetricName=\\"{metric}\\"' in (
            shown.replace(r"\\", "")
        )


# --- backfill


def test_the_backfill_knows_its_functions(stack: Stack) -> None:
    machine = stack["Backfill"]
    substitutions = machine["DefinitionSubstitutions"]
    used = set(re.findall(r"\$\{(\w+)\}", json.dumps(BACKFILL)))
    assert used == substitutions.keys()
    prefix = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:lake"
    assert substitutions["FunctionArnPrefix"] == prefix
    dated = {f"<{camel(asset.name)}Function.Arn>" for asset in ASSETS.values() if asset.kind.dated}
    may = statements(stack, "BackfillRole")
    assert set(may["StartFunctions"]["Resource"]) == {"<BackfillItemsFunction.Arn>", *dated}
    arn = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{machine['StateMachineName']}"
    assert may["StartItems"]["Resource"] == arn


def test_a_task_of_the_backfill_is_tried_again_and_stops_no_other() -> None:
    split, mapped = BACKFILL["States"]["Split"], BACKFILL["States"]["Items"]
    tasks = [
        state for state in mapped["ItemProcessor"]["States"].values() if state["Type"] == "Task"
    ]
    for task in [split, *tasks]:
        hopeless, other = task["Retry"]
        assert "SettingsError" in hopeless["ErrorEquals"]
        assert hopeless["MaxAttempts"] == 0
        assert other["ErrorEquals"] == ["States.ALL"]
        assert other["MaxAttempts"] >= 5
    for state in [mapped, *tasks]:
        [caught] = state["Catch"]
        assert caught["ErrorEquals"] == ["States.ALL"]
    assert mapped["ToleratedFailurePercentage"] == 100


@pytest.mark.parametrize(
    ("partition", "console"),
    [
        ("aws", ".console.aws.amazon.com/"),
        ("aws-cn", ".console.amazonaws.cn/"),
        ("aws-us-gov", ".console.amazonaws-us-gov.com/"),
    ],
)
def test_names_are_those_of_the_partition(partition: str, console: str) -> None:
    stack = Stack(partition=partition)
    resources = {name: stack[name] for name in stack.resources}
    definition = json.dumps(BACKFILL)
    for name, value in stack["Backfill"]["DefinitionSubstitutions"].items():
        definition = definition.replace(f"${{{name}}}", value)
    text = json.dumps([resources, stack.outputs]) + definition
    assert set(re.findall(r"\barn:(aws[a-z-]*)", text)) == {partition}
    assert definition.count(f"arn:{partition}:states:::lambda:invoke") == 3
    assert console in stack.outputs["WorkgroupConsole"]
    assert console in stack.outputs["DashboardConsole"]


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("anthropic-lake", "/anthropic-lake"),
        ("lake-of-aws", "/lake-of-aws"),
        ("my-ssm", "/my-ssm"),
        ("aws-lake", "/lake/aws-lake"),
        ("AWSlake", "/lake/AWSlake"),
        ("Aws", "/lake/Aws"),
        ("ssm", "/lake/ssm"),
        ("SsmAws", "/lake/SsmAws"),
        ("SSM-lake", "/lake/SSM-lake"),
    ],
)
def test_parameters_have_names_that_ssm_takes(name: str, prefix: str) -> None:
    stack = Stack(name)
    parameters = stack.of_type("AWS::SSM::Parameter")
    assert {parameter["Name"] for parameter in parameters.values()} == {
        f"{prefix}/state_prefix",
        f"{prefix}/data_location",
    }
    variables = stack["UsersFunction"]["Environment"]["Variables"]
    assert variables["STATE_PREFIX"] == stack.outputs["StatePrefix"] == prefix
    arn = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{prefix}"
    granted = {
        resource
        for statement in statements(stack, "UsersRole").values()
        if "ssm:GetParameter" in statement["Action"]
        for resource in (
            statement["Resource"]
            if isinstance(statement["Resource"], list)
            else [statement["Resource"]]
        )
    }
    names = ("lake_id", "*/last_synced_date", "users/last_synced_date", "users/first_synced_date")
    assert granted == {f"{arn}/{name}" for name in names}


def test_a_backfill_command_is_at_hand(stack: Stack) -> None:
    command = re.search(r"--input '(.*)'", stack.outputs["BackfillCommand"])
    assert command
    assert json.loads(command[1]).keys() == {"assets", "interval_start", "interval_end"}


# --- parameters


def test_every_parameter_is_explained_and_in_a_group() -> None:
    interface = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = [name for group in interface["ParameterGroups"] for name in group["Parameters"]]
    assert sorted(grouped) == sorted(TEMPLATE["Parameters"])
    assert interface["ParameterLabels"].keys() == TEMPLATE["Parameters"].keys()
    for name, parameter in TEMPLATE["Parameters"].items():
        assert len(parameter["Description"]) > 40, name
        assert "Default" in parameter, name


@pytest.mark.parametrize(
    ("value", "accepted"),
    [
        ("2023-01-01", True),
        ("2029-12-31", True),
        ("2030-01-01", True),
        ("2022-12-31", False),
        ("1926-01-01", False),
        ("2025-13-01", False),
        ("2025-1-1", False),
    ],
)
def test_history_starts_when_there_was_something_to_read(value: str, *, accepted: bool) -> None:
    pattern = TEMPLATE["Parameters"]["HistoryStart"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, value)) is accepted


def test_the_months_of_the_ledger_are_all_in_its_table(stack: Stack) -> None:
    """A month's partition is its first day, which a range from HistoryStart would cut off."""
    late = Stack(HistoryStart="2026-05-20")
    assert late["SyncDaysTable"] == stack["SyncDaysTable"]
    assert late["UsersTable"] != stack["UsersTable"]


def test_the_defaults_are_those_of_the_assets() -> None:
    defaults = {name: parameter["Default"] for name, parameter in TEMPLATE["Parameters"].items()}
    assert defaults["UsageLookbackDays"] == ASSETS["usage_report"].lookback_days
    assert defaults["CostLookbackDays"] == ASSETS["cost_report"].lookback_days
    assert defaults["ClaudeCodeLookbackDays"] == ASSETS["claude_code_usage"].lookback_days
    for name, report in (("Usage", "usage_report"), ("Analytics", "analytics_usage")):
        buckets = ASSETS[report].time_buckets
        assert buckets
        assert defaults[f"{name}GroupBy"] == buckets.grouped_by
        widths = TEMPLATE["Parameters"][f"{name}BucketWidth"]["AllowedValues"]
        assert widths == list(buckets.widths)
        assert defaults[f"{name}LookbackDays"] == ASSETS[report].lookback_days


@pytest.mark.parametrize(
    ("value", "accepted"),
    [
        ("", True),
        ("model", True),
        ("api_key_id,context_window,model,service_tier,workspace_id", True),
        ("account_id,api_key_id,context_window,model,service_tier,workspace_id", False),
        ("model,", False),
        (",model", False),
        ("models", False),
        ("model,workspace_id,", False),
        ("model workspace_id", False),
    ],
)
def test_a_grouping_is_at_most_five_known_dimensions(value: str, *, accepted: bool) -> None:
    pattern = TEMPLATE["Parameters"]["UsageGroupBy"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, value)) is accepted


@pytest.mark.parametrize(
    ("parameter", "asset"),
    [("UsageGroupBy", "usage_report"), ("AnalyticsGroupBy", "analytics_cost")],
)
def test_every_dimension_of_the_api_may_be_grouped_by(parameter: str, asset: str) -> None:
    pattern = TEMPLATE["Parameters"][parameter]["AllowedPattern"]
    buckets = ASSETS[asset].time_buckets
    assert buckets
    assert all(re.fullmatch(pattern, dimension) for dimension in buckets.dimensions)
    assert re.fullmatch(pattern, ",".join(buckets.dimensions[:5]))
    assert not re.fullmatch(pattern, ",".join(buckets.dimensions[:6]))


# --- the whole


def test_two_stacks_do_not_collide() -> None:
    def names(stack: Stack) -> set[tuple[str, str]]:
        inside = {"AWS::Glue::Table", "AWS::Athena::NamedQuery"}  # of the database, the workgroup
        named = set()
        for logical_id, resource in stack.resources.items():
            kind = resource["Type"].rsplit("::")[-1].removesuffix("Version")
            properties = stack[logical_id].get("DatabaseInput", stack[logical_id])
            keys = {"Name", f"{kind}Name"} & properties.keys()
            if resource["Type"] not in inside:
                named |= {(kind, properties[key]) for key in keys}
        return named

    first, second = names(Stack("lake", **EVERYTHING)), names(Stack("lake-2", **EVERYTHING))
    assert len(first) == len(second) > 40
    assert not first & second


def test_the_stack_holds_this_many_resources(full: Stack) -> None:
    kinds = Counter(resource["Type"] for resource in full.resources.values())
    assets, extra = len(ASSETS), 4  # roles of: backfill, its items, schedules, Snowflake
    assert kinds["AWS::Lambda::Function"] == assets + 1
    assert kinds["AWS::Lambda::LayerVersion"] == 1
    assert kinds["AWS::Scheduler::Schedule"] == assets
    assert kinds["AWS::IAM::Role"] == assets + extra
    assert kinds["AWS::CloudWatch::Alarm"] == 2 * assets + 4
    assert kinds["AWS::S3::Bucket"] == 2
    assert sum(kinds.values()) < 200  # CloudFormation takes 500


def test_every_skipped_check_says_why() -> None:
    skips = re.findall(r"checkov:skip=(\w+)(.*)", TEXT)
    skips += re.findall(r"- (CKV\w+)(.*)", (ROOT / ".checkov.yaml").read_text())
    assert len(skips) > 5
    assert all(len(reason.strip(" :#")) > 20 for _, reason in skips)
