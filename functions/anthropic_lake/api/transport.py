"""The way of a request over HTTP: what bounds an answer, whoever sends it and however slowly.

Between a socket and a body stand loops of http.client and urllib3 that end when the other side
lets them: headers, `100 Continue`, chunk lines, members of gzip. A time-out counts from one read
of the socket to the next, so a byte now and then keeps all of them alive. Hence the bounds are
below: each read of the socket looks at the time and at the bytes that are left.
"""

import io
import socket
import time
from functools import partial
from http.client import HTTPResponse
from typing import Any

from requests.adapters import HTTPAdapter


class AnswerTooLong(Exception):
    """An answer has more bytes on the wire than it may have."""


class Bounds:
    """The time and the bytes that the answer under way may still take."""

    def __init__(self) -> None:
        self.start(seconds=0.0, pause_seconds=0.0, wire_bytes=0)

    def start(self, *, seconds: float, pause_seconds: float, wire_bytes: int) -> None:
        """Set the bounds of one answer.

        Args:
            seconds: How long it may take.
            pause_seconds: How long nothing may come meanwhile.
            wire_bytes: How many bytes it may have, headers and framing included.
        """
        self._end = time.monotonic() + seconds
        self._pause_seconds = pause_seconds
        self._bytes_left = wire_bytes

    def wait_seconds(self) -> float:
        """Return how long the next read may wait.

        Raises:
            TimeoutError: The answer has taken all its time.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer takes too long")
        return min(left, self._pause_seconds)

    def count(self, size: int) -> None:
        """Count bytes that were read.

        Raises:
            AnswerTooLong: They are more than the answer may have.
        """
        self._bytes_left -= size
        if self._bytes_left < 0:
            raise AnswerTooLong


class BoundedAdapter(HTTPAdapter):
    """The transport of `requests`, with bounds on the answer under way.

    Attributes:
        bounds: Those of the next answer; one request is under way at a time.
    """

    def __init__(self) -> None:
        self.bounds = Bounds()
        super().__init__()

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  as in requests
        """Return the pool for a request, direct or of a proxy, whose answers are bounded."""
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        if not hasattr(pool.ConnectionCls, "bounded"):
            response = partial(_BoundedResponse, self.bounds)
            members = {"response_class": response, "bounded": True}
            pool.ConnectionCls = type("BoundedConnection", (pool.ConnectionCls,), members)
        return pool


class _BoundedResponse(HTTPResponse):
    """A response that reads its socket within bounds."""

    def __init__(
        self,
        bounds: Bounds,
        sock: socket.socket,
        debuglevel: int = 0,
        method: str | None = None,
    ) -> None:
        super().__init__(sock, debuglevel, method)
        self.fp = io.BufferedReader(_BoundedStream(bounds, sock, self.fp.detach()))


class _BoundedStream(io.RawIOBase):
    """The bytes of a socket, within bounds."""

    def __init__(self, bounds: Bounds, sock: socket.socket, raw: io.RawIOBase) -> None:
        self._bounds = bounds
        self._socket = sock
        self._raw = raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401  as in io
        self._socket.settimeout(self._bounds.wait_seconds())
        size = self._raw.readinto(buffer)
        self._bounds.count(size or 0)
        return size

    def close(self) -> None:
        self._raw.close()
        super().close()
