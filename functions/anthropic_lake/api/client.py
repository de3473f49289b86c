"""A client of the Admin API for one run: requests, retries, pages."""

import random
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from http import HTTPStatus

import requests
import urllib3
from msgspec import Raw

from anthropic_lake import strict_json
from anthropic_lake.api.connection import Connection
from anthropic_lake.api.paging import Answer, Origin, Page, Paging, Params, Walk
from anthropic_lake.api.refusals import (
    RUN_LATER,
    Transient,
    http_date,
    message,
    refusal,
)
from anthropic_lake.api.transport import AnswerTooLong
from anthropic_lake.api.unreachable import obstacle, unreadable_authorities
from anthropic_lake.errors import (
    ApiUnavailable,
    ApiUnreachable,
    BadKey,
    ContractBroken,
    DeadlineReached,
    TooLarge,
    redact,
)

MAX_BODY_BYTES = 204 << 20
"""Largest body of a list that is read where memory is plenty."""
_PROCESS_BYTES = 124 << 20
"""Memory of a run that reads next to nothing."""
_LIST_FACTOR = 44
"""Memory that a byte of a list, or of a bare object, may take: nested lists take most."""
_REPORT_FACTOR = 2
"""Memory that a byte of a report takes, which is read a time bucket at a time."""
_MAX_BACKOFF_SECONDS = 60.0
_CONNECT_SECONDS = 4.0
_READ_SECONDS = 60.0
_MAX_ANSWER_SECONDS = 600.0
_CHUNK_BYTES = 1 << 16
_ENCODINGS = ("", "identity", "gzip")
_WIRE_BYTES_A_BODY_BYTE = 2
"""An answer of small chunks has framing, and gzip may make nothing shorter."""


