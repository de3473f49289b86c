"""Refusals of the Admin API: the error for a status, and when to try again."""

from email.utils import parsedate_to_datetime
from http import HTTPStatus

import requests

from anthropic_lake import strict_json
from anthropic_lake.errors import (
    ApiError,
    ApiUnavailable,
    BadKey,
    BadRequest,
    MissingPermission,
    NotFound,
    RateLimited,
    redact,
)

RUN_LATER = "check the network or run again later; nothing is lost"

_MAX_RETRY_AFTER_SECONDS = 300.0
_OVERLOADED = 529
_TRANSIENT_STATUSES = {500, 502, 503, 504, _OVERLOADED}
_SPEND_LIMIT = "enforced_spend_limit_reached"
_SERVER_ERROR: tuple[type[ApiError], str] = (ApiUnavailable, RUN_LATER)
_CLIENT_ERROR: tuple[type[ApiError], str] = (BadRequest, "the request cannot succeed as it is")
_BY_STATUS: dict[int, tuple[type[ApiError], str]] = {
    401: (BadKey, "the key is wrong, expired or revoked; put a valid one into the secret"),
    403: (MissingPermission, "use a key that may read this"),
    404: (NotFound, "it is not there"),
    429: (RateLimited, "lower REQUESTS_PER_MINUTE, or wait if a spend limit is reached"),
}


class Transient(Exception):
    """A failure that another attempt may fix.

    Args:
        error: The error to raise if there is no other attempt.
        after_seconds: The wait that the API asks for; None if it does not ask for one.
    """

    def __init__(self, error: ApiError, after_seconds: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.after_seconds = after_seconds


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
    is_rate_limit = status == HTTPStatus.TOO_MANY_REQUESTS and code != _SPEND_LIMIT
    if is_rate_limit or status in _TRANSIENT_STATUSES:
        return Transient(error, _retry_after_seconds(response))
    return error


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
    text = response.headers.get("retry-after", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        seconds = _seconds_until(text, response.headers.get("date", ""))
    return min(seconds, _MAX_RETRY_AFTER_SECONDS) if seconds >= 0 else None


def _seconds_until(then: str, now: str) -> float:
    """Return the seconds between two HTTP dates, -1 if one is not a date."""
    try:
        return (parsedate_to_datetime(then) - parsedate_to_datetime(now)).total_seconds()
    except (TypeError, ValueError):
        return -1.0
