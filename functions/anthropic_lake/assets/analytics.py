"""What the reports `analytics_cost` and `analytics_usage` have in common.

Source: the types of the vendor's SDK, `anthropic` 2.12.0, `types.beta.organization.analytics`.
"""

from collections.abc import Sequence
from datetime import date, timedelta

from anthropic_lake.assets.asset import Depth, TimeBuckets
from anthropic_lake.schema.table import Column
from anthropic_lake.schema.types import BOOLEAN, INTEGER, JSON, STRING, TIMESTAMP

BETA = "analytics-usage-cost-2026-08-24"
"""The `anthropic-beta` header of both endpoints."""

# The first moment of a day that is 365 days old has left the API's range already.
DEPTH = Depth(first_day=date(2026, 1, 1), max_age=timedelta(days=364))

TIME_BUCKETS = TimeBuckets(
    width="1d",
    group_by=("actor", "api_key_id", "workspace_id", "model", "product"),
    widths=("1d", "1h"),
    dimensions=(
        "actor",
        "actor_type",
        "agent_id",
        "api_key_id",
        "claude_tag_category",
        "claude_tag_user_id",
        "context_window",
        "deployment_id",
        "environment_id",
        "inference_geo",
        "model",
        "organization_id",
        "product",
        "rbac_group_id",
        "service_tier",
        "session_id",
        "slack_channel_id",
        "speed",
        "user_profile_id",
        "workspace_id",
    ),
    most_dimensions=5,
    not_together=("rbac_group_id", "claude_tag_user_id"),
    refused_widths={"1m": "a request for minutes spans a day at most, and most rows are hours"},
    settings=("ANALYTICS_GROUP_BY", "ANALYTICS_BUCKET_WIDTH"),
)

SETTINGS = {
    "LOOKBACK_DAYS": "AnalyticsLookbackDays",
    "ANALYTICS_GROUP_BY": "AnalyticsGroupBy",
    "ANALYTICS_BUCKET_WIDTH": "AnalyticsBucketWidth",
}
"""The variables of both functions, and their parameters of template.yaml."""


def _dimension(name: str, comment: str, values: Sequence[str] = ()) -> Column:
    """Return the column of a dimension that has the API's name."""
    return Column(name, STRING, comment, path=f"group.{name}", values=tuple(values))


