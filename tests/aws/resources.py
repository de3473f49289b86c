"""CloudFormation's resource types over the services' own APIs: create, update, read back.

moto's CloudFormation reports CREATE_COMPLETE for many types that it does not create, so a stack is
made of these instead. A type that is not here, and a property that a type does not know, is an
error. What a resource should be is written in the words of the service's API (`desired`), so that
it can be compared with what that API returns afterwards (`read`).
"""

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
TYPES: dict[str, type[Kind]] = {}


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

    def __init_subclass__(cls, type: str = "", **options: Any) -> None:  # noqa: A002
        super().__init_subclass__(**options)
        if type:
            TYPES[type] = cls

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


# --- Lambda


class Function(Kind, type="AWS::Lambda::Function"):
    service = "lambda"
    name = "FunctionName"
    unkept = frozenset({"Code", "LoggingConfig", "Publish"})

    def desired(self, properties: Json) -> Json:
        return {**properties, "Tags": tags(properties)}

    def create(self, desired: Json) -> Created:
        function = self.call("create_function", **desired)
        return Created(function["FunctionName"], {"Arn": function["FunctionArn"]})

    def update(self, created: Created, desired: Json) -> Created:
        fixed = ("Code", "Tags", "Architectures")
        self.call(
            "update_function_configuration",
            **{name: value for name, value in desired.items() if name not in fixed},
        )
        return created

    def read(self, reference: str) -> Json:
        answer: Json = self.client.get_function(FunctionName=reference)
        function = answer["Configuration"]
        layers = [layer["Arn"] for layer in function.get("Layers", [])]
        return {**function, "Layers": layers, "Tags": answer.get("Tags", {})}


class LayerVersion(Kind, type="AWS::Lambda::LayerVersion"):
    service = "lambda"
    name = "LayerName"
    unkept = frozenset({"Content"})

    def create(self, desired: Json) -> Created:
        return Created(self.call("publish_layer_version", **desired)["LayerVersionArn"])

    def read(self, reference: str) -> Json:
        if not reference.startswith("arn:"):
            raise LookupError(reference)
        *_, name, number = reference.split(":")
        version: Json = self.client.get_layer_version(LayerName=name, VersionNumber=int(number))
        return {**version, "LayerName": version["LayerArn"].rsplit(":", 1)[-1]}


class EventInvokeConfig(Kind, type="AWS::Lambda::EventInvokeConfig"):
    service = "lambda"
    unkept = frozenset({"Qualifier"})

    def desired(self, properties: Json) -> Json:
        if properties.get("Qualifier") != "$LATEST":
            raise Unsupported(f"qualifier of {properties}")
        return properties

    def create(self, desired: Json) -> Created:
        parameters = {name: value for name, value in desired.items() if name != "Qualifier"}
        self.call("put_function_event_invoke_config", **parameters)
        return Created(desired["FunctionName"])

    def read(self, reference: str) -> Json:
        config: Json = self.client.get_function_event_invoke_config(FunctionName=reference)
        return {**config, "FunctionName": config["FunctionArn"].rsplit(":", 1)[-1]}


# --- EventBridge Scheduler


class Schedule(Kind, type="AWS::Scheduler::Schedule"):
    service = "scheduler"
    name = "Name"

    def create(self, desired: Json) -> Created:
        arn = self.call("create_schedule", **desired)["ScheduleArn"]
        return Created(desired["Name"], {"Arn": arn})

    def update(self, created: Created, desired: Json) -> Created:
        self.call("update_schedule", **desired)
        return created

    def read(self, reference: str) -> Json:
        schedule: Json = self.client.get_schedule(Name=reference)
        return schedule


# --- IAM


