"""The bytes of the lake stay as they were: digests of every object for a fixed seed.

A change of them is a restatement of everybody's history. Where it is meant, or the locked pyarrow
has changed, `python -m tests.contract.test_recorded_objects` records them again.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from anthropic_lake.assets import ASSETS
from tests.contract.lab import TODAY, Lab
from tests.simulator import AdminApiServer, Organization

RECORDED = Path(__file__).with_name("recorded_objects.json")
ENVIRONMENTS: dict[str, dict[str, str]] = {
    "default": {},
    "hours": {"USAGE_BUCKET_WIDTH": "1h", "USAGE_GROUP_BY": "model,inference_geo,speed"},
}


def objects(environment: dict[str, str], root: Path) -> dict[str, str]:
    """Sync everything and give the SHA-256 of each object."""
    organization = Organization.invent(seed=5, today=TODAY, days=9, people=9, workspaces=4)
    organization.users[0]["badge"] = {"deep": [1.50, {"er": "ü"}]}  # what no table knows
    with AdminApiServer(organization) as api:
        lab = Lab(api, root, environment=environment)
        for asset in ASSETS:
            lab.run(asset)
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in lab.files()
        if name.startswith("asset=") and not name.startswith("asset=sync_")
    }


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_object_has_the_bytes_that_it_always_had(name: str, tmp_path: Path) -> None:
    assert objects(ENVIRONMENTS[name], tmp_path) == json.loads(RECORDED.read_text())[name]


if __name__ == "__main__":
    found = {}
    for name, environment in ENVIRONMENTS.items():
        with TemporaryDirectory() as folder:
            found[name] = objects(environment, Path(folder))
    RECORDED.write_text(json.dumps(found, indent=1) + "\n")
