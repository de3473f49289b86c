"""What moto's server lacks of IAM, Lambda and Step Functions for a deployment to be proven in it.

Everything here runs inside the server's process (tests/aws/server.py); each function says what
AWS does that moto does not.
"""

from __future__ import annotations

import functools
import json
from fnmatch import fnmatchcase
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import boto3
import flask
from moto import settings
from moto.awslambda.responses import LambdaResponse
from moto.core.config import default_user_config
from moto.core.exceptions import AccessDeniedError, JsonRESTError
from moto.iam.access_control import (
    IAMPolicyStatement,
    IAMRequest,
    IAMRequestBase,
    PermissionResult,
)
from moto.iam.models import iam_backends
from moto.s3.exceptions import MissingKey
from moto.s3.responses import S3Response
from moto.secretsmanager.models import secretsmanager_backends
from moto.secretsmanager.responses import SecretsManagerResponse
from moto.ssm.responses import SimpleSystemManagerResponse
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_map.item_reader.eval import (
    resource_eval_s3 as item_reader,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.utils import json_path
from moto.sts.models import sts_backends

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NOT_FOUND = 404
PARTITION = "aws"
JSON_SERVICES = ("lambda", "secretsmanager", "ssm")
PERMISSIONS = {"lambda:Invoke": "lambda:InvokeFunction"}
SECURE = "true"  # what a request to AWS would say of itself; ours is plain HTTP


def replace(owner: object, name: str, replacement: object) -> None:
    """Set an attribute that moto has already, so that a renamed one is noticed."""
    if name != "_determine_resource" and not hasattr(owner, name):
        raise AttributeError(f"moto's {owner} has no {name} any more")
    setattr(owner, name, replacement)


def credentials_of(role_arn: str, service: str, region: str) -> dict[str, str]:
    """Assume a role as an AWS service does: the role has to trust the service.

    Returns:
        The environment variables of the session.

    Raises:
        PermissionError: The role does not trust the service.
    """
    account = role_arn.split(":")[4]
    role = iam_backends[account][PARTITION].get_role_by_arn(role_arn)
    if not _trusts(json.loads(role.assume_role_policy_document), service):
        raise PermissionError(f"{role_arn} does not trust {service}")
    session = sts_backends[account][PARTITION].assume_role(region, service, role_arn, "", 3600, "")
    return {
        "AWS_ACCESS_KEY_ID": session.access_key_id,
        "AWS_SECRET_ACCESS_KEY": session.secret_access_key,
        "AWS_SESSION_TOKEN": session.session_token,
    }


def _trusts(policy: Mapping[str, Any], service: str) -> bool:
    return any(
        statement["Effect"] == "Allow" and service in _listed(statement["Principal"]["Service"])
        for statement in policy["Statement"]
        if "Service" in statement["Principal"]
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


# --- IAM


def enforce_policies() -> None:
    """Refuse what a policy does not grant, resource by resource.

    Once told to (POST /moto-api/reset-auth), moto checks the action everywhere and the resource
    for S3, SQS and STS; here also for SSM, Secrets Manager and Lambda. A test may become any role:
    what a role trusts is looked at where a service takes it (credentials_of).
    """
    replace(IAMRequestBase, "check_signature", lambda _: None)  # fails for GET without a body
    replace(IAMRequestBase, "_check_role_trust_relationship", lambda _, role_arn: bool(role_arn))
    replace(IAMRequestBase, "check_action_permitted", _checking_named())
    replace(IAMRequest, "_raise_access_denied", _deny)
    replace(SimpleSystemManagerResponse, "_determine_resource", _parameter)
    replace(SecretsManagerResponse, "_determine_resource", _secret)
    replace(LambdaResponse, "_determine_resource", _function)
    replace(IAMPolicyStatement, "is_action_permitted", _conditional())
    replace(S3Response, "_key_response_get", _hiding_absence("_key_response_get"))
    replace(S3Response, "head_object", _hiding_absence("head_object"))


def _checking_named() -> Callable[[IAMRequestBase, str], None]:
    """Know a permission by its name where the API's operation has another."""
    original = IAMRequestBase.check_action_permitted

    def check_action_permitted(self: IAMRequestBase, resource: str) -> None:
        self._action = PERMISSIONS.get(self._action, self._action)
        original(self, resource)

    return check_action_permitted


def _deny(self: IAMRequest) -> None:
    """Answer in the service's protocol; moto answers everyone in IAM's XML."""
    message = f"User: {self._access_key.arn} is not authorized to perform: {self._action}"
    if self._service in JSON_SERVICES:
        raise JsonRESTError("AccessDeniedException", message)
    raise AccessDeniedError(user_arn=self._access_key.arn, action=self._action)


def _parameter(self: SimpleSystemManagerResponse) -> str:
    name = self._get_param("Name") or self._get_param("Path")
    if name is None:
        return "*"
    return f"arn:aws:ssm:{self.region}:{self.current_account}:parameter/{name.lstrip('/')}"


def _secret(self: SecretsManagerResponse) -> str:
    identifier = self._get_param("SecretId") or ""
    secret = secretsmanager_backends[self.current_account][self.region].secrets.get(identifier)
    return secret.arn if secret else "*"


def _function(self: LambdaResponse) -> str:
    _, _, name = self.path.partition("/functions/")
    if not name:
        return "*"
    name = unquote(name.split("/")[0]).split(":function:")[-1]
    return f"arn:aws:lambda:{self.region}:{self.current_account}:function:{name}"


def _conditional() -> Callable[..., PermissionResult]:
    """A statement counts only where its condition holds; in moto one that fails denies all."""
    original = IAMPolicyStatement.is_action_permitted

    def is_action_permitted(
        self: IAMPolicyStatement,
        action: str,
        resource: str = "*",
        principal: str | None = None,
        incoming_condition_values: dict[str, str] | None = None,
    ) -> PermissionResult:
        condition = self._statement.get("Condition")
        if principal or not condition:
            return original(self, action, resource, principal, incoming_condition_values)
        bare = {name: value for name, value in self._statement.items() if name != "Condition"}
        result = original(IAMPolicyStatement(bare), action, resource)
        if result is PermissionResult.NEUTRAL or _holds(condition):
            return result
        return PermissionResult.NEUTRAL

    return is_action_permitted


def _holds(condition: Mapping[str, Mapping[str, Any]]) -> bool:
    return all(
        _matches(operator, key, [str(value) for value in _listed(expected)])
        for operator, tests in condition.items()
        for key, expected in tests.items()
    )


def _matches(operator: str, key: str, expected: list[str]) -> bool:
    match operator, key:
        case "Bool", "aws:SecureTransport":
            return SECURE in [value.lower() for value in expected]
        case "StringLike", "s3:prefix":  # which only a request that lists objects has
            prefix = flask.request.args.get("prefix")
            return prefix is not None and any(fnmatchcase(prefix, value) for value in expected)
        case _:
            raise NotImplementedError(f"{operator} {key}: not simulated")


def _hiding_absence(name: str) -> Callable[..., Any]:
    """Answer 403, not 404, for an absent object where the caller may not list the bucket."""
    original = getattr(S3Response, name)

    @functools.wraps(original)
    def respond(self: S3Response, *args: Any, **options: Any) -> Any:
        try:
            response = original(self, *args, **options)
        except MissingKey:
            _authorize_listing(self)
            raise
        if response[0] == NOT_FOUND:
            _authorize_listing(self)
        return response

    return respond


def _authorize_listing(response: S3Response) -> None:
    response.data["Action"] = "ListBucket"
    response._authenticate_and_authorize_s3_action(bucket_name=response.bucket_name)


# --- Step Functions


def run_state_machines() -> None:
    """Let state machines run, with their own role, and without waiting between retries.

    moto's interpreter calls other services with made-up credentials and sleeps in real time. A
    filter that nothing passes gives an empty list in AWS, an error in moto (getmoto/moto#10078).
    """
    wildcard = json_path._contains_slice_or_wildcard_array
    replace(
        json_path,
        "_contains_slice_or_wildcard_array",
        lambda path: "[?(" in path or wildcard(path),
    )
    default_user_config["stepfunctions"] = {"execute_state_machine": True}
    replace(lambda_eval_utils, "boto_client_for", _client_of_state)
    replace(item_reader, "boto_client_for", _client_of_state)
    replace(retrier_decl, "time", SimpleNamespace(sleep=lambda _: None))


def _client_of_state(region: str, service: str, state_credentials: Any = None) -> Any:
    session = credentials_of(state_credentials.role_arn, "states.amazonaws.com", region)
    client: Any = boto3.client
    return client(
        service,
        region_name=region,
        endpoint_url=f"http://127.0.0.1:{settings.moto_server_port()}",
        aws_access_key_id=session["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=session["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=session["AWS_SESSION_TOKEN"],
    )
