"""The stack in an embedded AWS, its lake as its functions wrote it, and a Trino that reads both."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from pyarrow import fs

from anthropic_lake.api.connection import Connection, Pace
from anthropic_lake.assets import ASSETS
from anthropic_lake.errors import ApiError
from anthropic_lake.lake.aws import S3Lake, SsmState
from anthropic_lake.lake.reading import StoredLake
from anthropic_lake.query.duckdb import query
from anthropic_lake.settings import read_settings
from anthropic_lake.sync.extractor import Extractor
from anthropic_lake.sync.ownership import Place
from anthropic_lake.sync.request import Interval, Request
from tests.athena.trino import Result, Trino, TrinoUnavailableError, find_java, install
from tests.aws.deployment import Stack, deploy
from tests.aws.embedded import EmbeddedAws
from tests.lakes import demo_organization, leave, load_demo_rules
from tests.simulator import AdminApiServer, Fault, Organization

ADMIN_KEY = "sk-ant-admin01-simulated"
NOW = datetime.now(UTC)  # nothing tells Trino another date than the real one
TODAY = NOW.date()
MORNINGS = tuple(
    datetime.combine(TODAY - timedelta(days=days), datetime.min.time(), UTC) + timedelta(hours=6)
    for days in (2, 1)
)
HISTORY_START = TODAY - timedelta(days=34)
QUIET = HISTORY_START + timedelta(days=2)
RESTATED = TODAY - timedelta(days=3)
BY_THE_HOUR = TODAY - timedelta(days=1)
FINAL = [HISTORY_START + timedelta(days=number) for number in range(33)]
"""The days that are over by any count."""

Listed = Callable[[], AbstractContextManager[Counter[str]]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.athena)
            item.add_marker(pytest.mark.timeout(900))  # the first one may fetch Trino


@dataclass
class Morning:
    """The simulated API's clock."""

    now: datetime = NOW


@dataclass(frozen=True)
class Answer:
    """The rows of both engines."""

    columns: list[str]
    rows: list[tuple[Any, ...]] = field(default_factory=list)


@dataclass(frozen=True)
class Deployed:
    """A stack and the Trino that stands for its Athena.

    Attributes:
        aws: The account.
        stack: The stack.
        trino: A Trino on the account.
    """

    aws: EmbeddedAws
    stack: Stack
    trino: Trino

    @property
    def bucket(self) -> str:
        return self.stack.outputs["DataBucket"]

    def ask(self, sql: str, *, microseconds: bool = False) -> Result:
        """Run a statement in the stack's database."""
        session = Trino.TIMESTAMP_MICROSECONDS if microseconds else None
        return self.trino.query(sql, schema=self.stack.outputs["DatabaseName"], session=session)

    def size(self, table: str, day: date) -> int:
        """Return the bytes of a day's object."""
        key = f"asset={table}/date={day}/{table}.parquet"
        head = self.aws.client("s3").head_object(Bucket=self.bucket, Key=key)
        return int(head["ContentLength"])


@pytest.fixture(scope="session")
def organization() -> Organization:
    """What the lake has to agree with."""
    organization = demo_organization(TODAY)
    organization.clear_day(QUIET)
    return organization


@pytest.fixture(scope="session")
def morning() -> Morning:
    return Morning()


@pytest.fixture(scope="session")
def admin_api(organization: Organization, morning: Morning) -> Iterator[AdminApiServer]:
    with AdminApiServer(organization, key=ADMIN_KEY, now=lambda: morning.now) as server:
        yield server


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("aws") / "requests.jsonl"


@pytest.fixture(scope="session")
def aws(admin_api: AdminApiServer, recording: Path) -> Iterator[EmbeddedAws]:
    """An account with policies, because the data bucket refuses those who come without TLS."""
    functions = {"ANTHROPIC_BASE_URL": admin_api.url}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOTO_RECORDER_FILEPATH", str(recording))
        with EmbeddedAws(policies=True, functions=functions) as account:
            yield account


