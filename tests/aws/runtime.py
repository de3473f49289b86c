"""A local Lambda: AWS's own runtime client against a small Runtime API on 127.0.0.1.

    with LambdaRuntime("anthropic_lake.handler.handler", path=[functions, layer]) as function:
        result = function.invoke({"interval_start": "2026-01-01", "interval_end": "2026-02-01"})

The process that runs the handler sees the environment that Lambda would give it, and nothing of
the test's own.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

REQUIREMENTS = Path(__file__).parents[2] / "requirements" / "dev.txt"
API = "/2018-06-01/runtime"
POLL = 0.05  # seconds between looks at whether the process still runs


@dataclass(frozen=True)
class Failure:
    """What Lambda says of an invocation that failed.

    Attributes:
        type: The exception's class, or Lambda's own name, such as `Sandbox.Timedout`.
        message: The exception's text.
        trace: The stack, outermost call first.
    """

    type: str
    message: str
    trace: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """What came of an invocation.

    Attributes:
        payload: The JSON value that the handler returned; null when it failed.
        error: Why it failed; null when it did not.
        log: What the process wrote to its log, a cold start's output included.
        duration: Seconds from sending the event to the answer.
        init_duration: Seconds of the cold start before, until the process asked for an event;
            null for a warm invocation.
    """

    payload: Any  # JSON
    error: Failure | None
    log: str
    duration: float
    init_duration: float | None


class InvocationError(Exception):
    """An invocation failed whose result was asked for."""


@dataclass
class _Invocation:
    headers: Mapping[str, str]
    event: bytes
    body: Any = None  # JSON
    failed: bool = False
    answered: threading.Event = field(default_factory=threading.Event)

    def answer(self, body: Any, *, failed: bool) -> None:
        self.body, self.failed = body, failed
        self.answered.set()


class _RuntimeApi(ThreadingHTTPServer):
    """The Runtime API of one sandbox: a process of the function, from its start to its end."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Endpoints)
        self.asked = threading.Event()  # for its first event: the cold start is over
        self.init_error: Any = None  # JSON
        self.waiting: queue.Queue[_Invocation | None] = queue.Queue()
        self.running: dict[str, _Invocation] = {}
        self.thread = threading.Thread(
            target=functools.partial(self.serve_forever, poll_interval=POLL), daemon=True
        )
        self.thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent when the process was ended in the middle of a request."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def close(self) -> None:
        self.waiting.put(None)
        self.shutdown()
        self.thread.join()
        self.server_close()


