"""The rate limits of the organization and of its active workspaces, the default one included."""

from dataclasses import replace

from anthropic_lake.api.paging import Paging
from anthropic_lake.assets.asset import Asset, FanOut, Function, Kind
from anthropic_lake.assets.workspaces import WORKSPACES
from anthropic_lake.schema.table import Column, Table
from anthropic_lake.schema.types import INTEGER, JSON, STRING

RATE_LIMITS = Asset(
    name="rate_limits",
    kind=Kind.SNAPSHOT,
    path="/v1/organizations/rate_limits",
    paging=Paging.TOKEN_ALONE,
    fan_out=FanOut(
        replace(WORKSPACES, params={"include_default": "true"}),
        "/v1/organizations/workspaces/{workspace_id}/rate_limits",
        params={"include_inherited": "true"},
        only_active=True,
    ),
    offered_to_some=True,
    function=Function(
        "Takes the daily snapshot of the rate limits of the organization and its workspaces.",
        schedule_minute=51,
        memory_mb=512,
    ),
    tables=(
        Table(
            name="rate_limits",
            comment="One limiter of the organization or of one active workspace, as it was on the "
            "day.",
            key=(
                Column(
                    "workspace_id", STRING, "Identifier of the workspace; null: the organization."
                ),
                Column(
                    "group_id",
                    STRING,
                    "Identifier of the group of models, or of the surface of the API, that the "
                    "limit is for; the same in every organization.",
                    path="group.id",
                ),
                Column(
                    "limiter",
                    STRING,
                    "What is limited, such as `requests_per_minute`; null: the entry names no "
                    "limit.",
                    path="limits[].type",
                ),
            ),
            columns=(
                Column(
                    "id",
                    STRING,
                    "Identifier of the organization's entry, the same in the entries of its "
                    "workspaces.",
                    path=("id", "rate_limit_id"),
                ),
                Column("type", STRING, "`rate_limit`, or `workspace_rate_limit` of a workspace."),
                Column(
                    "group_type",
                    STRING,
                    "What the group is: models, or a surface of the API.",
                    path=("group.type", "group_type"),
                    values=(
                        "model_group",
                        "batch",
                        "token_count",
                        "files",
                        "skills",
                        "web_search",
                    ),
                ),
                Column(
                    "group_display_name",
                    STRING,
                    "Name of a group of models, which may change; null for other groups.",
                    path="group.display_name",
                ),
                Column(
                    "models",
                    JSON,
                    "Models that the limit is for: JSON list of names; null where it is for no "
                    "models.",
                ),
                Column(
                    "value",
                    INTEGER,
                    "The limit, in the unit that the limiter's name says.",
                    path="limits[].value",
                ),
                Column(
                    "org_limit",
                    INTEGER,
                    "The organization's limit, beside a workspace's; null in the organization's "
                    "own row, or where it has none.",
                    path="limits[].org_limit",
                ),
                Column(
                    "source",
                    JSON,
                    "Where a workspace's limit comes from: JSON object, whose `type` is "
                    "`workspace`, or `organization` where it is inherited.",
                    path="limits[].source",
                ),
            ),
            unnest="limits",
            told_apart_by=("id", "group_type", "models"),
        ),
    ),
)
