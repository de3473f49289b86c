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
from tests.simulator.usage import TOKEN_TYPES, cents_per_token

ENVIRONMENT = ROOT / ".venv-focus"
PAGE = (ROOT / "docs" / "focus.md").read_text(encoding="utf-8")
CLAIMED = (
    "ACCOUNT_NAMING_SUPPORTED",
    "MULTIPLE_PRICING_CATEGORIES_SUPPORTED",
    "SUB_ACCOUNT_SUPPORTED",
    "TAGGING_SUPPORTED",
    "UNIT_PRICING_SUPPORTED",
    "USAGE_MEASUREMENT_SUPPORTED",
)
FILLED_SINCE_1_3 = {
    *("BilledCost", "BillingAccountId", "BillingCurrency", "BillingPeriodEnd"),
    *("BillingPeriodStart", "ChargeCategory", "ChargePeriodEnd", "ChargePeriodStart"),
    *("ContractedCost", "EffectiveCost", "HostProviderName", "InvoiceIssuerName", "ListCost"),
    *("ServiceCategory", "ServiceName", "ServiceProviderName"),
}
MAY_BE_NULL_SINCE_1_3 = {
    *("BillingAccountName", "ChargeClass", "ChargeDescription", "PricingQuantity", "PricingUnit"),
}
"""The mandatory columns of Cost and Usage in FOCUS 1.3 and 1.4; 1.4 has no more than these."""
DEPRECATED_IN_1_3 = {"ProviderName", "PublisherName"}
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


def test_the_columns_that_1_3_and_1_4_ask_for_are_there(lake: StoredLake) -> None:
    focus = answer("SELECT * FROM focus_cost_and_usage", lake)
    filled = FILLED_SINCE_1_3 | DEPRECATED_IN_1_3
    assert filled | MAY_BE_NULL_SINCE_1_3 <= set(focus.column_names)
    assert focus.num_rows
    assert [name for name in filled if focus.column(name).null_count] == []


def test_each_billed_token_is_counted_once(lake: StoredLake) -> None:
    billed = "service_tier NOT LIKE 'priority%'"  # which the cost report leaves out
    sql = f"""
        SELECT sum(ConsumedQuantity), (SELECT sum(output_tokens) FROM usage_report WHERE {billed})
        FROM focus_cost_and_usage
        WHERE x_TokenType = 'output_tokens'
    """
    [consumed], [used] = (column.to_pylist() for column in answer(sql, lake).columns)
    assert consumed == used > 0


def test_every_charge_for_tokens_finds_them(lake: StoredLake) -> None:
    sql = (
        "SELECT count(ConsumedQuantity), count(*) "
        "FROM focus_cost_and_usage WHERE x_CostType = 'tokens'"
    )
    [found], [charges] = (column.to_pylist() for column in answer(sql, lake).columns)
    assert found == charges > 0


def test_the_usual_unit_price_is_the_vendors(lake: StoredLake) -> None:
    columns = "x_Model, x_ServiceTier, x_ContextWindow, x_InferenceGeo"
    sql = f"""
        SELECT {columns}, x_TokenType, mode(ListUnitPrice)
        FROM focus_cost_and_usage
        WHERE x_ServiceTier IN ('standard', 'batch')
        GROUP BY ALL
        HAVING count(*) > 9
    """
    prices = list(zip(*(column.to_pylist() for column in answer(sql, lake).columns), strict=True))
    assert len(prices) > 30
    for *priced_by, token_type, price in prices:
        cents = dict(zip(TOKEN_TYPES, cents_per_token(*priced_by, "standard"), strict=True))
        assert price == cents[token_type] * 10_000


def test_there_is_a_row_for_each_row_of_the_cost_report(lake: StoredLake) -> None:
    sql = "SELECT (SELECT count(*) FROM focus_cost_and_usage) - (SELECT count(*) FROM cost_report)"
    assert answer(sql, lake).column(0).to_pylist() == [0]


def test_tags_are_those_of_the_workspace(lake: StoredLake) -> None:
    sql = (
        "SELECT DISTINCT Tags ->> 'cost-centre' AS cost_centre FROM focus_cost_and_usage "
        "WHERE SubAccountName = 'Default'"
    )
    assert answer(sql, lake).column(0).to_pylist() == ["CC-4711"]