KEY = (
    Column("starting_at", TIMESTAMP, "Start of the time bucket, UTC.", required=True),
    Column(
        "actor_type",
        STRING,
        "`user_actor`, `service_account_actor`, `federated_actor` or `api_actor`: whom the use is "
        "attributed to; null: nobody that the API can name, or not grouped by.",
        path=("group.actor.type", "group.actor_type"),
        values=("user_actor", "service_account_actor", "federated_actor", "api_actor"),
    ),
    Column(
        "actor_user_id",
        STRING,
        "User of a user_actor; null: another actor, or not grouped by.",
        path="group.actor.user_id",
    ),
    Column(
        "actor_service_account_id",
        STRING,
        "Service account of a service_account_actor; null: another actor, or not grouped by.",
        path="group.actor.service_account_id",
    ),
    Column(
        "actor_api_key_id",
        STRING,
        "API key of an api_actor; null: another actor, or not grouped by.",
        path="group.actor.api_key_id",
    ),
    Column(
        "actor_federated_subject",
        STRING,
        "Subject of a federated_actor; null: another actor, none known, or not grouped by.",
        path="group.actor.subject",
    ),
    _dimension("agent_id", "Managed agent; null: use outside a session, or not grouped by."),
    _dimension(
        "api_key_id",
        "API key that authenticated the requests, whoever the actor is; null: use without a key, "
        "or not grouped by.",
    ),
    Column(
        "child_organization_id",
        STRING,
        "Child organization in the report of a parent; null: not grouped by.",
        path="group.organization_id",
    ),
    _dimension(
        "claude_tag_category",
        "Category of Claude in Slack; null: other use, or not grouped by.",
        values=("engaged", "proactive", "scheduled", "monitoring", "dm"),
    ),
    _dimension(
        "claude_tag_user_id",
        "Slack user of Claude in Slack; null: other use, no single user, or not grouped by.",
    ),
    _dimension(
        "context_window",
        "Context window; null: use without one, or not grouped by.",
        values=("0-200k", "200k-1M"),
    ),
    _dimension(
        "deployment_id",
        "Deployment that started the session of a managed agent; null: none, or not grouped by.",
    ),
    _dimension(
        "environment_id",
        "Environment of the session of a managed agent; null: none, or not grouped by.",
    ),
    _dimension(
        "inference_geo",
        "Where the requests ran; null: not set (the old reports say `not_available`), or not "
        "grouped by.",
        values=("global", "us"),
    ),
    _dimension("model", "Model; null: use without one, or not grouped by."),
    _dimension(
        "product",
        "Product that was used, such as `messages_api`; null: none that is known, or not grouped "
        "by.",
        values=(
            "chat",
            "chat_cowork_unified",
            "claude_code",
            "claude_console",
            "claude_design",
            "claude_in_chrome",
            "claude_tag",
            "cowork",
            "managed_agents_api",
            "message_batches_api",
            "messages_api",
            "office_agent",
            "cc_security_autopatch",
            "other",
        ),
    ),
    _dimension(
        "rbac_group_id",
        "Group of the user; a user in two groups counts in both, so rows of groups do not add up; "
        "null: in no group, or not grouped by.",
    ),
    _dimension(
        "service_tier",
        "Service tier; null: use without one, or not grouped by.",
        values=(
            "standard",
            "batch",
            "priority",
            "priority_on_demand",
            "flex",
            "flex_discount",
        ),
    ),
    _dimension("session_id", "Session of a managed agent; null: other use, or not grouped by."),
    _dimension("slack_channel_id", "Slack channel; null: other use, or not grouped by."),
    _dimension(
        "speed",
        "Speed of the model; null: not grouped by.",
        values=("standard", "fast"),
    ),
    _dimension("user_profile_id", "User profile; null: none, or not grouped by."),
    _dimension(
        "workspace_id",
        "Workspace, the default one by its identifier; null: use of Claude Enterprise, or not "
        "grouped by.",
    ),
)
"""The dimensions that both reports can be grouped by."""

ROW = (
    Column("ending_at", TIMESTAMP, "End of the time bucket, exclusive, UTC.", required=True),
    Column("bucket_width", STRING, "Length of the time bucket: 1d or 1h."),
    Column(
        "grouped_by",
        STRING,
        "Dimensions grouped by: names joined by commas in alphabetical order.",
    ),
    Column(
        "actor_email_address",
        STRING,
        "E-mail address of a user_actor; null: another actor, not told, or not grouped by.",
        path="group.actor.email_address",
        personal=True,
    ),
    Column(
        "actor_name",
        STRING,
        "Name of a user_actor; null: another actor, not told, or not grouped by.",
        path="group.actor.name",
        personal=True,
    ),
    Column(
        "actor_deleted",
        BOOLEAN,
        "Whether a user_actor has left the organization; null: another actor, or not grouped by.",
        path="group.actor.deleted",
    ),
    Column(
        "actor_provider",
        JSON,
        "Where a federated_actor comes from: JSON object with `type`; null: another actor, or not "
        "grouped by.",
        path="group.actor.provider",
    ),
)
"""What rows of both reports have beside their key, before their figures."""

DATA_REFRESHED_AT = Column(
    "data_refreshed_at",
    TIMESTAMP,
    "Until when the API's data reached when the day's rows last changed, UTC; null: not said.",
    in_digest=False,
)


def requests_of(report: str) -> Column:
    """Return the column of the number of requests, below the field of a report's figures."""
    return Column(
        "requests",
        INTEGER,
        "Number of requests, or of executions in a sandbox where product is null; null: the API "
        "does not count these.",
        path=f"{report}.requests",
    )
