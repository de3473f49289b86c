"""Clients of AWS services, the secret of the admin key, and a function that starts itself."""

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from anthropic_lake.errors import SecretError, SettingsError, aws_failure, redact

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
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
    except (BotoCoreError, ValueError) as error:  # ValueError: an endpoint that is no address
        problem = f"cannot use AWS: {redact(str(error))}. Set AWS_DEFAULT_REGION and AWS_PROFILE"
        raise SettingsError(problem) from error


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
                f"cannot read the admin key's secret: {redact(str(error))}. Check its ARN, that it "
                "has a value and that secretsmanager:GetSecretValue is allowed"
            ) from error
        except KeyError:
            raise SecretError("the admin key's secret is binary: store it as text") from None

    return read


def start_function(functions: "LambdaClient", arn: str, event: Mapping[str, str]) -> None:
    """Start a function, and do not wait for it.

    Args:
        functions: The client of Lambda.
        arn: Which function.
        event: What it is given.

    Raises:
        LakeError: It cannot be started; the message says what to do.
    """
    try:
        functions.invoke(
            FunctionName=arn, InvocationType="Event", Payload=json.dumps(event).encode()
        )
    except (BotoCoreError, ClientError) as error:
        advice = f"cannot start {arn}: check that lambda:InvokeFunction is allowed on it"
        raise aws_failure(error, advice) from error