@pytest.fixture(scope="session")
def trino(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Trino]:
    try:
        find_java()
        install()
    except TrinoUnavailableError as unavailable:
        if os.environ.get("CI") == "true":
            pytest.fail(str(unavailable))
        pytest.skip(str(unavailable))
    account: EmbeddedAws = request.getfixturevalue("aws")  # not where there is no Trino
    environment = account.environment
    with Trino(
        aws_endpoint=account.url,
        access_key=(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"]),
        directory=tmp_path_factory.mktemp("trino"),
        listed_once="anthropic_lake.*",
        zone=_zone_where_it_is_noon(),
    ) as server:
        yield server


def _zone_where_it_is_noon() -> str:
    """A zone whose date is UTC's, and stays so when these tests run over midnight."""
    return f"Etc/GMT{NOW.hour - 12:+d}"  # in these names, west is positive


@pytest.fixture(scope="session")
def deployed(
    trino: Trino,
    aws: EmbeddedAws,
    organization: Organization,
    admin_api: AdminApiServer,
    morning: Morning,
) -> Deployed:
    """The stack, its lake synced on three mornings, the last time by its functions, and rules."""
    settings = {"HistoryStart": str(HISTORY_START), "RequestsPerMinute": "1000"}
    stack = deploy(aws, "anthropic-lake", settings)
    secret = stack.functions["users"].environment["ADMIN_KEY_SECRET_ARN"]
    aws.client("secretsmanager").put_secret_value(SecretId=secret, SecretString=ADMIN_KEY)
    for morning.now in (*MORNINGS, NOW):
        run = _invoke if morning.now == NOW else partial(_sync_then, admin_api.url)
        failed = _run_all(run, stack, morning.now)
        assert failed == (["invites"] if morning.now == MORNINGS[1] else [])
        admin_api.clear()
        if morning.now == MORNINGS[0]:
            organization.restate(RESTATED)
            leave(organization)
            admin_api.faults.append(Fault(match="/invites", status=403))
    _sync_then(admin_api.url, stack, "usage_report", NOW, by_the_hour=BY_THE_HOUR)
    load_demo_rules(S3Lake(aws.client("s3"), stack.outputs["DataBucket"]))
    return Deployed(aws, stack, trino)


def _run_all(run: Callable[[Stack, str, datetime], bool], stack: Stack, at: datetime) -> list[str]:
    """Run every asset once, two at a time, and say which failed."""
    with ThreadPoolExecutor(2) as threads:
        worked = threads.map(lambda asset: run(stack, asset, at), ASSETS)
        return [asset for asset, one in zip(ASSETS, worked, strict=True) if not one]


def _invoke(stack: Stack, asset: str, scheduled: datetime) -> bool:
    """Invoke the asset's function, and return whether it worked."""
    answer = stack.aws.client("lambda").invoke(
        FunctionName=stack.functions[asset].name,
        Payload=json.dumps({"scheduled_time": scheduled.isoformat()}),
    )
    return "FunctionError" not in answer


def _sync_then(
    api_url: str, stack: Stack, name: str, then: datetime, *, by_the_hour: date | None = None
) -> bool:
    """Do what the asset's function did at a time that is too long past for a snapshot now.

    Args:
        api_url: Address of the Admin API.
        stack: The stack.
        name: Name of the asset.
        then: The time.
        by_the_hour: A day that is read by the hour, and no other.
    """
    environment = {**stack.functions[name].environment, "ANTHROPIC_BASE_URL": api_url}
    if by_the_hour:
        environment["USAGE_BUCKET_WIDTH"] = "1h"
    settings = read_settings(environment)
    s3, ssm = stack.aws.client("s3"), stack.aws.client("ssm")
    place = Place(
        f"s3://{settings.data_bucket}",
        S3Lake(s3, settings.data_bucket, settings.data_prefix),
        lambda prefix: SsmState(ssm, prefix or ""),
        default_prefix=settings.state_prefix,
        chosen_prefix=settings.state_prefix,
    )
    connection = Connection(lambda: ADMIN_KEY, Pace(10**9), settings.base_url)
    connection.http.trust_env = False  # no proxy
    extractor = Extractor(settings, connection, place, clock=lambda: then)
    request = Request("schedule", then)
    if by_the_hour:
        interval = Interval(by_the_hour, by_the_hour + timedelta(days=1))
        request = Request("interval", then, interval)
    asset = settings.asset(name)
    try:
        extractor.run(asset, request, extractor.new_run(asset, request))
    except ApiError:
        return False
    return True


@pytest.fixture(scope="session")
def aged(trino: Trino, aws: EmbeddedAws) -> Deployed:
    """A stack whose tables reach back two years; its lake is empty, and a test's to fill."""
    start = TODAY - timedelta(days=730)
    return Deployed(aws, deploy(aws, "aged", {"HistoryStart": str(start)}), trino)


@pytest.fixture(scope="session")
def lake(deployed: Deployed, tmp_path_factory: pytest.TempPathFactory) -> StoredLake:
    """The same objects, for DuckDB."""
    folder = tmp_path_factory.mktemp("lake")
    s3 = deployed.aws.client("s3")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=deployed.bucket):
        for found in page["Contents"]:
            path = folder / found["Key"]
            path.parent.mkdir(parents=True, exist_ok=True)
            s3.download_file(deployed.bucket, found["Key"], str(path))
    return StoredLake(fs.LocalFileSystem(), folder.as_posix(), str(folder))


def in_duckdb(sql: str, lake: StoredLake) -> Answer:
    """What the command line's DuckDB answers."""
    with query(sql, lake, today=TODAY) as reader:
        table = reader.read_all()
    columns = [column.to_pylist() for column in table.columns]
    return Answer(table.column_names, list(zip(*columns, strict=True)))


@pytest.fixture
def listed(aws: EmbeddedAws, recording: Path) -> Listed:
    """Counts the requests that list objects, by prefix; moto's server writes down what it gets."""
    session = requests.Session()
    session.trust_env = False  # no proxy

    @contextmanager
    def count() -> Iterator[Counter[str]]:
        counted: Counter[str] = Counter()
        for step in ("reset", "start"):
            session.post(f"{aws.url}/moto-api/recorder/{step}-recording").raise_for_status()
        yield counted
        session.post(f"{aws.url}/moto-api/recorder/stop-recording").raise_for_status()
        for line in recording.read_text().splitlines():
            asked = parse_qs(urlsplit(json.loads(line)["url"]).query)
            if "list-type" in asked:
                counted[asked["prefix"][0]] += 1

    return count