class Role(Kind, type="AWS::IAM::Role"):
    service = "iam"
    name = "RoleName"

    def desired(self, properties: Json) -> Json:
        return take(
            properties,
            "RoleName",
            "Path",
            "Description",
            "AssumeRolePolicyDocument",
            "MaxSessionDuration",
            "PermissionsBoundary",
            "ManagedPolicyArns",
            "Policies",
            "Tags",
        )

    def create(self, desired: Json) -> Created:
        apart = ("ManagedPolicyArns", "Policies")
        role = self.call("create_role", **{k: v for k, v in desired.items() if k not in apart})
        self._grant(desired)
        arn, identifier = role["Role"]["Arn"], role["Role"]["RoleId"]
        return Created(desired["RoleName"], {"Arn": arn, "RoleId": identifier})

    def update(self, created: Created, desired: Json) -> Created:
        trust = json.dumps(desired["AssumeRolePolicyDocument"])
        self.client.update_assume_role_policy(RoleName=created.reference, PolicyDocument=trust)
        before = self.read(created.reference)
        for policy in before["Policies"]:
            self.client.delete_role_policy(
                RoleName=created.reference, PolicyName=policy["PolicyName"]
            )
        for arn in before["ManagedPolicyArns"]:
            self.client.detach_role_policy(RoleName=created.reference, PolicyArn=arn)
        self._grant(desired)
        return created

    def _grant(self, desired: Json) -> None:
        role = desired["RoleName"]
        for policy in desired.get("Policies", []):
            self.call("put_role_policy", RoleName=role, **policy)
        for arn in desired.get("ManagedPolicyArns", []):
            self.client.attach_role_policy(RoleName=role, PolicyArn=arn)

    def read(self, reference: str) -> Json:
        role: Json = self.client.get_role(RoleName=reference)["Role"]
        names = self.client.list_role_policies(RoleName=reference)["PolicyNames"]
        attached = self.client.list_attached_role_policies(RoleName=reference)["AttachedPolicies"]
        policies = [self.client.get_role_policy(RoleName=reference, PolicyName=n) for n in names]
        boundary = role.pop("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
        return {
            **role,
            **({"PermissionsBoundary": boundary} if boundary else {}),
            "Policies": policies,
            "ManagedPolicyArns": [policy["PolicyArn"] for policy in attached],
        }


class ManagedPolicy(Kind, type="AWS::IAM::ManagedPolicy"):
    service = "iam"
    name = "ManagedPolicyName"

    def desired(self, properties: Json) -> Json:
        take(properties, "ManagedPolicyName", "Description", "Path", "PolicyDocument")
        renamed = {**properties, "PolicyName": properties["ManagedPolicyName"]}
        del renamed["ManagedPolicyName"]
        return renamed

    def create(self, desired: Json) -> Created:
        return Created(self.call("create_policy", **desired)["Policy"]["Arn"])

    def update(self, created: Created, desired: Json) -> Created:
        self.call(
            "create_policy_version",
            PolicyArn=created.reference,
            PolicyDocument=desired["PolicyDocument"],
            SetAsDefault=True,
        )
        return created

    def read(self, reference: str) -> Json:
        if not reference.startswith("arn:"):
            raise LookupError(reference)
        policy: Json = self.client.get_policy(PolicyArn=reference)["Policy"]
        version = self.client.get_policy_version(
            PolicyArn=reference, VersionId=policy["DefaultVersionId"]
        )
        return {**policy, "PolicyDocument": version["PolicyVersion"]["Document"]}


# --- S3


class Bucket(Kind, type="AWS::S3::Bucket"):
    """Each property is a setting with an API of its own."""

    service = "s3"
    name = "BucketName"

    def desired(self, properties: Json) -> Json:
        return {name: self._setting(name, value) for name, value in properties.items()}

    def create(self, desired: Json) -> Created:
        bucket = desired["BucketName"]
        self.client.create_bucket(Bucket=bucket)
        self.update(Created(bucket), desired)
        return Created(bucket, {"Arn": f"arn:aws:s3:::{bucket}"})

    def update(self, created: Created, desired: Json) -> Created:
        for name, value in desired.items():
            if name != "BucketName":
                put, _, argument = BUCKET_SETTINGS[name]
                self.call(put, Bucket=created.reference, **{argument: value})
        return created

    def read(self, reference: str) -> Json:
        self.client.head_bucket(Bucket=reference)
        return {"BucketName": reference} | {
            name: setting for name in BUCKET_SETTINGS if (setting := self._read(reference, name))
        }

    def _read(self, bucket: str, name: str) -> Any:
        _, get, argument = BUCKET_SETTINGS[name]
        try:
            answer = getattr(self.client, get)(Bucket=bucket)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                raise
            return None
        answer.pop("ResponseMetadata")
        return answer.get(argument, answer)

    def _setting(self, name: str, value: Any) -> Any:
        if name == "BucketName":
            return value
        if name not in BUCKET_SETTINGS:
            raise Unsupported(f"AWS::S3::Bucket {name}")
        return CONVERSIONS[name](value) if name in CONVERSIONS else value


BUCKET_SETTINGS = {
    "BucketEncryption": (
        "put_bucket_encryption",
        "get_bucket_encryption",
        "ServerSideEncryptionConfiguration",
    ),
    "LifecycleConfiguration": (
        "put_bucket_lifecycle_configuration",
        "get_bucket_lifecycle_configuration",
        "LifecycleConfiguration",
    ),
    "NotificationConfiguration": (
        "put_bucket_notification_configuration",
        "get_bucket_notification_configuration",
        "NotificationConfiguration",
    ),
    "OwnershipControls": (
        "put_bucket_ownership_controls",
        "get_bucket_ownership_controls",
        "OwnershipControls",
    ),
    "PublicAccessBlockConfiguration": (
        "put_public_access_block",
        "get_public_access_block",
        "PublicAccessBlockConfiguration",
    ),
    "VersioningConfiguration": (
        "put_bucket_versioning",
        "get_bucket_versioning",
        "VersioningConfiguration",
    ),
}


def _encryption(value: Json) -> Json:
    [rules] = take(value, "ServerSideEncryptionConfiguration").values()
    renamed = {"ServerSideEncryptionByDefault": "ApplyServerSideEncryptionByDefault"}
    return {"Rules": [{renamed.get(k, k): v for k, v in rule.items()} for rule in rules]}


def _lifecycle(value: Json) -> Json:
    return {"Rules": [_lifecycle_rule(rule) for rule in take(value, "Rules")["Rules"]]}


def _lifecycle_rule(rule: Json) -> Json:
    same = ("Status", "AbortIncompleteMultipartUpload", "NoncurrentVersionExpiration")
    expiration = {
        "ExpirationInDays": "Days",
        "ExpiredObjectDeleteMarker": "ExpiredObjectDeleteMarker",
    }
    take(rule, "Id", "Prefix", *same, *expiration)
    expires = {expiration[k]: v for k, v in rule.items() if k in expiration}
    return {
        "ID": rule["Id"],
        "Filter": {"Prefix": rule.get("Prefix", "")},
        **{name: part for name, part in rule.items() if name in same},
        **({"Expiration": expires} if expires else {}),
    }


def _notification(value: Json) -> Json:
    take(value, "QueueConfigurations")
    return {
        "QueueConfigurations": [
            {
                "QueueArn": queue["Queue"],
                "Events": [queue["Event"]],
                "Filter": {"Key": {"FilterRules": queue["Filter"]["S3Key"]["Rules"]}},
            }
            for queue in value["QueueConfigurations"]
        ]
    }


CONVERSIONS: dict[str, Callable[[Json], Json]] = {
    "BucketEncryption": _encryption,
    "LifecycleConfiguration": _lifecycle,
    "NotificationConfiguration": _notification,
}


class BucketPolicy(Kind, type="AWS::S3::BucketPolicy"):
    service = "s3"

    def desired(self, properties: Json) -> Json:
        take(properties, "Bucket", "PolicyDocument")
        return {"Bucket": properties["Bucket"], "Policy": properties["PolicyDocument"]}

    def create(self, desired: Json) -> Created:
        self.call("put_bucket_policy", **desired)
        return Created(desired["Bucket"])

    def update(self, created: Created, desired: Json) -> Created:
        return self.create(desired)

    def read(self, reference: str) -> Json:
        policy = self.client.get_bucket_policy(Bucket=reference)["Policy"]
        return {"Bucket": reference, "Policy": policy}


# --- SQS and SNS


class Queue(Kind, type="AWS::SQS::Queue"):
    service = "sqs"
    name = "QueueName"

    def desired(self, properties: Json) -> Json:
        attributes = {k: v for k, v in properties.items() if k not in ("QueueName", "Tags")}
        return {
            "QueueName": properties["QueueName"],
            "Attributes": attributes,
            "tags": tags(properties),
        }

    def create(self, desired: Json) -> Created:
        url = self.call("create_queue", **desired)["QueueUrl"]
        attributes = self._attributes(url)
        names = {"Arn": attributes["QueueArn"], "QueueName": desired["QueueName"], "QueueUrl": url}
        return Created(url, names)

    def update(self, created: Created, desired: Json) -> Created:
        attributes = desired["Attributes"]
        self.call("set_queue_attributes", QueueUrl=created.reference, Attributes=attributes)
        return created

    def read(self, reference: str) -> Json:
        name = reference.rsplit("/", 1)[-1]
        url = self.client.get_queue_url(QueueName=name)["QueueUrl"]
        listed = self.client.list_queue_tags(QueueUrl=url).get("Tags", {})
        return {"QueueName": name, "Attributes": self._attributes(url), "tags": listed}

    def _attributes(self, url: str) -> Json:
        answer = self.client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        attributes: Json = answer["Attributes"]
        return attributes


class QueuePolicy(Kind, type="AWS::SQS::QueuePolicy"):
    service = "sqs"

    def desired(self, properties: Json) -> Json:
        take(properties, "Queues", "PolicyDocument")
        [url] = properties["Queues"]
        return {"QueueUrl": url, "Attributes": {"Policy": properties["PolicyDocument"]}}

    def create(self, desired: Json) -> Created:
        self.call("set_queue_attributes", **desired)
        return Created(desired["QueueUrl"])

    def update(self, created: Created, desired: Json) -> Created:
        return self.create(desired)

    def read(self, reference: str) -> Json:
        answer = self.client.get_queue_attributes(QueueUrl=reference, AttributeNames=["Policy"])
        return {"QueueUrl": reference, "Attributes": answer.get("Attributes", {})}


class Topic(Kind, type="AWS::SNS::Topic"):
    service = "sns"
    name = "TopicName"

    def desired(self, properties: Json) -> Json:
        apart = ("TopicName", "Subscription", "Tags")
        return {
            "Name": properties["TopicName"],
            "Attributes": {k: v for k, v in properties.items() if k not in apart},
            **{k: v for k, v in properties.items() if k == "Subscription"},
        }

    def create(self, desired: Json) -> Created:
        attributes = desired["Attributes"]
        arn = self.call("create_topic", Name=desired["Name"], Attributes=attributes)["TopicArn"]
        for subscription in desired.get("Subscription", []):
            self.call("subscribe", TopicArn=arn, **subscription)
        return Created(arn, {"TopicName": desired["Name"], "TopicArn": arn})

    def read(self, reference: str) -> Json:
        if not reference.startswith("arn:"):
            topics = self.client.list_topics()["Topics"]
            arns = [topic["TopicArn"] for topic in topics]
            reference = next((arn for arn in arns if arn.endswith(f":{reference}")), "")
            if not reference:
                raise LookupError
        attributes = self.client.get_topic_attributes(TopicArn=reference)["Attributes"]
        subscriptions = self.client.list_subscriptions_by_topic(TopicArn=reference)["Subscriptions"]
        return {
            "Name": reference.rsplit(":", 1)[-1],
            "Attributes": attributes,
            "Subscription": subscriptions,
        }


class TopicPolicy(Kind, type="AWS::SNS::TopicPolicy"):
    service = "sns"

    def desired(self, properties: Json) -> Json:
        take(properties, "Topics", "PolicyDocument")
        [arn] = properties["Topics"]
        return {"TopicArn": arn, "Policy": properties["PolicyDocument"]}

    def create(self, desired: Json) -> Created:
        self.call(
            "set_topic_attributes",
            TopicArn=desired["TopicArn"],
            AttributeName="Policy",
            AttributeValue=desired["Policy"],
        )
        return Created(desired["TopicArn"])

    def update(self, created: Created, desired: Json) -> Created:
        return self.create(desired)

    def read(self, reference: str) -> Json:
        attributes = self.client.get_topic_attributes(TopicArn=reference)["Attributes"]
        return {"TopicArn": reference, "Policy": attributes["Policy"]}


class Subscription(Kind, type="AWS::SNS::Subscription"):
    service = "sns"

    def create(self, desired: Json) -> Created:
        return Created(
            self.call("subscribe", **desired, ReturnSubscriptionArn=True)["SubscriptionArn"]
        )

    def read(self, reference: str) -> Json:
        attributes: Json = self.client.get_subscription_attributes(SubscriptionArn=reference)
        return dict(attributes["Attributes"])


# --- Secrets Manager and SSM


class Secret(Kind, type="AWS::SecretsManager::Secret"):
    service = "secretsmanager"
    name = "Name"

    def desired(self, properties: Json) -> Json:
        return take(properties, "Name", "Description", "KmsKeyId", "Tags")

    def create(self, desired: Json) -> Created:
        return Created(self.call("create_secret", **desired)["ARN"])

    def update(self, created: Created, desired: Json) -> Created:
        changes = {k: v for k, v in desired.items() if k in ("Description", "KmsKeyId")}
        self.call("update_secret", SecretId=created.reference, **changes)
        return created

    def read(self, reference: str) -> Json:
        secret: Json = self.client.describe_secret(SecretId=reference)
        return secret


class Parameter(Kind, type="AWS::SSM::Parameter"):
    service = "ssm"
    name = "Name"

    def create(self, desired: Json) -> Created:
        self.call("put_parameter", **desired)
        return Created(desired["Name"], {"Type": desired["Type"], "Value": desired["Value"]})

    def update(self, created: Created, desired: Json) -> Created:
        self.call("put_parameter", **desired, Overwrite=True)
        return Created(created.reference, {"Type": desired["Type"], "Value": desired["Value"]})

    def read(self, reference: str) -> Json:
        parameter: Json = self.client.get_parameter(Name=reference)["Parameter"]
        filters = [{"Key": "Name", "Values": [reference]}]
        [described] = self.client.describe_parameters(ParameterFilters=filters)["Parameters"]
        return {**described, **parameter}


# --- Glue and Athena


class Database(Kind, type="AWS::Glue::Database"):
    service = "glue"

    def identity(self, properties: Json) -> str:
        return str(properties["DatabaseInput"]["Name"])

    def create(self, desired: Json) -> Created:
        self.call("create_database", **desired)
        return Created(desired["DatabaseInput"]["Name"])

    def read(self, reference: str) -> Json:
        database: Json = self.client.get_database(Name=reference)["Database"]
        return {"CatalogId": database["CatalogId"], "DatabaseInput": database}


class Table(Kind, type="AWS::Glue::Table"):
    service = "glue"

    def identity(self, properties: Json) -> str:
        return f"{properties['DatabaseName']}|{properties['TableInput']['Name']}"

    def create(self, desired: Json) -> Created:
        self.call("create_table", **desired)
        return Created(self.identity(desired))

    def update(self, created: Created, desired: Json) -> Created:
        self.call("update_table", **desired)
        return created

    def read(self, reference: str) -> Json:
        database, name = reference.split("|")
        table: Json = self.client.get_table(DatabaseName=database, Name=name)["Table"]
        return {
            "CatalogId": table["CatalogId"],
            "DatabaseName": table["DatabaseName"],
            "TableInput": table,
        }


class WorkGroup(Kind, type="AWS::Athena::WorkGroup"):
    service = "athena"
    name = "Name"
    unkept = frozenset({"Tags"})

    def desired(self, properties: Json) -> Json:
        renamed = {"WorkGroupConfiguration": "Configuration"}
        left_out = ("RecursiveDeleteOption", "State")  # of CloudFormation; enabled anyway
        return {renamed.get(k, k): v for k, v in properties.items() if k not in left_out}

    def create(self, desired: Json) -> Created:
        self.call("create_work_group", **desired)
        return Created(desired["Name"])

    def read(self, reference: str) -> Json:
        group: Json = self.client.get_work_group(WorkGroup=reference)["WorkGroup"]
        return group


class NamedQuery(Kind, type="AWS::Athena::NamedQuery"):
    service = "athena"

    def create(self, desired: Json) -> Created:
        return Created(self.call("create_named_query", **desired)["NamedQueryId"])

    def read(self, reference: str) -> Json:
        query: Json = self.client.get_named_query(NamedQueryId=reference)["NamedQuery"]
        return query


# --- CloudWatch


class Alarm(Kind, type="AWS::CloudWatch::Alarm"):
    service = "cloudwatch"
    name = "AlarmName"

    def create(self, desired: Json) -> Created:
        self.call("put_metric_alarm", **desired)
        return Created(desired["AlarmName"], {"Arn": self.read(desired["AlarmName"])["AlarmArn"]})

    def update(self, created: Created, desired: Json) -> Created:
        return self.create(desired)

    def read(self, reference: str) -> Json:
        alarms: list[Json] = self.client.describe_alarms(AlarmNames=[reference])["MetricAlarms"]
        return alarms[0]


class Dashboard(Kind, type="AWS::CloudWatch::Dashboard"):
    service = "cloudwatch"
    name = "DashboardName"

    def create(self, desired: Json) -> Created:
        self.call("put_dashboard", **desired)
        return Created(desired["DashboardName"])

    def update(self, created: Created, desired: Json) -> Created:
        return self.create(desired)

    def read(self, reference: str) -> Json:
        dashboard: Json = self.client.get_dashboard(DashboardName=reference)
        return dashboard


class LogGroup(Kind, type="AWS::Logs::LogGroup"):
    service = "logs"
    name = "LogGroupName"

    def desired(self, properties: Json) -> Json:
        return lower(properties, "LogGroupName", "RetentionInDays", "KmsKeyId", "LogGroupClass")

    def create(self, desired: Json) -> Created:
        name = desired["logGroupName"]
        self.call(
            "create_log_group", **{k: v for k, v in desired.items() if k != "retentionInDays"}
        )
        arn = self.update(Created(name), desired)
        return Created(name, {"Arn": f"{self.read(arn.reference)['arn'].removesuffix(':*')}:*"})

    def update(self, created: Created, desired: Json) -> Created:
        if "retentionInDays" in desired:
            self.call(
                "put_retention_policy",
                logGroupName=desired["logGroupName"],
                retentionInDays=desired["retentionInDays"],
            )
        return created

    def read(self, reference: str) -> Json:
        groups = self.client.describe_log_groups(logGroupNamePrefix=reference)["logGroups"]
        found: list[Json] = [group for group in groups if group["logGroupName"] == reference]
        return found[0]


# --- Step Functions


class StateMachine(Kind, type="AWS::StepFunctions::StateMachine"):
    service = "stepfunctions"
    name = "StateMachineName"

    def desired(self, properties: Json) -> Json:
        definition = take(
            properties,
            *("StateMachineName", "StateMachineType", "RoleArn", "DefinitionString"),
            *("DefinitionSubstitutions", "LoggingConfiguration", "TracingConfiguration", "Tags"),
        )["DefinitionString"]
        for name, value in properties.get("DefinitionSubstitutions", {}).items():
            definition = definition.replace(f"${{{name}}}", str(value))
        asked = {
            "name": properties["StateMachineName"],
            "definition": definition,
            "roleArn": properties["RoleArn"],
            "type": properties.get("StateMachineType", "STANDARD"),
        }
        for name in ("LoggingConfiguration", "TracingConfiguration"):
            if name in properties:
                asked[name[0].lower() + name[1:]] = _lower_all(properties[name])
        return asked

    def create(self, desired: Json) -> Created:
        arn = self.call("create_state_machine", **desired)["stateMachineArn"]
        return Created(arn, {"Arn": arn, "Name": desired["name"]})

    def update(self, created: Created, desired: Json) -> Created:
        self.call(
            "update_state_machine",
            stateMachineArn=created.reference,
            definition=desired["definition"],
            roleArn=desired["roleArn"],
        )
        return created

    def read(self, reference: str) -> Json:
        if not reference.startswith("arn:"):
            machines = self.client.list_state_machines()["stateMachines"]
            arns = [m["stateMachineArn"] for m in machines if m["name"] == reference]
            if not arns:
                raise LookupError(reference)
            reference = arns[0]
        machine: Json = self.client.describe_state_machine(stateMachineArn=reference)
        return machine


def _lower_all(value: Any) -> Any:
    if isinstance(value, dict):
        return {name[0].lower() + name[1:]: _lower_all(part) for name, part in value.items()}
    return [_lower_all(part) for part in value] if isinstance(value, list) else value
