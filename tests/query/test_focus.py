"""The FOCUS view, by the FinOps Foundation's own validator."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from anthropic_lake.cli.main import main
from anthropic_lake.lake.reading import StoredLake
from tests.lakes import TODAY
from tests.query.cookbook import ROOT, answer

ENVIRONMENT = ROOT / ".venv-focus"
PAGE = (ROOT / "docs" / "focus.md").read_text(encoding="utf-8")
CLAIMED = (
    "ACCOUNT_NAMING_SUPPORTED",
    "MULTIPLE_PRICING_CATEGORIES_SUPPORTED",
    "SUB_ACCOUNT_SUPPORTED",
    "TAGGING_SUPPORTED",
)
ASCII = (
    "SELECT * REPLACE (regexp_replace(BillingAccountName, '[^ -~]', '?', 'g') AS "
    "BillingAccountName, regexp_replace(SubAccountName, '[^ -~]', '?', 'g') AS SubAccountName) "
    "FROM focus_cost_and_usage"
)

Failures = Callable[[str], set[str]]


def documented(heading: str) -> set[str]:
    """The names in the first column of the table below a heading of the page."""
    _, _, below = PAGE.partition(f"\n## {heading}\n")
    rows = re.findall(r"^\| (`.*?) \|", below.partition("\n## ")[0], re.MULTILINE)
    return set(re.findall(r"`([\w-]+)`", " ".join(rows)))


@pytest.fixture
def failures(folder: Path, tmp_path: Path) -> Failures:
    """Exports what a statement gives and tells which rules it fails."""
    program = ENVIRONMENT / "bin" / "focus-validator"
    if not (ENVIRONMENT / ".installed").exists():
        pytest.skip("no focus-validator: run `make .venv-focus/.installed`, with a Python 3.12")
    [package] = ENVIRONMENT.glob("lib/python3.*/site-packages/focus_validator")
    (tmp_path / "focus_validator").symlink_to(package)  # it looks for its data where it is run
    file = tmp_path / "focus.parquet"

    def check(sql: str) -> set[str]:
        export = ["query", sql, "--lake", str(folder), "--today", str(TODAY), "-o", str(file)]
        assert CliRunner().invoke(main, [*export, "--format", "parquet"]).exit_code == 0
        checked = subprocess.run(
            [
                program,
                f"--data-file={file}",
                "--validate-version=1.2",
                "--block-download",
                "--focus-dataset=CostAndUsage",
                f"--applicability-criteria={','.join(CLAIMED)}",
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        [(total, failed)] = re.findall(
            r"^Total: (\d+) \| Pass: \d+ \| Fail: (\d+)", checked.stdout, re.MULTILINE
        )
        rules = set(re.findall(r"^\S+ ([\w-]+): FAIL", checked.stdout, re.MULTILINE))
        assert (int(total), int(failed)) == (578, len(rules))
        return rules

    return check


@pytest.mark.timeout(300)
def test_only_the_documented_rules_fail(failures: Failures) -> None:
    assert failures("SELECT * FROM focus_cost_and_usage") == documented("What the validator says")


@pytest.mark.timeout(300)
def test_names_in_ascii_fail_no_rule_for_names(failures: Failures) -> None:
    assert failures(ASCII) == {"InvoiceId-C-005-C"}


@pytest.mark.timeout(300)
def test_one_of_the_two_rules_for_invoices_fails_for_any_data(failures: Failures) -> None:
    assert failures(f"SELECT * REPLACE ('I-1' AS InvoiceId) FROM ({ASCII})") == {
        "InvoiceId-C-004-C"
    }


def test_the_criteria_of_the_page_are_those_that_are_claimed() -> None:
    assert [name for name in CLAIMED if f"`{name}`" not in PAGE] == []


def test_every_column_is_documented(lake: StoredLake) -> None:
    columns = answer("SELECT * FROM focus_cost_and_usage LIMIT 0", lake).column_names
    assert set(columns) == documented("How each column is filled")


def test_there_is_a_row_for_each_row_of_the_cost_report(lake: StoredLake) -> None:
    sql = "SELECT (SELECT count(*) FROM focus_cost_and_usage) - (SELECT count(*) FROM cost_report)"
    assert answer(sql, lake).column(0).to_pylist() == [0]


def test_tags_are_those_of_the_workspace(lake: StoredLake) -> None:
    sql = (
        "SELECT DISTINCT Tags ->> 'cost-centre' AS cost_centre FROM focus_cost_and_usage "
        "WHERE SubAccountName = 'Default'"
    )
    assert answer(sql, lake).column(0).to_pylist() == ["CC-4711"]
