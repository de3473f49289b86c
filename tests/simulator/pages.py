"""Pages of lists: walked by the ids of what they hold, or by opaque tokens."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from tests.simulator.parameters import ApiError, Parameters
from tests.simulator.wire import Request

Json = dict[str, Any]


def dumps(value: Any) -> bytes:
    """Compact JSON in UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def id_page(listed: Sequence[Json], query: Parameters, cursor: str) -> bytes:
    """A page of a list that is walked by the objects' own ids, in either direction."""
    limit, after, before_id = query.limit(20, 1000), query.one("after_id"), query.one("before_id")
    if after is not None and before_id is not None:
        raise ApiError("Only one of after_id and before_id may be given")
    if before_id is not None:
        rest = listed[: _position(listed, cursor, before_id, "before_id")]
        page = rest[-limit:]
    else:
        start = 0 if after is None else _position(listed, cursor, after, "after_id") + 1
        rest = listed[start:]
        page = rest[:limit]
    ids = [item[cursor] for item in page] or [None]
    envelope = {"has_more": len(rest) > limit, "first_id": ids[0], "last_id": ids[-1]}
    return dumps({"data": page} | envelope)


def _position(listed: Sequence[Json], cursor: str, wanted: str, name: str) -> int:
    for position, item in enumerate(listed):
        if item[cursor] == wanted:
            return position
    raise ApiError(f"{name}: No object with this id")


def token_page(page: Iterable[Sequence[bytes]], token: str | None) -> bytes:
    """A page of a list that is walked by opaque tokens."""
    return page_of(page, {"has_more": token is not None, "next_page": token})


def page_of(items: Iterable[Sequence[bytes]], envelope: Json) -> bytes:
    """A page of objects that come in pieces: large ones are copied once only."""
    pieces = [piece for item in items for piece in (b",", *item)]
    return b"".join((b'{"data":[', *pieces[1:], b"],", dumps(envelope)[1:]))


def page_token(request: Request, offset: str) -> str:
    """An opaque token that is good only for the query which it was given to."""
    text = f"{_digest(request, offset)}|{offset}"
    return "page_" + base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def page_offset(request: Request, query: Parameters) -> str | None:
    """What the request's token says; null on the first page."""
    token = query.one("page")
    if token is None:
        return None
    try:
        text = base64.urlsafe_b64decode(token.removeprefix("page_") + "===")  # spare padding
        digest, _, offset = text.decode().partition("|")
    except ValueError:
        digest = offset = ""
    if digest != _digest(request, offset):
        raise ApiError("page: Invalid page token, or not a token of this query")
    return offset


def _digest(request: Request, offset: str) -> str:
    query = sorted((name, values) for name, values in request.query.items() if name != "page")
    return hashlib.sha256(f"{request.path} {query} {offset}".encode()).hexdigest()[:16]
