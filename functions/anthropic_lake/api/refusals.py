"""Refusals of the Admin API: which error a status becomes, and whether and when to try again."""

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

LATER = "check the network or run again later; nothing is lost"

_MAX_RETRY_AFTER_SECONDS = 300.0
_OVERLOADED = 529
_TRANSIENT_STATUSES = {500, 502, 503, 504, _OVERLOADED}
_SPEND_LIMIT = "enforced_spend_limit_reached"
_SERVER: tuple[type[ApiError], str] = (ApiUnavailable, LATER)
_OTHER: tuple[type[ApiError], str] = (BadRequest, "the request cannot succeed as it is")
_BY_STATUS: dict[int, tuple[type[ApiError], str]] = {
    401: (BadKey, "the key is wrong, expired or revoked; put a valid one into the secret"),
    403: (MissingPermission, "use a key that may read this"),
    404: (NotFound, "it is not there"),
    429: (RateLimited, "lower REQUESTS_PER_MINUTE, or wait if a spend limit is reached"),
}


class Transient(Exception):
    """A failure that another try may mend.

    Args:
        error: What to raise when there is no other try.
        after_seconds: The wait that the API asks for, None where it does not say.
    """

    def __init__(self, error: ApiError, after_seconds: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.after_seconds = after_seconds


def message(asset: str, what: str, request_id: str | None = None) -> str:
    """Return an error's text: the asset, what happened, and the vendor's id of the request."""
    return f"{asset}: {what}" + (f" (request {request_id})" if request_id else "")


def refusal(
    response: requests.Response, body: bytearray, asset: str, request_id: str | None
) -> ApiError | Transient:
    """Return the error that a refusal is, named by what one can do about it.

    Args:
        response: Status and headers.
        body: The answer's body.
        asset: Name of the asset that was asked for.
        request_id: The vendor's id of the request.
    """
    status = response.status_code
    vendor_message, code = _vendor_error(body)
    is_server = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    kind, advice = _BY_STATUS.get(status, _SERVER if is_server else _OTHER)
    error = kind(
        message(asset, f"HTTP {status}, {vendor_message}: {advice}", request_id),
        status=status,
        request_id=request_id,
    )
    is_rate = status == HTTPStatus.TOO_MANY_REQUESTS and code != _SPEND_LIMIT
    if is_rate or status in _TRANSIENT_STATUSES:
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
    """Return the wait that the API asks for, None where it does not name a usable one."""
    text = response.headers.get("retry-after", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        seconds = _seconds_until(text, response.headers.get("date", ""))
    return min(seconds, _MAX_RETRY_AFTER_SECONDS) if seconds >= 0 else None


def _seconds_until(then: str, now: str) -> float:
    """Return the seconds between two HTTP dates, -1 where one is not a date."""
    try:
        return (parsedate_to_datetime(then) - parsedate_to_datetime(now)).total_seconds()
    except (TypeError, ValueError):
        return -1.0
