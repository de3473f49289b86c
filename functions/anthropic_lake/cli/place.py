"""The outside of a command: the one reader of `--lake`, and of the admin key or `--secret`.

boto3 and the readers of a lake are imported where they are used: `sync` into a folder starts
without them.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from anthropic_lake.api.connection import Connection, Pace
from anthropic_lake.errors import SecretError, SettingsError, aws_failure
from anthropic_lake.lake.aws import S3Lake, SsmWatermark
from anthropic_lake.lake.local import LocalLake, LocalWatermark
from anthropic_lake.lake.objects import Lake
from anthropic_lake.lake.watermark import Watermark
from anthropic_lake.settings import Settings

if TYPE_CHECKING:
    from pyarrow import fs

    from anthropic_lake.lake.reading import StoredLake


def open_connection(settings: Settings, secret: str | None) -> Connection:
    """Return a connection to the Admin API, after its key is read and checked.

    Args:
        settings: The settings.
        secret: ARN of the key's secret; None: the key is in ANTHROPIC_ADMIN_KEY.

    Raises:
        SecretError: The key is missing or cannot be used.
    """
    read_secret = _admin_key
    if secret:
        from anthropic_lake import aws  # noqa: PLC0415

        read_secret = aws.secret_reader(aws.client("secretsmanager"), secret)
    elif not _admin_key().strip():
        raise SecretError("there is no key: set ANTHROPIC_ADMIN_KEY, or name a --secret")
    connection = Connection(read_secret, Pace(settings.requests_per_minute), settings.base_url)
    connection.open()
    return connection


def open_to_write(lake: str, state_prefix: str) -> tuple[Lake, Watermark]:
    """Return a lake to write to, and the store of its watermarks.

    Args:
        lake: A folder, or s3://bucket/prefix.
        state_prefix: Start of the names of the SSM parameters; a folder does not need it.

    Raises:
        SettingsError: The lake cannot be used.
    """
    bucket, prefix = _bucket_and_prefix(lake)
    if not bucket:
        return LocalLake(Path(lake)), LocalWatermark(Path(lake))
    from anthropic_lake import aws  # noqa: PLC0415

    return (
        S3Lake(aws.client("s3"), bucket, prefix),
        SsmWatermark(aws.client("ssm"), state_prefix),
    )


def open_to_read(lake: str) -> "StoredLake":
    """Return a lake to read from.

    Args:
        lake: A folder, or s3://bucket/prefix.

    Raises:
        SettingsError: The lake does not exist or cannot be used.
        StorageError: The lake cannot be listed.
    """
    from pyarrow import fs  # noqa: PLC0415

    from anthropic_lake.lake.reading import StoredLake  # noqa: PLC0415

    bucket, prefix = _bucket_and_prefix(lake)
    if bucket:
        stored = StoredLake(_s3_files(bucket), f"{bucket}/{prefix}".rstrip("/"), lake)
    else:
        stored = StoredLake(fs.LocalFileSystem(), Path(lake).resolve().as_posix(), lake)
    stored.check_exists()
    return stored


def _admin_key() -> str:
    """Return the admin key of a laptop."""
    return os.environ.get("ANTHROPIC_ADMIN_KEY", "")


def _bucket_and_prefix(lake: str) -> tuple[str, str]:
    """Split s3://bucket/prefix; return an empty bucket for a folder."""
    if not lake.strip():
        raise SettingsError("--lake is empty: name a folder, or s3://bucket/prefix")
    if not lake.startswith("s3://"):
        return "", ""
    bucket, _, prefix = lake.removeprefix("s3://").partition("/")
    if not bucket:
        raise SettingsError(f"{lake!r} names no bucket: write s3://bucket/prefix")
    return bucket, prefix


def _s3_files(bucket: str) -> "fs.S3FileSystem":
    """Return the file system of a bucket in any region, with the credentials of boto3."""
    import boto3  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415
    from pyarrow import fs  # noqa: PLC0415

    try:
        session = boto3.Session()
        s3 = session.client("s3")
        region = s3.head_bucket(Bucket=bucket).get("BucketRegion") or s3.meta.region_name
        credentials = session.get_credentials()
        assert credentials  # noqa: S101  they signed the request
        keys = credentials.get_frozen_credentials()
    except (BotoCoreError, ClientError) as error:
        advice = "Check the name, AWS_PROFILE, and that s3:ListBucket and s3:GetObject are allowed"
        raise aws_failure(error, f"cannot use the bucket of 's3://{bucket}'. {advice}") from error
    return fs.S3FileSystem(
        access_key=keys.access_key,
        secret_key=keys.secret_key,
        session_token=keys.token,
        region=region,
        endpoint_override=_s3_endpoint(),
        connect_timeout=5,
        request_timeout=60,
    )


def _s3_endpoint() -> str | None:
    """Return the address of an S3 that is not Amazon's, from the variables that boto3 reads."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None
