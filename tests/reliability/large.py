"""A program that syncs something large, for a test that looks at how much memory it takes.

python -m tests.reliability.large CASE

AWS_LAMBDA_FUNCTION_MEMORY_SIZE sets the function's memory, in MiB.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import resource
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import requests
import urllib3
from requests.adapters import BaseAdapter

from anthropic_lake.api.connection import Connection, Pace
from anthropic_lake.cli.place import local_place
from anthropic_lake.errors import LakeError
from anthropic_lake.settings import read_settings
from anthropic_lake.sync.extractor import OBJECTS_PER_COLLECTION, Extractor
from anthropic_lake.sync.request import Interval, Request
from tests.simulator.analytics import DIMENSIONS
from tests.simulator.usage import TOKEN_TYPES

DAY = date(2026, 11, 20)
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
NO_GROUP = dict.fromkeys(DIMENSIONS)


class _Stream(io.RawIOBase):
    """Bytes that are made while they are read, so that the server takes no memory."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            try:
                self._rest = next(self._pieces)
            except StopIteration:
                return 0
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count


class _Endless(BaseAdapter):
    """Answers with pieces."""

    def __init__(self, pages: Iterator[Iterator[bytes]], headers: dict[str, str]) -> None:
        super().__init__()
        self._pages, self._headers = pages, headers

    def send(self, request: requests.PreparedRequest, *_args: Any, **_more: Any) -> Any:
        response = requests.Response()
        response.status_code = 200
        names = {"request-id": "req_large", "anthropic-organization-id": "org"}
        response.headers.update({**names, **self._headers})
        response.raw = urllib3.HTTPResponse(
            io.BufferedReader(_Stream(next(self._pages))),
            headers=self._headers,
            status=200,
            preload_content=False,
        )
        response.request = request
        return response

    def close(self) -> None:
        pass


def _usage_row(number: int, **more: object) -> bytes:
    """A row as wide as real ones."""
    row = {
        "uncached_input_tokens": number,
        "cache_read_input_tokens": 3 * number,
        "cache_creation": {"ephemeral_5m_input_tokens": 7, "ephemeral_1h_input_tokens": number},
        "output_tokens": number,
        "server_tool_use": {"web_search_requests": 0},
        "api_key_id": f"apikey_01{number:022d}",
        "workspace_id": f"wrkspc_01{number % 97:022d}",
        "model": "claude-opus-4-5-20251101",
        "service_tier": "standard",
        "context_window": "0-200k",
        "account_id": None,
        "service_account_id": None,
        "inference_geo": None,
        **more,
    }
    return json.dumps(row).encode()


def _listed(items: Iterator[bytes]) -> Iterator[bytes]:
    """Items with commas between, in pieces of some size."""
    part, first = bytearray(), True
    for item in items:
        part += item if first else b"," + item
        first = False
        if len(part) > 1 << 16:
            yield bytes(part)
            part.clear()
    yield bytes(part)


def _day(rows: int, start: str, end: str, more: bytes = b"false", token: bytes = b"null") -> Any:
    yield b'{"data":[{"starting_at":"%s","ending_at":"%s","results":[' % (
        start.encode(),
        end.encode(),
    )
    yield from _listed(_usage_row(number) for number in range(rows))
    yield b']}],"has_more":%s,"next_page":%s}' % (more, token)


def _one_bucket(rows: int) -> Iterator[Iterator[bytes]]:
    while True:
        yield _day(rows, "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z")


