"""A lake in AWS: objects in S3, watermarks in SSM Parameter Store."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from http import HTTPStatus
from typing import TYPE_CHECKING

from anthropic_lake.errors import LakeError, aws_code, aws_failure, aws_status
from anthropic_lake.lake.layout import DIGEST
from anthropic_lake.lake.objects import ANYTHING, Conflict, Head, ListedObject, StoredObject

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import PutObjectRequestTypeDef
    from mypy_boto3_ssm import SSMClient

_MISSING_CODES = {"403", "404", "AccessDenied", "NoSuchKey", "NotFound"}
_CONFLICTS = {HTTPStatus.PRECONDITION_FAILED, HTTPStatus.CONFLICT}


class S3Lake:
    """The objects of a lake in an S3 bucket, under a prefix."""

    def __init__(self, client: "S3Client", bucket: str, prefix: str = "") -> None:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  AWS only

        self._client = client
        self._errors = (BotoCoreError, ClientError)
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def head(self, key: str) -> Head | None:
        """Read the object's metadata.

        S3 answers 403 for a missing object if s3:ListBucket is not allowed.
        """
        try:
            head = self._client.head_object(Bucket=self._bucket, Key=self._prefix + key)
        except self._errors as error:
            if aws_code(error) in _MISSING_CODES:
                return None
            raise self._failure(key, error) from error
        return Head(head["ETag"], head["Metadata"].get(DIGEST), head["ContentLength"])

    def get(self, key: str) -> StoredObject | None:
        """Read the object whole."""
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=self._prefix + key)
            return StoredObject(answer["Body"].read(), answer["ETag"])
        except self._errors as error:
            if aws_code(error) in _MISSING_CODES:
                return None
            raise self._failure(key, error) from error

    def put(self, key: str, body: bytes, *, digest: str = "", replaces: str | None) -> None:
        """Write the object with one request, so that no reader sees a part of it."""
        request: PutObjectRequestTypeDef = {
            "Bucket": self._bucket,
            "Key": self._prefix + key,
            "Body": body,
            "ContentType": "application/vnd.apache.parquet"
            if key.endswith(".parquet")
            else "application/json",
            "Metadata": {DIGEST: digest} if digest else {},
        }
        if replaces is None:
            request["IfNoneMatch"] = "*"
        elif replaces != ANYTHING:
            request["IfMatch"] = replaces
        try:
            self._client.put_object(**request)
        except self._errors as error:
            is_gone = replaces not in (None, ANYTHING) and aws_code(error) == "NoSuchKey"
            if is_gone or aws_status(error) in _CONFLICTS:
                raise Conflict(f"another run has changed {key} meanwhile") from error
            raise self._failure(key, error) from error

    def listing(self, prefix: str) -> Iterator[ListedObject]:
        """List the objects page by page, in the order of their keys."""
        try:
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix + prefix
            )
            for page in pages:
                for item in page.get("Contents", []):
                    key = item["Key"].removeprefix(self._prefix)
                    yield ListedObject(key, item["Size"], item["LastModified"])
        except self._errors as error:
            raise self._failure(prefix, error) from error

    def locked(self, asset: str) -> AbstractContextManager[None]:  # noqa: ARG002
        """Lock nothing: conditional puts keep runs from overwriting each other."""
        return nullcontext()

    def _failure(self, key: str, error: Exception) -> LakeError:
        """Return the error that names the object and what to check."""
        advice = (
            f"cannot use s3://{self._bucket}/{self._prefix}{key}: check that the bucket exists in "
            "this account and region and that s3:GetObject, s3:PutObject and s3:ListBucket are "
            "allowed on it"
        )
        return aws_failure(error, advice)


class SsmState:
    """The state of a lake as parameters of SSM Parameter Store, read uncached."""

    def __init__(self, client: "SSMClient", prefix: str) -> None:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  AWS only

        self._client = client
        self._errors = (BotoCoreError, ClientError)
        self._prefix = prefix.rstrip("/")

    def get(self, name: str) -> str | None:
        """Read the parameter."""
        try:
            answer = self._client.get_parameter(Name=self._full(name))
        except self._client.exceptions.ParameterNotFound:
            return None
        except self._errors as error:
            raise self._failure(name, error) from error
        return answer["Parameter"]["Value"]

    def put(self, name: str, text: str) -> None:
        """Write the parameter."""
        self._put(name, text, overwrite=True)

    def create(self, name: str, text: str) -> bool:
        """Write the parameter unless it exists."""
        try:
            self._put(name, text, overwrite=False)
        except self._client.exceptions.ParameterAlreadyExists:
            return False
        return True

    def place(self, name: str) -> str:
        """Return the parameter's full name."""
        return f"the SSM parameter {self._full(name)}"

    def _put(self, name: str, text: str, *, overwrite: bool) -> None:
        """Write the parameter."""
        try:
            self._client.put_parameter(
                Name=self._full(name), Value=text, Type="String", Overwrite=overwrite
            )
        except self._client.exceptions.ParameterAlreadyExists:
            raise
        except self._errors as error:
            raise self._failure(name, error) from error

    def _full(self, name: str) -> str:
        """Return the full name of a parameter."""
        return f"{self._prefix}/{name}"

    def _failure(self, name: str, error: Exception) -> LakeError:
        """Return the error that names the parameter and what to check."""
        advice = (
            f"cannot use {self.place(name)}: check that ssm:GetParameter and ssm:PutParameter are "
            "allowed on it"
        )
        return aws_failure(error, advice)