class AdminApi:
    """A client of the Admin API for one run of one asset.

    Args:
        connection: What all runs of the process share.
        asset: Name of the asset, for messages.
        time_left: Returns the seconds that the run still has.
        sleep: Waits for a number of seconds.

    Attributes:
        requests: Number of requests sent.
        retries: How many of them repeated an earlier one.
        organization_id: The organization that the last answer names; None if it names none.
        server_time: The API's time at its last answer, UTC; None if it did not say.
    """

    def __init__(
        self,
        connection: Connection,
        asset: str,
        *,
        time_left: Callable[[], float] = lambda: float("inf"),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._connection = connection
        self._asset = asset
        self._time_left = time_left
        self._sleep = sleep
        self._renewed = False
        self.requests = 0
        self.retries = 0
        self.organization_id: str | None = None
        self.server_time: datetime | None = None

    def pages(
        self,
        path: str,
        paging: Paging,
        params: Params = (),
        *,
        beta: str | None = None,
        max_body_bytes: int | None = None,
    ) -> Iterator[Page]:
        """Walk over all pages of an endpoint.

        Args:
            path: Path of the endpoint.
            paging: How the endpoint hands out its pages.
            params: Query parameters, the same for every page.
            beta: Value of the `anthropic-beta` header.
            max_body_bytes: Largest body of a report that is read; None for a list.

        Raises:
            ApiError: (the iterator) The walk cannot be finished.
        """

        def ask(cursor: Params) -> Answer:
            return self.get(path, [*params, *cursor], beta=beta, max_body_bytes=max_body_bytes)

        return Walk(ask, paging, self._asset)

    def get(
        self,
        path: str,
        params: Params = (),
        *,
        beta: str | None = None,
        max_body_bytes: int | None = None,
    ) -> Answer:
        """Send a request, again after a failure that may pass, and return the answer.

        Args:
            path: Path of the endpoint.
            params: Query parameters.
            beta: Value of the `anthropic-beta` header.
            max_body_bytes: Largest body of a report that is read; None for a list.

        Raises:
            ApiError: There is no usable answer; the subclass says what to do.
            DeadlineReached: The run has no time left to wait for an answer.
        """
        attempt = 0
        limit_bytes = body_limit_bytes(self._connection.memory_bytes, max_body_bytes)
        while True:
            attempt += 1
            self._wait_for_pace(self._connection.pace.take())
            try:
                return self._get_once(path, params, beta, limit_bytes)
            except Transient as failure:
                seconds = failure.after_seconds
                if seconds is None:
                    seconds = _backoff_seconds(attempt)
                if attempt >= failure.attempts or seconds >= self._time_left():
                    raise failure.error from None
                self._sleep(seconds)
            except BadKey:
                if self._renewed or not self._connection.renew():
                    raise
                self._renewed = True
            self.retries += 1

    def require_time(self, seconds: float = 0.0) -> None:
        """Raise DeadlineReached if the run has no more time than this."""
        if seconds >= self._time_left():
            raise DeadlineReached(
                f"{self._asset}: the time of the run ended; the next run goes on from here"
            )

    def _wait_for_pace(self, seconds: float) -> None:
        """Wait, or raise DeadlineReached if the run ends before."""
        self.require_time(seconds)
        if seconds:
            self._sleep(seconds)

    def _get_once(self, path: str, params: Params, beta: str | None, max_body_bytes: int) -> Answer:
        """Send one request and return its answer."""
        self.requests += 1
        try:
            with self._send(path, params, beta, max_body_bytes) as response:
                self._connection.has_answered = True
                self.server_time = http_date(response.headers.get("date", ""))
                body = self._read_body(response, max_body_bytes)
        except AnswerTooLong:
            raise self._too_large(max_body_bytes) from None
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise self._lost(error) from None
        except OSError:  # `requests` looks for the file of authorities
            raise unreadable_authorities() from None
        request_id = _request_id(response)
        organization_id = redact(response.headers.get("anthropic-organization-id", "")) or None
        if response.status_code != HTTPStatus.OK:
            self.organization_id = organization_id or self.organization_id
            raise refusal(response, body, self._asset, request_id)
        self.organization_id = organization_id
        return self._answer(body, Origin(request_id, organization_id))

    def _send(
        self, path: str, params: Params, beta: str | None, max_body_bytes: int
    ) -> requests.Response:
        """Send one request. It follows no redirect: the key would be sent there too."""
        connection = self._connection
        seconds = max(1.0, min(_MAX_ANSWER_SECONDS, self._time_left()))
        connection.transport.bounds.start(
            seconds=seconds,
            pause_seconds=_READ_SECONDS,
            wire_bytes=_WIRE_BYTES_A_BODY_BYTE * max_body_bytes,
        )
        return connection.http.get(
            connection.base_url + path,
            params=list(params),
            headers={"anthropic-beta": beta} if beta else None,
            auth=connection.credential,
            proxies=connection.proxies,
            timeout=(_CONNECT_SECONDS, min(_READ_SECONDS, seconds)),
            allow_redirects=False,
            stream=True,
        )

    def _read_body(self, response: requests.Response, max_body_bytes: int) -> bytearray:
        """Read a body in pieces, and stop if it grows too large or takes too long."""
        body = bytearray()
        encoding = response.headers.get("content-encoding", "").strip().lower()
        if encoding not in _ENCODINGS:
            if response.status_code != HTTPStatus.OK:
                return body
            raise ContractBroken(
                "the answer comes in an encoding that was not asked for",
                asset=self._asset,
                request_id=_request_id(response),
            )
        max_seconds = min(_MAX_ANSWER_SECONDS, self._time_left())
        started = time.monotonic()
        while piece := response.raw.read1(_CHUNK_BYTES, decode_content=encoding == "gzip"):
            body += piece
            if len(body) > max_body_bytes:
                raise self._too_large(max_body_bytes)
            if time.monotonic() - started > max_seconds:
                raise requests.Timeout
        return body

    def _lost(self, error: Exception) -> Transient:
        """Return the error for an answer that did not come, or not whole."""
        problem = f"no whole answer ({type(error).__name__}): {RUN_LATER}"
        found = obstacle(error, self._connection.base_url)
        if found is None:
            return Transient(ApiUnavailable(self._message(problem)))
        if self._connection.has_answered:
            return Transient(ApiUnavailable(self._message(found.problem)))
        return Transient(ApiUnreachable(self._message(found.problem)), attempts=found.attempts)

    def _too_large(self, max_body_bytes: int) -> TooLarge:
        """Return the error for an answer that does not fit."""
        return TooLarge(
            self._message(
                f"an answer of more than {max_body_bytes / (1 << 20):.3g} MiB: group by fewer "
                "dimensions or shorter time buckets, or give the function more memory"
            )
        )

    def _answer(self, body: bytearray, origin: Origin) -> Answer:
        """Split the body of a successful answer into its members."""
        try:
            return Answer(Raw(body), strict_json.members(body), origin)
        except strict_json.DuplicateKey as error:
            raise ContractBroken(
                str(error), asset=self._asset, request_id=origin.request_id
            ) from None
        except strict_json.InvalidJson as error:
            problem = f"the answer is not usable JSON ({error}): {RUN_LATER}"
            unavailable = ApiUnavailable(
                self._message(problem, origin.request_id),
                status=HTTPStatus.OK,
                request_id=origin.request_id,
            )
            raise Transient(unavailable) from None

    def _message(self, problem: str, request_id: str | None = None) -> str:
        """Return the text of an error."""
        return message(self._asset, problem, request_id)


def body_limit_bytes(memory_bytes: int | None, report_bytes: int | None = None) -> int:
    """Return how large a body may be: the memory has to hold what is made of it too.

    Args:
        memory_bytes: Memory of the process; None: plenty.
        report_bytes: Largest body of a report that is read; None for a list.
    """
    limit_bytes = report_bytes or MAX_BODY_BYTES
    if memory_bytes is None:
        return limit_bytes
    factor = _LIST_FACTOR if report_bytes is None else _REPORT_FACTOR
    return min(limit_bytes, max(_CHUNK_BYTES, (memory_bytes - _PROCESS_BYTES) // factor))


def _request_id(response: requests.Response) -> str | None:
    """Return the vendor's id of a request; None if the answer does not name it."""
    return redact(response.headers.get("request-id", "")) or None


def _backoff_seconds(attempt: int) -> float:
    """Return the wait before another attempt: exponential, with full jitter."""
    return random.uniform(0, min(_MAX_BACKOFF_SECONDS, 2.0 ** (attempt - 1)))  # noqa: S311  not a secret
