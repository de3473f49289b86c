"""An Athena that follows a script, for what moto's does not do: several pages, and failures."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from tests.aws.embedded import REGION

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

Json = dict[str, Any]


def fake_credentials(url: str) -> dict[str, str]:
    """The variables that lead boto3 to a server, which it asks once."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "AKIATESTING",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_MAX_ATTEMPTS": "1",
        "NO_PROXY": "127.0.0.1",
    }


class ScriptedAthena:
    """Answers each action with the next of its answers, the last one for ever.

    Args:
        script: By action, such as `StartQueryExecution`: the answers, an error as its code and
            its message.
    """

    def __init__(self, script: Mapping[str, Sequence[Json | tuple[str, str]]]) -> None:
        self.requests: list[tuple[str, Json]] = []
        self._script = {action: list(answers) for action, answers in script.items()}
        athena = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                action = self.headers["X-Amz-Target"].rpartition(".")[2]
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, answer = athena.answer(action, body)
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> Self:
        serve = functools.partial(self._server.serve_forever, poll_interval=0.01)
        threading.Thread(target=serve, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def actions(self) -> list[str]:
        return [action for action, _ in self.requests]

    def answer(self, action: str, body: Json) -> tuple[int, Json]:
        self.requests.append((action, body))
        answers = self._script[action]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, tuple):
            code, message = answer
            return 400, {"__type": code, "message": message}
        return 200, answer
