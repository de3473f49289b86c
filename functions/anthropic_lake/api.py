"""The Admin API over HTTP: key, headers, pacing, retries."""

import random
import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime

import requests
import urllib3
from msgspec import Raw

from anthropic_lake import __version__, strict_json
from anthropic_lake.credential import Credential
from anthropic_lake.errors import (
    ApiError,
    ApiUnavailable,
    BadKey,
    BadRequest,
    ContractBroken,
    DeadlineReached,
    MissingPermission,
    NotFound,
    RateLimited,
    TooLarge,
    redact,
)
from anthropic_lake.paging import Answer, Page, Paging, Params, Source, Walk

ANTHROPIC_VERSION = "2023-06-01"
BASE_URL = "https://api.anthropic.com"
MOST_BYTES = 204 << 20  # 1,024 MB of memory hold it and what is made of it

_ATTEMPTS = 6
_LONGEST_BACKOFF = 60.0
_LONGEST_RETRY_AFTER = 300.0
_CONNECT_SECONDS = 10.0
_READ_SECONDS = 60.0
_WHOLE_ANSWER_SECONDS = 600.0
_CHUNK = 1 << 16
_TRANSIENT = {500, 502, 503, 504, 529}
_SPEND_LIMIT = "enforced_spend_limit_reached"
_OK = 200
_LATER = "check the network or run again later; nothing is lost"


class Pace:
    """A token bucket: the requests a minute that all runs of this process share.

    Args:
        per_minute: Requests a minute in the long run.
        burst: Requests that may go out at once after a rest.
        clock: Seconds that only grow.
    """

    def __init__(
        self, per_minute: int, burst: int = 10, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._interval = 60 / per_minute
        self._burst = burst
        self._clock = clock
        self._next_free = clock() - burst * self._interval

    def take(self) -> float:
        """Take a place for one request and give the seconds to wait for it."""
        now = self._clock()
        self._next_free = max(self._next_free, now - self._burst * self._interval)
        self._next_free += self._interval
        return max(0.0, self._next_free - now)


class _Transient(Exception):
    """A failure that another try may mend; `after` is the wait in seconds that was asked for."""

    def __init__(self, error: ApiError, after: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.after = after


class Connection:
    """What all runs of a process share: address, key, HTTP session and pace.

    Args:
        secret: Reads the admin key's secret; called at first use, and again after a 401.
        pace: The budget of requests.
        base_url: Address of the API.
    """

    def __init__(self, secret: Callable[[], str], pace: Pace, base_url: str = BASE_URL) -> None:
        self.pace = pace
        self.base_url = base_url.rstrip("/")
        self.http = requests.Session()
        self.http.headers["anthropic-version"] = ANTHROPIC_VERSION
        self.http.headers["User-Agent"] = f"anthropic-lake/{__version__}"
        self._secret = secret
        self._credential: Credential | None = None

    def open(self) -> None:
        """Read the secret now.

        Raises:
            SecretError: It cannot be read or used.
        """
        self._credential = Credential(self._secret())

    @property
    def credential(self) -> Credential:
        """The credential in use."""
        if self._credential is None:
            self._credential = Credential(self._secret())
        return self._credential

    def renew(self) -> bool:
        """Read the secret again and tell whether it has changed."""
        refused, self._credential = self._credential, None
        return self.credential != refused


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
            except _Transient as failure:
                wait = _backoff(attempt) if failure.after is None else failure.after
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
            lost = ApiUnavailable(self._say(f"no whole answer ({type(error).__name__}): {_LATER}"))
            raise _Transient(lost) from None
        request_id = redact(response.headers.get("request-id", "")) or None
        if response.status_code != _OK:
            raise self._refusal(response, body, request_id)
        self.organization_id = response.headers.get("anthropic-organization-id")
        try:
            members = strict_json.members(body)
        except strict_json.DuplicateKey as error:
            raise ContractBroken(str(error), asset=self._asset, request_id=request_id) from None
        except strict_json.InvalidJson as error:
            garbled = self._say(f"the answer is not usable JSON ({error}): {_LATER}", request_id)
            raise _Transient(ApiUnavailable(garbled, status=_OK, request_id=request_id)) from None
        return Answer(Raw(body), members, Source(request_id, self.organization_id))

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
                    self._say(
                        f"an answer of more than {most_bytes >> 20} MiB: group by fewer "
                        "dimensions, or by shorter time buckets"
                    )
                )
            if time.monotonic() - started > give_up:
                raise requests.Timeout
        return body

    def _refusal(
        self, response: requests.Response, body: bytearray, request_id: str | None
    ) -> Exception:
        """Name a refusal by what one can do about it."""
        status = response.status_code
        message, code = _vendor_error(body)
        kind, advice = _REFUSALS.get(status, _SERVER if status >= _SERVER_ERRORS else _OTHER)
        error = kind(
            self._say(f"HTTP {status}, {message}: {advice}", request_id),
            status=status,
            request_id=request_id,
        )
        if status == _TOO_MANY and code != _SPEND_LIMIT:
            return _Transient(error, _retry_after(response))
        return _Transient(error, _retry_after(response)) if status in _TRANSIENT else error

    def _say(self, what: str, request_id: str | None = None) -> str:
        """Put a message together."""
        return f"{self._asset}: {what}" + (f" (request {request_id})" if request_id else "")


_TOO_MANY = 429
_SERVER_ERRORS = 500
_SERVER: tuple[type[ApiError], str] = (ApiUnavailable, _LATER)
_OTHER: tuple[type[ApiError], str] = (BadRequest, "the request cannot succeed as it is")
_REFUSALS: dict[int, tuple[type[ApiError], str]] = {
    401: (BadKey, "the key is wrong, expired or revoked; put a valid one into the secret"),
    403: (MissingPermission, "use a key that may read this"),
    404: (NotFound, "it is not there"),
    _TOO_MANY: (RateLimited, "lower REQUESTS_PER_MINUTE, or wait if a spend limit is reached"),
}


def _vendor_error(body: bytearray) -> tuple[str, str | None]:
    """Read the message and the error code from the vendor's error envelope."""
    try:
        envelope = strict_json.value(body)
        error = envelope["error"]
        message, details = error["message"], error.get("details") or {}
        return redact(str(message)), details.get("error_code")
    except (ValueError, LookupError, TypeError, AttributeError):
        return "without the API's error message", None


def _retry_after(response: requests.Response) -> float | None:
    """Read the wait in seconds that the API asks for, None where it does not say a usable one."""
    text = response.headers.get("retry-after", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        seconds = _seconds_until(text, response.headers.get("date", ""))
    return min(seconds, _LONGEST_RETRY_AFTER) if seconds >= 0 else None


def _seconds_until(then: str, now: str) -> float:
    """Give the seconds between two HTTP dates, -1 where one is not a date."""
    try:
        return (parsedate_to_datetime(then) - parsedate_to_datetime(now)).total_seconds()
    except (TypeError, ValueError):
        return -1.0


def _backoff(attempt: int) -> float:
    """Give a wait in seconds: exponential, with full jitter."""
    return random.uniform(0, min(_LONGEST_BACKOFF, 2.0 ** (attempt - 1)))  # noqa: S311  not a secret
