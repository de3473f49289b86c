"""What can go wrong with one answer: faults as data, and what each kind does."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.simulator.wire import Connection, Request, Response

Json = dict[str, Any]

ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_MESSAGES = {
    401: "invalid x-api-key",
    403: "This API key lacks the permission that this endpoint needs.",
    404: "Not found",
    410: "The page token has expired.",
    429: "This request would exceed your organization's rate limit.",
    500: "Internal server error",
    504: "Request timed out",
    529: "Overloaded",
}
_HTML = b"<html><head><title>%d</title></head><body><center>%d cloudflare</center></body></html>\n"
_DRIPS = 20
_CHUNK = 1 << 15


def error_body(status: int, message: str, request_id: str, **more: Any) -> bytes:
    """The vendor's error envelope; `more` goes into `error`."""
    kind = ERROR_TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    error = {"type": kind, "message": message} | more
    return json.dumps({"type": "error", "error": error, "request_id": request_id}).encode()


@dataclass
class Fault:
    """One misbehaviour, of the requests that it matches.

    Args:
        match: Part of the path, or a function of the request. Everything by default.
        times: How often it happens; null for ever.
        after: How many matching requests pass unharmed before.
        kind: A name in KINDS.
        status: Of the kinds "status" (500 by default) and "html" (502 by default).
        headers: Added to the answer's, of any kind.
        body: Of the kind "status", instead of the vendor's error envelope.
        message: In that envelope.
        details: Of `error.details` in that envelope.
        seconds: How long "hang" waits before and "drip" takes over a correct answer.
        replace: Of the kind "replace": a correct answer's JSON to another, or to raw bytes.
    """

    match: str | Callable[[Request], bool] = ""
    times: int | None = 1
    after: int = 0
    kind: str = "status"
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    message: str | None = None
    details: Json | None = None
    seconds: float = 0.0
    replace: Callable[[Json], Json | bytes] | None = None
    seen: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no fault of kind {self.kind!r}; there are {', '.join(KINDS)}")
        if (self.kind == "replace") != (self.replace is not None):
            raise ValueError("`replace` goes with the kind 'replace'")

    @classmethod
    def spend_cap(cls, **given: Any) -> Fault:
        """The 429 of a monthly spend limit: no retry-after, and no use in trying again."""
        details = {"error_code": "enforced_spend_limit_reached"}
        message = "You have reached your specified API usage limits."
        return cls(status=429, message=message, details=details, **given)

    @classmethod
    def expired_cursor(cls, match: str = "", **given: Any) -> Fault:
        """The 410 of a page that is asked for by its token; of a part of the path."""
        return cls(
            lambda request: match in request.path and "page" in request.query, status=410, **given
        )

    @classmethod
    def members(cls, added: Json, **given: Any) -> Fault:
        """Pages with more members, such as `truncated` or `warning`; bare objects stay."""

        def more(page: Json) -> Json:
            return page | added if "data" in page else page

        return cls(kind="replace", replace=more, **given)

    @classmethod
    def duplicate(cls, changed: Json | None = None, **given: Any) -> Fault:
        """Pages that end with the first record of that list, equal or changed."""
        first: dict[object, Json] = {}

        def repeat(page: Json) -> Json:
            if not page.get("data"):
                return page
            record = page["data"][0]
            one_list = record.get("type"), record.get("workspace_id")
            again = first.setdefault(one_list, record) | (changed or {})
            return page | {"data": [*page["data"], again]}

        return cls(kind="replace", replace=repeat, **given)

    def claims(self, request: Request) -> bool:
        """Whether it happens to this request; each matching request counts."""
        if not self._matches(request):
            return False
        self.seen += 1
        happened = self.seen - self.after
        return happened > 0 and (self.times is None or happened <= self.times)

    def _matches(self, request: Request) -> bool:
        return self.match in request.path if isinstance(self.match, str) else self.match(request)


@dataclass(frozen=True)
class Exchange:
    """A request and how to answer it; `previous` is the one before it in the same walk."""

    request: Request
    previous: Request | None
    answer: Callable[[Request], Response]
    base_headers: Mapping[str, str]

    def correct(self) -> Response:
        return self.answer(self.request)


def apply(fault: Fault, exchange: Exchange) -> Response:
    """The answer after the fault, before it goes on the wire."""
    response = _ANSWERS.get(fault.kind, _correct)(fault, exchange)
    return replace(response, headers={**response.headers, **fault.headers})


def deliver(fault: Fault, connection: Connection, response: Response) -> None:
    """Put the answer on the wire, in the way of the fault."""
    _DELIVERIES.get(fault.kind, _plain)(fault, connection, response)


# --- answers ----------------------------------------------------------------------------------


