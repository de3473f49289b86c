"""The table that docs/focus.md makes for AWS's FOCUS dashboard, which takes no view.

The emulated Glue takes no statistics of a table's columns, so it is made no further than Trino's
check of the whole statement; its SELECT runs.
"""

from __future__ import annotations

import json
import re

import pytest

from anthropic_lake.lake.reading import StoredLake
from tests.athena.conftest import Deployed, in_duckdb
from tests.athena.trino import Result
from tests.query.cookbook import ROOT

LOOKED_FOR = {
    *("billedcost", "billingaccountid", "billingcurrency", "billingperiodstart"),
    *("chargecategory", "chargedescription", "chargeperiodstart", "commitmentdiscountcategory"),
    *("commitmentdiscountid", "commitmentdiscountname", "effectivecost", "listcost"),
    *("listunitprice", "pricingcategory", "pricingquantity", "pricingunit", "servicecategory"),
    *("servicename", "skuid", "skupriceid", "subaccountid"),
}
"""The columns by which cid-cmd knows a table with FOCUS."""


@pytest.fixture(scope="module")
def statement(deployed: Deployed) -> str:
    page = (ROOT / "docs" / "focus.md").read_text(encoding="utf-8")
    [documented] = re.findall(r"^```athena\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    database = deployed.stack.outputs["DatabaseName"]
    return re.sub(r"\b(finops|anthropic_lake)\.", f"{database}.", str(documented))


@pytest.fixture(scope="module")
def content(statement: str, deployed: Deployed) -> Result:
    """What would be in the table."""
    return deployed.ask(statement[statement.index("SELECT") :])


def test_the_statement_is_valid(statement: str, deployed: Deployed) -> None:
    assert statement.startswith("CREATE TABLE")
    assert deployed.ask(f"EXPLAIN (TYPE VALIDATE) {statement}").rows == [(True,)]


def test_the_dashboard_finds_the_columns_that_it_looks_for(content: Result) -> None:
    columns = {name.lower(): type_ for name, type_ in content.columns.items()}
    assert columns.keys() >= LOOKED_FOR
    maps = {name for name, type_ in columns.items() if type_ == "map(varchar, varchar)"}
    assert maps == {"tags", "skupricedetails"}
    assert "unknown" not in columns.values()  # no table can have such a column


def test_the_table_has_every_charge_of_the_view(content: Result, lake: StoredLake) -> None:
    [(rows, cost)] = in_duckdb(
        "SELECT count(*), sum(BilledCost) FROM focus_cost_and_usage", lake
    ).rows
    at = [name.lower() for name in content.columns].index("billedcost")
    assert len(content.rows) == rows
    assert sum(row[at] for row in content.rows) == cost


def test_tags_are_maps(content: Result, lake: StoredLake) -> None:
    [(tags,)] = in_duckdb(
        "SELECT DISTINCT Tags FROM focus_cost_and_usage WHERE SubAccountName = 'Default'", lake
    ).rows
    names = [name.lower() for name in content.columns]
    name_at, tags_at = names.index("subaccountname"), names.index("tags")
    found = [row[tags_at] for row in content.rows if row[name_at] == "Default"]
    assert found
    assert all(each == json.loads(tags) for each in found)