class _Endpoints(BaseHTTPRequestHandler):
    server: _RuntimeApi
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body in one packet

    def do_GET(self) -> None:
        if self.path != f"{API}/invocation/next":
            return self._reply(HTTPStatus.NOT_FOUND)
        self.server.asked.set()
        invocation = self.server.waiting.get()
        if invocation is None:  # the sandbox is closed
            self.close_connection = True
            return None
        self.server.running[invocation.headers["Lambda-Runtime-Aws-Request-Id"]] = invocation
        return self._reply(HTTPStatus.OK, invocation.event, invocation.headers)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"null")
        match self.path.removeprefix(API).split("/"):
            case ["", "init", "error"]:
                self.server.init_error = body
            case ["", "invocation", request_id, ("response" | "error") as outcome] if (
                invocation := self.server.running.pop(request_id, None)
            ):
                invocation.answer(body, failed=outcome == "error")
            case _:
                return self._reply(HTTPStatus.NOT_FOUND)
        return self._reply(HTTPStatus.ACCEPTED, b'{"status":"OK"}')

    def _reply(
        self, status: HTTPStatus, body: bytes = b"{}", headers: Mapping[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep requests out of the tests' output."""


class LambdaRuntime:
    """A function as Lambda runs it: cold at first, warm afterwards, cold again after a crash.

    Args:
        handler: `module.function`, as in the template.
        path: The folders that Lambda puts on the Python path: the function's code first, which is
            also the working folder, then the layer's packages.
        environment: The function's own variables, credentials included; they win over Lambda's.
        interpreter: Which Python.
        client: A folder with the runtime client for that Python (`install_client`). Given, the
            process sees no other packages than those of the path; not given, the interpreter's
            environment has the client.
        name: The function's name.
        memory: Its memory in MB; only told, not enforced.
        region: The AWS region.
    """

    def __init__(
        self,
        handler: str,
        *,
        path: Sequence[Path],
        environment: Mapping[str, str] | None = None,
        interpreter: Path | None = None,
        client: Path | None = None,
        name: str = "function",
        memory: int = 512,
        region: str = "us-east-1",
    ) -> None:
        self._arn = f"arn:aws:lambda:{region}:123456789012:function:{name}"
        self._folder = path[0]
        self._command = [
            str(interpreter or sys.executable),
            *(["-S"] if client else []),
            *("-m", "awslambdaric", handler),
        ]
        self._home = tempfile.TemporaryDirectory()
        self._log = Path(self._home.name) / "log"
        self._log.touch()
        self._environment = {
            "AWS_DEFAULT_REGION": region,
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory),
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/01/[$LATEST]0123456789abcdef",
            "AWS_REGION": region,
            "HOME": self._home.name,  # no profile of the developer's
            "LAMBDA_RUNTIME_DIR": "/var/runtime",
            "LAMBDA_TASK_ROOT": str(self._folder),
            "LANG": "en_US.UTF-8",
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "PYTHONDONTWRITEBYTECODE": "1",  # /var/task and /opt are read-only
            "PYTHONPATH": os.pathsep.join(map(str, [*path, *([client] if client else [])])),
            "TZ": ":UTC",
            "_HANDLER": handler,
            **(environment or {}),
        }
        self._api: _RuntimeApi | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process and everything that it started."""
        self._stop()
        self._home.cleanup()

    def call(self, event: object, **limits: float) -> Any:
        """Invoke the function and return its answer.

        Raises:
            InvocationError: It failed; with the type, the message and the log.
        """
        result = self.invoke(event, **limits)
        if result.error:
            raise InvocationError(f"{result.error.type}: {result.error.message}\n{result.log}")
        return result.payload

    def invoke(
        self, event: object, *, timeout: float = 60.0, remaining: float | None = None
    ) -> Result:
        """Invoke the function.

        Args:
            event: A JSON value.
            timeout: Seconds after which Lambda would end the process; the cold start may take as
                long.
            remaining: Seconds that the context tells the handler it has left; the timeout where
                not given.

        Returns:
            Its answer, or why there is none.
        """
        logged = self._log.stat().st_size
        cold = self._process is None or self._process.poll() is not None
        init_duration = self._start(timeout) if cold else None
        request_id = str(uuid.uuid4())
        deadline = time.time() + (timeout if remaining is None else remaining)
        invocation = _Invocation(
            headers={
                "Lambda-Runtime-Aws-Request-Id": request_id,
                "Lambda-Runtime-Deadline-Ms": str(round(deadline * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": self._arn,
                "Lambda-Runtime-Trace-Id": _trace_id(),
            },
            event=json.dumps(event).encode(),
        )
        assert self._api
        started = time.monotonic()
        self._api.waiting.put(invocation)
        answered = self._wait(invocation.answered, timeout)
        duration = time.monotonic() - started
        error = None
        if answered and invocation.failed:
            error = _failure(invocation.body)
        elif not answered:
            error = self._crash(request_id, timeout)
            self._stop()
        return Result(
            payload=invocation.body if answered and not error else None,
            error=error,
            log=self._log.read_bytes()[logged:].decode(errors="replace"),
            duration=duration,
            init_duration=init_duration,
        )

    def _start(self, timeout: float) -> float:
        """Start a process and return the seconds until it asked for an event or gave up."""
        self._stop()
        self._api = _RuntimeApi()
        started = time.monotonic()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env={**self._environment, "AWS_LAMBDA_RUNTIME_API": self._api.address},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that its children end with it
            )
        self._wait(self._api.asked, timeout)
        return time.monotonic() - started

    def _wait(self, event: threading.Event, timeout: float) -> bool:
        """Wait for what the process reports, for as long as it runs and has time."""
        assert self._process
        end = time.monotonic() + timeout
        while not event.wait(min(POLL, max(0.0, end - time.monotonic()))):
            if self._process.poll() is not None or time.monotonic() >= end:
                return event.is_set()
        return True

    def _crash(self, request_id: str, timeout: float) -> Failure:
        assert self._api
        assert self._process
        if self._api.init_error:
            return _failure(self._api.init_error)
        status = self._process.poll()
        if status is None:
            return Failure(
                "Sandbox.Timedout",
                f"RequestId: {request_id} Error: Task timed out after {timeout:.2f} seconds",
            )
        how = f"exit status {status}" if status >= 0 else f"signal: {signal.strsignal(-status)}"
        return Failure(
            "Runtime.ExitError", f"RequestId: {request_id} Error: Runtime exited with error: {how}"
        )

    def _stop(self) -> None:
        if self._process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
        if self._api:
            self._api.close()
            self._api = None


def install_client(target: Path, interpreter: Path, uv: Path) -> Path:
    """Install the runtime client for another Python than this one, in the locked version.

    Args:
        target: The folder to install into.
        interpreter: The Python that will run it.
        uv: The installer.

    Returns:
        The folder.
    """
    client = f"awslambdaric=={importlib.metadata.version('awslambdaric')}"
    subprocess.run(
        [
            *(str(uv), "pip", "install", "--quiet", "--only-binary", ":all:"),
            *("--python", str(interpreter), "--constraint", str(REQUIREMENTS)),
            *("--compile-bytecode", "--target", str(target), client),
        ],
        check=True,
    )
    return target


def _failure(body: Mapping[str, Any]) -> Failure:
    return Failure(body["errorType"], body["errorMessage"], tuple(body.get("stackTrace") or ()))


def _trace_id() -> str:
    random = uuid.uuid4().hex
    return f"Root=1-{int(time.time()):08x}-{random[:24]};Parent={random[16:]};Sampled=0"
