"""Unit tests have no network: a connection that is tried fails the test."""

import socket
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest


@pytest.fixture(autouse=True, scope="module")
def _no_sockets() -> Iterator[None]:
    def refuse(_socket: socket.socket, address: Any) -> NoReturn:
        raise AssertionError(f"a unit test tried to connect to {address}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket.socket, "connect_ex", refuse)
        yield
