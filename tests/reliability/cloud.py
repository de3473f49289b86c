"""An AWS account in memory, behind the methods of boto3's clients that the product calls.

It has S3's semantics as far as they matter here: a PUT replaces the whole object or does nothing,
on condition if asked; an absent object is a 403 where ListBucket is not granted. What its clients
raise is what is left when botocore's own retries are used up; those are exercised against moto
(test_wire.py).
"""

from __future__ import annotations

import hashlib
import io
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
    ResponseStreamingError,
)

if TYPE_CHECKING:
    from tests.reliability.sandbox import Sandbox

BUCKET = "lake"
_URL = "https://aws.invalid"
_SECONDS = 0.02
_SLOW_SECONDS = 12.0
_KEYS_PER_PAGE = 2  # of a listing
_STATUS = {
    "NotFound": 404,
    "NoSuchKey": 404,
    "403": 403,
    "AccessDenied": 403,
    "SlowDown": 503,
    "ServiceUnavailable": 503,
    "PreconditionFailed": 412,
    "ConditionalRequestConflict": 409,
}
_CONDITIONAL = {"PreconditionFailed", "ConditionalRequestConflict"}

ERRORS: dict[str, tuple[str, ...]] = {
    "s3.head": ("InternalError", "SlowDown", "403", "RequestTimeout", "ThrottlingException"),
    "s3.get": ("InternalError", "SlowDown", "RequestTimeout", "body reset"),
    "s3.list": ("InternalError", "SlowDown", "AccessDenied"),
    "s3.put": (
        *("InternalError", "SlowDown", "RequestTimeout", "AccessDenied", "Throttling"),
        *("PreconditionFailed", "ConditionalRequestConflict"),
    ),
    "ssm.get": ("ThrottlingException", "InternalServerError"),
    "ssm.put": ("ThrottlingException", "TooManyUpdates", "InternalServerError"),
    "secrets.get": ("ThrottlingException", "InternalServiceError", "DecryptionFailure"),
}
NETWORK = ("connection refused", "reset", "read time-out")
"""What can happen to any of them, before the effect or after it."""


@dataclass
class AwsFault:
    """One misbehaviour of one call.

    Args:
        operation: A name in ERRORS.
        nth: Which of the plan's calls of it, from 1.
        kind: An error code, a name in NETWORK, `stale`, `slow` or `rotate`.
        after: Whether the effect has happened when it fails.
    """

    operation: str
    nth: int
    kind: str
    after: bool = False


@dataclass(frozen=True)
class Stored:
    """An object as it is in a bucket."""

    body: bytes
    metadata: dict[str, str]
    changed_at: datetime

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.body, usedforsecurity=False).hexdigest()}"'


@dataclass
class Cloud:
    """The account: what is stored, and what goes wrong.

    Args:
        secret: The text of the admin key's secret.
        absent: How S3 says that there is no object: 404, or 403 without ListBucket.
        rotate: Changes the key, when a fault says so.
        stored: Told of each object that was put: bucket, key, object.
        moved: Told of each parameter that was put.
        happened: Told of each fault.
    """

    secret: str
    absent: int = 404
    rotate: Callable[[], None] = lambda: None
    stored: Callable[[str, str, Stored], None] = lambda _bucket, _key, _stored: None
    moved: Callable[[str, str], None] = lambda _name, _value: None
    happened: Callable[[str], None] = lambda _kind: None
    buckets: defaultdict[str, dict[str, Stored]] = field(default_factory=lambda: defaultdict(dict))
    parameters: dict[str, list[str]] = field(default_factory=dict)
    faults: list[AwsFault] = field(default_factory=list)
    calls: dict[str, int] = field(default_factory=dict)

    @property
    def objects(self) -> dict[str, Stored]:
        """The objects of the plan's lake."""
        return self.buckets[BUCKET]

    def parameter(self, name: str) -> str | None:
        """The value of a parameter."""
        return self.parameters[name][-1] if name in self.parameters else None

    def contents(self) -> dict[str, str]:
        """Everything that is stored, by name, with what tells whether it was put again."""
        parameters = {name: f"{len(v)} {v[-1]}" for name, v in self.parameters.items()}
        return parameters | {
            f"s3://{bucket}/{key}": f"{stored.etag} {stored.changed_at}"
            for bucket, objects in self.buckets.items()
            for key, stored in objects.items()
        }

    def claim(self, operation: str) -> AwsFault | None:
        """Count a call and give what goes wrong with it."""
        number = self.calls[operation] = self.calls.get(operation, 0) + 1
        for fault in self.faults:
            if (fault.operation, fault.nth) == (operation, number):
                when = " after the effect" if fault.after else ""
                self.happened(f"{operation}: {fault.kind}{when}")
                return fault
        return None


