"""The table that docs/focus.md makes for AWS's FOCUS dashboard, which takes no view."""

from __future__ import annotations

import json
import re

import pytest

from anthropic_lake.lake.reading import StoredLake
from tests.athena.conftest import Deployed, in_duckdb
from tests.query.cookbook import ROOT

FINOPS = "finops"
LOOKED_FOR = {
    *("billedcost", "billingaccountid", "billingcurrency", "billingperiodstart"),
    *("chargecategory", "chargedescription", "chargeperiodstart", "commitmentdiscountcategory"),
    *("commitmentdiscountid", "commitmentdiscountname", "effectivecost", "listcost"),
    *("listunitprice", "pricingcategory", "pricingquantity", "pricingunit", "servicecategory"),
    *("servicename", "skuid", "skupriceid", "subaccountid"),
}
"""The columns by which cid-cmd knows a table with FOCUS."""


@pytest.fixture(scope="module")
def table(deployed: Deployed) -> str:
    """The documented table, in a database and a bucket of its own."""
    page = (ROOT / "docs" / "focus.md").read_text(encoding="utf-8")
    [statement] = re.findall(r"^```athena\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    deployed.aws.client("s3").create_bucket(Bucket=FINOPS)
    deployed.aws.client("glue").create_database(DatabaseInput={"Name": FINOPS})
    database = deployed.stack.outputs["DatabaseName"]
    deployed.ask(
        statement.replace("my-finops-bucket", FINOPS).replace("anthropic_lake.", f"{database}.")
    )
    return f"{FINOPS}.anthropic_focus"


def test_the_dashboard_finds_the_table(table: str, deployed: Deployed) -> None:
    glue = deployed.aws.client("glue")
    found = glue.get_table(DatabaseName=FINOPS, Name=table.removeprefix(f"{FINOPS}."))["Table"]
    types = {each["Name"]: each["Type"] for each in found["StorageDescriptor"]["Columns"]}
    assert found["TableType"] == "EXTERNAL_TABLE"
    assert types.keys() >= LOOKED_FOR
    assert {name for name in types if types[name] == "map<string,string>"} == {
        "tags",
        "skupricedetails",
    }
    assert [each["Name"] for each in found["PartitionKeys"]] == ["billing_period"]


def test_the_table_has_what_the_view_has(table: str, deployed: Deployed, lake: StoredLake) -> None:
    columns = "count(*), sum(BilledCost), sum(ConsumedQuantity), min(BillingPeriodStart)"
    [expected] = in_duckdb(f"SELECT {columns} FROM focus_cost_and_usage", lake).rows
    [found] = deployed.ask(f"SELECT {columns} FROM {table}").rows
    assert found[:3] == expected[:3]
    assert found[3] == expected[3].replace(tzinfo=None)
    months = deployed.ask(f"SELECT DISTINCT billing_period FROM {table}").rows
    assert (f"{expected[3]:%Y-%m}",) in months


def test_tags_are_maps(table: str, deployed: Deployed, lake: StoredLake) -> None:
    [(tags,)] = in_duckdb(
        "SELECT DISTINCT Tags FROM focus_cost_and_usage WHERE SubAccountName = 'Default'", lake
    ).rows
    found = deployed.ask(f"SELECT DISTINCT tags FROM {table} WHERE subaccountname = 'Default'")
    assert found.rows == [(json.loads(tags),)]
