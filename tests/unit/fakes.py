"""Stand-ins for the outside: an API without a network, a lake and watermarks in memory."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import requests
import urllib3
from requests.adapters import BaseAdapter

from anthropic_lake.api.client import AdminApi
from anthropic_lake.api.connection import Connection, Pace
from anthropic_lake.errors import StorageError
from anthropic_lake.lake.layout import object_key

KEY = "sk-ant-admin01-invented"
ORGANIZATION = "7c9a3a4e-0000-4000-8000-000000000001"
Query = dict[str, list[str]]


@dataclass
class Reply:
    """What the API answers: JSON, or raw bytes."""

    body: Any = field(default_factory=dict)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


def refusal(status: int, message: str = "no", **headers: str) -> Reply:
    """The vendor's error envelope."""
    body = {"type": "error", "error": {"type": "an_error", "message": message}}
    return Reply(body, status, {name.replace("_", "-"): text for name, text in headers.items()})


@dataclass
class Asked:
    """One request as the API saw it."""

    path: str
    query: Query
    headers: dict[str, str]


class FakeApi(BaseAdapter):
    """Answers requests from a function, without a network."""

    def __init__(self, answer: Callable[[Asked], Reply | Exception]) -> None:
        super().__init__()
        self._answer = answer
        self.asked: list[Asked] = []

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Any:
        url = urlsplit(request.url or "")
        headers = {str(name).lower(): str(text) for name, text in request.headers.items()}
        self.asked.append(Asked(str(url.path), parse_qs(str(url.query)), headers))
        reply = self._answer(self.asked[-1])
        if isinstance(reply, Exception):
            raise reply
        known = {
            "request-id": f"req_{len(self.asked):03}",
            "anthropic-organization-id": ORGANIZATION,
        }
        response = requests.Response()
        response.status_code = reply.status
        response.headers.update({**known, **reply.headers})
        response.raw = urllib3.HTTPResponse(
            io.BytesIO(reply.content()), status=reply.status, preload_content=False
        )
        response.request, response.url = request, request.url or ""
        return response

    def close(self) -> None:
        pass


@dataclass
class Talk:
    """A run's view of a fake API, with what it asked and how long it slept."""

    api: AdminApi
    connection: Connection
    fake: FakeApi
    slept: list[float]

    @property
    def asked(self) -> list[Asked]:
        return self.fake.asked


def talk(
    answer: Callable[[Asked], Reply | Exception],
    *,
    asset: str = "users",
    secret: Callable[[], str] = lambda: KEY,
    pace: Pace | None = None,
    time_left: Callable[[], float] = lambda: float("inf"),
) -> Talk:
    """Talk to an API that answers from a function."""
    fake, slept = FakeApi(answer), list[float]()
    connection = Connection(secret, pace or Pace(10**9), "http://127.0.0.1:1")
    connection.http.mount("http://", fake)
    api = AdminApi(connection, asset, time_left=time_left, sleep=slept.append)
    return Talk(api, connection, fake, slept)


def one_after_the_other(*replies: Reply | Exception) -> Callable[[Asked], Reply | Exception]:
    """Answer each request with the next of some replies, the last one for ever."""
    waiting: Iterator[Reply | Exception] = iter(replies)
    last = [replies[-1]]

    def answer(_asked: Asked) -> Reply | Exception:
        return next(waiting, last[0])

    return answer


@dataclass
class MemoryLake:
    """A lake that forgets; every put is counted, and a chosen one may fail."""

    objects: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    puts: list[str] = field(default_factory=list)
    fails_at: int | None = None

    def digest(self, key: str) -> str | None:
        return self.objects[key][1] if key in self.objects else None

    def put(self, key: str, body: bytes, digest: str) -> None:
        if self.fails_at is not None:
            self.fails_at -= 1
            if self.fails_at < 0:
                raise StorageError("the disk is full")
        self.puts.append(key)
        self.objects[key] = body, digest

    def rows(self, table: str, day: date) -> list[dict[str, Any]] | None:
        """A day's rows, None where no object is."""
        found = self.objects.get(object_key(table, day))
        if found is None:
            return None
        rows: list[dict[str, Any]] = pq.read_table(pa.BufferReader(found[0])).to_pylist()
        return rows


@dataclass
class MemoryWatermark:
    """Watermarks in memory, with all that they ever were."""

    days: dict[str, date] = field(default_factory=dict)
    history: list[date] = field(default_factory=list)

    def get(self, asset: str) -> date | None:
        return self.days.get(asset)

    def put(self, asset: str, day: date) -> None:
        self.days[asset] = day
        self.history.append(day)
