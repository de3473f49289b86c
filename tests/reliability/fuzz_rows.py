"""Coverage-guided fuzzing of the way of a row, by atheris: `make fuzz`.

An input is a byte that chooses the asset, and the body that its endpoint answers with. What is
looked for: an exception that has no name, or a leaf of an accepted record that is in no row.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import atheris  # type: ignore[import-untyped, import-not-found, unused-ignore]

with atheris.instrument_imports(include=["anthropic_lake"]):
    from anthropic_lake.assets import ASSETS
    from anthropic_lake.errors import LakeError
    from tests.unit.feeding import feed, lost, samples

_ASSETS = list(ASSETS.values())


def test_one_input(data: bytes) -> None:
    """Feed one input."""
    if not data:
        return
    asset, body = _ASSETS[data[0] % len(_ASSETS)], data[1:]
    found = feed(asset, body)
    if isinstance(found, LakeError):
        return
    missing = lost(asset, body, found)
    if missing:
        raise AssertionError(f"{asset.name} lost {missing}")


def main() -> None:
    """Write the simulator's pages as a first corpus, then fuzz from it for ever or as told."""
    corpus = Path(sys.argv[1])
    corpus.mkdir(parents=True, exist_ok=True)
    for number, (name, page) in enumerate(samples().items()):
        (corpus / name).write_bytes(bytes([number]) + json.dumps(page).encode())
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