def _correct(fault: Fault, exchange: Exchange) -> Response:
    return exchange.correct()


def _status(fault: Fault, exchange: Exchange) -> Response:
    status, body = fault.status or 500, fault.body
    if body is None:
        message = fault.message or _MESSAGES.get(status, "Something went wrong")
        more = {"details": fault.details} if fault.details else {}
        body = error_body(status, message, exchange.base_headers["request-id"], **more)
    return Response(status, body, exchange.base_headers)


def _html(fault: Fault, exchange: Exchange) -> Response:
    """A page of the proxy in front of the API, which knows nothing of its headers."""
    status = fault.status or 502
    return Response(status, _HTML % (status, status), {"content-type": "text/html"})


def _truncated_json(fault: Fault, exchange: Exchange) -> Response:
    response = exchange.correct()
    return replace(response, body=response.body[: len(response.body) // 2])


def _gzip(fault: Fault, exchange: Exchange) -> Response:
    response = exchange.correct()
    headers = {**response.headers, "content-encoding": "gzip"}
    return replace(response, body=gzip.compress(response.body, 1), headers=headers)


def _repeat_page(fault: Fault, exchange: Exchange) -> Response:
    return exchange.answer(exchange.previous or exchange.request)


def _no_token(fault: Fault, exchange: Exchange) -> Response:
    def without(page: Json) -> Json:
        tokens = {name: None for name in ("next_page", "last_id") if name in page}
        return page | {"has_more": True} | tokens

    return _edited(exchange.correct(), without)


def _empty_page(fault: Fault, exchange: Exchange) -> Response:
    """Nothing, and a token that no page had before."""
    token = "page_" + exchange.base_headers["request-id"]
    page = {"data": [], "has_more": True, "first_id": None, "last_id": token, "next_page": token}
    return Response(200, json.dumps(page).encode(), exchange.base_headers)


def _replace(fault: Fault, exchange: Exchange) -> Response:
    assert fault.replace is not None
    return _edited(exchange.correct(), fault.replace)


def _edited(response: Response, edit: Callable[[Json], Json | bytes]) -> Response:
    """The response with its JSON edited; errors are left alone."""
    if response.status != 200:
        return response
    edited = edit(json.loads(response.body))
    body = edited if isinstance(edited, bytes) else json.dumps(edited).encode()
    return replace(response, body=body)


_ANSWERS: dict[str, Callable[[Fault, Exchange], Response]] = {
    "status": _status,
    "html": _html,
    "truncated_json": _truncated_json,
    "gzip": _gzip,
    "repeat_page": _repeat_page,
    "no_token": _no_token,
    "empty_page": _empty_page,
    "replace": _replace,
}


# --- deliveries -------------------------------------------------------------------------------


def _plain(fault: Fault, connection: Connection, response: Response) -> None:
    connection.send(response)


def _disconnect(fault: Fault, connection: Connection, response: Response) -> None:
    """The connection ends without an answer."""
    connection.close()


def _reset_headers(fault: Fault, connection: Connection, response: Response) -> None:
    connection.write(response.head()[:-10])
    connection.reset()


def _reset_body(fault: Fault, connection: Connection, response: Response) -> None:
    connection.write(response.head() + response.body[: len(response.body) // 2])
    connection.reset()


def _truncate(fault: Fault, connection: Connection, response: Response) -> None:
    """The connection ends politely before all the announced bytes have come."""
    connection.write(response.head() + response.body[: len(response.body) // 2])
    connection.close()


def _drip(fault: Fault, connection: Connection, response: Response) -> None:
    connection.write(response.head())
    step = max(1, -(-len(response.body) // _DRIPS))
    for start in range(0, len(response.body), step):
        connection.wait(fault.seconds / _DRIPS)
        connection.write(response.body[start : start + step])


def _chunked(fault: Fault, connection: Connection, response: Response) -> None:
    """Correct, and of a length that nobody announced, as a proxy may pass it on."""
    connection.write(response.head(chunked=True))
    for start in range(0, len(response.body), _CHUNK):
        chunk = response.body[start : start + _CHUNK]
        connection.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
    connection.write(b"0\r\n\r\n")


def _hang(fault: Fault, connection: Connection, response: Response) -> None:
    connection.wait(fault.seconds)
    connection.send(response)


_DELIVERIES: dict[str, Callable[[Fault, Connection, Response], None]] = {
    "disconnect": _disconnect,
    "reset_headers": _reset_headers,
    "reset_body": _reset_body,
    "truncate": _truncate,
    "drip": _drip,
    "chunked": _chunked,
    "hang": _hang,
}

KINDS = ("none", *_ANSWERS, *_DELIVERIES)
