"""Stand-ins for the outside: an API without a network, a lake and watermarks in memory."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
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
from anthropic_lake.lake.objects import ANYTHING, Conflict, Head, ListedObject, StoredObject

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
    """A lake that forgets; all puts but the ledger's are counted, and a chosen one may fail."""

    objects: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    puts: list[str] = field(default_factory=list)
    fails_at: int | None = None

    def head(self, key: str) -> Head | None:
        if key not in self.objects:
            return None
        body, digest = self.objects[key]
        return Head(_etag(body), digest, len(body))

    def get(self, key: str) -> StoredObject | None:
        if key not in self.objects:
            return None
        body, _ = self.objects[key]
        return StoredObject(body, _etag(body))

    def put(self, key: str, body: bytes, *, digest: str = "", replaces: str | None) -> None:
        if self.fails_at is not None:
            self.fails_at -= 1
            if self.fails_at < 0:
                raise StorageError("the disk is full")
        standing = self.get(key)
        if replaces not in (ANYTHING, standing.etag if standing else None):
            raise Conflict(f"another run has changed {key} meanwhile")
        if not key.startswith("asset=sync_days/"):
            self.puts.append(key)
        self.objects[key] = body, digest

    def listing(self, prefix: str) -> Iterator[ListedObject]:
        for key, (body, _) in sorted(self.objects.items()):
            if key.startswith(prefix):
                yield ListedObject(key, len(body), datetime(2026, 1, 1, tzinfo=UTC))

    def locked(self, asset: str) -> AbstractContextManager[None]:
        return nullcontext()

    def rows(self, table: str, day: date) -> list[dict[str, Any]] | None:
        """A day's rows, None where no object is."""
        found = self.objects.get(object_key(table, day))
        if found is None:
            return None
        rows: list[dict[str, Any]] = pq.read_table(pa.BufferReader(found[0])).to_pylist()
        return rows


def _etag(body: bytes) -> str:
    return hashlib.md5(body).hexdigest()


@dataclass
class MemoryState:
    """A lake's state in memory, with all last synced dates that it ever had."""

    texts: dict[str, str] = field(default_factory=dict)
    history: list[date] = field(default_factory=list)

    def get(self, name: str) -> str | None:
        return self.texts.get(name)

    def put(self, name: str, text: str) -> None:
        self.texts[name] = text
        if name.endswith("last_synced_date"):
            self.history.append(date.fromisoformat(text))

    def create(self, name: str, text: str) -> bool:
        if name in self.texts:
            return False
        self.put(name, text)
        return True

    def place(self, name: str) -> str:
        return name
