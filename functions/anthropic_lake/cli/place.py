"""The outside of a command: the one reader of `--lake`, and of the admin key or `--secret`.

boto3 and the readers of a lake are imported where they are used: `sync` into a folder starts
without them.
"""

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from anthropic_lake.api.connection import Connection, Pace
from anthropic_lake.api.credential import read_pseudonym_key
from anthropic_lake.errors import SecretError, SettingsError, aws_failure
from anthropic_lake.lake.aws import S3Lake, SsmState
from anthropic_lake.lake.local import LocalLake, LocalState
from anthropic_lake.rows.pseudonyms import Pseudonyms
from anthropic_lake.settings import Settings
from anthropic_lake.sync.ownership import Place

if TYPE_CHECKING:
    from pyarrow import fs

    from anthropic_lake.lake.reading import StoredLake

_OTHER_ADDRESS = re.compile(r"(s3|arn|file):|[a-z][a-z0-9+.-]+:/", re.IGNORECASE)
"""An address that is no s3://; the single letter of a Windows drive is none."""


def open_connection(settings: Settings, secret: str | None) -> Connection:
    """Return a connection to the Admin API, after its keys are read and checked.

    Args:
        settings: The settings.
        secret: ARN of the key's secret; None: the key is in ANTHROPIC_ADMIN_KEY.

    Raises:
        SecretError: A key is missing or cannot be used.
    """
    if not secret and not _admin_key().strip():
        raise SecretError("there is no key: set ANTHROPIC_ADMIN_KEY, or name a --secret")
    connection = Connection(
        _secret_reader(secret),
        Pace(settings.requests_per_minute),
        settings.base_url,
        pseudonym_key=_pseudonym_key(),
    )
    connection.open()
    if settings.uses_pseudonyms:
        Pseudonyms(connection.pseudonym_key())
    return connection


def open_pseudonyms(secret: str | None) -> Pseudonyms:
    """Return the pseudonyms that a sync makes with the same key.

    Args:
        secret: ARN of the admin key's secret; None: the key is in PSEUDONYM_KEY, or beside the
            admin key in ANTHROPIC_ADMIN_KEY.

    Raises:
        SecretError: The key is missing or cannot be used.
    """
    return Pseudonyms(read_pseudonym_key(_secret_reader(secret)()) or _pseudonym_key())


def open_to_write(lake: str, settings: Settings) -> Place:
    """Return a lake to write to.

    Args:
        lake: A folder, or s3://bucket/prefix.
        settings: Where its watermarks are, if they are SSM parameters.

    Raises:
        SettingsError: The lake cannot be used.
    """
    bucket, prefix = _bucket_and_prefix(lake)
    if not bucket:
        return local_place(Path(lake))
    from anthropic_lake import aws  # noqa: PLC0415

    ssm = aws.client("ssm")
    return Place(
        lake,
        S3Lake(aws.client("s3"), bucket, prefix),
        lambda state_prefix: SsmState(ssm, state_prefix or ""),
        default_prefix=_default_state_prefix(bucket, prefix),
        chosen_prefix=settings.state_prefix,
    )


def local_place(root: Path) -> Place:
    """Return a lake in a folder, whose watermarks are files in it."""
    return Place(str(root), LocalLake(root), lambda _: LocalState(root))


def _default_state_prefix(bucket: str, prefix: str) -> str:
    """Return a path of SSM for the watermarks of a lake, which no other lake has."""
    path = f"{bucket}/{prefix}".strip("/")
    name = "/".join(re.sub(r"[^A-Za-z0-9_.-]+", "-", part) for part in path.split("/") if part)
    if name != path:
        name += "-" + hashlib.sha256(path.encode()).hexdigest()[:8]
    return f"/anthropic-lake/{name}"


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


def _secret_reader(secret: str | None) -> Callable[[], str]:
    """Return a function that reads the admin key's secret; on a laptop a variable holds it."""
    if not secret:
        return _admin_key
    from anthropic_lake import aws  # noqa: PLC0415

    return aws.secret_reader(aws.client("secretsmanager"), secret)


def _pseudonym_key() -> str:
    """Return the key of pseudonyms of a laptop."""
    return os.environ.get("PSEUDONYM_KEY", "")


def _admin_key() -> str:
    """Return the admin key of a laptop."""
    return os.environ.get("ANTHROPIC_ADMIN_KEY", "")


def _bucket_and_prefix(lake: str) -> tuple[str, str]:
    """Split s3://bucket/prefix; return an empty bucket for a folder."""
    if not lake.strip():
        raise SettingsError("--lake is empty: name a folder, or s3://bucket/prefix")
    if not lake.startswith("s3://"):
        _refuse_what_is_no_folder(lake)
        return "", ""
    bucket, _, prefix = lake.removeprefix("s3://").partition("/")
    if not bucket:
        raise SettingsError(f"{lake!r} names no bucket: write s3://bucket/prefix")
    return bucket, prefix


def _refuse_what_is_no_folder(lake: str) -> None:
    """Raise SettingsError if a folder of this name is hardly what is meant."""
    scheme, _, path = lake.partition(":")
    if lake.startswith("~"):
        advice = "the shell replaces ~ only without quotes: leave them out, or write $HOME"
    elif not _OTHER_ADDRESS.match(lake):
        return
    elif scheme.lower() in ("s3", "s3a", "s3n"):
        advice = f"write s3://{path.lstrip('/')}"
    elif scheme.lower() == "file":
        advice = f"write /{path.lstrip('/')}"
    else:
        advice = "a lake is a folder, or s3://bucket/prefix"
    raise SettingsError(f"{lake!r} names no folder: {advice} (or './{lake}' for a folder so named)")


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
