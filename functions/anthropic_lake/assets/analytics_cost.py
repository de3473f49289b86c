"""Cost by time bucket, person, key, workspace, model and product, as the vendor attributes it."""

from dataclasses import replace

from anthropic_lake.api.paging import Paging
from anthropic_lake.assets import analytics
from anthropic_lake.assets.asset import Asset, Function, Kind
from anthropic_lake.schema.table import Column, Table
from anthropic_lake.schema.types import MONEY, STRING

ANALYTICS_COST = Asset(
    name="analytics_cost",
    kind=Kind.TIMED_ROWS,
    path="/v1/organizations/analytics/cost",
    paging=Paging.TOKEN_ALONE,
    beta=analytics.BETA,
    offered_to_some=True,
    depth=analytics.DEPTH,
    lookback_days=30,
    # By token type alone, the API leaves out what has no tokens.
    time_buckets=replace(analytics.TIME_BUCKETS, always_by=("cost_type", "token_type")),
    function=Function(
        "Reads the cost by person and key of the days that are new or may have changed.",
        schedule_minute=47,
        memory_mb=1024,
        environment=analytics.SETTINGS,
        switch="AnalyticsReports",
    ),
    tables=(
        Table(
            name="analytics_cost",
            comment="Cost of one time bucket and combination of dimensions, before credits.",
            key=(
                *analytics.KEY,
                Column(
                    "cost_type",
                    STRING,
                    "`tokens`, `web_search`, `code_execution` or `session_usage`.",
                    path="group.cost_type",
                    values=("tokens", "web_search", "code_execution", "session_usage"),
                ),
                Column(
                    "token_type",
                    STRING,
                    "Kind of tokens, in the words of the usage report; null where the cost is "
                    "not for tokens.",
                    path="group.token_type",
                    values=(
                        "uncached_input_tokens",
                        "output_tokens",
                        "cache_read_input_tokens",
                        "cache_creation.ephemeral_5m_input_tokens",
                        "cache_creation.ephemeral_1h_input_tokens",
                    ),
                ),
            ),
            columns=(
                *analytics.ROW,
                Column(
                    "currency",
                    STRING,
                    "Currency of the amounts; `USD` today.",
                    path="cost.currency",
                ),
                *(
                    column
                    for field, meaning in (
                        ("amount", "after discounts"),
                        ("list_amount", "at list prices, before discounts"),
                    )
                    for column in (
                        Column(
                            f"{field}_cents",
                            MONEY,
                            f"Cost {meaning}, in cents (hundredths of the currency), exact to 10 "
                            "decimals; a cost with more is refused.",
                            path=f"cost.{field}",
                            required=field == "amount",
                        ),
                        Column(
                            f"{field}_usd",
                            MONEY,
                            f"Cost {meaning}, in US dollars: {field}_cents / 100, exact; null in "
                            "another currency.",
                            path=f"cost.{field}",
                            usd_where="cost.currency",
                        ),
                    )
                ),
                analytics.requests_of("cost"),
                analytics.DATA_REFRESHED_AT,
            ),
        ),
    ),
)
