"""Runs of the real handler as Lambda would do them: its Python, its client, a share of a core."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from tests.aws.embedded import EmbeddedAws
from tests.aws.runtime import LambdaRuntime
from tests.benchmarks.cold_start import Deployed
from tests.benchmarks.measure import KEY, Api, WrongResult

MB_PER_CORE = 1769  # Lambda gives one whole core at this memory, and less in proportion
PERIOD = 20_000  # microseconds over which a share is measured out
GROUPS = Path("/sys/fs/cgroup")
BUCKET = "lake"
LAST_DAY = datetime.now(UTC).date()  # a snapshot of another day is refused
NOW = f"{LAST_DAY}T12:38:00Z"
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Invocation:
    """One invocation from a cold start.

    Attributes:
        billed: Seconds from the start of the process to the answer.
        cpu: Seconds of processor time of it.
        peak: Most memory held, in MB.
        run: The handler's answer.
        log: What it logged.
    """

    billed: float
    cpu: float
    peak: float
    run: Mapping[str, Any]
    log: str


class Account:
    """An AWS account with a lake in it, and functions that fill it from the simulated API."""

    def __init__(self, aws: EmbeddedAws, api: Api, lambda_: Deployed) -> None:
        self._lambda = lambda_
        aws.client("s3").create_bucket(Bucket=BUCKET)
        secret = aws.client("secretsmanager").create_secret(Name="key", SecretString=KEY)
        self._environment = {
            **api.environment(),
            **aws.environment,
            "DATA_BUCKET": BUCKET,
            "ADMIN_KEY_SECRET_ARN": secret["ARN"],
            "STATE_PREFIX": "/bench",
            "POWERTOOLS_SERVICE_NAME": "bench",
            "POWERTOOLS_METRICS_NAMESPACE": "AnthropicLake",
        }

    def invoke(self, asset: str, first_day: date, memory: int | None = None) -> Invocation:
        """Run an asset's function once, from a cold start.

        Args:
            asset: Which.
            first_day: Where its history starts; it ends around noon of LAST_DAY.
            memory: In MB; the process gets its share of a core. None: all of it.
        """
        with _share(memory, self._lambda.python) as interpreter:
            function = LambdaRuntime(
                "anthropic_lake.handler.handler",
                path=[self._lambda.code, self._lambda.layer.packages],
                interpreter=interpreter,
                client=self._lambda.client,
                memory=memory or MB_PER_CORE,
                environment={
                    **self._environment,
                    "ASSET": asset,
                    "HISTORY_START": first_day.isoformat(),
                },
            )
            with function:
                result = function.invoke({"scheduled_time": NOW}, timeout=300)
                if result.error or result.init_duration is None:
                    raise WrongResult(f"{asset}: {result.error}\n{result.log}")
                process = function._process
                assert process
                return Invocation(
                    result.init_duration + result.duration,
                    *_used(process.pid),
                    result.payload,
                    result.log,
                )


def _used(pid: int) -> tuple[float, float]:
    """Give the CPU seconds and the peak memory in MB of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return (int(fields[11]) + int(fields[12])) / TICKS, int(peak.split()[1]) / 1024


@contextlib.contextmanager
def _share(memory: int | None, python: Path) -> Iterator[Path]:
    """Give an interpreter that runs with Lambda's share of the processor, by a control group.

    Raises:
        WrongResult: This machine's control groups cannot be written.
    """
    if memory is None:
        yield python
        return
    quota = round(PERIOD * memory / MB_PER_CORE)
    old = (GROUPS / "cpu").is_dir()
    group = GROUPS / ("cpu" if old else "") / f"lake-bench-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        raise WrongResult(f"the memory sweep needs control groups: {error}") from error
    script = Path(tempfile.gettempdir()) / group.name
    script.write_text(
        f'#!/bin/sh\necho $$ > {group}/cgroup.procs\nexec {python} "$@"\n', encoding="utf-8"
    )
    script.chmod(0o700)
    try:
        if old:
            (group / "cpu.cfs_period_us").write_text(str(PERIOD), encoding="ascii")
            (group / "cpu.cfs_quota_us").write_text(str(quota), encoding="ascii")
        else:
            (group / "cpu.max").write_text(f"{quota} {PERIOD}", encoding="ascii")
        yield script
    finally:
        script.unlink()
        with contextlib.suppress(OSError):  # its last process may still be ending
            group.rmdir()
