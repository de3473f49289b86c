"""Running programs one beside the other, and what they cost."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from infra.layer.build import uv

ROOT = Path(__file__).parents[2]
KEY = "sk-ant-admin01-simulated"
LAST_DAY = date(2026, 3, 31)
PAIRS = 5


class WrongResult(Exception):
    """What was measured is not what it should be."""


@dataclass(frozen=True)
class Cost:
    """What a process cost, with all that it started.

    Attributes:
        wall: Seconds from its start to its end.
        cpu: Seconds of processor time.
        peak: Most memory that it held at once, in MiB.
    """

    wall: float
    cpu: float
    peak: float


def run(command: Sequence[str], environment: Mapping[str, str]) -> Cost:
    """Run a program to its end and say what it cost.

    A new process inherits the peak memory of the one that started it, so whoever calls this
    imports nothing large.

    Raises:
        WrongResult: It failed; with what it printed.
    """
    with tempfile.TemporaryFile() as output:
        started = time.monotonic()
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            raise WrongResult(f"{' '.join(command)}\n{output.read().decode(errors='replace')}")
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def ask(*module: str, seconds: float | None = None) -> object:
    """Run one of our modules and read the JSON that it prints.

    Raises:
        WrongResult: It failed; with what it printed.
        TimeoutExpired: It took longer than so many seconds.
    """
    command = [sys.executable, "-m", *module]
    done = subprocess.run(
        command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=seconds
    )
    if done.returncode:
        raise WrongResult(done.stderr)
    return json.loads(done.stdout)


Pair = tuple[Cost, Cost]


def interleaved(
    one: Callable[[], Cost], other: Callable[[], Cost], pairs: int = PAIRS
) -> list[Pair]:
    """Run two programs in turn, each as often as the other first."""
    found = []
    for number in range(pairs):
        if number % 2:
            second, first = other(), one()
        else:
            first, second = one(), other()
        found.append((first, second))
    return found


@dataclass(frozen=True)
class Compared:
    """Medians of one figure over pairs."""

    one: float
    other: float
    ratio: float


def compare(pairs: Sequence[Pair], figure: str) -> Compared:
    """Give the median of a figure for either side, and the median of the pairs' ratios."""
    values = [(getattr(one, figure), getattr(other, figure)) for one, other in pairs]
    return Compared(
        statistics.median(one for one, _ in values),
        statistics.median(other for _, other in values),
        statistics.median(one / other for one, other in values),
    )


@dataclass(frozen=True)
class Api:
    """The simulated API behind its proxy."""

    proxy: str
    certificate: Path

    def environment(self, **more: str) -> dict[str, str]:
        """Everything that a client needs, and nothing of ours."""
        return {
            "HOME": str(self.certificate.parent),
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "HTTPS_PROXY": self.proxy,
            "SSL_CERT_FILE": str(self.certificate),
            "REQUESTS_CA_BUNDLE": str(self.certificate),
            "ANTHROPIC_ADMIN_KEY": KEY,
            "REQUESTS_PER_MINUTE": "1000000",
            **more,
        }


@contextlib.contextmanager
def serving(
    *, days: int, groups: int, people: int, last_day: date = LAST_DAY, latency_ms: float = 0
) -> Iterator[Api]:
    """Serve an invented organization from a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        certificate = Path(folder) / "certificate.pem"
        command = [sys.executable, "-m", "tests.benchmarks.server"]
        command += ["--certificate", str(certificate), "--today", last_day.isoformat()]
        command += ["--days", str(days), "--groups", str(groups), "--people", str(people)]
        command += ["--latency-ms", str(latency_ms)]
        server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        try:
            assert server.stdout
            port = json.loads(server.stdout.readline())["port"]
            yield Api(f"http://127.0.0.1:{port}", certificate)
        finally:
            server.kill()
            server.wait()


@contextlib.contextmanager
def environment(*packages: str) -> Iterator[Path]:
    """Install packages into an environment that is thrown away, and give its programs."""
    with tempfile.TemporaryDirectory() as folder:
        program, home = str(uv()), Path(folder)
        command = [program, "--quiet", "venv", "--python", sys.executable, folder]
        subprocess.run(command, check=True)
        command = [program, "--quiet", "pip", "install", "--compile-bytecode"]
        command += ["--python", str(home / "bin" / "python"), *packages]
        subprocess.run(command, check=True)
        yield home / "bin"


def own_environment() -> contextlib.AbstractContextManager[Path]:
    """Install what the command line needs, as its users have it, without what tests it."""
    return environment("--require-hashes", "-r", str(ROOT / "requirements" / "cli.txt"))


def ours(
    api: Api,
    lake: Path,
    assets: Sequence[str],
    start: date,
    end: date | None,
    *,
    python: str = sys.executable,
    **more: str,
) -> Cost:
    """Sync assets with the command line into a folder: an interval, or all until today."""
    command = [python, "-m", "anthropic_lake.cli", "sync", *assets]
    command += ["--lake", str(lake), "--json"]
    if end:
        command += ["--interval-start", start.isoformat(), "--interval-end", end.isoformat()]
    else:
        command += ["--history-start", start.isoformat()]
    return run(command, api.environment(PYTHONPATH=str(ROOT / "functions"), **more))


def machine() -> str:
    """Say on what is measured."""
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores ({model}), {memory:.0f} GiB, {platform.system()} "
        f"{platform.release()}, Python {platform.python_version()}"
    )
