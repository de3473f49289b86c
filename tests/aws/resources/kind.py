"""What every resource type does, and how its properties are read and compared."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from botocore.exceptions import ClientError

Json = dict[str, Any]
ABSENT = (
    "EntityNotFoundException",
    "InvalidRequestException",
    "NoSuchBucket",
    "NoSuchBucketPolicy",
    "NoSuchEntity",
    "NotFound",
    "NotFoundException",
    "ParameterNotFound",
    "QueueDoesNotExist",
    "AWS.SimpleQueueService.NonExistentQueue",
    "ResourceNotFound",
    "ResourceNotFoundException",
    "StateMachineDoesNotExist",
    "404",
)


@dataclass(frozen=True)
class Created:
    """A resource that exists.

    Attributes:
        reference: What Ref gives.
        attributes: What Fn::GetAtt gives.
    """

    reference: str
    attributes: Mapping[str, str] = field(default_factory=dict)


class Unsupported(Exception):
    """The template asks for something that this module does not know."""


class Kind(ABC):
    """A resource type.

    Attributes:
        service: Whose API it belongs to.
        name: The property that names the resource; empty where it has no name.
        unkept: What moto's API takes and does not return: not compared.
    """

    service: ClassVar[str]
    name: ClassVar[str] = ""
    unkept: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, client: Any) -> None:
        self.client = client

    def desired(self, properties: Json) -> Json:
        """Return what the service should be asked for."""
        return properties

    @abstractmethod
    def create(self, desired: Json) -> Created:
        """Create it."""

    def update(self, created: Created, desired: Json) -> Created:
        """Change it in place."""
        raise Unsupported(f"{type(self).__name__} is not updated: {created.reference} {desired}")

    @abstractmethod
    def read(self, reference: str) -> Json:
        """Return it as the service describes it; a ClientError or LookupError when absent."""

    def identity(self, properties: Json) -> str:
        """Return the name that must be free before it is created; empty where there is none."""
        return str(properties.get(self.name, "")) if self.name else ""

    def exists(self, reference: str) -> bool:
        """Whether there is one of this name."""
        try:
            self.read(reference)
        except LookupError:
            return False
        except ClientError as error:
            if error.response["Error"]["Code"] in ABSENT:
                return False
            raise
        return True

    def call(self, operation: str, **parameters: Any) -> Json:
        """Call the API with texts made numbers and the reverse, as CloudFormation does."""
        model = self.client.meta.service_model
        name = self.client.meta.method_to_api_mapping[operation]
        shape = model.operation_model(name).input_shape
        answer: Json = getattr(self.client, operation)(**coerced(parameters, shape))
        return answer


def coerced(value: Any, shape: Any) -> Any:
    """Return the value with scalars in the types that the API's shape asks for."""
    if shape.type_name == "structure" and isinstance(value, dict):
        members = shape.members
        return {k: coerced(v, members[k]) if k in members else v for k, v in value.items()}
    if shape.type_name == "map" and isinstance(value, dict):
        return {name: coerced(part, shape.value) for name, part in value.items()}
    if shape.type_name == "list" and isinstance(value, list):
        return [coerced(part, shape.member) for part in value]
    cast = CASTS.get((shape.type_name, type(value)))
    return cast(value) if cast else value


CASTS: dict[tuple[str, type], Callable[[Any], Any]] = {
    ("integer", str): int,
    ("long", str): int,
    ("float", str): float,
    ("double", str): float,
    ("boolean", str): lambda text: text.lower() == "true",
    ("string", bool): lambda flag: str(flag).lower(),
    ("string", int): str,
    ("string", float): str,
    ("string", dict): json.dumps,
}


def differences(expected: Any, actual: Any, path: str = "") -> list[str]:
    """Return where the actual value lacks or contradicts something expected."""
    if isinstance(expected, dict | list) and isinstance(actual, str):
        actual = json.loads(actual)
    if isinstance(expected, str) and isinstance(actual, dict | list):
        expected = json.loads(expected)
    if isinstance(expected, dict) and isinstance(actual, dict):
        missing = [f"{path}.{name}: missing" for name in expected if name not in actual]
        common = [name for name in expected if name in actual]
        parts = [differences(expected[name], actual[name], f"{path}.{name}") for name in common]
        return missing + [line for part in parts for line in part]
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        pairs = enumerate(zip(expected, actual, strict=True))
        parts = [differences(left, right, f"{path}[{n}]") for n, (left, right) in pairs]
        return [line for part in parts for line in part]
    if _text(expected) != _text(actual):
        return [f"{path}: {expected!r} is {actual!r}"]
    return []


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def take(properties: Json, *names: str) -> Json:
    """Return the properties, all of which have to be among the names."""
    if unknown := properties.keys() - set(names):
        raise Unsupported(f"properties {sorted(unknown)}")
    return properties


def lower(properties: Json, *names: str) -> Json:
    """Return the properties with names that start in lower case, as some APIs have it."""
    return {name[0].lower() + name[1:]: v for name, v in take(properties, *names).items()}


def tags(properties: Json) -> dict[str, str]:
    """Return CloudFormation's list of tags as a mapping."""
    return {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}
