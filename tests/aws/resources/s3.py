"""Resource types of S3."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from tests.aws.resources.kind import Created, Json, Kind, Unsupported, take


class Bucket(Kind):
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
                setting, argument = BUCKET_SETTINGS[name]
                self.call(f"put_{setting}", Bucket=created.reference, **{argument: value})
        return created

    def read(self, reference: str) -> Json:
        self.client.head_bucket(Bucket=reference)
        return {"BucketName": reference} | {
            name: setting for name in BUCKET_SETTINGS if (setting := self._read(reference, name))
        }

    def _read(self, bucket: str, name: str) -> Any:
        setting, argument = BUCKET_SETTINGS[name]
        try:
            answer = getattr(self.client, f"get_{setting}")(Bucket=bucket)
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


# What its API calls the property, and its value.
BUCKET_SETTINGS = {
    "BucketEncryption": ("bucket_encryption", "ServerSideEncryptionConfiguration"),
    "LifecycleConfiguration": ("bucket_lifecycle_configuration", "LifecycleConfiguration"),
    "NotificationConfiguration": ("bucket_notification_configuration", "NotificationConfiguration"),
    "OwnershipControls": ("bucket_ownership_controls", "OwnershipControls"),
    "PublicAccessBlockConfiguration": ("public_access_block", "PublicAccessBlockConfiguration"),
    "VersioningConfiguration": ("bucket_versioning", "VersioningConfiguration"),
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


class BucketPolicy(Kind):
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
