"""The organization's users; a removed one vanishes from the API."""

from anthropic_lake.api.paging import Paging
from anthropic_lake.assets.asset import ROLES, Asset, Function, Kind
from anthropic_lake.schema.table import Column, Table
from anthropic_lake.schema.types import STRING, TIMESTAMP

USERS = Asset(
    name="users",
    kind=Kind.SNAPSHOT,
    path="/v1/organizations/users",
    paging=Paging.AFTER_ID,
    function=Function("Takes the daily snapshot of the users.", schedule_minute=20, memory_mb=512),
    tables=(
        Table(
            name="users",
            comment="One user, as they were on the day.",
            key=(Column("id", STRING, "Identifier of the user.", required=True),),
            columns=(
                Column("type", STRING, "Always `user`."),
                Column("email", STRING, "E-mail address of the user.", personal=True),
                Column("name", STRING, "Name of the user.", personal=True),
                Column("role", STRING, "Role of the user in the organization.", values=ROLES),
                Column("added_at", TIMESTAMP, "When the user joined the organization, UTC."),
            ),
        ),
    ),
)
