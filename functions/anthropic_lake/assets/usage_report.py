"""Tokens of the Messages API by time bucket and dimension."""

from anthropic_lake.api.paging import Paging
from anthropic_lake.assets.asset import Asset, Function, Kind, TimeBuckets
from anthropic_lake.schema.table import Column, Table
from anthropic_lake.schema.types import INTEGER, STRING, TIMESTAMP

USAGE_REPORT = Asset(
    name="usage_report",
    kind=Kind.TIME_BUCKETS,
    path="/v1/organizations/usage_report/messages",
    paging=Paging.PAGE_TOKEN,
    lookback_days=30,
    time_buckets=TimeBuckets(
        width="1d",
        group_by=("api_key_id", "workspace_id", "model", "service_tier", "context_window"),
        widths=("1d", "1h", "1m"),
        dimensions=(
            "account_id",
            "api_key_id",
            "context_window",
            "inference_geo",
            "model",
            "service_account_id",
            "service_tier",
            "speed",
            "workspace_id",
        ),
        most_dimensions=5,
        betas={"speed": "fast-mode-2026-02-01"},
        settings=("USAGE_GROUP_BY", "USAGE_BUCKET_WIDTH"),
    ),
    function=Function(
        "Reads the tokens of the days that are new or may have changed.",
        schedule_minute=29,
        memory_mb=1024,
        environment={
            "LOOKBACK_DAYS": "UsageLookbackDays",
            "USAGE_GROUP_BY": "UsageGroupBy",
            "USAGE_BUCKET_WIDTH": "UsageBucketWidth",
        },
    ),
    tables=(
        Table(
            name="usage_report",
            comment="Tokens of one time bucket and one combination of the dimensions grouped by.",
            key=(
                Column("starting_at", TIMESTAMP, "Start of the time bucket, UTC.", required=True),
                Column(
                    "workspace_id",
                    STRING,
                    "Workspace; null: the default workspace, or not grouped by.",
                ),
                Column(
                    "api_key_id",
                    STRING,
                    "API key; null: usage in the Console, or not grouped by.",
                ),
                Column(
                    "account_id",
                    STRING,
                    "Account of an OAuth request; null: another request, or not grouped by.",
                ),
                Column(
                    "service_account_id",
                    STRING,
                    "Service account of a federated request; null: another request, or not "
                    "grouped by.",
                ),
                Column("model", STRING, "Model; null: not grouped by."),
                Column(
                    "service_tier",
                    STRING,
                    "Service tier; null: not grouped by.",
                    values=(
                        "standard",
                        "batch",
                        "priority",
                        "priority_on_demand",
                        "flex",
                        "flex_discount",
                    ),
                ),
                Column(
                    "context_window",
                    STRING,
                    "Context window; null: not grouped by.",
                    values=("0-200k", "200k-1M"),
                ),
                Column(
                    "inference_geo",
                    STRING,
                    "Where the request ran; null: not grouped by.",
                    values=("global", "us", "not_available"),
                ),
                Column(
                    "speed",
                    STRING,
                    "Speed of the model; null: not grouped by.",
                    values=("standard", "fast"),
                ),
            ),
            columns=(
                Column(
                    "ending_at",
                    TIMESTAMP,
                    "End of the time bucket, exclusive, UTC.",
                    required=True,
                ),
                Column("bucket_width", STRING, "Length of the time bucket: 1d, 1h or 1m."),
                Column(
                    "grouped_by",
                    STRING,
                    "Dimensions grouped by: names joined by commas in alphabetical order.",
                ),
                Column("uncached_input_tokens", INTEGER, "Input tokens not read from a cache."),
                Column("cache_read_input_tokens", INTEGER, "Input tokens read from a cache."),
                Column(
                    "cache_creation_ephemeral_5m_input_tokens",
                    INTEGER,
                    "Input tokens written to a cache that lives 5 minutes.",
                    path="cache_creation.ephemeral_5m_input_tokens",
                ),
                Column(
                    "cache_creation_ephemeral_1h_input_tokens",
                    INTEGER,
                    "Input tokens written to a cache that lives an hour.",
                    path="cache_creation.ephemeral_1h_input_tokens",
                ),
                Column("output_tokens", INTEGER, "Output tokens."),
                Column(
                    "server_tool_use_web_search_requests",
                    INTEGER,
                    "Number of web searches.",
                    path="server_tool_use.web_search_requests",
                ),
            ),
        ),
    ),
)
