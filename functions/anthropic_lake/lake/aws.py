"""A lake in AWS: objects in S3, watermarks in SSM Parameter Store."""

from datetime import date
from typing import TYPE_CHECKING

from anthropic_lake.errors import LakeError, aws_code, aws_failure
from anthropic_lake.lake.layout import DIGEST
from anthropic_lake.lake.watermark import stored_date

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_ssm import SSMClient

_MISSING_CODES = {"403", "404", "AccessDenied", "NoSuchKey", "NotFound"}


class S3Lake:
    """The objects of a lake in an S3 bucket, under a prefix."""

    def __init__(self, client: "S3Client", bucket: str, prefix: str = "") -> None:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  AWS only

        self._client = client
        self._errors = (BotoCoreError, ClientError)
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def digest(self, key: str) -> str | None:
        """Read the digest from the object's metadata.

        S3 answers 403 for a missing object if s3:ListBucket is not allowed.
        """
        try:
            head = self._client.head_object(Bucket=self._bucket, Key=self._prefix + key)
        except self._errors as error:
            if aws_code(error) in _MISSING_CODES:
                return None
            raise self._failure(key, error) from error
        return head["Metadata"].get(DIGEST)

    def put(self, key: str, body: bytes, digest: str) -> None:
        """Write the object with one request, so that no reader sees a part of it."""
        try:
            self._client.put_object(
                Bucket=self._bucket,
                Key=self._prefix + key,
                Body=body,
                ContentType="application/vnd.apache.parquet",
                Metadata={DIGEST: digest},
            )
        except self._errors as error:
            raise self._failure(key, error) from error

    def _failure(self, key: str, error: Exception) -> LakeError:
        """Return the error that names the object and what to check."""
        advice = (
            f"cannot use s3://{self._bucket}/{self._prefix}{key}: check that the bucket exists in "
            "this account and region and that s3:GetObject and s3:PutObject are allowed on it"
        )
        return aws_failure(error, advice)


class SsmWatermark:
    """Watermarks as parameters of SSM Parameter Store, read uncached."""

    def __init__(self, client: "SSMClient", prefix: str) -> None:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  AWS only

        self._client = client
        self._errors = (BotoCoreError, ClientError)
        self._prefix = prefix.rstrip("/")

    def get(self, asset: str) -> date | None:
        """Read the parameter; a missing one means that no day is synced yet."""
        name = self._name(asset)
        try:
            answer = self._client.get_parameter(Name=name)
        except self._client.exceptions.ParameterNotFound:
            return None
        except self._errors as error:
            raise self._failure(name, error) from error
        return stored_date(answer["Parameter"]["Value"], f"the SSM parameter {name}")

    def put(self, asset: str, day: date) -> None:
        """Write the parameter."""
        name = self._name(asset)
        try:
            self._client.put_parameter(
                Name=name, Value=day.isoformat(), Type="String", Overwrite=True
            )
        except self._errors as error:
            raise self._failure(name, error) from error

    def _name(self, asset: str) -> str:
        """Return the name of an asset's parameter."""
        return f"{self._prefix}/{asset}/last_synced_date"

    def _failure(self, name: str, error: Exception) -> LakeError:
        """Return the error that names the parameter and what to check."""
        advice = (
            f"cannot use the SSM parameter {name}: check that ssm:GetParameter and "
            "ssm:PutParameter are allowed on it"
        )
        return aws_failure(error, advice)
