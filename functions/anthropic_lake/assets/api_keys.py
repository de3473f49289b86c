"""The organization's API keys in every status; never their secrets."""

from anthropic_lake.api.paging import Paging
from anthropic_lake.assets.asset import PERSONS_KEY, Asset, Function, Kind
from anthropic_lake.schema.table import Column, Table
from anthropic_lake.schema.types import STRING, TIMESTAMP

API_KEYS = Asset(
    name="api_keys",
    kind=Kind.SNAPSHOT,
    path="/v1/organizations/api_keys",
    paging=Paging.AFTER_ID,
    function=Function(
        "Takes the daily snapshot of the API keys.", schedule_minute=11, memory_mb=512
    ),
    tables=(
        Table(
            name="api_keys",
            comment="One API key, as it was on the day.",
            key=(Column("id", STRING, "Identifier of the key.", required=True),),
            columns=(
                Column("type", STRING, "Always `api_key`."),
                Column(
                    "name",
                    STRING,
                    "Name of the key.",
                    personal=True,
                    personal_start=PERSONS_KEY,
                ),
                Column(
                    "status",
                    STRING,
                    "`active`, `inactive`, `archived` or `expired`.",
                    values=("active", "inactive", "archived", "expired"),
                ),
                Column("partial_key_hint", STRING, "The key with its middle left out, or null."),
                Column("created_at", TIMESTAMP, "When the key was created, UTC."),
                Column("expires_at", TIMESTAMP, "When the key expires, UTC; null: never."),
                Column(
                    "created_by_id",
                    STRING,
                    "Who created the key; null for legacy, federated and system keys.",
                    path="created_by.id",
                ),
                Column(
                    "created_by_type",
                    STRING,
                    "`user` or `service_account`; null for legacy, federated and system keys.",
                    path="created_by.type",
                ),
                Column(
                    "workspace_id",
                    STRING,
                    "Workspace of the key; null: the default workspace, or a key of the whole "
                    "organization (scope_type tells which).",
                    path=("workspace_id", "scope.workspace_id"),
                ),
                Column(
                    "scope_type",
                    STRING,
                    "`workspace` or `organization`; null when the API did not say.",
                    path="scope.type",
                ),
                Column(
                    "scope_workspace_id",
                    STRING,
                    "Workspace of the key, the default one too; null for a key of the whole "
                    "organization.",
                    path="scope.workspace_id",
                ),
                Column(
                    "principal_type",
                    STRING,
                    "Kind of principal that the key acts as; null where it has none.",
                    path="principal.type",
                ),
                Column(
                    "principal_id",
                    STRING,
                    "User or service account that the key acts as; null where it has none.",
                    path=("principal.user_id", "principal.service_account_id", "principal.id"),
                ),
            ),
        ),
    ),
)
