"""Who belongs to which workspace, archived ones included.

The default workspace has no list of its own: access to it follows the role in the organization.
"""

from dataclasses import replace

from anthropic_lake.api.paging import Paging
from anthropic_lake.assets.asset import Asset, FanOut, Function, Kind
from anthropic_lake.assets.workspaces import WORKSPACES
from anthropic_lake.schema.table import Column, Table
from anthropic_lake.schema.types import STRING

WORKSPACE_MEMBERS = Asset(
    name="workspace_members",
    kind=Kind.SNAPSHOT,
    path="",
    paging=Paging.AFTER_ID,
    fan_out=FanOut(
        replace(WORKSPACES, params={"include_archived": "true"}),
        "/v1/organizations/workspaces/{workspace_id}/members",
    ),
    function=Function(
        "Takes the daily snapshot of the members of every workspace.",
        schedule_minute=24,
        memory_mb=512,
    ),
    tables=(
        Table(
            name="workspace_members",
            comment="One user's membership of one workspace, as it was on the day.",
            key=(
                Column("workspace_id", STRING, "Identifier of the workspace.", required=True),
                Column("user_id", STRING, "Identifier of the user.", required=True),
            ),
            columns=(
                Column("type", STRING, "Always `workspace_member`."),
                Column(
                    "workspace_role",
                    STRING,
                    "Role of the user in the workspace.",
                    values=(
                        "workspace_admin",
                        "workspace_developer",
                        "workspace_restricted_developer",
                        "workspace_user",
                        "workspace_billing",
                    ),
                ),
            ),
        ),
    ),
)
