"""An AWS account on the loopback address: moto's server in a process of its own.

    with EmbeddedAws() as aws:
        aws.client("s3").create_bucket(Bucket="lake")
        subprocess.run([...], env={**os.environ, **aws.environment})

Only the endpoint and the credentials differ from the real thing. boto3 takes both from the
environment; pyarrow does for a URI (`FileSystem.from_uri("s3://lake/prefix")`), while
`S3FileSystem()` has to be given `endpoint_override`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self

ACCOUNT_ID = "123456789012"
REGION = "us-east-1"
ROOT = Path(__file__).parents[2]
APART = {  # from the developer's own account and network
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "NO_PROXY": "127.0.0.1,localhost",
    "no_proxy": "127.0.0.1,localhost",
}
EVERYTHING = {
    "Version": "2012-10-17",
    "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"},
}


class EmbeddedAws:
    """One account in one region, empty at first; a context manager.

    Args:
        policies: Whether IAM policies are enforced. The environment and the clients are then
            those of an administrator, whom a reset replaces.
        functions: Given, an invoked Lambda function runs its handler from the source tree, with
            these variables beside its own (tests/aws/functions.py), and state machines run.
            Not given, invocations and executions do nothing.

    Attributes:
        url: The endpoint of every service, once it is started.
    """

    def __init__(
        self, *, policies: bool = False, functions: Mapping[str, str] | None = None
    ) -> None:
        self.url = ""
        self._policies = policies
        self._arguments = [
            *(["--policies"] if policies else []),
            *(["--functions", json.dumps(dict(functions))] if functions is not None else []),
        ]
        self._access_key = ("AKIAEMBEDDEDAWS00000", "embedded")
        nobody = botocore.session.Session({"profile": (None, None, None, None)})
        self._session: Any = boto3.Session(botocore_session=nobody, region_name=REGION)
        self._clients: dict[tuple[str, str | None], Any] = {}
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.aws.server", *self._arguments],
            cwd=ROOT,
            env={k: v for k, v in os.environ.items() if not k.startswith("AWS_")} | APART,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # an interrupt is for us; it ends when we do
        )
        try:
            self.url = f"http://127.0.0.1:{self._port()}"
            if self._policies:
                self._create_administrator()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()

    @property
    def environment(self) -> dict[str, str]:
        """What makes any AWS client of a process talk to this account, and to no other."""
        key_id, secret = self._access_key
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": key_id,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_SESSION_TOKEN": "",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            **APART,
        }

    def client(self, service: str, role: str | None = None) -> Any:
        """Return a boto3 client of the service that needs nothing of the environment.

        Args:
            service: Such as `s3`.
            role: The ARN of a role to act as.
        """
        key = (service, role)
        if key not in self._clients:
            credentials = self._administrator() if role is None else self._assume(role)
            self._clients[key] = self._session.client(
                service, endpoint_url=self.url, config=Config(proxies={}), **credentials
            )
        return self._clients[key]

    def reset(self) -> None:
        """Empty the account; clients of before are of no use where policies are enforced."""
        self._post("/moto-api/reset")
        if self._policies:
            self._create_administrator()

    def _port(self) -> int:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"moto's server ended with {self._process.wait()}")
        return int(line)

    def _stop(self) -> None:
        assert self._process is not None
        self._process.communicate(timeout=30)  # closes its standard input

    def _administrator(self) -> dict[str, str]:
        key_id, secret = self._access_key
        return {"aws_access_key_id": key_id, "aws_secret_access_key": secret}

    def _assume(self, role: str) -> dict[str, str]:
        session = self.client("sts").assume_role(RoleArn=role, RoleSessionName="test")
        return {
            "aws_access_key_id": session["Credentials"]["AccessKeyId"],
            "aws_secret_access_key": session["Credentials"]["SecretAccessKey"],
            "aws_session_token": session["Credentials"]["SessionToken"],
        }

    def _create_administrator(self) -> None:
        """Let everyone do everything until there is an administrator, then only who may."""
        self._clients.clear()
        self._post("/moto-api/reset-auth", b"inf")
        iam = self.client("iam")
        iam.create_user(UserName="administrator")
        iam.put_user_policy(
            UserName="administrator", PolicyName="all", PolicyDocument=json.dumps(EVERYTHING)
        )
        key = iam.create_access_key(UserName="administrator")["AccessKey"]
        self._access_key = (key["AccessKeyId"], key["SecretAccessKey"])
        self._clients.clear()
        self._post("/moto-api/reset-auth", b"0")

    def _post(self, path: str, body: bytes = b"") -> None:
        plain = {"Content-Type": "text/plain"}  # moto reads no body that looks like a form
        request = urllib.request.Request(self.url + path, body, plain, method="POST")
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(request, timeout=10) as response:
            response.read()
