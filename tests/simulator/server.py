"""The simulated Admin API over HTTP: authentication, routing, records and faults."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from email.utils import format_datetime
from functools import partial
from types import TracebackType
from typing import Self

from tests.simulator import faults
from tests.simulator.analytics_endpoints import Analytics
from tests.simulator.endpoints import ENDPOINTS, Answers, OpenDay, end_of
from tests.simulator.faults import Exchange, Fault, error_body
from tests.simulator.organization import Organization
from tests.simulator.parameters import ApiError, Parameters
from tests.simulator.wire import Connection, Listener, Request, Response

VERSIONS = ("2023-06-01", "2026-10-21")
_CURSORS = ("page", "after_id", "before_id")


class AdminApiServer:
    """The Admin API of one organization, on a port of 127.0.0.1 while the context lasts.

    Args:
        organization: What it answers from; may be changed while it runs.
        key: The admin key, taken as `x-api-key` or as a bearer token (as the SDK sends it).
        auth_token: An OAuth token, taken as a bearer token only.
        now: The clock; by default it stands at the end of the organization's last day.
        future_ending_at: See Answers.
        missing_members: Workspaces whose member list answers 404.
        analytics: See Analytics.
        missing_rate_limits: Workspaces whose rate limits answer 404.
        has_group_type: See Answers.
        not_offered: See Answers.
        unknown_parameters: Whether a parameter that an endpoint does not know is a 400.
        latency_ms: Added before each answer.
        cache_bytes: How much rendered JSON is kept.
        port: A free one when 0.

    Attributes:
        says_time: Whether answers have a `Date` header, of `now`.
        names_organization: Whether answers have the organization's header.
    """

    says_time = False
    names_organization = True

    def __init__(
        self,
        organization: Organization,
        *,
        key: str = "sk-ant-admin01-simulated",
        auth_token: str | None = None,
        now: Callable[[], datetime] | None = None,
        future_ending_at: OpenDay = "accept",
        missing_members: Collection[str] = (),
        analytics: Analytics | None = None,
        missing_rate_limits: Collection[str] = (),
        has_group_type: bool = True,
        not_offered: Mapping[str, int] | None = None,
        unknown_parameters: str = "refuse",
        latency_ms: float = 0,
        cache_bytes: int = 1 << 30,
        port: int = 0,
    ) -> None:
        end = end_of(organization.today)
        self.organization = organization
        self.key, self.auth_token = key, auth_token
        self.latency_ms = latency_ms
        self.unknown_parameters = unknown_parameters
        self.answers = Answers(
            organization,
            now or (lambda: end),
            future_ending_at,
            missing_members,
            cache_bytes,
            analytics=analytics or Analytics(),
            missing_rate_limits=missing_rate_limits,
            has_group_type=has_group_type,
            not_offered=dict(not_offered or {}),
        )
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self._previous: dict[object, Request] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._listener = Listener(self._serve, port)
        self.refusing = self._listener.refusing

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        self._listener.start()

    def stop(self) -> None:
        self._listener.stop()

    @property
    def port(self) -> int:
        return self._listener.port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def clear(self) -> None:
        """Forget all requests and faults."""
        self.requests.clear()
        self.faults.clear()
        self._previous.clear()

    # --- one connection, one request

    def _serve(self, connection: Connection) -> None:
        while connection.open and (request := connection.read()) is not None:
            self.requests.append(request)
            fault = self._claim(request)
            connection.wait(self.latency_ms / 1000)
            headers = self._headers()
            answer = partial(self._answer, headers=headers)
            previous = self._previous.get(_walk(request))
            self._respond(connection, Exchange(request, previous, answer, headers), fault)

    def _respond(self, connection: Connection, exchange: Exchange, fault: Fault) -> None:
        response = faults.apply(fault, exchange)
        exchange.request.status = response.status
        if response.status == 200:
            self._previous[_walk(exchange.request)] = exchange.request
        faults.deliver(fault, connection, response)

    def _claim(self, request: Request) -> Fault:
        with self._lock:
            return next((fault for fault in self.faults if fault.claims(request)), _NO_FAULT)

    def _headers(self) -> dict[str, str]:
        headers = {
            "content-type": "application/json",
            "request-id": f"req_01{next(self._numbers):022d}",
        }
        if self.names_organization:
            headers["anthropic-organization-id"] = self.organization.id
        if self.says_time:
            headers["date"] = format_datetime(self.answers.now(), usegmt=True)
        return headers

    def _answer(self, request: Request, headers: dict[str, str]) -> Response:
        """The correct answer, which may be an error."""
        try:
            self._authenticate(request)
            return Response(200, self._body(request), headers)
        except ApiError as error:
            if error.status == 401:  # nobody's organization
                headers = {k: v for k, v in headers.items() if k != "anthropic-organization-id"}
            body = error_body(error.status, error.message, headers["request-id"])
            return Response(error.status, body, headers)

    def _authenticate(self, request: Request) -> None:
        key, header = request.headers.get("x-api-key"), request.headers.get("authorization", "")
        scheme, _, token = header.partition(" ")
        if key is None and not header:
            raise ApiError("x-api-key header is required", 401)
        if key is not None and key != self.key:
            raise ApiError("invalid x-api-key", 401)
        if key is None and (scheme.lower() != "bearer" or token not in self._tokens):
            raise ApiError("Invalid bearer token", 401)

    @property
    def _tokens(self) -> tuple[str | None, ...]:
        return (self.key, self.auth_token)

    def _body(self, request: Request) -> bytes:
        version = request.headers.get("anthropic-version")
        if version not in VERSIONS:
            problem = "header is required" if version is None else f"{version!r} is not a version"
            raise ApiError(f"anthropic-version: {problem}")
        for endpoint in ENDPOINTS:
            if endpoint.path.fullmatch(request.path):
                break
        else:
            raise ApiError(f"Not found: {request.path}", 404)
        if request.method != "GET":
            raise ApiError("Method Not Allowed", 405)
        self.answers.check_offered(request, endpoint.beta)
        query = Parameters(request.query)
        if self.unknown_parameters == "refuse":
            query.refuse_others(endpoint.parameters)
        return endpoint.answer(self.answers, request, query)


_NO_FAULT = Fault(kind="none")


def _walk(request: Request) -> object:
    """What stays the same from page to page."""
    query = {name: tuple(v) for name, v in request.query.items() if name not in _CURSORS}
    return request.path, tuple(sorted(query.items()))
