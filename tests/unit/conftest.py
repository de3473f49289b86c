"""Unit tests need neither a server nor a process: one that opens a socket or starts one fails."""

import sys
from collections.abc import Iterator

import pytest

REFUSED = frozenset(
    {
        *("socket.bind", "socket.connect", "socket.getaddrinfo", "socket.sendto"),
        *("os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "subprocess.Popen"),
    }
)
"""Audit events of the interpreter: nothing in Python gets around them, C modules included."""

_tests_running = 0


def _refuse(event: str, _arguments: tuple[object, ...]) -> None:
    if _tests_running and event in REFUSED:
        raise AssertionError(f"a unit test caused {event}: move it to another suite")


sys.addaudithook(_refuse)  # cannot be removed


@pytest.fixture(autouse=True)
def _sealed() -> Iterator[None]:
    global _tests_running  # noqa: PLW0603
    _tests_running += 1
    yield
    _tests_running -= 1
