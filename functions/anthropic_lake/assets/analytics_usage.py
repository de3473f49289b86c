"""Tokens by time bucket, person, key, workspace, model and product."""

from anthropic_lake.api.paging import Paging
from anthropic_lake.assets import analytics
from anthropic_lake.assets.asset import Asset, Function, Kind
from anthropic_lake.schema.table import Column, Table
from anthropic_lake.schema.types import INTEGER


def _tokens(path: str, comment: str) -> Column:
    """Return the column of a counter below `usage`."""
    return Column(path.replace(".", "_"), INTEGER, comment, path=f"usage.{path}")


ANALYTICS_USAGE = Asset(
    name="analytics_usage",
    kind=Kind.TIMED_ROWS,
    path="/v1/organizations/analytics/usage",
    paging=Paging.TOKEN_ALONE,
    beta=analytics.BETA,
    offered_to_some=True,
    depth=analytics.DEPTH,
    lookback_days=30,
    time_buckets=analytics.TIME_BUCKETS,
    function=Function(
        "Reads the tokens by person and key of the days that are new or may have changed.",
        schedule_minute=42,
        memory_mb=1024,
        environment=analytics.SETTINGS,
        switch="AnalyticsReports",
    ),
    tables=(
        Table(
            name="analytics_usage",
            comment="Tokens of one time bucket and combination of dimensions.",
            key=analytics.KEY,
            columns=(
                *analytics.ROW,
                _tokens("uncached_input_tokens", "Input tokens not read from a cache."),
                _tokens("cache_read_input_tokens", "Input tokens read from a cache."),
                _tokens(
                    "cache_creation.ephemeral_5m_input_tokens",
                    "Input tokens written to a cache that lives 5 minutes.",
                ),
                _tokens(
                    "cache_creation.ephemeral_1h_input_tokens",
                    "Input tokens written to a cache that lives an hour.",
                ),
                _tokens("output_tokens", "Output tokens."),
                _tokens("total_tokens", "Tokens of all kinds together."),
                _tokens("server_tool_use.web_search_requests", "Number of web searches."),
                analytics.requests_of("usage"),
                analytics.DATA_REFRESHED_AT,
            ),
        ),
    ),
)
