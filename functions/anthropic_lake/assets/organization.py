"""The organization that the key belongs to."""

from anthropic_lake.api.paging import Paging
from anthropic_lake.assets.asset import Asset, Function, Kind
from anthropic_lake.schema.table import Column, Table
from anthropic_lake.schema.types import STRING

ORGANIZATION = Asset(
    name="organization",
    kind=Kind.SNAPSHOT,
    path="/v1/organizations/me",
    paging=Paging.NONE,
    function=Function(
        "Takes the daily snapshot of the organization.", schedule_minute=2, memory_mb=256
    ),
    tables=(
        Table(
            name="organization",
            comment="The organization, as it was on the day.",
            key=(Column("id", STRING, "Identifier (UUID) of the organization.", required=True),),
            columns=(
                Column("type", STRING, "Always `organization`."),
                Column("name", STRING, "Name of the organization."),
            ),
            organization_field="id",
        ),
    ),
)
