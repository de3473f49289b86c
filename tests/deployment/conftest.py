"""The project's stack in an embedded AWS with policies enforced, against a simulated Admin API."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

import pyarrow.parquet as pq
import pytest

from anthropic_lake.assets import ASSETS
from tests.aws.deployment import Stack, deploy
from tests.aws.embedded import EmbeddedAws
from tests.simulator import AdminApiServer, Organization
from tests.today import schedule_of_today

NOW = schedule_of_today()
TODAY = NOW.date()
HISTORY_START = TODAY - timedelta(days=3)
DAYS = [HISTORY_START + timedelta(days=number) for number in range(4)]
SETTINGS = {
    "HistoryStart": HISTORY_START.isoformat(),
    "RequestsPerMinute": "1000",
    "UsageLookbackDays": "2",
}
ADMIN_KEY = "sk-ant-admin01-simulated"


class Metric(NamedTuple):
    """A metric's identity in CloudWatch."""

    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, namespace: str, name: str, dimensions: Mapping[str, str]) -> Metric:
        return cls(namespace, name, frozenset(dimensions.items()))


@dataclass(frozen=True)
class Invocation:
    """What an invocation came to.

    Attributes:
        payload: The function's answer, or Lambda's description of the error.
        error: Whether it failed.
        log: The end of its log.
    """

    payload: Any
    error: bool
    log: str

    @property
    def metrics(self) -> set[Metric]:
        """The metrics that CloudWatch makes of the log."""
        lines = [json.loads(line) for line in self.log.splitlines() if '"_aws"' in line]
        return {
            Metric.of(group["Namespace"], metric["Name"], {name: line[name] for name in names})
            for line in lines
            for group in line["_aws"]["CloudWatchMetrics"]
            for names in group["Dimensions"]
            for metric in group["Metrics"]
        }


@dataclass(frozen=True)
class Deployed:
    """A stack, and what a test does with it.

    Attributes:
        aws: The account.
        stack: The stack.
    """

    aws: EmbeddedAws
    stack: Stack

    def put_admin_key(self, text: str = ADMIN_KEY) -> None:
        """Fill the secret, as the output FillSecretCommand says."""
        secret = self.stack.functions["users"].environment["ADMIN_KEY_SECRET_ARN"]
        self.aws.client("secretsmanager").put_secret_value(SecretId=secret, SecretString=text)

    def run(self, asset: str) -> Invocation:
        """Do what the asset's schedule does: send its input, with the schedule's role.

        The schedule does not wait for the answer; this does.
        """
        schedule = self.stack.schedule(asset)
        event = schedule["Input"].replace("<aws.scheduler.scheduled-time>", NOW.isoformat())
        client = self.aws.client("lambda", schedule["RoleArn"])
        answer = client.invoke(FunctionName=schedule["Arn"], Payload=event, LogType="Tail")
        log = base64.b64decode(answer["LogResult"]).decode()
        return Invocation(json.load(answer["Payload"]), "FunctionError" in answer, log)

    def run_all(self) -> dict[str, Invocation]:
        """Run every asset once, two at a time."""
        with ThreadPoolExecutor(2) as threads:
            return dict(zip(ASSETS, threads.map(self.run, ASSETS), strict=True))

    def watched_metrics(self) -> set[Metric]:
        """Return the project's own metrics that the stack's alarms wait for."""
        alarms = [resource.properties for resource in self.stack.of("AWS::CloudWatch::Alarm")]
        parts = [part for alarm in alarms for part in alarm.get("Metrics", [])]
        stats = [part["MetricStat"]["Metric"] for part in parts if "MetricStat" in part]
        metrics = [*(alarm for alarm in alarms if "MetricName" in alarm), *stats]
        return {
            Metric.of(
                metric["Namespace"],
                metric["MetricName"],
                {dimension["Name"]: dimension["Value"] for dimension in metric["Dimensions"]},
            )
            for metric in metrics
            if not metric["Namespace"].startswith("AWS/")
        }

    @property
    def bucket(self) -> str:
        return self.stack.outputs["DataBucket"]

    def keys(self) -> set[str]:
        """Return the keys of all objects in the data bucket."""
        pages = self.aws.client("s3").get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        return {found["Key"] for page in pages for found in page.get("Contents", [])}

    def rows_of_runs(self, asset: str) -> list[dict[str, Any]]:
        """Return the asset's rows of sync_runs, in the order of their starts."""
        s3 = self.aws.client("s3")
        keys = [key for key in self.keys() if "asset=sync_runs/" in key]
        bodies = [s3.get_object(Bucket=self.bucket, Key=key)["Body"].read() for key in keys]
        rows = [row for body in bodies for row in pq.read_table(io.BytesIO(body)).to_pylist()]
        mine = [row for row in rows if row["asset"] == asset]
        return sorted(mine, key=lambda row: row["started_at"])

    def parameters(self) -> dict[str, str]:
        """Return the stack's SSM parameters, by the names below its prefix."""
        prefix = self.stack.outputs["StatePrefix"]
        pages = (
            self.aws.client("ssm")
            .get_paginator("get_parameters_by_path")
            .paginate(Path=prefix, Recursive=True)
        )
        found = [parameter for page in pages for parameter in page["Parameters"]]
        return {each["Name"].removeprefix(f"{prefix}/"): each["Value"] for each in found}

    def watermarks(self, name: str = "last_synced_date") -> dict[str, str]:
        """Return the last day, or another watermark, by asset."""
        ending = f"/{name}"
        return {
            parameter.removesuffix(ending): day
            for parameter, day in self.parameters().items()
            if parameter.endswith(ending)
        }


@pytest.fixture(scope="session")
def organization() -> Organization:
    return Organization.invent(today=TODAY, days=160, people=6, workspaces=4)


@pytest.fixture(scope="session")
def admin_api(organization: Organization) -> Iterator[AdminApiServer]:
    with AdminApiServer(organization, key=ADMIN_KEY) as server:
        yield server


@pytest.fixture(scope="session")
def aws(admin_api: AdminApiServer) -> Iterator[EmbeddedAws]:
    functions = {"ANTHROPIC_BASE_URL": admin_api.url}
    with EmbeddedAws(policies=True, functions=functions) as account:
        yield account


@pytest.fixture(scope="session")
def deployed(aws: EmbeddedAws) -> Deployed:
    """The stack with the settings that a first deployment has, and a key in its secret."""
    deployed = Deployed(aws, deploy(aws, "anthropic-lake", SETTINGS))
    deployed.put_admin_key()
    return deployed
