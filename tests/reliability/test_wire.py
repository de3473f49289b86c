"""The real handler and the real boto3, its retries too, through a bad wire to the embedded AWS.

A subset: what test_plans.py plays by thousands in memory is tried here against moto over HTTP,
in Lambda's own runtime client, with processes that are really killed.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.aws.embedded import EmbeddedAws
from tests.aws.runtime import LambdaRuntime, Result
from tests.reliability.test_local_files import ROOT
from tests.reliability.wire import AwsProxy, WireFault
from tests.simulator import AdminApiServer, Organization

KEY = "sk-ant-admin01-simulated"
BUCKET = "lake"
_TODAY = datetime.now(UTC).date()
_FEWEST_CALLS = 10
_FAULTS = [
    WireFault("PUT", 1, "500"),
    WireFault("PUT", 2, "slow down"),
    WireFault("PUT", 2, "reset", after=True),
    WireFault("PUT", 2, "500", after=True),
    WireFault("HEAD", 1, "500"),
    WireFault("HEAD", 2, "reset"),
    WireFault("GetSecretValue", 1, "throttled"),
    WireFault("GetSecretValue", 1, "reset"),
    WireFault("GetParameter", 1, "throttled"),
    WireFault("PutParameter", 1, "reset", after=True),
    WireFault("PutParameter", 1, "throttled", after=True),
]


@dataclass
class Stack:
    """One function, its AWS and the API."""

    aws: EmbeddedAws
    proxy: AwsProxy
    api: AdminApiServer
    function: LambdaRuntime

    def invoke(self) -> Result:
        result = self.function.invoke({}, timeout=60, remaining=600)
        for needle in (KEY, "@example.com"):
            assert needle not in result.log
            assert needle not in json.dumps(result.payload)
            assert needle not in str(result.error)
        return result

    def rows(self, table: str) -> list[Any]:
        """All rows of a table; every object is a whole file."""
        s3 = self.aws.client("s3")
        listed = s3.list_objects_v2(Bucket=BUCKET, Prefix=f"asset={table}/").get("Contents", [])
        bodies = [s3.get_object(Bucket=BUCKET, Key=o["Key"])["Body"].read() for o in listed]
        return [row for b in bodies for row in pq.read_table(io.BytesIO(b)).to_pylist()]

    def watermark(self) -> str:
        name = "/stack/users/last_synced_date"
        return str(self.aws.client("ssm").get_parameter(Name=name)["Parameter"]["Value"])

    def check_exact(self) -> None:
        found = [(row["id"], row["email"]) for row in self.rows("users")]
        users = self.api.organization.users
        assert sorted(found) == sorted((user["id"], user["email"]) for user in users)
        assert self.watermark() in (str(_TODAY), str(_TODAY + timedelta(days=1)))


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws() as account:
        yield account


@pytest.fixture
def stack(shared: Stack) -> Stack:
    """An empty account; the function stays warm."""
    shared.aws.reset()
    shared.aws.client("s3").create_bucket(Bucket=BUCKET)
    shared.aws.client("secretsmanager").create_secret(Name="key", SecretString=KEY)
    shared.proxy.calls.clear()
    return shared


@pytest.fixture(scope="module")
def shared(aws: EmbeddedAws) -> Iterator[Stack]:
    organization = Organization.invent(days=1, people=3)
    with AdminApiServer(organization, key=KEY) as api, AwsProxy(aws.url) as proxy:
        environment = {
            **aws.environment,
            "AWS_ENDPOINT_URL": proxy.address,
            "ANTHROPIC_BASE_URL": api.url,
            "ASSET": "users",
            "DATA_BUCKET": BUCKET,
            "ADMIN_KEY_SECRET_ARN": "key",
            "STATE_PREFIX": "/stack",
        }
        handler, code = "anthropic_lake.handler.handler", ROOT / "functions"
        with LambdaRuntime(handler, path=[code], environment=environment) as function:
            proxy.kill = lambda: function._process.kill() if function._process else None
            yield Stack(aws, proxy, api, function)


@pytest.mark.parametrize("fault", _FAULTS, ids=str)
def test_boto3_tries_again_and_nothing_is_lost(stack: Stack, fault: WireFault) -> None:
    if fault.call == "GetSecretValue":
        stack.function._stop()  # a warm one has read it
    stack.proxy.faults = [fault]
    result = stack.invoke()
    assert result.error is None, result.error
    stack.check_exact()
    (row,) = stack.rows("sync_runs")
    assert row["status"] == "succeeded"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_function_that_is_killed_at_any_call_loses_nothing(stack: Stack) -> None:
    def forget_the_day() -> None:
        stack.aws.client("ssm").delete_parameter(Name="/stack/users/last_synced_date")
        stack.aws.client("s3").delete_object(
            Bucket=BUCKET, Key=f"asset=users/date={_TODAY}/users.parquet"
        )
        stack.function._stop()  # so that the secret is read again
        stack.proxy.calls.clear()

    stack.invoke()
    for number in count(1):
        forget_the_day()
        stack.proxy.faults = [WireFault("any", number, "kill", after=number % 2 == 0)]
        killed = stack.invoke()
        if killed.error is None:  # it has fewer calls than that
            break
        assert "killed" in killed.error.message.lower()
        stack.proxy.faults = []
        assert stack.invoke().error is None
        stack.check_exact()
    assert number > _FEWEST_CALLS
