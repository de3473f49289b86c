"""The organization's workspaces, the default one and archived ones included."""

from anthropic_lake.api.paging import Paging
from anthropic_lake.assets.asset import Asset, Function, Kind
from anthropic_lake.schema.table import Column, Table
from anthropic_lake.schema.types import JSON, STRING, TIMESTAMP

WORKSPACES = Asset(
    name="workspaces",
    kind=Kind.SNAPSHOT,
    path="/v1/organizations/workspaces",
    paging=Paging.AFTER_ID,
    params={"include_archived": "true", "include_default": "true"},
    function=Function(
        "Takes the daily snapshot of the workspaces, archived ones too.",
        schedule_minute=6,
        memory_mb=256,
    ),
    tables=(
        Table(
            name="workspaces",
            comment="One workspace, as it was on the day.",
            key=(Column("id", STRING, "Identifier of the workspace.", required=True),),
            columns=(
                Column("type", STRING, "Always `workspace`."),
                Column("name", STRING, "Name of the workspace."),
                Column("created_at", TIMESTAMP, "When the workspace was created, UTC."),
                Column(
                    "archived_at",
                    TIMESTAMP,
                    "When the workspace was archived, UTC; null while it is active.",
                ),
                Column("display_color", STRING, "Colour in the Console, as a hex code."),
                Column(
                    "data_residency_workspace_geo",
                    STRING,
                    "Where the workspace's data is stored; null when the API did not say.",
                    path="data_residency.workspace_geo",
                ),
                Column(
                    "data_residency_default_inference_geo",
                    STRING,
                    "Where requests that name no place run; null when the API did not say.",
                    path="data_residency.default_inference_geo",
                ),
                Column(
                    "data_residency_allowed_inference_geos",
                    JSON,
                    'Where requests may run: JSON text, `"unrestricted"` or a list of places; '
                    "null when the API did not say.",
                    path="data_residency.allowed_inference_geos",
                ),
                Column(
                    "tags",
                    JSON,
                    "Tags: JSON object from name to value; null when the API did not say.",
                ),
                Column(
                    "compartment_id",
                    STRING,
                    "Compartment of customer-managed encryption; null where it is not used.",
                ),
                Column(
                    "external_key_id",
                    STRING,
                    "Customer-managed encryption key; null where none is used.",
                ),
                Column(
                    "user_profile_id",
                    STRING,
                    "User profile of the workspace; null when the API did not say.",
                ),
            ),
        ),
    ),
)
