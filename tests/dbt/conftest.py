"""dbt in its own environment, in a user's project that takes the package from the repository."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from anthropic_lake.assets import ASSETS
from tests.contract.lab import Lab
from tests.simulator import AdminApiServer, Organization

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "dbt"
DBT = ROOT / ".venv-dbt" / "bin" / "dbt"
NOW = datetime.now(UTC).replace(microsecond=0)
WITHHELD = "spend_limits"
"""An asset that the organization is not offered."""

Json = dict[str, Any]


class Outcome(NamedTuple):
    """What a command of dbt ended with."""

    exit_code: int
    output: str


class Project:
    """A user's project on a DuckDB file of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = folder / "lake.duckdb"

    def run(self, *arguments: str) -> Outcome:
        """Run a command; what it would send goes to a port of this machine where nobody listens."""
        nobody = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
        ended = subprocess.run(
            [DBT, "--no-use-colors", *arguments],
            cwd=self.folder,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder),
                "TZ": "America/Los_Angeles",  # all times of the lake are UTC all the same
                "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
                **nobody,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        return Outcome(ended.returncode, ended.stdout + ended.stderr)

    def opened(self, lake: Path) -> Project:
        """Create the tables and views of a lake."""
        arguments = json.dumps({"folder": str(lake)})
        created = self.run("run-operation", "create_duckdb_lake", "--args", arguments)
        assert created.exit_code == 0, created.output
        return self

    def copy(self, folder: Path) -> Project:
        """Return the same project with a database of its own."""
        shutil.copytree(self.folder, folder)
        return Project(folder)

    def artifact(self, name: str) -> Json:
        """Return what dbt wrote about its last command."""
        content: Json = json.loads((self.folder / "target" / f"{name}.json").read_text())
        return content

    def statuses(self, name: str) -> dict[str, str]:
        """Return the status of each test, model or source after the last command."""
        results = self.artifact(name)["results"]
        return {result["unique_id"]: result["status"] for result in results}


@pytest.fixture(scope="package")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that has parsed the package; no lake is open in it."""
    if not DBT.exists():
        reason = "no environment for dbt: run `make .venv-dbt/.installed`"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("dbt") / "project"
    write_project(folder, {})
    project = Project(folder)
    for arguments in (["deps"], ["--warn-error", "parse"]):
        ended = project.run(*arguments)
        assert ended.exit_code == 0, ended.output
    return project


def write_project(folder: Path, settings: Json) -> None:
    """Write the files of a project, as the package's README says."""
    files: dict[str, Json] = {
        "dbt_project.yml": {"name": "reporting", "config-version": 2, "profile": "lake"} | settings,
        "packages.yml": {"packages": [{"local": str(PACKAGE)}]},
        "profiles.yml": {
            "lake": {
                "target": "laptop",
                "outputs": {
                    "laptop": {
                        "type": "duckdb",
                        "path": "lake.duckdb",
                        "schema": "reporting",
                        "threads": 2,
                    }
                },
            }
        },
    }
    (folder / "models").mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_text(yaml.safe_dump(content))
    (folder / "models" / "spend.sql").write_text(
        "SELECT date, sum(cost_usd) AS usd\n"
        "FROM {{ source('anthropic_lake', 'cost_daily') }}\nGROUP BY date\n"
    )


@pytest.fixture(scope="package")
def api() -> Iterator[AdminApiServer]:
    organization = Organization.invent(today=NOW.date(), days=10)
    path = ASSETS[WITHHELD].path.removeprefix("/v1/organizations/")
    with AdminApiServer(organization, now=lambda: NOW, not_offered={path: 404}) as server:
        yield server


@pytest.fixture(scope="package")
def lake(api: AdminApiServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake that was synced just now; not to be changed."""
    lab = new_lab(api, tmp_path_factory.mktemp("lake"))
    for name in ASSETS:
        lab.run(name)
    return lab.root


def new_lab(api: AdminApiServer, root: Path) -> Lab:
    """Return an extractor whose time is now."""
    history_start = NOW.date() - timedelta(days=9)
    return Lab(api, root, now=NOW, environment={"HISTORY_START": history_start.isoformat()})
