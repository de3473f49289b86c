"""A small HTTP/1.1 server on 127.0.0.1: threads, keep-alive, and full control of the bytes."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

_END_OF_HEAD = b"\r\n\r\n"
_SMALL = 1 << 16
_LONGEST_HEAD = 1 << 18


@dataclass
class Request:
    """A request as it was recorded; the path as it was sent, header names in lower case."""

    method: str
    target: str
    headers: dict[str, str] = field(repr=False)
    status: int | None = None
    at: float = field(default_factory=time.monotonic)
    path: str = ""
    query: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        parts = urlsplit(self.target)
        self.path = parts.path
        self.query = parse_qs(parts.query, keep_blank_values=True)

    @classmethod
    def parse(cls, head: bytes) -> Request:
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _version = first.split(" ", 2)
        headers: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(":")
            name, value = name.strip().lower(), value.strip()
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        return cls(method, target, headers)


@dataclass(frozen=True)
class Response:
    """Status, headers and the whole body."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def head(self, *, chunked: bool = False) -> bytes:
        """The status line and headers, with the body's length unless it comes in chunks."""
        lines = [f"HTTP/1.1 {self.status} {_reason(self.status)}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        lines += ["transfer-encoding: chunked" if chunked else f"content-length: {len(self.body)}"]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _reason(status: int) -> str:
    return HTTPStatus(status).phrase if status in set(HTTPStatus) else "Overloaded"


class Connection:
    """One client's connection; everything that can go wrong on a wire can be done here."""

    def __init__(self, client: socket.socket, stopping: threading.Event) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket, self._stopping = client, stopping
        self._received = b""
        self.open = True

    def read(self) -> Request | None:
        """The next request, its body thrown away; nothing when the client has gone."""
        while _END_OF_HEAD not in self._received:
            if len(self._received) > _LONGEST_HEAD or not self._receive():
                return None
        head, _, self._received = self._received.partition(_END_OF_HEAD)
        try:
            request = Request.parse(head)
        except ValueError:
            return None
        self._skip(int(request.headers.get("content-length", 0)))
        return request

    def _receive(self) -> bool:
        chunk = self._socket.recv(_SMALL)
        self._received += chunk
        return bool(chunk)

    def _skip(self, length: int) -> None:
        while len(self._received) < length and self._receive():
            pass
        self._received = self._received[length:]

    def send(self, response: Response) -> None:
        if len(response.body) < _SMALL:
            self.write(response.head() + response.body)
        else:
            self.write(response.head())
            self.write(response.body)

    def write(self, data: bytes | memoryview) -> None:
        self._socket.sendall(data)

    def wait(self, seconds: float) -> None:
        """Sleep, but not longer than the server lives."""
        if seconds > 0:
            self._stopping.wait(seconds)

    def close(self) -> None:
        self.open = False
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def reset(self) -> None:
        """Drop the connection with a TCP reset, not a polite end."""
        self.open = False
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def interrupt(self) -> None:
        """Wake the thread that reads or writes here."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)


class Listener:
    """Accepts connections on a port of 127.0.0.1 and serves each in a daemon thread."""

    def __init__(self, serve: Callable[[Connection], None], port: int = 0) -> None:
        self._serve, self.port = serve, port
        self._stopping = threading.Event()
        self._connections: set[Connection] = set()

    def start(self) -> None:
        self._stopping = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", self.port), backlog=256)
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Give the port back and end every connection."""
        self._stopping.set()
        with contextlib.suppress(OSError):  # wakes accept() on every platform
            socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join()
        self._socket.close()
        for connection in list(self._connections):
            connection.interrupt()

    @contextlib.contextmanager
    def refusing(self) -> Iterator[None]:
        """Nobody listens on the port meanwhile."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def _accept(self) -> None:
        while True:
            client, _address = self._socket.accept()
            if self._stopping.is_set():
                client.close()
                return
            connection = Connection(client, self._stopping)
            self._connections.add(connection)
            threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _run(self, connection: Connection) -> None:
        try:
            self._serve(connection)
        except OSError:
            pass  # the client went away, or the server is stopping
        finally:
            self._connections.discard(connection)
            connection.close()