class ParameterNotFound(ClientError):
    """SSM has no such parameter."""


class ParameterAlreadyExists(ClientError):
    """SSM has such a parameter."""


@dataclass
class Clients:
    """The clients of one sandbox; every call is an effect before and after which it may die."""

    cloud: Cloud
    sandbox: Sandbox
    exceptions: Any = field(
        default_factory=lambda: SimpleNamespace(
            ParameterNotFound=ParameterNotFound, ParameterAlreadyExists=ParameterAlreadyExists
        )
    )

    def head_object(self, *, Bucket: str, Key: str) -> Any:  # noqa: N803
        def look(_fault: AwsFault | None) -> Any:
            stored = self.cloud.buckets[Bucket].get(Key)
            if stored is None:  # an answer without a body has no code of S3's
                raise _error("403" if self.cloud.absent == 403 else "404", "HeadObject")
            return {
                "Metadata": stored.metadata,
                "ETag": stored.etag,
                "ContentLength": len(stored.body),
                "LastModified": stored.changed_at,
            }

        return self._call("s3.head", look)

    def get_object(self, *, Bucket: str, Key: str) -> Any:  # noqa: N803
        def look(fault: AwsFault | None) -> Any:
            stored = self.cloud.buckets[Bucket].get(Key)
            if stored is None:
                code = "AccessDenied" if self.cloud.absent == 403 else "NoSuchKey"
                raise _error(code, "GetObject")
            breaks = fault is not None and fault.kind == "body reset"
            body = _Broken() if breaks else io.BytesIO(stored.body)
            return {"Body": body, "ETag": stored.etag, "LastModified": stored.changed_at}

        return self._call("s3.get", look)

    def get_paginator(self, operation: str) -> Any:
        assert operation == "list_objects_v2"
        return SimpleNamespace(paginate=self._listing)

    def _listing(self, *, Bucket: str, Prefix: str) -> Iterator[Any]:  # noqa: N803
        """Two keys a page, so that a listing is many calls; the first page may be empty."""
        after = ""
        while True:

            def look(_fault: AwsFault | None, after: str = after) -> list[tuple[str, Stored]]:
                listed = sorted(self.cloud.buckets[Bucket].items())
                return [item for item in listed if item[0].startswith(Prefix) and item[0] > after]

            rest: list[tuple[str, Stored]] = self._call("s3.list", look)
            page = rest[:_KEYS_PER_PAGE]
            contents = [
                {"Key": key, "Size": len(stored.body), "LastModified": stored.changed_at}
                for key, stored in page
            ]
            yield {"Contents": contents} if contents else {}
            if len(rest) <= _KEYS_PER_PAGE:
                return
            after = page[-1][0]

    def put_object(
        self,
        *,
        Bucket: str,  # noqa: N803
        Key: str,  # noqa: N803
        Body: bytes,  # noqa: N803
        Metadata: dict[str, str],  # noqa: N803
        IfMatch: str | None = None,  # noqa: N803
        IfNoneMatch: str | None = None,  # noqa: N803
        **_kind: str,
    ) -> Any:
        assert IfNoneMatch in (None, "*")

        def store(_fault: AwsFault | None) -> None:
            standing = self.cloud.buckets[Bucket].get(Key)
            if IfMatch is not None and standing is None:
                raise _error("NoSuchKey", "PutObject")
            if (IfNoneMatch and standing) or (IfMatch and standing and IfMatch != standing.etag):
                raise _error("PreconditionFailed", "PutObject")
            stored = Stored(Body, Metadata, self.sandbox.clock.now())
            self.cloud.buckets[Bucket][Key] = stored
            self.cloud.stored(Bucket, Key, stored)

        return self._call("s3.put", store, conditional=bool(IfMatch or IfNoneMatch))

    def get_parameter(self, *, Name: str) -> Any:  # noqa: N803
        def read(fault: AwsFault | None) -> Any:
            values = self.cloud.parameters.get(Name, [])
            values = values[:-1] if fault is not None and fault.kind == "stale" else values
            if not values:
                raise ParameterNotFound({"Error": {"Code": "ParameterNotFound"}}, "GetParameter")
            return {"Parameter": {"Value": values[-1]}}

        return self._call("ssm.get", read)

    def put_parameter(
        self,
        *,
        Name: str,  # noqa: N803
        Value: str,  # noqa: N803
        Overwrite: bool,  # noqa: N803
        **_kind: Any,
    ) -> Any:
        def write(_fault: AwsFault | None) -> None:
            if not Overwrite and Name in self.cloud.parameters:
                raise ParameterAlreadyExists(
                    {"Error": {"Code": "ParameterAlreadyExists"}}, "PutParameter"
                )
            self.cloud.parameters.setdefault(Name, []).append(Value)
            self.cloud.moved(Name, Value)

        return self._call("ssm.put", write)

    def get_secret_value(self, *, SecretId: str) -> Any:  # noqa: N803
        return self._call("secrets.get", lambda _fault: {"SecretString": self.cloud.secret})

    def _call(
        self,
        operation: str,
        effect: Callable[[AwsFault | None], Any],
        *,
        conditional: bool = False,
    ) -> Any:
        """Do it, unless something goes wrong before or after."""
        self.sandbox.effect(f"before {operation}")
        fault = self.cloud.claim(operation)
        slow = fault is not None and fault.kind == "slow"
        self.sandbox.clock.sleep(_SLOW_SECONDS if slow else _SECONDS)
        harmless = fault is None or fault.kind in ("slow", "stale", "rotate", "body reset")
        if fault is not None and fault.kind in _CONDITIONAL and not conditional:
            harmless = True
        if fault is not None and not harmless and not fault.after:
            raise _failure(fault, operation)
        answer = effect(fault)
        self.sandbox.effect(f"after {operation}")
        if fault is not None and fault.kind == "rotate":
            self.cloud.rotate()
        if fault is not None and not harmless:
            raise _failure(fault, operation)
        return answer


class _Broken(io.BytesIO):
    """A body whose connection breaks while it is read."""

    def read(self, _size: int | None = -1, /) -> bytes:
        raise ResponseStreamingError(error="simulated reset")


def _failure(fault: AwsFault, operation: str) -> Exception:
    """The error that boto3 raises."""
    match fault.kind:
        case "connection refused":
            return EndpointConnectionError(endpoint_url=_URL)
        case "reset":
            return ConnectionClosedError(endpoint_url=_URL)
        case "read time-out":
            return ReadTimeoutError(endpoint_url=_URL)
        case code:
            return _error(code, operation)


def _error(code: str, operation: str) -> ClientError:
    status = int(code) if code.isdigit() else _STATUS.get(code, 400)
    return ClientError(
        {
            "Error": {"Code": code, "Message": f"simulated {code}"},
            "ResponseMetadata": {"HTTPStatusCode": status},  # type: ignore[typeddict-item]
        },
        operation,
    )
