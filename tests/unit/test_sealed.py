"""The promise of this suite is kept by tests/unit/conftest.py."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable

import pytest


def bind() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))


@pytest.mark.parametrize(
    "attempt",
    [
        lambda: socket.create_connection(("127.0.0.1", 1), timeout=1),
        bind,
        lambda: socket.getaddrinfo("localhost", 80),
        lambda: subprocess.run([sys.executable, "-c", ""], check=True),
        lambda: os.system("true"),
        os.fork,
    ],
)
def test_a_unit_test_opens_no_socket_and_starts_no_process(attempt: Callable[[], object]) -> None:
    with pytest.raises(AssertionError, match="a unit test caused"):
        attempt()
