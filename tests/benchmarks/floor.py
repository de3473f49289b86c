"""The floor: the least that Python can do to make the same Parquet from the same bytes.

    python -m tests.benchmarks.floor LAKE START END GROUP_BY

No retries, no pacing, no checks, no digest, nothing unknown kept: bodies are read, parsed into
typed structs, turned into columns, sorted and written.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import date
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

PATH = "/v1/organizations/usage_report/messages"
UTC = pa.timestamp("us", "UTC")


class CacheCreation(msgspec.Struct, gc=False):
    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class ServerToolUse(msgspec.Struct, gc=False):
    web_search_requests: int | None = None


class Result(msgspec.Struct, gc=False):
    workspace_id: str | None = None
    api_key_id: str | None = None
    account_id: str | None = None
    service_account_id: str | None = None
    model: str | None = None
    service_tier: str | None = None
    context_window: str | None = None
    inference_geo: str | None = None
    speed: str | None = None
    uncached_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: CacheCreation | None = None
    output_tokens: int | None = None
    server_tool_use: ServerToolUse | None = None


class Bucket(msgspec.Struct, gc=False):
    starting_at: str
    ending_at: str
    results: list[Result]


class Page(msgspec.Struct, gc=False):
    data: list[Bucket]
    has_more: bool
    next_page: str | None


TEXTS = (
    "workspace_id",
    "api_key_id",
    "account_id",
    "service_account_id",
    "model",
    "service_tier",
    "context_window",
    "inference_geo",
    "speed",
)


def pages(start: str, end: str, group_by: list[str]) -> Iterator[tuple[Page, str | None]]:
    proxy = urlsplit(os.environ["HTTPS_PROXY"])
    connection = HTTPSConnection(proxy.hostname or "", proxy.port)
    connection.set_tunnel("api.anthropic.com", 443)
    headers = {"x-api-key": os.environ["ANTHROPIC_ADMIN_KEY"], "anthropic-version": "2023-06-01"}
    query = [
        ("starting_at", f"{start}T00:00:00Z"),
        ("ending_at", f"{end}T00:00:00Z"),
        ("bucket_width", "1d"),
        *(("group_by[]", name) for name in group_by),
        ("limit", "31"),
    ]
    decode = msgspec.json.Decoder(Page).decode
    cursor: list[tuple[str, str]] = []
    while True:
        connection.request("GET", f"{PATH}?{urlencode([*query, *cursor])}", headers=headers)
        response = connection.getresponse()
        page = decode(response.read())
        yield page, response.getheader("anthropic-organization-id")
        if not page.has_more:
            return
        cursor = [("page", page.next_page or "")]


def table(bucket: Bucket, grouped_by: str, organization: str | None) -> pa.Table:
    results = bucket.results
    count = len(results)

    def same(value: Any, kind: pa.DataType) -> pa.Array:
        return pa.repeat(pa.scalar(value, kind), count)

    def moment(text: str) -> pa.Array:
        return pa.repeat(pa.scalar(text).cast(UTC), count)

    def counts(values: list[int | None]) -> pa.Array:
        return pa.array(values, pa.int64())

    none = CacheCreation()
    no_use = ServerToolUse()
    created = [result.cache_creation or none for result in results]
    used = [result.server_tool_use or no_use for result in results]
    columns = {
        "starting_at": moment(bucket.starting_at),
        **{
            name: pa.array([getattr(result, name) for result in results], pa.string())
            for name in TEXTS
        },
        "organization_id": same(organization, pa.string()),
        "ending_at": moment(bucket.ending_at),
        "bucket_width": same("1d", pa.string()),
        "grouped_by": same(grouped_by, pa.string()),
        "uncached_input_tokens": counts([result.uncached_input_tokens for result in results]),
        "cache_read_input_tokens": counts([result.cache_read_input_tokens for result in results]),
        "cache_creation_ephemeral_5m_input_tokens": counts(
            [each.ephemeral_5m_input_tokens for each in created]
        ),
        "cache_creation_ephemeral_1h_input_tokens": counts(
            [each.ephemeral_1h_input_tokens for each in created]
        ),
        "output_tokens": counts([result.output_tokens for result in results]),
        "server_tool_use_web_search_requests": counts([each.web_search_requests for each in used]),
        "extra": same(None, pa.string()),
    }
    made = pa.table(columns)
    return made.sort_by([(name, "ascending") for name in ("starting_at", *TEXTS)])


def main() -> None:
    lake, start, end, group_by = Path(sys.argv[1]), *sys.argv[2:5]
    names = group_by.split(",")
    for page, organization in pages(start, end, names):
        for bucket in page.data:
            day = date.fromisoformat(bucket.starting_at[:10])
            folder = lake / "asset=usage_report" / f"date={day}"
            folder.mkdir(parents=True, exist_ok=True)
            rows = table(bucket, ",".join(sorted(names)), organization)
            pq.write_table(
                rows,
                folder / "usage_report.parquet",
                compression="zstd",
                use_dictionary=[each.name for each in rows.schema if each.type != pa.int64()],
                store_schema=False,
            )


if __name__ == "__main__":
    main()
