"""The backfill as deployed: its state machine runs the functions, and failures are named."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from tests.deployment.conftest import TODAY, Deployed
from tests.simulator import AdminApiServer, Fault, Request

ASSETS = ["usage_report", "cost_report"]


def month_before(first: date) -> date:
    return (first - timedelta(days=1)).replace(day=1)


END = month_before(TODAY.replace(day=1))  # far from the days that schedules read
THIRD = month_before(END)
SECOND = month_before(THIRD)
FIRST = month_before(SECOND)
INTERVAL = {"interval_start": str(FIRST), "interval_end": str(END)}


@pytest.fixture
def admin_api_faults(admin_api: AdminApiServer) -> Iterator[list[Fault]]:
    yield admin_api.faults
    admin_api.clear()


def asks_for(asset: str, month: date) -> Any:
    """Match the requests for a month of a report."""

    def matches(request: Request) -> bool:
        [starting_at] = request.query.get("starting_at", [""])
        return f"/{asset}" in request.path and starting_at.startswith(f"{month:%Y-%m}")

    return matches


def execute(deployed: Deployed, request: object) -> dict[str, Any]:
    """Start the backfill and wait for its end."""
    client = deployed.aws.client("stepfunctions")
    execution = client.start_execution(
        stateMachineArn=deployed.stack.outputs["BackfillArn"],
        name=uuid.uuid4().hex,  # AWS makes one up; moto does not
        input=json.dumps(request),
    )["executionArn"]
    while True:
        described: dict[str, Any] = client.describe_execution(executionArn=execution)
        if described["status"] != "RUNNING":
            return described
        time.sleep(0.1)


def days(start: date, end: date) -> set[date]:
    return {start + timedelta(days=number) for number in range((end - start).days)}


def days_in(deployed: Deployed, asset: str) -> set[date]:
    """The days of the interval that the lake holds of a report."""
    keys = [key.split("/") for key in deployed.keys()]  # noqa: SIM118
    found = {date.fromisoformat(key[1][5:]) for key in keys if key[0] == f"asset={asset}"}
    return days(FIRST, END) & found


def test_three_months_of_two_assets(
    deployed: Deployed, admin_api_faults: list[Fault], admin_api: AdminApiServer
) -> None:
    unsteady = Fault(
        asks_for("cost_report", SECOND),
        times=2,
        kind="replace",
        replace=lambda page: {"page": page},
    )
    hopeless = Fault(asks_for("usage_report", THIRD), times=None, status=403)
    admin_api_faults += [unsteady, hopeless]
    watermarks = deployed.watermarks()

    execution = execute(deployed, {"assets": ASSETS, **INTERVAL})

    assert execution["status"] == "FAILED"
    assert execution["error"] == "ItemsFailed"
    failed = {"interval_start": str(THIRD), "interval_end": str(END)}
    [item] = json.loads(execution["cause"])["items"]
    assert item.items() >= {"asset": "usage_report", "error": "MissingPermission", **failed}.items()
    assert unsteady.seen == 3  # two that failed and the one that did not
    assert hopeless.seen == 1  # a missing permission is not tried again
    assert days_in(deployed, "cost_report") == days(FIRST, END)
    assert days_in(deployed, "usage_report") == days(FIRST, THIRD)

    admin_api.clear()
    again = execute(deployed, json.loads(execution["cause"]))

    assert again["status"] == "SUCCEEDED"
    assert all("/usage_report" in request.path for request in admin_api.requests)
    assert days_in(deployed, "usage_report") == days(FIRST, END)
    assert deployed.watermarks() == watermarks


def test_an_interval_of_a_snapshot_is_refused(deployed: Deployed) -> None:
    execution = execute(deployed, {"assets": ["users"], **INTERVAL})
    assert execution["status"] == "FAILED"
    assert "users" in execution["cause"]


THREE_DAYS = {"interval_start": str(END), "interval_end": str(END + timedelta(days=3))}


class Configured:
    """A function with another configuration for a while.

    Args:
        deployed: The stack.
        name: The function's name.
    """

    def __init__(self, deployed: Deployed, name: str) -> None:
        self._client, self._name = deployed.aws.client("lambda"), name
        found = self._client.get_function_configuration(FunctionName=name)
        self._before = {key: found[key] for key in ("Handler", "Timeout")}

    def set(self, **configuration: Any) -> None:
        self._client.update_function_configuration(FunctionName=self._name, **configuration)

    def __enter__(self) -> Configured:
        return self

    def __exit__(self, *_: object) -> None:
        self.set(**self._before)


def test_a_month_that_takes_longer_than_a_function_may_run(
    deployed: Deployed, admin_api: AdminApiServer
) -> None:
    admin_api.clear()
    with Configured(deployed, deployed.stack.functions["cost_report"].name) as cost:
        cost.set(Timeout=50)
        execution = execute(deployed, {"assets": ["cost_report"], **THREE_DAYS})
    assert execution["status"] == "SUCCEEDED"
    starts = [request.query["starting_at"][0][:10] for request in admin_api.requests]
    assert starts == [str(END + timedelta(days=number)) for number in range(3)]


def test_a_rest_that_cannot_be_found_fails_its_item_alone(
    deployed: Deployed, admin_api_faults: list[Fault], admin_api: AdminApiServer
) -> None:
    items = Configured(deployed, deployed.stack.names()["BackfillItemsFunction"])
    cost = Configured(deployed, deployed.stack.functions["cost_report"].name)

    def broken_meanwhile(page: Any) -> Any:
        items.set(Handler="anthropic_lake.absent.handler")
        return page

    admin_api_faults.append(
        Fault(asks_for("cost_report", END), kind="replace", replace=broken_meanwhile)
    )
    with items, cost:
        cost.set(Timeout=50)
        execution = execute(deployed, {"assets": ASSETS, **THREE_DAYS})
    assert execution["error"] == "ItemsFailed"
    [item] = json.loads(execution["cause"])["items"]
    assert item.items() >= {"asset": "cost_report", **THREE_DAYS}.items()

    admin_api.clear()
    again = execute(deployed, json.loads(execution["cause"]))
    assert again["status"] == "SUCCEEDED"
    assert {request.path for request in admin_api.requests} == {"/v1/organizations/cost_report"}


def test_an_item_that_ends_without_a_word_is_missed(deployed: Deployed) -> None:
    with Configured(deployed, deployed.stack.functions["usage_report"].name) as usage:
        usage.set(Handler="operator.contains")  # answers, but with no summary of a run
        execution = execute(deployed, {"assets": ASSETS, **THREE_DAYS})
    assert execution["error"] == "ItemsLost"
    items = json.loads(execution["cause"])["items"]
    assert items == [{"asset": asset, **THREE_DAYS} for asset in ASSETS]

    again = execute(deployed, json.loads(execution["cause"]))
    assert again["status"] == "SUCCEEDED"
    report = json.loads(again["output"])
    assert [item["asset"] for item in report["succeeded"]] == ASSETS
    assert report["failed"] == {"items": []}
