"""Refusals of the Admin API: the error for a status, and when to try again."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import requests

from anthropic_lake import strict_json
from anthropic_lake.errors import (
    ApiError,
    ApiUnavailable,
    BadKey,
    BadRequest,
    CursorExpired,
    MissingPermission,
    NotFound,
    RateLimited,
    redact,
)

RUN_LATER = "check the network or run again later; nothing is lost"
ATTEMPTS = 6
"""How often a request is sent at most."""

_MAX_RETRY_AFTER_SECONDS = 300.0
_OVERLOADED = 529
_TRANSIENT_STATUSES = {408, 500, 502, 503, 504, _OVERLOADED}
_SPEND_LIMIT = "enforced_spend_limit_reached"
_SERVER_ERROR: tuple[type[ApiError], str] = (ApiUnavailable, RUN_LATER)
_CLIENT_ERROR: tuple[type[ApiError], str] = (BadRequest, "the request cannot succeed as it is")
_BY_STATUS: dict[int, tuple[type[ApiError], str]] = {
    401: (BadKey, "the key is wrong, expired or revoked; put a valid one into the secret"),
    403: (MissingPermission, "use a key that may read this"),
    404: (NotFound, "it is not there"),
    410: (CursorExpired, "pages came too slowly; run again, or raise REQUESTS_PER_MINUTE"),
    429: (RateLimited, "lower REQUESTS_PER_MINUTE, or wait if a spend limit is reached"),
}


class Transient(Exception):
    """A failure that another attempt may fix.

    Args:
        error: The error to raise if there is no other attempt.
        after_seconds: The wait that the API asks for; None if it does not ask for one.
        attempts: How many attempts are made in all.
    """

    def __init__(
        self, error: ApiError, after_seconds: float | None = None, attempts: int = ATTEMPTS
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.after_seconds = after_seconds
        self.attempts = attempts


def message(asset: str, problem: str, request_id: str | None = None) -> str:
    """Return an error's text: the asset, the problem, the vendor's id of the request."""
    return f"{asset}: {problem}" + (f" (request {request_id})" if request_id else "")


def refusal(
    response: requests.Response, body: bytearray, asset: str, request_id: str | None
) -> ApiError | Transient:
    """Return the error for an answer that is not 200.

    Args:
        response: Status and headers.
        body: The answer's body.
        asset: Name of the asset that was asked for.
        request_id: The vendor's id of the request.
    """
    status = response.status_code
    vendor_message, code = _vendor_error(body)
    is_server_error = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    kind, advice = _BY_STATUS.get(status, _SERVER_ERROR if is_server_error else _CLIENT_ERROR)
    error = kind(
        message(asset, f"HTTP {status}, {vendor_message}: {advice}", request_id),
        status=status,
        request_id=request_id,
    )
    if _may_pass(response, code):
        return Transient(error, _retry_after_seconds(response))
    return error


def http_date(text: str) -> datetime | None:
    """Return the instant of a date as HTTP headers hold it, UTC; None for any other text."""
    try:
        then = parsedate_to_datetime(text)
        return then.replace(tzinfo=UTC) if then.tzinfo is None else then.astimezone(UTC)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def _may_pass(response: requests.Response, code: str | None) -> bool:
    """Return whether another attempt may succeed: the API's own word goes before the status."""
    status = response.status_code
    if status == HTTPStatus.UNAUTHORIZED or code == _SPEND_LIMIT:
        return False  # another key may help, or another month
    advice = response.headers.get("x-should-retry", "").strip().lower()
    if advice in ("true", "false"):
        return advice == "true"
    return status == HTTPStatus.TOO_MANY_REQUESTS or status in _TRANSIENT_STATUSES


def _vendor_error(body: bytearray) -> tuple[str, str | None]:
    """Return the message and the error code of the vendor's error envelope."""
    try:
        envelope = strict_json.value(body)
        error = envelope["error"]
        text, details = error["message"], error.get("details") or {}
        return redact(str(text)), details.get("error_code")
    except (ValueError, LookupError, TypeError, AttributeError):
        return "without the API's error message", None


def _retry_after_seconds(response: requests.Response) -> float | None:
    """Return the wait that the API asks for, None if it does not ask for a usable one."""
    headers = response.headers
    waits = (
        _number(headers.get("retry-after-ms", "")) / 1000,
        _number(headers.get("retry-after", "")),
        _seconds_until(headers.get("retry-after", ""), headers.get("date", "")),
    )
    seconds = next((wait for wait in waits if wait >= 0), None)
    return None if seconds is None else min(seconds, _MAX_RETRY_AFTER_SECONDS)


def _number(text: str) -> float:
    """Return a number, -1 if the text is none."""
    try:
        return float(text)
    except ValueError:
        return -1.0


def _seconds_until(then: str, now: str) -> float:
    """Return the seconds between two HTTP dates, -1 if one is not a date."""
    start, end = http_date(now), http_date(then)
    return (end - start).total_seconds() if start and end else -1.0
