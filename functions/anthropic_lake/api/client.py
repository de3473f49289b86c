"""A client of the Admin API for one run: requests, retries, pages."""

import random
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus

import requests
import urllib3
from msgspec import Raw

from anthropic_lake import strict_json
from anthropic_lake.api.connection import Connection
from anthropic_lake.api.paging import Answer, Origin, Page, Paging, Params, Walk
from anthropic_lake.api.refusals import RUN_LATER, Transient, message, refusal
from anthropic_lake.errors import (
    ApiUnavailable,
    BadKey,
    ContractBroken,
    DeadlineReached,
    TooLarge,
    redact,
)

MAX_BODY_BYTES = 204 << 20
"""Largest body that is read: with its rows it fits into 1,024 MB of memory."""
_ATTEMPTS = 6
_MAX_BACKOFF_SECONDS = 60.0
_CONNECT_SECONDS = 10.0
_READ_SECONDS = 60.0
_MAX_BODY_SECONDS = 600.0
_CHUNK_BYTES = 1 << 16


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

    def pages(
        self,
        path: str,
        paging: Paging,
        params: Params = (),
        *,
        beta: str | None = None,
        max_body_bytes: int = MAX_BODY_BYTES,
    ) -> Iterator[Page]:
        """Walk over all pages of an endpoint.

        Args:
            path: Path of the endpoint.
            paging: How the endpoint hands out its pages.
            params: Query parameters, the same for every page.
            beta: Value of the `anthropic-beta` header.
            max_body_bytes: Largest body that is read.

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
        max_body_bytes: int = MAX_BODY_BYTES,
    ) -> Answer:
        """Send a request, again after a failure that may pass, and return the answer.

        Args:
            path: Path of the endpoint.
            params: Query parameters.
            beta: Value of the `anthropic-beta` header.
            max_body_bytes: Largest body that is read.

        Raises:
            ApiError: There is no usable answer; the subclass says what to do.
            DeadlineReached: The run has no time left to wait for an answer.
        """
        attempt = 0
        while True:
            attempt += 1
            self._wait_for_pace(self._connection.pace.take())
            try:
                return self._get_once(path, params, beta, max_body_bytes)
            except Transient as failure:
                seconds = failure.after_seconds
                if seconds is None:
                    seconds = _backoff_seconds(attempt)
                if attempt == _ATTEMPTS or seconds >= self._time_left():
                    raise failure.error from None
                self._sleep(seconds)
            except BadKey:
                if self._renewed or not self._connection.renew():
                    raise
                self._renewed = True
            self.retries += 1

    def _wait_for_pace(self, seconds: float) -> None:
        """Wait, or raise DeadlineReached if the run ends before."""
        if seconds >= self._time_left():
            raise DeadlineReached(
                f"{self._asset}: the time of the run ended; the next run goes on from here"
            )
        if seconds:
            self._sleep(seconds)

    def _get_once(self, path: str, params: Params, beta: str | None, max_body_bytes: int) -> Answer:
        """Send one request and return its answer."""
        self.requests += 1
        try:
            with self._send(path, params, beta) as response:
                body = self._read_body(response, max_body_bytes)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            problem = self._message(f"no whole answer ({type(error).__name__}): {RUN_LATER}")
            raise Transient(ApiUnavailable(problem)) from None
        request_id = redact(response.headers.get("request-id", "")) or None
        if response.status_code != HTTPStatus.OK:
            raise refusal(response, body, self._asset, request_id)
        self.organization_id = response.headers.get("anthropic-organization-id")
        return self._answer(body, Origin(request_id, self.organization_id))

    def _send(self, path: str, params: Params, beta: str | None) -> requests.Response:
        """Send one request. It follows no redirect: the key would be sent there too."""
        read_seconds = max(1.0, min(_READ_SECONDS, self._time_left()))
        return self._connection.http.get(
            self._connection.base_url + path,
            params=list(params),
            headers={"anthropic-beta": beta} if beta else None,
            auth=self._connection.credential,
            timeout=(_CONNECT_SECONDS, read_seconds),
            allow_redirects=False,
            stream=True,
        )

    def _read_body(self, response: requests.Response, max_body_bytes: int) -> bytearray:
        """Read a body in pieces, and stop if it grows too large or takes too long."""
        body = bytearray()
        max_seconds = min(_MAX_BODY_SECONDS, self._time_left())
        started = time.monotonic()
        encoded = "content-encoding" in response.headers
        while piece := response.raw.read1(_CHUNK_BYTES, decode_content=encoded):
            body += piece
            if len(body) > max_body_bytes:
                raise TooLarge(
                    self._message(
                        f"an answer of more than {max_body_bytes >> 20} MiB: group by fewer "
                        "dimensions, or by shorter time buckets"
                    )
                )
            if time.monotonic() - started > max_seconds:
                raise requests.Timeout
        return body

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


def _backoff_seconds(attempt: int) -> float:
    """Return the wait before another attempt: exponential, with full jitter."""
    return random.uniform(0, min(_MAX_BACKOFF_SECONDS, 2.0 ** (attempt - 1)))  # noqa: S311  not a secret
