"""The caps on metered spend: of the organization, its workspaces, people and others."""

from anthropic_lake.api.paging import Paging
from anthropic_lake.assets.asset import Asset, Function, Kind
from anthropic_lake.schema.table import Column, Table
from anthropic_lake.schema.types import BOOLEAN, JSON, MONEY, STRING, TIMESTAMP

SPEND_LIMITS = Asset(
    name="spend_limits",
    kind=Kind.SNAPSHOT,
    path="/v1/organizations/spend_limits",
    paging=Paging.TOKEN_ALONE,
    beta="spend-limit-reads-2026-09-26",
    offered_to_some=True,
    function=Function(
        "Takes the daily snapshot of the caps on metered spend.",
        schedule_minute=56,
        memory_mb=256,
    ),
    tables=(
        Table(
            name="spend_limits",
            comment="One cap on metered spend, as it was on the day.",
            key=(Column("id", STRING, "Identifier of the spend limit.", required=True),),
            columns=(
                Column("type", STRING, "Always `spend_limit`."),
                Column(
                    "scope_type",
                    STRING,
                    "What is capped.",
                    path="scope.type",
                    values=(
                        "organization",
                        "workspace",
                        "usage_tier",
                        "user",
                        "seat_tier",
                        "rbac_group",
                        "organization_service",
                    ),
                ),
                Column(
                    "scope_workspace_id",
                    STRING,
                    "Identifier of the workspace that is capped; null: not a workspace.",
                    path="scope.workspace_id",
                ),
                Column(
                    "scope_user_id",
                    STRING,
                    "Identifier of the user who is capped; null: not a user.",
                    path="scope.user_id",
                ),
                Column("scope", JSON, "What is capped, whole: JSON object."),
                Column(
                    "amount_cents",
                    MONEY,
                    "The cap, in cents of the currency; null: no number is set.",
                    path="amount",
                ),
                Column(
                    "amount_usd",
                    MONEY,
                    "The cap in US dollars; null: no number is set, or another currency.",
                    path="amount",
                    usd_where="currency",
                ),
                Column("currency", STRING, "Currency of the amount, such as `USD`."),
                Column(
                    "period",
                    STRING,
                    "How long the cap is for, before it counts anew.",
                    values=("daily", "weekly", "monthly"),
                ),
                Column(
                    "is_enabled",
                    BOOLEAN,
                    "Whether the cap applies; false for the organization's while extra usage is "
                    "switched off.",
                ),
                Column("created_at", TIMESTAMP, "When the cap was created, UTC."),
                Column(
                    "updated_at",
                    TIMESTAMP,
                    "When the cap was last changed, UTC; that of a `usage_tier` never changes.",
                ),
            ),
        ),
    ),
)
