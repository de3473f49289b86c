"""Ctrl-C ends a query at once: exit code 130, no trace, nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MANY = "FROM range(10000000) AS a, range(10000000) AS b"


@pytest.fixture(autouse=True)
def heard_interrupt() -> Iterator[None]:
    """Let processes hear Ctrl-C, which a shell lets those in the background ignore."""
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, handler)


def seconds_to_end(
    arguments: tuple[object, ...], is_at_work: Callable[[], bool], **environment: str
) -> float:
    """Run a query, end it by Ctrl-C once it is at work, and return how long that took."""
    with subprocess.Popen(
        [sys.executable, "-m", "anthropic_lake.cli", "query", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            while not is_at_work():
                assert process.poll() is None, process.communicate()
                time.sleep(0.05)
            time.sleep(0.5)
            started = time.monotonic()
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=30)
            seconds = time.monotonic() - started
        finally:
            process.kill()
    assert (process.returncode, output, errors) == (130, b"", b"")
    return seconds


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT count(*) {MANY} WHERE a.range * b.range = 7",
        f"SELECT a.range {MANY} ORDER BY hash(a.range + b.range)",
        f"CREATE TABLE t AS SELECT sum(a.range * b.range) AS n {MANY}; SELECT n FROM t",
        f"SELECT * {MANY} WHERE a.range * b.range = -1",
    ],
)
def test_a_long_query_ends_within_a_second(sql: str, folder: Path, tmp_path: Path) -> None:
    started, file = tmp_path / "started", tmp_path / "out.csv"
    file.write_text("old")
    sql = f"COPY (SELECT 1) TO '{started}'; {sql}"
    assert seconds_to_end((sql, "--lake", folder, "-o", file), started.exists) < 1
    assert file.read_text() == "old"
    assert sorted(tmp_path.iterdir()) == [file, started]


@pytest.fixture
def silent_s3() -> Iterator[tuple[str, threading.Event]]:
    """An S3 that has every bucket, and does not answer when it is asked for a table's objects."""
    asked, ended = threading.Event(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer(b"")

        def do_GET(self) -> None:
            if "delimiter" not in self.path:
                asked.set()
                ended.wait()
                return
            self.answer(
                b'<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated>'
                b"<CommonPrefixes><Prefix>asset=users/</Prefix></CommonPrefixes>"
                b"</ListBucketResult>"
            )

        def answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("x-amz-bucket-region", "us-east-1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        ended.set()
        server.shutdown()


def test_a_lake_that_does_not_answer_is_left_at_once(
    silent_s3: tuple[str, threading.Event],
) -> None:
    url, asked = silent_s3
    environment = {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
        "NO_PROXY": "127.0.0.1",
    }
    arguments = ("SELECT * FROM users", "--lake", "s3://demo")
    assert seconds_to_end(arguments, asked.is_set, **environment) < 1
