"""A proxy in front of the embedded AWS that fails, stalls and kills on the way."""

from __future__ import annotations

import http.client
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self
from urllib.parse import urlsplit

_THROTTLED = b'{"__type":"ThrottlingException","message":"Rate exceeded"}'
_SLOW_DOWN = (
    b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
)


@dataclass
class WireFault:
    """What happens to one call.

    Args:
        call: Such as `PUT`, `HEAD`, `GetParameter` or `GetSecretValue`.
        nth: Which of them, from 1.
        kind: `500`, `slow down`, `throttled`, `reset` or `kill`.
        after: Whether AWS has done what was asked before.
    """

    call: str
    nth: int
    kind: str
    after: bool = False


@dataclass
class AwsProxy:
    """Passes everything on to an endpoint, but for the faults; a context manager.

    Args:
        url: The endpoint.
        kill: Ends the process that asks.
    """

    url: str
    kill: Callable[[], None] = lambda: None
    faults: list[WireFault] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def claim(self, call: str) -> WireFault | None:
        self.calls.append(call)
        number = self.calls.count(call)
        found = (f for f in self.faults if f.call in (call, "any") and self._nth(f, number))
        return next(found, None)

    def _nth(self, fault: WireFault, number: int) -> bool:
        return fault.nth == (len(self.calls) if fault.call == "any" else number)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    proxy: AwsProxy

    def handle_error(self, request: Any, client_address: Any) -> None:
        """The client was killed."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        target = self.headers.get("x-amz-target", "")
        fault = self.server.proxy.claim(target.rpartition(".")[2] or self.command)
        if fault is None:
            self._reply(*self._pass_on(body))
            return
        if fault.after:
            self._pass_on(body)
        match fault.kind:
            case "500":
                self._reply(500, b"", {})
            case "slow down":
                self._reply(503, _SLOW_DOWN if self.command != "HEAD" else b"", {})
            case "throttled":
                self._reply(400, _THROTTLED, {"content-type": "application/x-amz-json-1.1"})
            case "kill":
                self.server.proxy.kill()
                self._reset()
            case _:
                self._reset()

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _serve  # noqa: N815

    def _pass_on(self, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        """Ask the endpoint."""
        upstream = http.client.HTTPConnection(urlsplit(self.server.proxy.url).netloc, timeout=30)
        try:
            upstream.request(self.command, self.path, body, dict(self.headers.items()))
            response = upstream.getresponse()
            return response.status, response.read(), dict(response.getheaders())
        finally:
            upstream.close()

    def _reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