def _hours(rows: int) -> Iterator[Iterator[bytes]]:
    """A page for each hour, each with its share of the rows."""
    for hour in range(24):
        end = f"2026-11-20T{hour + 1:02}" if hour < 23 else "2026-11-21T00"
        token = b'"page_%d"' % hour if hour < 23 else b"null"
        more = b"true" if hour < 23 else b"false"
        yield _day(rows // 24, f"2026-11-20T{hour:02}:00:00Z", f"{end}:00:00Z", more, token)


def _cost_rows(day: date, group: int) -> Iterator[bytes]:
    """The rows that the cost of one person with one key and model is split into."""
    person = {
        "type": "user_actor",
        "user_id": f"user_01{group % 20_000:022d}",
        "email_address": f"person{group % 20_000}@example.com",
        "name": f"Person {group % 20_000}",
        "deleted": False,
    }
    dimensions = {
        "actor": person,
        "api_key_id": f"apikey_01{group:022d}",
        "workspace_id": f"wrkspc_01{group % 97:022d}",
        "model": "claude-opus-4-5-20251101",
        "product": "messages_api",
        "cost_type": "tokens",
    }
    bounds = {
        "starting_at": f"{day}T00:00:00Z",
        "ending_at": f"{day + timedelta(days=1)}T00:00:00Z",
    }
    for token_type in TOKEN_TYPES:
        cost = {"amount": f"{group}.0215", "list_amount": f"{group}.0215", "currency": "USD"}
        row = {"group": {**NO_GROUP, **dimensions, "token_type": token_type}, "cost": cost}
        yield json.dumps({**bounds, **row}).encode()


def _costs(days: int, groups: int) -> Iterator[Iterator[bytes]]:
    """Pages of a thousand groups, as of 20,000 people with three combinations each."""
    pages = [
        (DAY - timedelta(days=days - 1 - number), first)
        for number in range(days)
        for first in range(0, groups, 1000)
    ]

    def page(number: int) -> Iterator[bytes]:
        day, first = pages[number]
        yield b'{"data":['
        rows = (row for group in range(first, first + 1000) for row in _cost_rows(day, group))
        yield from _listed(rows)
        token = b'"page_%d"' % number if number + 1 < len(pages) else b"null"
        yield b'],"next_page":%s,"data_refreshed_at":"2026-11-22T10:00:00Z"}' % token

    return (page(number) for number in range(len(pages)))


def _users(rows: int) -> Iterator[Iterator[bytes]]:
    user = b'{"id":"user_%022d","type":"user","email":"p%d@example.com","name":"N","role":"user"}'

    def page() -> Iterator[bytes]:
        yield b'{"data":['
        yield from _listed(user % (number, number) for number in range(rows))
        yield b'],"has_more":false,"last_id":null}'

    while True:
        yield page()


def _long_names(megabytes: int) -> Iterator[Iterator[bytes]]:
    def page() -> Iterator[bytes]:
        yield b'{"data":['
        name = b"x" * (1 << 20)
        yield from _listed(b'{"id":"user_%d","name":"%b"}' % (n, name) for n in range(megabytes))
        yield b'],"has_more":false,"last_id":null}'

    while True:
        yield page()


def _organization(kilobytes: int, item: bytes) -> Iterator[Iterator[bytes]]:
    """An organization with an unknown field of many small values."""

    def page() -> Iterator[bytes]:
        yield b'{"id":"org","type":"organization","name":"N","new":['
        yield from _listed(item for _ in range((kilobytes << 10) // (len(item) + 1)))
        yield b"]}"

    while True:
        yield page()


def _bomb(megabytes: int) -> Iterator[Iterator[bytes]]:
    part = gzip.compress(b" " * (1 << 20), 9)
    while True:
        yield (part for _ in range(megabytes))


Case = tuple[str, Callable[[], Iterator[Iterator[bytes]]], dict[str, str]]
CASES: dict[str, Case] = {
    "an answer of 200 MB": ("usage_report", lambda: _one_bucket(420_000), {}),
    "a day of 900,000 rows in one answer": ("usage_report", lambda: _one_bucket(900_000), {}),
    "an answer of 200 MB of long texts": ("users", lambda: _long_names(200), {}),
    "a page of 1,000,000 rows": ("users", lambda: _users(1_000_000), {}),
    "a day of 2,000,000 rows in one answer": ("usage_report", lambda: _one_bucket(2_000_000), {}),
    "a day of 2,000,000 rows in hours": ("usage_report", lambda: _hours(2_000_000), {}),
    "a day of 800,000 rows in hours": ("usage_report", lambda: _hours(800_000), {}),
    "a day of 20,000 people's cost in pages": ("analytics_cost", lambda: _costs(1, 60_000), {}),
    "three days of 20,000 people's cost in pages": (
        "analytics_cost",
        lambda: _costs(3, 60_000),
        {},
    ),
    "an organization of 100 MB": (
        "organization",
        lambda: _organization(100 << 10, b"[[]]"),
        {},
    ),
    "an organization that nearly fits": (
        "organization",
        lambda: _organization(2950, b'[[[{"a":[[1]]}]]]'),
        {},
    ),
    "a decompression bomb": ("users", lambda: _bomb(8_000), {"content-encoding": "gzip"}),
}


def main() -> None:
    """Sync, and print how it ended and what it took."""
    import gc

    gc.set_threshold(OBJECTS_PER_COLLECTION)
    name, pages, headers = CASES[sys.argv[1]]
    width = "1h" if "hours" in sys.argv[1] else "1d"
    settings = read_settings({**os.environ, "USAGE_BUCKET_WIDTH": width})
    connection = Connection(
        lambda: "sk-ant-admin01-x", Pace(10**9), "http://127.0.0.1:1", settings.memory_bytes
    )
    connection.http.mount("http://", _Endless(pages(), headers))
    with tempfile.TemporaryDirectory() as folder:
        lake = Path(folder)
        extractor = Extractor(settings, connection, local_place(lake), clock=lambda: NOW)
        asset = settings.asset(name)
        first = DAY - timedelta(days=2) if "three days" in sys.argv[1] else DAY
        interval = Interval(first, DAY + timedelta(days=1)) if asset.kind.dated else None
        request = Request("interval" if interval else "manual", NOW, interval)
        run = extractor.new_run(asset, request)
        try:
            extractor.run(asset, request, run)
        except LakeError as error:
            ended = type(error).__name__
        else:
            ended = run.status
    sys.stdout.write(json.dumps({"ended": ended, "rows": run.rows, "mib": peak_mib()}) + "\n")


def peak_mib() -> int:
    """The most memory of this program; getrusage counts that of the process that started it."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) >> 10


if __name__ == "__main__":
    main()
