"""Clients of AWS services, and the secret of the admin key."""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from anthropic_lake.errors import SecretError, SettingsError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

_CONFIG = Config(
    connect_timeout=5, read_timeout=10, retries={"mode": "standard", "max_attempts": 5}
)


@cache
def client(service: str) -> Any:  # noqa: ANN401  its type depends on the service
    """Return the client of an AWS service, the same one for the whole process.

    Raises:
        SettingsError: The region is missing, or the configuration is not usable.
    """
    try:
        return boto3.client(service, config=_CONFIG)  # type: ignore[call-overload]
    except BotoCoreError as error:
        raise SettingsError(f"cannot use AWS: {error}. Set AWS_REGION and AWS_PROFILE") from error


def secret_reader(secrets: "SecretsManagerClient", arn: str) -> Callable[[], str]:
    """Return a function that reads the secret's current text.

    Raises:
        SecretError: (the function) The secret cannot be read; the message says what to do.
    """

    def read() -> str:
        try:
            return secrets.get_secret_value(SecretId=arn)["SecretString"]
        except (BotoCoreError, ClientError) as error:
            raise SecretError(
                f"cannot read the admin key's secret: {error}. Check the secret's ARN, that it "
                "has a value and that secretsmanager:GetSecretValue is allowed"
            ) from error
        except KeyError:
            raise SecretError("the admin key's secret is binary: store it as text") from None

    return read
