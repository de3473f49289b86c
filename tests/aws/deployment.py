"""Deploys the project's template into an embedded AWS, and finds it there again.

    stack = deploy(aws, "lake", {"HistoryStart": "2026-11-01"})
    stack.outputs["DataBucket"]
    stack.update({"LogRetentionDays": "30"})

The template goes the way that `sam deploy` takes: packaged, translated by the SAM translator,
resolved, created. Where CloudFormation would do the last two, tests/aws/template.py and
tests/aws/resources do. What is packaged is the functions folder as it stands; the layer is an
empty archive, which nothing here runs (tests/infra runs the built one).
"""

from __future__ import annotations

import functools
import io
import uuid
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from tests.aws.embedded import ACCOUNT_ID, REGION, ROOT
from tests.aws.resources.kind import Created, Kind, Unsupported, differences
from tests.aws.resources.registry import TYPES
from tests.aws.template import Json, Resolver, parameter_values, read, translate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.aws.embedded import EmbeddedAws

TEMPLATE = ROOT / "template.yaml"
ARTIFACTS = "artifacts"
UPLOADS = {"CodeUri": "functions.zip", "ContentUri": "layer.zip"}


class DeploymentError(Exception):
    """A stack could not be created or is not what its template says."""


@dataclass(frozen=True)
class Function:
    """A deployed function, as the Lambda API describes it.

    Attributes:
        name: Its physical name.
        handler: `module.function`.
        environment: Its variables.
        role: The ARN of its role.
        timeout: In seconds.
        memory: In MB.
    """

    name: str
    handler: str
    environment: Mapping[str, str]
    role: str
    timeout: int
    memory: int


@dataclass(frozen=True)
class Resource:
    """A resource of a stack.

    Attributes:
        type: Such as `AWS::S3::Bucket`.
        properties: From the template, resolved.
        created: How it is referred to.
    """

    type: str
    properties: Json
    created: Created


