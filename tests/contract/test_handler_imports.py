"""A cold start imports what a run uses, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

LIST = """
import json, sys
import anthropic_lake.handler
json.dump(sorted(sys.modules), sys.stdout)
"""
PACKAGES = {
    "anthropic_lake",
    "aws_lambda_powertools",
    "boto3",
    "botocore",
    "certifi",
    "charset_normalizer",
    "dateutil",
    "idna",
    "jmespath",
    "msgspec",
    "pyarrow",
    "requests",
    "s3transfer",
    "six",
    "typing_extensions",
    "urllib3",
}
COMPILED = {"cython_runtime"}  # parts of compiled packages
OPTIONAL = {"chardet", "simplejson"}  # requests takes them where they are; the layer has neither
UNUSED = {
    "anthropic_lake.extract.access",
    "anthropic_lake.cli",
    "anthropic_lake.query",
    "aws_lambda_powertools.event_handler",
    "aws_lambda_powertools.utilities.parameters",
    "aws_xray_sdk",
    "boto3.dynamodb",
    "pyarrow.acero",
    "pyarrow.compute",
    "pyarrow.csv",
    "pyarrow.dataset",
    "pyarrow.flight",
    "pyarrow.json",
    "pyarrow.orc",
    "pyarrow.pandas_compat",
}


@pytest.fixture(scope="module")
def imported() -> set[str]:
    command = [sys.executable, "-c", LIST]
    return set(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))


def test_only_the_locked_packages_of_a_function_are_imported(imported: set[str]) -> None:
    found = {name.partition(".")[0] for name in imported} - set(sys.stdlib_module_names)
    compiled = {name for name in found if name.startswith("_") or name.endswith("__mypyc")}
    assert found - compiled - COMPILED - OPTIONAL == PACKAGES


def test_nothing_is_imported_that_a_run_does_not_use(imported: set[str]) -> None:
    assert not imported & UNUSED
