"""Lambda inside moto's server: each invocation runs the function's handler as it is deployed.

moto runs functions in Docker or not at all. Here the handler runs in AWS's runtime client
(tests/aws/runtime.py), with the handler name, environment, timeout and memory that the Lambda API
holds for the function and with credentials of the function's role. Its code comes from the source
tree, its packages from this interpreter's environment: the uploaded archives are not exercised.
"""

from __future__ import annotations

import base64
import contextlib
import json
import threading
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from moto.awslambda_simple.models import LambdaSimpleBackend
from moto.core.config import default_user_config

from tests.aws.adaptations import credentials_of, replace
from tests.aws.runtime import LambdaRuntime

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from moto.awslambda.models import LambdaFunction

    from tests.aws.runtime import Result

CODE = Path(__file__).parents[2] / "functions"
LOG_TAIL = 4096  # bytes of the log that Lambda returns for LogType=Tail


class Sandboxes:
    """The processes of all functions: one per concurrent invocation, kept warm.

    Args:
        environment: Set for every function, over what is deployed: where this AWS is.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._idle: dict[str, list[LambdaRuntime]] = defaultdict(list)
        self._all: list[LambdaRuntime] = []
        self._lock = threading.Lock()

    def install(self) -> None:
        """Let moto's Lambda invoke functions here."""
        default_user_config["lambda"] = {"use_docker": False}
        sandboxes = self

        def invoke(
            self: LambdaSimpleBackend,
            function_name: str,
            qualifier: str | None,
            body: Any,
            headers: Any,
            response_headers: Any,
        ) -> bytes:
            function = self.get_function(function_name, qualifier)
            event = json.loads(body or "{}")
            if headers.get("X-Amz-Invocation-Type") == "Event":
                arguments = (function, event)
                threading.Thread(target=sandboxes.deliver, args=arguments, daemon=True).start()
                return b""
            return _answer(sandboxes.invoke(function, event), response_headers)

        replace(LambdaSimpleBackend, "invoke", invoke)

    def invoke(self, function: LambdaFunction, event: object) -> Result:
        """Run the handler once."""
        with self._sandbox(function) as sandbox:
            return sandbox.invoke(event, timeout=float(function.timeout))

    def deliver(self, function: LambdaFunction, event: object) -> None:
        """Run the handler as for an asynchronous invocation: retries, then the destination.

        Lambda waits minutes between; here one follows the other.
        """
        configs = function.event_invoke_config
        config = configs[-1].config if configs else {}
        attempts = 1 + int(config.get("MaximumRetryAttempts", 2))
        for _ in range(attempts):
            result = self.invoke(function, event)
            if result.error is None:
                return
        destination = config.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
        if destination:
            self._send(function, destination, _failure_record(function, event, result, attempts))

    def close(self) -> None:
        """End all processes."""
        for sandbox in self._all:
            sandbox.close()

    @contextlib.contextmanager
    def _sandbox(self, function: LambdaFunction) -> Iterator[LambdaRuntime]:
        settings = [function.function_arn, function.handler, function.role, function.memory_size]
        key = json.dumps([*settings, function.environment_vars], sort_keys=True)
        with self._lock:
            idle = self._idle[key]
            sandbox = idle.pop() if idle else self._start(function)
        try:
            yield sandbox
        finally:
            idle.append(sandbox)

    def _start(self, function: LambdaFunction) -> LambdaRuntime:
        sandbox = LambdaRuntime(
            function.handler or "",
            path=[CODE],
            environment={
                **function.environment_vars,
                **self._environment,
                **credentials_of(function.role, "lambda.amazonaws.com", function.region),
            },
            name=function.function_name,
            memory=int(function.memory_size),
            region=function.region,
        )
        self._all.append(sandbox)
        return sandbox

    def _send(self, function: LambdaFunction, queue_arn: str, record: object) -> None:
        session = credentials_of(function.role, "lambda.amazonaws.com", function.region)
        sqs = boto3.client(
            "sqs",
            region_name=function.region,
            endpoint_url=self._environment["AWS_ENDPOINT_URL"],
            aws_access_key_id=session["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=session["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=session["AWS_SESSION_TOKEN"],
        )
        account, name = queue_arn.split(":")[-2:]
        url = f"{self._environment['AWS_ENDPOINT_URL']}/{account}/{name}"
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(record))


def _answer(result: Result, headers: dict[str, str]) -> bytes:
    log = result.log.encode()[-LOG_TAIL:]
    headers["x-amz-log-result"] = base64.b64encode(log).decode()
    if result.error is None:
        return json.dumps(result.payload).encode()
    headers["x-amz-function-error"] = "Unhandled"
    return json.dumps(_error(result)).encode()


def _error(result: Result) -> dict[str, object]:
    assert result.error is not None
    return {
        "errorType": result.error.type,
        "errorMessage": result.error.message,
        "stackTrace": list(result.error.trace),
    }


def _failure_record(
    function: LambdaFunction, event: object, result: Result, attempts: int
) -> dict[str, object]:
    return {
        "version": "1.0",
        "requestContext": {
            "functionArn": function.function_arn,
            "condition": "RetriesExhausted",
            "approximateInvokeCount": attempts,
        },
        "requestPayload": event,
        "responseContext": {"statusCode": 200, "functionError": "Unhandled"},
        "responsePayload": _error(result),
    }
