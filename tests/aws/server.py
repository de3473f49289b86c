"""The process behind EmbeddedAws: moto's server on a free port of the loopback address.

Prints the port once it listens, and ends when its standard input closes, so that it never
outlives the process that started it.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import logging
import os
import sys
import threading
from typing import TYPE_CHECKING

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

if TYPE_CHECKING:
    from collections.abc import Iterator


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--policies", action="store_true", help="enforce IAM policies")
    parser.add_argument("--functions", type=json.loads, help="run functions, with these variables")
    options = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with _serving() as port:
        os.environ["MOTO_PORT"] = str(port)  # where its state machines find other services
        with contextlib.ExitStack() as stack:
            if options.policies:
                from tests.aws import adaptations

                adaptations.enforce_policies()
            if options.functions is not None:
                from tests.aws import adaptations, functions

                adaptations.run_state_machines()
                endpoint = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
                sandboxes = functions.Sandboxes({**options.functions, **endpoint})
                stack.callback(sandboxes.close)
                sandboxes.install()
            sys.stdout.write(f"{port}\n")
            sys.stdout.flush()
            sys.stdin.read()


@contextlib.contextmanager
def _serving() -> Iterator[int]:
    application = DomainDispatcherApplication(create_backend_app)
    server = make_server(
        "127.0.0.1", 0, application, threaded=True, request_handler=MotoRequestHandler
    )
    serve = functools.partial(server.serve_forever, poll_interval=0.05)
    threading.Thread(target=serve, daemon=True).start()
    try:
        yield server.port
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    main()
