"""Cold starts of the real handler, from the built layer, under Lambda's Python and client."""

from __future__ import annotations

import platform
import shutil
import statistics
import subprocess
import tempfile
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.layer.build import MB, PYTHON_VERSION, Architecture, Layer, build, find_python, uv
from tests.aws.runtime import LambdaRuntime, install_client
from tests.benchmarks.measure import ROOT, WrongResult
from tests.benchmarks.output import say, table

RUNS = 15
AIM = 1.25
THIS: Architecture = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"

# What either side does until its first client is ready; each is a handler of its own.
PROBES = {
    "the handler": "import anthropic_lake.handler\nfrom anthropic_lake import aws\n"
    'aws.client("s3")',
    "boto3 and pyarrow.parquet": 'import boto3\nimport pyarrow.parquet\nboto3.client("s3")',
    "nothing": "",
}
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "simulated",
    "AWS_SECRET_ACCESS_KEY": "simulated",
    "POWERTOOLS_SERVICE_NAME": "bench",
    "POWERTOOLS_METRICS_NAMESPACE": "AnthropicLake",
}


@dataclass(frozen=True)
class Deployed:
    """What Lambda would run, on this machine.

    Attributes:
        layer: The layer.
        code: The function's own code.
        python: Lambda's Python.
        client: Lambda's runtime client.
    """

    layer: Layer
    code: Path
    python: Path
    client: Path


def main(options: Namespace) -> None:
    """Measure cold starts in turn, with and without bytecode, and the sizes."""
    say("## Cold start\n")
    rows = []
    with deployed() as lambda_:
        _sizes(lambda_)
        found = _rounds(lambda_)
        rows.append(_row("with .pyc", found))
        _strip(lambda_.layer.packages)
        _strip(lambda_.code)
        rows.append(_row("without .pyc", _rounds(lambda_)))
    table(("bytecode", f"ratio ({AIM:g})", *(f"{name}, ms" for name in PROBES)), rows)


@contextmanager
def deployed() -> Iterator[Deployed]:
    """Build what is deployed, for this machine's processor.

    Raises:
        WrongResult: Lambda's Python is not here.
    """
    python = find_python()
    if python is None:
        raise WrongResult(f"there is no Python {PYTHON_VERSION} on this machine")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        layer = build(home / "layer", THIS, python)
        code = home / "code"
        shutil.copytree(
            ROOT / "functions" / "anthropic_lake",
            code / "anthropic_lake",
            ignore=shutil.ignore_patterns("__pycache__"),
        )
        for number, source in enumerate(PROBES.values()):
            text = f"{source}\n\n\ndef handler(event, context):\n    return None\n"
            (code / f"probe{number}.py").write_text(text, encoding="utf-8")
        command = [str(python), "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
        subprocess.run([*command, str(code)], check=True)
        yield Deployed(layer, code, python, install_client(home / "client", python, uv()))


def _rounds(lambda_: Deployed) -> list[list[float]]:
    """Start every probe in turn and give the milliseconds of each round."""
    return [
        [_cold(lambda_, f"probe{number}.handler") for number in range(len(PROBES))]
        for _ in range(RUNS + 1)
    ][1:]


def _cold(lambda_: Deployed, handler: str) -> float:
    """Give the milliseconds from the start of the process until it asks for an event."""
    with LambdaRuntime(
        handler,
        path=[lambda_.code, lambda_.layer.packages],
        interpreter=lambda_.python,
        client=lambda_.client,
        environment=ENVIRONMENT,
    ) as function:
        result = function.invoke({})
    if result.error or result.init_duration is None:
        raise WrongResult(f"{result.error}\n{result.log}")
    return result.init_duration * 1000


def _row(title: str, rounds: list[list[float]]) -> list[str]:
    """Give medians: of the ratios of the first two probes, and of each probe's milliseconds."""
    ratio = statistics.median(ours / theirs for ours, theirs, *_ in rounds)
    medians = (statistics.median(each) for each in zip(*rounds, strict=True))
    return [title, f"{ratio:.2f}", *(f"{median:.0f}" for median in medians)]


def _strip(folder: Path) -> None:
    """Take the bytecode away."""
    for cache in [*folder.rglob("__pycache__")]:
        shutil.rmtree(cache)


def _sizes(lambda_: Deployed) -> None:
    """Print how large the layer and the code are."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        layers: dict[Architecture, Layer] = {THIS: lambda_.layer}
        other: Architecture = "arm64" if THIS == "x86_64" else "x86_64"
        layers[other] = build(home / other, other, lambda_.python)
        code = Layer(home / "code")
        shutil.copytree(
            ROOT / "functions", code.packages, ignore=shutil.ignore_patterns("__pycache__")
        )
        rows = [
            [f"layer, {name}", _mb(layer.unpacked), _mb(layer.zip(home / f"{name}.zip"))]
            for name, layer in sorted(layers.items())
        ]
        rows.append(["functions", _mb(code.unpacked), _mb(code.zip(home / "code.zip"))])
    table(("package", "unpacked, MB", "zipped, MB"), rows)


def _mb(size: int) -> str:
    return f"{size / MB:.2f}"
