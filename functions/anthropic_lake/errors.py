"""Errors, named by what one can do about them."""

import re

_SECRETS = re.compile(r"sk-ant-[\w-]+|[^\s\"'<>()]+@[^\s\"'<>()]+")


def redact(text: str, *, limit: int = 500) -> str:
    """Cut a foreign text to `limit` characters without keys, e-mail addresses and control codes."""
    shown = "".join(char if char.isprintable() else " " for char in text[: 4 * limit])
    return _SECRETS.sub("[redacted]", shown)[:limit]


class LakeError(Exception):
    """Anything that this package refuses or gives up on; its text says what to do."""


class SettingsError(LakeError):
    """The settings, the event or the command line cannot be used; nothing was requested."""


class SecretError(LakeError):
    """The admin key's secret cannot be read or does not hold a usable credential."""


class StorageError(LakeError):
    """The lake or the watermark cannot be read or written now."""


class QueryError(LakeError):
    """A query that an engine does not take, or that failed: change it, or what it reads."""


def aws_failure(error: Exception, advice: str) -> LakeError:
    """Turn an error of boto3 into one of ours, by whether another try may mend it.

    Args:
        error: A botocore error.
        advice: What cannot be used, and what to check.
    """
    kind = SettingsError if aws_code(error) in _NOT_MENDED_BY_WAITING else StorageError
    return kind(f"{advice} ({redact(str(error))})")


def aws_code(error: Exception) -> str:
    """Give AWS's code of an error of boto3, the error's name where AWS did not answer."""
    response = getattr(error, "response", None) or {}  # null in a lost connection
    code: str = response.get("Error", {}).get("Code", type(error).__name__)
    return code


_NOT_MENDED_BY_WAITING = {
    "AccessDenied",
    "AccessDeniedException",
    "AllAccessDisabled",
    "AuthorizationHeaderMalformed",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "NoCredentialsError",
    "NoRegionError",
    "NoSuchBucket",
    "ParamValidationError",
    "PartialCredentialsError",
    "PermanentRedirect",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}


class DeadlineReached(LakeError):
    """The run's time ended inside a request; the next run goes on from the watermark."""


class ApiError(LakeError):
    """The Admin API did not give what was asked for.

    Args:
        message: What happened and what to do.
        status: HTTP status of the answer, None when there was no answer.
        request_id: The vendor's id of the request, None when there was no answer.
    """

    def __init__(
        self, message: str, *, status: int | None = None, request_id: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.request_id = request_id


class BadKey(ApiError):
    """401: the key is wrong, expired or revoked: put a valid one into the secret."""


class MissingPermission(ApiError):
    """403: the key may not read this endpoint: use one that may."""


class NotFound(ApiError):
    """404: the thing asked for is not there (any more)."""


class BadRequest(ApiError):
    """Another 4xx: the request cannot succeed as it is: change the settings or the interval."""


class RateLimited(ApiError):
    """429: too many requests, or the spend limit is reached: wait, or ask for fewer a minute."""


class ApiUnavailable(ApiError):
    """No usable answer after all retries: run again later; nothing is lost."""


class TooLarge(ApiError):
    """An answer that would not fit into memory: ask for fewer dimensions or shorter buckets."""


class ContractBroken(ApiError):
    """The answer contradicts the API's documentation: report it; nothing of that day was written.

    Args:
        problem: What is wrong with the answer.
        asset: Name of the asset that was read.
        field: Dotted path of the field at fault, None when it is the answer as a whole.
        request_id: The vendor's id of the request.
    """

    def __init__(
        self, problem: str, *, asset: str, field: str | None = None, request_id: str | None = None
    ) -> None:
        place = f"field {field}: " if field else ""
        super().__init__(
            f"{asset}: {place}{problem} (request {request_id}); the day was not written",
            request_id=request_id,
        )
        self.field = field
