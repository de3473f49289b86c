"""An emulated AWS and a Trino that reads it, once per run of the tests."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from tests.athena.trino import Trino, TrinoUnavailableError, find_java, install


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.athena)
            item.add_marker(pytest.mark.timeout(900))  # the first one may fetch Trino
            item.add_marker(pytest.mark.xdist_group("trino"))


@pytest.fixture(scope="session")
def aws_endpoint() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # a line per request otherwise
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def trino(aws_endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trino]:
    try:
        find_java()
        install()
    except TrinoUnavailableError as unavailable:
        if os.environ.get("CI") == "true":
            pytest.fail(str(unavailable))
        pytest.skip(str(unavailable))
    directory = tmp_path_factory.mktemp("trino")
    with Trino(aws_endpoint=aws_endpoint, directory=directory) as server:
        yield server
