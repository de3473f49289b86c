"""What the fault plans and the fuzzers found, each as the smallest test that shows it."""

from __future__ import annotations

import json
from datetime import date
from typing import Any, cast

import pytest
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from anthropic_lake.api.credential import Credential
from anthropic_lake.assets import ASSETS
from anthropic_lake.errors import (
    ApiUnavailable,
    ContractBroken,
    SecretError,
    StorageError,
    TooLarge,
    aws_failure,
)
from anthropic_lake.extract.extraction import Extraction
from anthropic_lake.lake.aws import S3Lake
from anthropic_lake.rows import day as rows_day
from anthropic_lake.rows.day import Day, days
from tests.unit.fakes import Asked, Reply, refusal, talk
from tests.unit.feeding import feed, samples

DAY = date(2026, 11, 20)


@pytest.mark.parametrize("body", [b"", b"{},{}", b" ", b"1,2"])
def test_an_error_whose_body_is_no_single_value_is_tried_again(body: bytes) -> None:
    """Plan "500 without a body": the envelope was unpacked by a bare ValueError."""
    api = talk(lambda _asked: Reply(body, 500)).api
    with pytest.raises(ApiUnavailable):
        api.get("/v1/organizations/me")
    assert api.retries > 0


def test_a_secret_of_two_objects_is_refused_by_name() -> None:
    with pytest.raises(SecretError):
        Credential('{"api_key":"sk-ant-admin01-a"},{"api_key":"sk-ant-admin01-b"}')


@pytest.mark.parametrize(
    "lost",
    [
        ConnectionClosedError(endpoint_url="https://aws.invalid"),
        ReadTimeoutError(endpoint_url="https://aws.invalid"),
    ],
)
def test_a_connection_to_aws_that_is_lost_is_a_named_error(lost: Exception) -> None:
    """Plans 35 and 76: boto3's error holds a response that is null."""

    class Client:
        def head_object(self, **_of: str) -> Any:
            raise lost

    assert isinstance(aws_failure(lost, "cannot"), StorageError)
    with pytest.raises(StorageError):
        S3Lake(cast("Any", Client()), "bucket").head("key")


def test_a_workspace_that_vanishes_between_two_pages_leaves_none_of_its_members() -> None:
    """Plan 176: the members of the first page were kept."""
    asset = ASSETS["workspace_members"]
    member = {"type": "workspace_member", "user_id": "user_1", "workspace_id": "wrkspc_1"}

    def answer(asked: Asked) -> Reply:
        if "after_id" in asked.query:
            return refusal(404)
        if asked.path.endswith("/members"):
            return Reply({"data": [member], "has_more": True, "last_id": "user_1"})
        return Reply({"data": [{"id": "wrkspc_1"}], "has_more": False, "last_id": "wrkspc_1"})

    api = talk(answer, asset=asset.name).api
    *_, day = days(asset, Extraction(asset, api).snapshot(DAY))
    assert isinstance(day, Day)
    assert day.take_rows(asset.tables[0]).num_rows == 0
    assert len(day.warnings) == 1


@pytest.mark.parametrize("value", [[1], {"a": 1}, 7, True, 1.5])
def test_a_date_that_is_no_text_is_refused_by_name(value: object) -> None:
    """Plan 17: a list was looked up in a cache."""
    page = samples()["claude_code_usage"]
    page["data"][0]["date"] = value
    found = feed(ASSETS["claude_code_usage"], json.dumps(page).encode())
    assert isinstance(found, ContractBroken)
    assert found.field == "date"


def test_a_day_that_does_not_fit_into_memory_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A day of 2,000,000 rows took 2.5 GB."""
    monkeypatch.setattr(rows_day, "MAX_DAY_BYTES", 1000)
    page = samples()["users"]
    page["data"] = [{**page["data"][0], "id": f"user_{n}", "name": "n" * 99} for n in range(50)]
    found = feed(ASSETS["users"], json.dumps(page).encode())
    assert isinstance(found, TooLarge)
    assert "group by fewer" in str(found)
