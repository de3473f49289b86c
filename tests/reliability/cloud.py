"""An AWS account in memory, behind the methods of boto3's clients that the product calls.

It has S3's semantics as far as they matter here: a PUT replaces the whole object or does nothing,
an absent object is a 403 where ListBucket is not granted. What its clients raise is what is left
when botocore's own retries are used up; those are exercised against moto (test_wire.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
)

if TYPE_CHECKING:
    from tests.reliability.sandbox import Sandbox

_SECONDS = 0.02
_SLOW_SECONDS = 12.0
_STATUS = {"NotFound": 404, "403": 403, "SlowDown": 503, "ServiceUnavailable": 503}

ERRORS: dict[str, tuple[str, ...]] = {
    "s3.head": ("InternalError", "SlowDown", "403", "RequestTimeout", "ThrottlingException"),
    "s3.put": ("InternalError", "SlowDown", "RequestTimeout", "AccessDenied", "Throttling"),
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


@dataclass
class Cloud:
    """The account: what is stored, and what goes wrong.

    Args:
        secret: The text of the admin key's secret.
        rotate: Changes the key, when a fault says so.
        stored: Told of each object that was put.
        moved: Told of each parameter that was put.
    """

    secret: str
    rotate: Callable[[], None] = lambda: None
    stored: Callable[[str, bytes], None] = lambda _key, _body: None
    moved: Callable[[str, str], None] = lambda _name, _value: None
    happened: Callable[[str], None] = lambda _kind: None
    objects: dict[str, tuple[bytes, dict[str, str]]] = field(default_factory=dict)
    parameters: dict[str, list[str]] = field(default_factory=dict)
    faults: list[AwsFault] = field(default_factory=list)
    calls: dict[str, int] = field(default_factory=dict)

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


@dataclass
class Clients:
    """The clients of one sandbox; every call is an effect before and after which it may die."""

    cloud: Cloud
    sandbox: Sandbox
    exceptions: Any = field(
        default_factory=lambda: SimpleNamespace(ParameterNotFound=ParameterNotFound)
    )

    def head_object(self, *, Bucket: str, Key: str) -> Any:  # noqa: N803
        def look(_stale: bool) -> Any:
            if Key not in self.cloud.objects:
                raise _error("403", "HeadObject")
            return {"Metadata": self.cloud.objects[Key][1]}

        return self._call("s3.head", look)

    def put_object(
        self,
        *,
        Bucket: str,  # noqa: N803
        Key: str,  # noqa: N803
        Body: bytes,  # noqa: N803
        Metadata: dict[str, str],  # noqa: N803
        **_kind: str,
    ) -> Any:
        def store(_stale: bool) -> None:
            self.cloud.objects[Key] = Body, Metadata
            self.cloud.stored(Key, Body)

        return self._call("s3.put", store)

    def get_parameter(self, *, Name: str) -> Any:  # noqa: N803
        def read(stale: bool) -> Any:
            values = self.cloud.parameters.get(Name, [])
            values = values[:-1] if stale else values
            if not values:
                raise ParameterNotFound({"Error": {"Code": "ParameterNotFound"}}, "GetParameter")
            return {"Parameter": {"Value": values[-1]}}

        return self._call("ssm.get", read)

    def put_parameter(
        self,
        *,
        Name: str,  # noqa: N803
        Value: str,  # noqa: N803
        **_kind: Any,
    ) -> Any:
        def write(_stale: bool) -> None:
            self.cloud.parameters.setdefault(Name, []).append(Value)
            self.cloud.moved(Name, Value)

        return self._call("ssm.put", write)

    def get_secret_value(self, *, SecretId: str) -> Any:  # noqa: N803
        return self._call("secrets.get", lambda _stale: {"SecretString": self.cloud.secret})

    def _call(self, operation: str, effect: Callable[[bool], Any]) -> Any:
        """Do it, unless something goes wrong before or after."""
        self.sandbox.effect(f"before {operation}")
        fault = self.cloud.claim(operation)
        slow = fault is not None and fault.kind == "slow"
        self.sandbox.clock.sleep(_SLOW_SECONDS if slow else _SECONDS)
        harmless = fault is None or fault.kind in ("slow", "stale", "rotate")
        if fault is not None and not harmless and not fault.after:
            raise _failure(fault, operation)
        answer = effect(fault is not None and fault.kind == "stale")
        self.sandbox.effect(f"after {operation}")
        if fault is not None and fault.kind == "rotate":
            self.cloud.rotate()
        if fault is not None and not harmless:
            raise _failure(fault, operation)
        return answer


def _failure(fault: AwsFault, operation: str) -> Exception:
    """The error that boto3 raises."""
    url = "https://aws.invalid"
    match fault.kind:
        case "connection refused":
            return EndpointConnectionError(endpoint_url=url)
        case "reset":
            return ConnectionClosedError(endpoint_url=url)
        case "read time-out":
            return ReadTimeoutError(endpoint_url=url)
        case code:
            return _error(code, operation)


def _error(code: str, operation: str) -> ClientError:
    status = _STATUS.get(code, 400)
    return ClientError(
        {
            "Error": {"Code": code, "Message": f"simulated {code}"},
            "ResponseMetadata": {"HTTPStatusCode": status},  # type: ignore[typeddict-item]
        },
        operation,
    )
