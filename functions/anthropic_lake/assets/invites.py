"""Invitations to the organization; a withdrawn one vanishes from the API."""

from anthropic_lake.api.paging import Paging
from anthropic_lake.assets.asset import ROLES, Asset, Function, Kind
from anthropic_lake.schema.table import Column, Table
from anthropic_lake.schema.types import JSON, STRING, TIMESTAMP

INVITES = Asset(
    name="invites",
    kind=Kind.SNAPSHOT,
    path="/v1/organizations/invites",
    paging=Paging.AFTER_ID,
    function=Function(
        "Takes the daily snapshot of the invitations.", schedule_minute=15, memory_mb=256
    ),
    tables=(
        Table(
            name="invites",
            comment="One invitation, as it was on the day.",
            key=(Column("id", STRING, "Identifier of the invitation.", required=True),),
            columns=(
                Column("type", STRING, "Always `invite`."),
                Column("email", STRING, "E-mail address that was invited.", personal=True),
                Column(
                    "role", STRING, "Role that the person gets in the organization.", values=ROLES
                ),
                Column(
                    "status",
                    STRING,
                    "`pending`, `accepted`, `expired` or `deleted`.",
                    values=("pending", "accepted", "expired", "deleted"),
                ),
                Column("invited_at", TIMESTAMP, "When the person was invited, UTC."),
                Column("expires_at", TIMESTAMP, "When the invitation expires, UTC."),
                Column(
                    "accepted_at",
                    TIMESTAMP,
                    "When the invitation was accepted, UTC; null until then.",
                ),
                Column(
                    "rbac_group_ids",
                    JSON,
                    "Groups that the person joins: JSON list of identifiers; null when the API "
                    "did not say.",
                ),
            ),
        ),
    ),
)
