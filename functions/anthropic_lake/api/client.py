"""The Admin API as one run sees it: requests, retries, pages."""

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
from anthropic_lake.api.refusals import LATER, Transient, message, refusal
from anthropic_lake.errors import (
    ApiUnavailable,
    BadKey,
    ContractBroken,
    DeadlineReached,
    TooLarge,
    redact,
)

MOST_BYTES = 204 << 20  # 1,024 MB of memory hold it and what is made of it
_ATTEMPTS = 6
_LONGEST_BACKOFF = 60.0
_CONNECT_SECONDS = 10.0
_READ_SECONDS = 60.0
_WHOLE_ANSWER_SECONDS = 600.0
_CHUNK = 1 << 16


class AdminApi:
    """The Admin API as one run of one asset sees it.

    Args:
        connection: What runs share.
        asset: Name of the asset, for messages.
        time_left: Seconds that the run still has.
        sleep: Waits for some seconds.

    Attributes:
        requests: Requests sent so far.
        retries: How many of them repeated an earlier one.
        organization_id: The organization that the key belongs to, once an answer has said it.
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
        most_bytes: int = MOST_BYTES,
    ) -> Iterator[Page]:
        """Walk over all pages of an endpoint.

        Args:
            path: Path of the endpoint.
            paging: How it hands out its pages.
            params: Query parameters, the same for every page.
            beta: Value of the `anthropic-beta` header.
            most_bytes: Longest body that is read.

        Raises:
            ApiError: On the way, when the walk cannot be finished.
        """

        def ask(cursor: Params) -> Answer:
            return self.get(path, [*params, *cursor], beta=beta, most_bytes=most_bytes)

        return Walk(ask, paging, self._asset)

    def get(
        self,
        path: str,
        params: Params = (),
        *,
        beta: str | None = None,
        most_bytes: int = MOST_BYTES,
    ) -> Answer:
        """Ask once, and again after what may pass: lost connections, 429, 5xx, broken JSON.

        Raises:
            ApiError: There is no usable answer; the subclass says what to do.
            DeadlineReached: The run has no time left to wait for one.
        """
        attempt = 0
        while True:
            attempt += 1
            self._wait(self._connection.pace.take())
            try:
                return self._ask(path, params, beta, most_bytes)
            except Transient as failure:
                wait = _backoff(attempt) if failure.after_seconds is None else failure.after_seconds
                if attempt == _ATTEMPTS or wait >= self._time_left():
                    raise failure.error from None
                self._sleep(wait)
            except BadKey:
                if self._renewed or not self._connection.renew():
                    raise
                self._renewed = True
            self.retries += 1

    def _wait(self, seconds: float) -> None:
        """Wait for the pace, unless that would take longer than the run has."""
        if seconds >= self._time_left():
            raise DeadlineReached(
                f"{self._asset}: the time of the run ended; the next run goes on from here"
            )
        if seconds:
            self._sleep(seconds)

    def _ask(self, path: str, params: Params, beta: str | None, most_bytes: int) -> Answer:
        """Send one request and read its answer."""
        self.requests += 1
        try:
            with self._send(path, params, beta) as response:
                body = self._body(response, most_bytes)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            lost = ApiUnavailable(
                self._message(f"no whole answer ({type(error).__name__}): {LATER}")
            )
            raise Transient(lost) from None
        request_id = redact(response.headers.get("request-id", "")) or None
        if response.status_code != HTTPStatus.OK:
            raise refusal(response, body, self._asset, request_id)
        self.organization_id = response.headers.get("anthropic-organization-id")
        try:
            members = strict_json.members(body)
        except strict_json.DuplicateKey as error:
            raise ContractBroken(str(error), asset=self._asset, request_id=request_id) from None
        except strict_json.InvalidJson as error:
            garbled = self._message(f"the answer is not usable JSON ({error}): {LATER}", request_id)
            raise Transient(
                ApiUnavailable(garbled, status=HTTPStatus.OK, request_id=request_id)
            ) from None
        return Answer(Raw(body), members, Origin(request_id, self.organization_id))

    def _send(self, path: str, params: Params, beta: str | None) -> requests.Response:
        """Send one request; a redirect is not followed, for the key would go with it."""
        seconds = max(1.0, min(_READ_SECONDS, self._time_left()))
        return self._connection.http.get(
            self._connection.base_url + path,
            params=list(params),
            headers={"anthropic-beta": beta} if beta else None,
            auth=self._connection.credential,
            timeout=(_CONNECT_SECONDS, seconds),
            allow_redirects=False,
            stream=True,
        )

    def _body(self, response: requests.Response, most_bytes: int) -> bytearray:
        """Read a body piece by piece, no longer and no larger than is bearable."""
        body = bytearray()
        give_up = min(_WHOLE_ANSWER_SECONDS, self._time_left())
        started = time.monotonic()
        encoded = "content-encoding" in response.headers
        while piece := response.raw.read1(_CHUNK, decode_content=encoded):
            body += piece
            if len(body) > most_bytes:
                raise TooLarge(
                    self._message(
                        f"an answer of more than {most_bytes >> 20} MiB: group by fewer "
                        "dimensions, or by shorter time buckets"
                    )
                )
            if time.monotonic() - started > give_up:
                raise requests.Timeout
        return body

    def _message(self, what: str, request_id: str | None = None) -> str:
        """Return the text of an error."""
        return message(self._asset, what, request_id)


def _backoff(attempt: int) -> float:
    """Give a wait in seconds: exponential, with full jitter."""
    return random.uniform(0, min(_LONGEST_BACKOFF, 2.0 ** (attempt - 1)))  # noqa: S311  not a secret
