"""Cost in cents and dollars by day; it contains Claude Code on the API and no Priority Tier."""

from anthropic_lake.api.paging import Paging
from anthropic_lake.assets.asset import Asset, Function, Kind, TimeBuckets
from anthropic_lake.schema.table import Column, Table
from anthropic_lake.schema.types import MONEY, STRING, TIMESTAMP

COST_REPORT = Asset(
    name="cost_report",
    kind=Kind.TIME_BUCKETS,
    path="/v1/organizations/cost_report",
    paging=Paging.PAGE_TOKEN,
    lookback_days=30,
    time_buckets=TimeBuckets(
        width="1d",
        group_by=("workspace_id", "description"),
        widths=("1d",),
        dimensions=("workspace_id", "description"),
        most_dimensions=2,
    ),
    function=Function(
        "Reads the cost of the days that are new or may have changed.",
        schedule_minute=33,
        memory_mb=1024,
        environment={
            "LOOKBACK_DAYS": "CostLookbackDays",
            "MONTHLY_BUDGET_USD": "MonthlyBudgetUsd",
        },
    ),
    tables=(
        Table(
            name="cost_report",
            comment="Cost of one day, workspace and description; not the invoice.",
            key=(
                Column("starting_at", TIMESTAMP, "Start of the day, UTC.", required=True),
                Column("workspace_id", STRING, "Workspace; null: the default workspace."),
                Column("description", STRING, "What was paid for, in the vendor's words."),
                Column(
                    "cost_type",
                    STRING,
                    "`tokens`, `web_search`, `code_execution` or `session_usage`.",
                    values=("tokens", "web_search", "code_execution", "session_usage"),
                ),
                Column("model", STRING, "Model; null where the cost is not for tokens."),
                Column(
                    "service_tier", STRING, "Service tier; null where the cost is not for tokens."
                ),
                Column(
                    "context_window",
                    STRING,
                    "Context window; null where the cost is not for tokens.",
                ),
                Column(
                    "token_type",
                    STRING,
                    "Kind of tokens, in the words of the usage report; null where the cost is "
                    "not for tokens.",
                    values=(
                        "uncached_input_tokens",
                        "output_tokens",
                        "cache_read_input_tokens",
                        "cache_creation.ephemeral_5m_input_tokens",
                        "cache_creation.ephemeral_1h_input_tokens",
                    ),
                ),
                Column("inference_geo", STRING, "Where the requests ran; null: not said."),
            ),
            columns=(
                Column("ending_at", TIMESTAMP, "End of the day, exclusive, UTC.", required=True),
                Column("currency", STRING, "Currency of the amount; `USD` today."),
                Column(
                    "amount_cents",
                    MONEY,
                    "Cost in cents (hundredths of the currency), exact to 10 decimals; a cost with "
                    "more is refused.",
                    path="amount",
                    required=True,
                ),
                Column(
                    "amount_usd",
                    MONEY,
                    "Cost in US dollars: amount_cents / 100, exact; null in another currency.",
                    path="amount",
                    usd_where="currency",
                ),
            ),
        ),
    ),
)
