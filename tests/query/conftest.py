"""The demo lake, once per process of a test run."""

from pathlib import Path

import pytest
from pyarrow import fs

from anthropic_lake.lake.reading import StoredLake
from tests.lakes import build_lake
from tests.simulator import Organization


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Organization]:
    path = tmp_path_factory.mktemp("demo") / "lake"
    return path, build_lake(path)


@pytest.fixture(scope="session")
def folder(demo: tuple[Path, Organization]) -> Path:
    """The demo lake; not to be changed."""
    return demo[0]


@pytest.fixture(scope="session")
def organization(demo: tuple[Path, Organization]) -> Organization:
    """What the demo lake has to agree with."""
    return demo[1]


@pytest.fixture(scope="session")
def lake(folder: Path) -> StoredLake:
    return stored(folder)


def stored(path: Path) -> StoredLake:
    return StoredLake(fs.LocalFileSystem(), path.as_posix(), str(path))
