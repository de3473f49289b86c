"""The two other sides: a simulated Admin API and an embedded AWS, each over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.aws.embedded import EmbeddedAws
from tests.contract.lab import TODAY, Lab
from tests.simulator import AdminApiServer, Organization


@pytest.fixture
def held() -> Organization:
    """An organization of some days, which a test may change."""
    return Organization.invent(seed=3, today=TODAY, days=12, people=6, workspaces=4)


@pytest.fixture
def simulated(held: Organization) -> Iterator[AdminApiServer]:
    with AdminApiServer(held) as server:
        yield server


@pytest.fixture
def lab(simulated: AdminApiServer, tmp_path: Path) -> Lab:
    return Lab(simulated, tmp_path / "lake")


@pytest.fixture(scope="session")
def account() -> Iterator[EmbeddedAws]:
    with EmbeddedAws() as aws:
        yield aws


@pytest.fixture
def aws(account: EmbeddedAws) -> EmbeddedAws:
    """An empty account."""
    account.reset()
    return account
