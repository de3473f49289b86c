"""The layer is complete, small and reproducible, and runs under Lambda's Python."""

from __future__ import annotations

import fcntl
import inspect
import json
import platform
import re
import tempfile
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from infra.layer.build import LOCK, MAX_UNPACKED, PYTHON_VERSION, Layer, build, find_python, uv
from infra.layer.prune import UNNEEDED
from tests.aws.embedded import EmbeddedAws
from tests.aws.runtime import LambdaRuntime, install_client
from tests.simulator import AdminApiServer, Organization

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.layer.build import Architecture

    Shared: TypeAlias = Callable[[str, Callable[[Path], object]], Path]

FUNCTIONS = Path(__file__).parents[2] / "functions"
PYTHON = find_python()
KEY = "sk-ant-admin01-simulated"

TAG = f"cpython-{PYTHON_VERSION.replace('.', '')}"

needs_python = pytest.mark.skipif(
    not PYTHON, reason=f"needs Python {PYTHON_VERSION}, which is not on this machine"
)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Shared:
    """Make a folder once for all the test runner's processes."""
    base = tmp_path_factory.getbasetemp()
    base = base if worker_id == "master" else base.parent

    def make(name: str, fill: Callable[[Path], object]) -> Path:
        folder = base / name
        with (base / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                with tempfile.TemporaryDirectory(dir=base) as unfinished:
                    fill(Path(unfinished) / name)
                    (Path(unfinished) / name).rename(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def layers(shared: Shared) -> Callable[[Architecture], Layer]:
    """The layer for an architecture, built once."""

    def layer(architecture: Architecture) -> Layer:
        return Layer(shared(architecture, lambda root: build(root, architecture, PYTHON)))

    return layer


@pytest.fixture(scope="session")
def deployed(layers: Callable[[Architecture], Layer]) -> Layer:
    """The layer that `sam build` makes."""
    return layers("arm64")


@pytest.fixture(scope="session")
def local(layers: Callable[[Architecture], Layer]) -> Layer:
    """The same layer for this machine."""
    return layers("arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64")


def probe(_event: object, _context: object) -> dict[str, Any]:
    """Use what the functions use of each package; the source runs as a handler of its own."""
    import datetime as dt
    import decimal
    import io
    import sys

    import boto3
    import msgspec
    import pyarrow as pa
    import pyarrow.parquet as pq
    import requests
    from aws_lambda_powertools import Logger, Metrics

    metrics = Metrics(namespace="probe", service="probe")
    metrics.add_metric(name="Rows", unit="Count", value=1)
    metrics.flush_metrics()
    Logger(service="probe").info("the probe runs")
    clients = [boto3.client(name) for name in ("s3", "lambda", "secretsmanager", "ssm", "sts")]
    row = {
        "starting_at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        "amount_cents": decimal.Decimal("12345678901234567890123456.123456789012"),
    }
    schema = pa.schema(
        {"starting_at": pa.timestamp("us", "UTC"), "amount_cents": pa.decimal128(38, 12)}
    )
    written = pa.Table.from_pylist([row], schema=schema)
    file = io.BytesIO()
    pq.write_table(written, file, compression="zstd")
    read = pq.read_table(io.BytesIO(file.getvalue()))
    return {
        "same": read.equals(written) and read.to_pylist() == [row],
        "compression": pq.ParquetFile(file).metadata.row_group(0).column(0).compression,
        "services": [client.meta.service_model.service_name for client in clients],
        "endpoint": clients[0].meta.endpoint_url,
        "parsed": msgspec.json.decode(b'{"a": [1]}'),
        "session": type(requests.Session()).__name__,
        "paths": sorted({str(module.__path__[0]) for module in (pa, boto3, requests, msgspec)}),
        "python": sys.implementation.cache_tag,
    }


@needs_python
def test_a_handler_runs_from_the_layer_and_the_functions_folder_alone(
    local: Layer, shared: Shared, tmp_path: Path
) -> None:
    assert PYTHON
    interpreter = PYTHON
    client = shared("client", lambda target: install_client(target, interpreter, uv()))
    source = (
        f"from __future__ import annotations\nfrom typing import Any\n{inspect.getsource(probe)}"
    )
    (tmp_path / "probe.py").write_text(source, encoding="utf-8")
    with LambdaRuntime(
        "probe.probe",
        path=[tmp_path, FUNCTIONS, local.packages],
        interpreter=interpreter,
        client=client,
        region="eu-central-1",
        environment={"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"},
    ) as function:
        cold, warm = function.invoke({}), function.invoke({})
    assert cold.error is None, cold.log
    assert cold.payload == warm.payload
    assert cold.payload == {
        "same": True,
        "compression": "ZSTD",
        "services": ["s3", "lambda", "secretsmanager", "ssm", "sts"],
        "endpoint": "https://s3.eu-central-1.amazonaws.com",
        "parsed": {"a": [1]},
        "session": "Session",
        "paths": sorted(
            str(local.packages / name) for name in ("boto3", "msgspec", "pyarrow", "requests")
        ),
        "python": TAG,
    }
    assert cold.init_duration is not None
    assert warm.init_duration is None
    lines = [json.loads(line) for line in warm.log.splitlines()]
    assert [line.get("message") for line in lines] == [None, "the probe runs"]


@needs_python
@pytest.mark.parametrize("asset", ["usage_report", "claude_code_usage"])
def test_the_handler_syncs_an_asset_from_the_layer_and_the_functions_folder_alone(
    local: Layer, shared: Shared, asset: str
) -> None:
    assert PYTHON
    interpreter = PYTHON
    client = shared("client", lambda target: install_client(target, interpreter, uv()))
    organization = Organization.invent(seed=7, today=date(2026, 11, 22), days=3)
    with EmbeddedAws() as aws, AdminApiServer(organization, key=KEY) as api:
        aws.client("s3").create_bucket(Bucket="lake")
        secret = aws.client("secretsmanager").create_secret(Name="key", SecretString=KEY)
        environment = {
            **aws.environment,
            "ADMIN_KEY_SECRET_ARN": secret["ARN"],
            "ANTHROPIC_BASE_URL": api.url,
            "ASSET": asset,
            "DATA_BUCKET": "lake",
            "HISTORY_START": "2026-11-20",
        }
        with LambdaRuntime(
            "anthropic_lake.handler.handler",
            path=[FUNCTIONS, local.packages],
            interpreter=interpreter,
            client=client,
            environment=environment,
        ) as function:
            run = function.call({"scheduled_time": "2026-11-22T12:00:00Z"}, remaining=900)
        objects = aws.client("s3").list_objects_v2(Bucket="lake", Prefix=f"asset={asset}/")
    assert run["status"] == "succeeded"
    assert run["rows"] > 0
    assert [entry["Key"].split("/")[1] for entry in objects["Contents"]] == [
        "date=2026-11-20",
        "date=2026-11-21",
        "date=2026-11-22",
    ]


def test_the_layer_is_under_its_limit(deployed: Layer) -> None:
    assert deployed.unpacked < MAX_UNPACKED


def test_two_builds_give_the_same_bytes(deployed: Layer, tmp_path: Path) -> None:
    again = build(tmp_path / "elsewhere", "arm64", PYTHON)
    assert again.zip(tmp_path / "again.zip") == deployed.zip(tmp_path / "first.zip")
    assert (tmp_path / "again.zip").read_bytes() == (tmp_path / "first.zip").read_bytes()
    paths = [path.relative_to(again.root) for path in again.files]
    assert paths == [path.relative_to(deployed.root) for path in deployed.files]
    for path in paths:
        one, other = again.root / path, deployed.root / path
        assert (one.stat().st_mode, one.stat().st_mtime) == (0o100644, other.stat().st_mtime)
        assert str(tmp_path).encode() not in one.read_bytes(), path


def test_the_deployed_layer_has_the_files_of_the_one_that_was_run(
    deployed: Layer, local: Layer
) -> None:
    def names(layer: Layer) -> set[str]:
        machine = re.compile(r"x86_64|aarch64")
        return {machine.sub("", str(path.relative_to(layer.root))) for path in layer.files}

    assert names(deployed) == names(local)


def test_every_locked_package_is_there_with_its_licence(deployed: Layer) -> None:
    locked = re.findall(r"^([a-z0-9-]+)==(\S+)", LOCK.read_text(encoding="utf-8"), re.MULTILINE)
    expected = {f"{name.replace('-', '_')}-{version}.dist-info" for name, version in locked}
    folders = {path.name: path for path in deployed.packages.glob("*.dist-info")}
    assert set(folders) == expected
    for folder in folders.values():
        assert any(re.match("LICEN[CS]E", path.name) for path in folder.rglob("*")), folder


@needs_python
def test_every_module_has_bytecode_that_lambda_does_not_doubt(deployed: Layer) -> None:
    for path in deployed.packages.rglob("*.py"):
        bytecode = path.parent / "__pycache__" / f"{path.stem}.{TAG}.pyc"
        flags = int.from_bytes(bytecode.read_bytes()[4:8], "little")
        assert flags == 0b01, path  # by hash, not checked against the source


def test_nothing_unneeded_is_left(deployed: Layer) -> None:
    assert not [path for unneeded in UNNEEDED for path in unneeded.files(deployed.packages)]
