"""A Trino server of one's own: Athena engine v3 is Trino, so this is what the tests query with.

It reads the Glue catalog and the S3 objects of an emulated AWS, over HTTP, as Athena reads the
real ones. Run as a program (`python -m tests.athena.trino`) it only fetches the server.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests
from trino.dbapi import connect
from trino.exceptions import TrinoQueryError

VERSION = "476"
MINIMUM_JAVA = 24
CATALOG = "awsdatacatalog"  # what Athena calls Glue; the views of the template say it too
REGION = "us-east-1"
START_SECONDS = 180
NODE_SECONDS = 30

# The core without its plugins, and the one plugin that is needed: half of what the full
# `trino-server` weighs.
ARTIFACTS = (
    f"io.trino:trino-server-core:{VERSION}:tar.gz",
    f"io.trino:trino-hive:{VERSION}:zip",
)
NOT_UNPACKED = "*/plugin/**,*/secrets-plugin/**,*/bin/**"
UNPACK = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:unpack"

JVM = (
    "-Xmx4G",
    "-XX:+UseG1GC",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:TieredStopAtLevel=1",  # small queries on few cores: starting fast beats running fast
    "-XX:+EnableDynamicAgentLoading",
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
    "-Djdk.attach.allowAttachSelf=true",
    "-Duser.timezone=UTC",
)


class TrinoUnavailableError(Exception):
    """This machine cannot run Trino; the message says what is missing."""


@dataclass(frozen=True)
class Result:
    """What a query gave.

    Attributes:
        columns: Trino's type of each column, by name, in order.
        rows: Values as Python's `datetime`, `date`, `Decimal`, `int`, `str`, `bool` and None.
        bytes_read: Bytes read from the objects, listings not included.
    """

    columns: dict[str, str]
    rows: list[tuple[Any, ...]]
    bytes_read: int


class Trino:
    """One coordinator that is its own worker, with Glue as the catalog `awsdatacatalog`.

    Timestamps have milliseconds, as in Athena; `TIMESTAMP_MICROSECONDS` as `session` shows what
    the files hold.
    """

    TIMESTAMP_MICROSECONDS: Mapping[str, str] = {f"{CATALOG}.timestamp_precision": "MICROSECONDS"}

    def __init__(
        self,
        *,
        aws_endpoint: str,
        access_key: tuple[str, str],
        directory: Path,
        listed_once: str = "",
        zone: str = "UTC",
    ) -> None:
        """Prepare a server.

        Args:
            aws_endpoint: Where Glue and S3 are emulated, such as `http://127.0.0.1:5000`.
            access_key: The id of a key and its secret.
            directory: An empty place for configuration and log.
            listed_once: Tables, such as `lake.*`, whose partitions do not change any more: the
                emulator takes its time to list one, and a query over the lake lists hundreds.
            zone: The sessions' time zone, in which `current_date` is meant.
        """
        self._aws_endpoint = aws_endpoint
        self._access_key, self._secret_key = access_key
        self._directory = directory
        self._listed_once = listed_once
        self._zone = zone
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        java, home = find_java(), install()
        self._configure(home)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    java,
                    *JVM,
                    f"-Dconfig={self._directory / 'config.properties'}",
                    "-cp",
                    f"{home}/trino-server-core-{VERSION}/lib/*",
                    "io.trino.server.TrinoServer",
                ],
                cwd=self._directory,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self._wait_until_ready(self._process)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()

    def query(
        self, sql: str, *, schema: str | None = None, session: Mapping[str, str] | None = None
    ) -> Result:
        """Run one statement, names resolved in the Glue database `schema`.

        On a busy machine the server has at times no node that knows the catalog; it is waited for.

        Raises:
            trino.exceptions.TrinoQueryError: Trino refused the statement or failed in it.
        """
        deadline = time.monotonic() + NODE_SECONDS
        while True:
            try:
                return self._query(sql, schema, session or {})
            except TrinoQueryError as error:
                if error.error_name != "NO_NODES_AVAILABLE" or time.monotonic() > deadline:
                    raise
            time.sleep(0.25)

    def _query(self, sql: str, schema: str | None, session: Mapping[str, str]) -> Result:
        with connect(  # type: ignore[no-untyped-call]
            host="127.0.0.1",
            port=self._port,
            user="athena",
            catalog=CATALOG,
            schema=schema,
            timezone=self._zone,
            session_properties=dict(session),
        ) as connection:
            cursor = connection.cursor()
            cursor.execute(sql)
            rows = [tuple(row) for row in cursor.fetchall()] if cursor.description else []
            columns = {column.name: column.type_code for column in cursor.description or ()}
            return Result(columns, rows, int((cursor.stats or {}).get("physicalInputBytes", 0)))

    @property
    def _log(self) -> Path:
        return self._directory / "server.log"

    def _configure(self, home: Path) -> None:
        catalogs = self._directory / "catalog"
        catalogs.mkdir()
        _write_properties(
            self._directory / "config.properties",
            {
                "node.id": "athena",
                "node.environment": "test",
                "node.bind-ip": "127.0.0.1",
                "node.internal-address": "127.0.0.1",
                "coordinator": "true",
                "node-scheduler.include-coordinator": "true",
                "http-server.http.port": str(self._port),
                "discovery.uri": f"http://127.0.0.1:{self._port}",
                "plugin.dir": str(home / "plugin"),
                "catalog.config-dir": str(catalogs),
            },
        )
        _write_properties(
            catalogs / f"{CATALOG}.properties",
            {
                "connector.name": "hive",
                "hive.metastore": "glue",
                "hive.metastore.glue.region": REGION,
                "hive.metastore.glue.endpoint-url": self._aws_endpoint,
                "hive.metastore.glue.aws-access-key": self._access_key,
                "hive.metastore.glue.aws-secret-key": self._secret_key,
                "hive.partition-projection-enabled": "true",
                "hive.timestamp-precision": "MILLISECONDS",  # Athena's
                # moto has no GetColumnStatisticsForPartition: Trino would ask eleven times.
                "hive.table-statistics-enabled": "false",
                # Hundreds of listings at once are more than the emulated S3 answers in time.
                "hive.max-split-iterator-threads": "8",
                "hive.split-loader-concurrency": "8",
                "hive.collect-column-statistics-on-write": "false",
                "fs.native-s3.enabled": "true",
                "s3.region": REGION,
                "s3.endpoint": self._aws_endpoint,
                "s3.path-style-access": "true",
                "s3.aws-access-key": self._access_key,
                "s3.aws-secret-key": self._secret_key,
                "hive.file-status-cache-tables": self._listed_once,
                "hive.file-status-cache-expire-time": "1h",
            },
        )

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                break
            if self._is_ready():
                return
            time.sleep(0.25)
        tail = "\n".join(self._log.read_text(errors="replace").splitlines()[-30:])
        raise RuntimeError(f"Trino did not start; the end of {self._log}:\n{tail}")

    def _is_ready(self) -> bool:
        try:
            info = requests.get(f"http://127.0.0.1:{self._port}/v1/info", timeout=5)
            if not info.ok or info.json()["starting"]:
                return False
            # Some seconds after its start the server still has no node that knows the catalog.
            self._query("SELECT 1 FROM information_schema.schemata", None, {})
        except (requests.RequestException, TrinoQueryError):
            return False
        return True

    def _stop(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def find_java() -> Path:
    """The newest JDK of this machine that Trino can run on."""
    homes = [Path(home) for home in [os.environ.get("JAVA_HOME")] if home]
    homes += Path("/usr/lib/jvm").glob("*")
    homes += Path("/Library/Java/JavaVirtualMachines").glob("*/Contents/Home")
    found = max(
        ((_java_version(home), home) for home in homes if (home / "bin/java").exists()),
        default=(0, Path()),
    )
    if found[0] < MINIMUM_JAVA:
        raise TrinoUnavailableError(
            f"Trino {VERSION} needs Java {MINIMUM_JAVA} or newer, the newest found is "
            f"{found[0] or 'none'}: install a JDK or point JAVA_HOME at one."
        )
    return found[1] / "bin/java"


def _java_version(home: Path) -> int:
    try:
        release = (home / "release").read_text()
    except OSError:
        return 0
    version = re.search(r'^JAVA_VERSION="(\d+)', release, re.MULTILINE)
    return int(version[1]) if version else 0


def install() -> Path:
    """Fetch Trino by its Maven coordinates, once, and say where it is (450 MB to download)."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "anthropic-lake"
    home = cache / f"trino-{VERSION}"
    if home.is_dir():
        return home
    maven = shutil.which("mvn")
    if maven is None:
        raise TrinoUnavailableError(
            f"Trino {VERSION} is fetched with Maven: install it, so that `mvn` is found."
        )
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as name:
        unpacked = Path(name) / "trino"
        for artifact in ARTIFACTS:
            target = unpacked / "plugin" if ":zip" in artifact else unpacked
            _unpack(maven, artifact, target, cwd=Path(name))
        try:
            unpacked.rename(home)
        except OSError:
            if not home.is_dir():  # otherwise another process was faster
                raise
    return home


def _unpack(maven: str, artifact: str, target: Path, *, cwd: Path) -> None:
    run = subprocess.run(
        [
            maven,
            "--batch-mode",
            "--quiet",
            "--strict-checksums",
            UNPACK,
            f"-Dartifact={artifact}",
            f"-DoutputDirectory={target}",
            f"-Dmdep.unpack.excludes={NOT_UNPACKED}",
        ],
        cwd=cwd,  # where the plugin leaves a folder with notes of what it unpacked
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        reason = (run.stdout + run.stderr).strip().splitlines()
        raise TrinoUnavailableError(
            f"Maven could not fetch {artifact}: {reason[0] if reason else 'no reason given'}"
        )


def _write_properties(path: Path, properties: Mapping[str, str]) -> None:
    path.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    try:
        sys.stdout.write(f"Java: {find_java()}\nTrino: {install()}\n")
    except TrinoUnavailableError as unavailable:
        sys.exit(str(unavailable))