class Stack:
    """The template's resources in an account, under one stack name.

    Args:
        aws: The account.
        name: The stack's name.
        template: A SAM template.
    """

    def __init__(self, aws: EmbeddedAws, name: str, template: Path = TEMPLATE) -> None:
        self.aws = aws
        self.name = name
        self.resources: dict[str, Resource] = {}
        self.parameters: Json = {}
        self._template = _translated(template.parent, template.read_text())
        self._kinds: dict[str, Kind] = {}
        self._resolver: Resolver
        self._pending: set[str] = set()
        self._previous: dict[str, Resource] = {}

    def create(self, parameters: Mapping[str, str]) -> Stack:
        """Create every resource whose condition holds, and check that it is there."""
        self.parameters = parameter_values(self._template, parameters)
        self._resolver = Resolver(
            self._template, {**self._pseudo(), **self.parameters}, self._reference, self._attribute
        )
        self._resolver.check_rules()
        _upload(self.aws)
        for logical_id in self._wanted():
            self._ensure(logical_id)
        self.check()
        return self

    def update(self, parameters: Mapping[str, str]) -> Stack:
        """Change parameters: resources are created and changed in place as needed.

        Raises:
            Unsupported: A resource would have to be replaced or deleted.
        """
        given = {
            name: ",".join(value) if isinstance(value, list) else value
            for name, value in self.parameters.items()
        }
        self._previous, self.resources = self.resources, {}
        self.create({**given, **parameters})
        if gone := self._previous.keys() - self.resources.keys():
            raise Unsupported(f"deleting {sorted(gone)}")
        self._previous = {}
        return self

    def check(self) -> None:
        """Compare every resource with what its service says of it.

        Raises:
            DeploymentError: One is not there, or differs from the template.
        """
        missing = set(self._wanted()) - self.resources.keys()
        wrong = [f"{logical_id}: not created" for logical_id in missing]
        for logical_id, resource in self.resources.items():
            wrong += [f"{logical_id}{line}" for line in self._differences(resource)]
        if wrong:
            raise DeploymentError("\n".join(wrong))

    @property
    def outputs(self) -> dict[str, str]:
        """The template's outputs, resolved."""
        declared: Mapping[str, Json] = self._template.get("Outputs", {})
        return {
            name: self._resolver.resolve(output["Value"])
            for name, output in declared.items()
            if self._holds(output)
        }

    @property
    def functions(self) -> dict[str, Function]:
        """The deployed functions by asset, as the Lambda API describes them."""
        functions = [self._function(r.created.reference) for r in self.of("AWS::Lambda::Function")]
        return {f.environment["ASSET"]: f for f in functions if "ASSET" in f.environment}

    def of(self, kind: str) -> list[Resource]:
        """Return the resources of a type."""
        return [resource for resource in self.resources.values() if resource.type == kind]

    def names(self) -> dict[str, str]:
        """Return the physical name of each resource by logical id."""
        return {name: resource.created.reference for name, resource in self.resources.items()}

    @property
    def declared(self) -> set[str]:
        """The logical ids of all resources, whatever their condition."""
        return set(self._template["Resources"])

    def schedule(self, asset: str) -> Json:
        """Return the target of the schedule that starts the asset's function."""
        target: Json = self._schedule(asset)["Target"]
        return target

    def schedule_expression(self, asset: str) -> str:
        """Return when the asset's function is started."""
        return str(self._schedule(asset)["ScheduleExpression"])

    def _schedule(self, asset: str) -> Json:
        scheduler = self.aws.client("scheduler")
        function = f":function:{self.functions[asset].name}"
        for resource in self.of("AWS::Scheduler::Schedule"):
            schedule: Json = scheduler.get_schedule(Name=resource.created.reference)
            if schedule["Target"]["Arn"].endswith(function):
                return schedule
        raise DeploymentError(f"no schedule starts {asset}")

    def _function(self, name: str) -> Function:
        found = self.aws.client("lambda").get_function_configuration(FunctionName=name)
        return Function(
            name=found["FunctionName"],
            handler=found["Handler"],
            environment=found["Environment"]["Variables"],
            role=found["Role"],
            timeout=found["Timeout"],
            memory=found["MemorySize"],
        )

    def _pseudo(self) -> Json:
        return {
            "AWS::AccountId": ACCOUNT_ID,
            "AWS::Partition": "aws",
            "AWS::Region": REGION,
            "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT_ID}:stack/{self.name}/0",
            "AWS::StackName": self.name,
            "AWS::URLSuffix": "amazonaws.com",
        }

    def _wanted(self) -> list[str]:
        declared: Mapping[str, Json] = self._template["Resources"]
        return [name for name, resource in declared.items() if self._holds(resource)]

    def _holds(self, declared: Json) -> bool:
        return "Condition" not in declared or self._resolver.condition(declared["Condition"])

    def _reference(self, logical_id: str) -> str:
        return self._ensure(logical_id).created.reference

    def _attribute(self, logical_id: str, attribute: str) -> str:
        return self._ensure(logical_id).created.attributes[attribute]

    def _ensure(self, logical_id: str) -> Resource:
        """Return the resource; the first to ask for it has it created."""
        if logical_id in self.resources:
            return self.resources[logical_id]
        declared = self._template["Resources"][logical_id]
        if logical_id in self._pending or not self._holds(declared):
            raise DeploymentError(f"{logical_id} is needed by itself or is not to be created")
        self._pending.add(logical_id)
        depends = declared.get("DependsOn", [])
        for other in [depends] if isinstance(depends, str) else depends:
            self._ensure(other)
        properties = self._resolver.resolve(declared.get("Properties", {}))
        resource = self._put(logical_id, declared["Type"], properties)
        self._pending.discard(logical_id)
        self.resources[logical_id] = resource
        return resource

    def _put(self, logical_id: str, type_: str, properties: Json) -> Resource:
        kind, previous = self._kind(type_), self._previous.get(logical_id)
        if previous and kind.name and kind.name not in properties:
            properties = {kind.name: previous.properties[kind.name], **properties}
        if previous and previous.properties == properties:
            return previous
        if previous and kind.identity(properties) == kind.identity(previous.properties):
            created = kind.update(previous.created, kind.desired(properties))
            return Resource(type_, properties, created)
        if previous:
            raise Unsupported(f"replacing {logical_id}")
        name = kind.identity(properties)
        if name and kind.exists(name):
            raise DeploymentError(f"{logical_id}: there is a {type_} of the name {name} already")
        if kind.name and not name:
            properties = {kind.name: self._name(logical_id, type_), **properties}
        return Resource(type_, properties, kind.create(kind.desired(properties)))

    def _name(self, logical_id: str, type_: str) -> str:
        name = f"{self.name}-{logical_id}-{uuid.uuid4().hex[:12]}"
        return name[-63:].lower() if type_ == "AWS::S3::Bucket" else name

    def _kind(self, type_: str) -> Kind:
        if type_ not in TYPES:
            raise Unsupported(type_)
        if type_ not in self._kinds:
            self._kinds[type_] = TYPES[type_](self.aws.client(TYPES[type_].service))
        return self._kinds[type_]

    def _differences(self, resource: Resource) -> list[str]:
        kind = self._kind(resource.type)
        try:
            actual = kind.read(resource.created.reference)
        except Exception as error:  # noqa: BLE001
            return [f": not there: {error!r}"]
        desired = kind.desired(resource.properties)
        compared = {name: part for name, part in desired.items() if name not in kind.unkept}
        return differences(compared, actual)


def deploy(aws: EmbeddedAws, name: str, parameters: Mapping[str, str] | None = None) -> Stack:
    """Create a stack from the project's template.

    Raises:
        DeploymentError: A resource was not created as the template says.
    """
    return Stack(aws, name).create(parameters or {})


@functools.cache
def _translated(folder: Path, text: str) -> Json:
    """Package and translate a template; the one who asks must not change it."""
    template = read(text)
    stanzas = [resource["Properties"] for resource in template["Resources"].values()]
    for stanza in [*stanzas, template.get("Globals", {}).get("Function", {})]:
        for name in UPLOADS.keys() & stanza.keys():
            stanza[name] = f"s3://{ARTIFACTS}/{UPLOADS[name]}"
        if isinstance(stanza.get("DefinitionUri"), str):  # uploaded as well; here put in its place
            definition = yaml.safe_load((folder / stanza.pop("DefinitionUri")).read_text())
            stanza["Definition"] = definition
    return translate(template, REGION)


def _upload(aws: EmbeddedAws) -> None:
    """Upload what the packaged template refers to."""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=ARTIFACTS)
    s3.put_object(Bucket=ARTIFACTS, Key=UPLOADS["CodeUri"], Body=_zip(ROOT / "functions"))
    s3.put_object(Bucket=ARTIFACTS, Key=UPLOADS["ContentUri"], Body=_zip(None))


def _zip(folder: Path | None) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("about.txt", "made by tests/aws/deployment.py\n")
        for path in sorted(folder.rglob("*.py")) if folder else []:
            files.write(path, path.relative_to(folder or path))
    return archive.getvalue()
