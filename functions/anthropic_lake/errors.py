"""Errors, each named for what the user can do about it."""

import re

_SECRETS = re.compile(r"sk-ant-[\w-]+|[^\s\"'<>()]+@[^\s\"'<>()]+")
_NOT_FIXED_BY_WAITING = {
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


_REDACTED = "[redacted]"
_PIECE_CHARS = 8
_KEY_PREFIX = "sk-ant-admin"  # no secret: messages say that a key starts with it
_credential_pieces: set[str] = set()


def hide(credential: str) -> None:
    """Hide a credential from now on: no error and no redacted text of this process shows it."""
    starts = range(len(credential) - _PIECE_CHARS + 1)
    pieces = {credential[start : start + _PIECE_CHARS] for start in starts}
    _credential_pieces.update(piece for piece in pieces if piece not in _KEY_PREFIX)


def without_credentials(text: str) -> str:
    """Return a text without the hidden credentials.

    Pieces of a credential are hidden too, so it does not matter where the text, or what quotes
    the credential, was cut or encoded.
    """
    shown, end = [], 0
    for start in range(len(text) - _PIECE_CHARS + 1):
        if text[start : start + _PIECE_CHARS] in _credential_pieces:
            if start > end or not end:
                shown += [text[end:start], _REDACTED]
            end = start + _PIECE_CHARS
    return "".join([*shown, text[end:]])


def redact(text: str, *, limit: int = 500) -> str:
    """Return the start of a foreign text without keys, e-mail addresses and control characters.

    Args:
        text: A text that this package did not write.
        limit: Number of characters to return at most.
    """
    shown = "".join(char if char.isprintable() else " " for char in text[: 4 * limit])
    return _SECRETS.sub(_REDACTED, without_credentials(shown))[:limit]


def printable(text: str) -> str:
    """Return a text without characters that control a terminal; line feeds and tabs stay."""
    replacement = "\N{REPLACEMENT CHARACTER}"
    return "".join(char if char.isprintable() or char in "\n\t" else replacement for char in text)


class LakeError(Exception):
    """The base of all errors of this package; its text says what happened and what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(without_credentials(message))


class SettingsError(LakeError):
    """The settings, the event or the command line cannot be used; no request was sent."""


class Refused(SettingsError):
    """The run was refused before anything was written, a record of it too."""


class NotThisLake(Refused):
    """The lake, its watermarks and the key do not belong together."""


class WrongClock(Refused):
    """This machine's clock is not the API's, and it decides which days are complete."""


class SecretError(LakeError):
    """The admin key's secret cannot be read or does not hold a usable credential."""


class StorageError(LakeError):
    """The lake or the watermark cannot be read or written now."""


class QueryError(LakeError):
    """A query that an engine refuses, or that failed: change it, or what it reads.

    Args:
        message: The engine's words, over several lines. They quote the data and the statement, so
            characters that control a terminal are replaced.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class StillAtWork(KeyboardInterrupt):
    """Ctrl-C, and a thread of ours does not hear it: end the process without waiting for it."""


def aws_failure(error: Exception, advice: str) -> LakeError:
    """Return the error of this package for an error of boto3.

    Args:
        error: A botocore error.
        advice: What cannot be used, and what to check.

    Returns:
        StorageError if another attempt may succeed, otherwise SettingsError.
    """
    kind = SettingsError if aws_code(error) in _NOT_FIXED_BY_WAITING else StorageError
    return kind(f"{advice} ({redact(str(error))})")


def aws_code(error: Exception) -> str:
    """Return AWS's code of an error of boto3; the name of the error if AWS did not answer."""
    response = getattr(error, "response", None) or {}  # None if the connection was lost
    code: str = response.get("Error", {}).get("Code", type(error).__name__)
    return code


def aws_status(error: Exception) -> int | None:
    """Return the HTTP status of an error of boto3, None if AWS did not answer."""
    response = getattr(error, "response", None) or {}
    status: int | None = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status


class Terminated(SystemExit):
    """SIGTERM has ended the process; its argument is the exit code."""

    def __str__(self) -> str:
        return "the process was told to end; the next run goes on from here"


class DeadlineReached(LakeError):
    """The time of the run ended during a request; the next run goes on from the watermark."""


class ApiError(LakeError):
    """The Admin API did not answer as expected.

    Args:
        message: What happened and what to do.
        status: HTTP status of the answer; None if there was no answer.
        request_id: The vendor's id of the request; None if there was no answer.
    """

    def __init__(
        self, message: str, *, status: int | None = None, request_id: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.request_id = request_id


class BadKey(ApiError):
    """401: the key is wrong, expired or revoked; put a valid one into the secret."""


class MissingPermission(ApiError):
    """403: the key may not read this endpoint; use a key that may."""


class NotFound(ApiError):
    """404: the resource does not exist, or no longer exists."""


class CursorExpired(ApiError):
    """410: the token of the next page has expired; the walk has to start again."""


class NotOffered(ApiError):
    """The organization does not have the endpoint, which not all have; the next run asks again."""


class BadRequest(ApiError):
    """Another 4xx: the request cannot succeed as it is; change the settings or the interval."""


class RateLimited(ApiError):
    """429: too many requests, or the spend limit is reached; wait, or lower the pace."""


class ApiUnavailable(ApiError):
    """There is no usable answer after all retries; run again later, nothing is lost."""


class ApiUnreachable(ApiUnavailable):
    """The API has never answered, and waiting hardly helps: correct what the message names."""


class TooLarge(ApiError):
    """An answer does not fit into memory; group by fewer dimensions or shorter time buckets."""


class ContractBroken(ApiError):
    """The answer contradicts the API's documentation; report it. The day was not written.

    Args:
        problem: What is wrong with the answer.
        asset: Name of the asset.
        field: Dotted path of the wrong field; None if the whole answer is wrong.
        request_id: The vendor's id of the request.
    """

    def __init__(
        self, problem: str, *, asset: str, field: str | None = None, request_id: str | None = None
    ) -> None:
        prefix = f"field {field}: " if field else ""
        super().__init__(
            f"{asset}: {prefix}{problem} (request {request_id}); the day was not written",
            request_id=request_id,
        )
        self.field = field
