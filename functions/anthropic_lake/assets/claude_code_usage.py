"""Claude Code activity by day and person, with a child table by model."""

from anthropic_lake.api.paging import Paging
from anthropic_lake.assets.asset import PERSONS_KEY, Asset, Function, Kind
from anthropic_lake.schema.table import Column, Table
from anthropic_lake.schema.types import BOOLEAN, ESTIMATE, INTEGER, JSON, STRING

_KEY = (
    Column(
        "actor_type",
        STRING,
        "`user_actor` (a person who signed in) or `api_actor` (an API key).",
        path="actor.type",
        values=("user_actor", "api_actor"),
    ),
    Column(
        "actor_email_address",
        STRING,
        "E-mail address of a user_actor; null for an api_actor.",
        path="actor.email_address",
        personal=True,
    ),
    Column(
        "actor_api_key_name",
        STRING,
        "Name of the key of an api_actor; null for a user_actor.",
        path="actor.api_key_name",
        personal=True,
        personal_start=PERSONS_KEY,
    ),
    Column("customer_type", STRING, "`api` or `subscription`.", values=("api", "subscription")),
    Column(
        "subscription_type",
        STRING,
        "`enterprise` or `team`; null for API customers.",
        values=("enterprise", "team"),
    ),
    Column("terminal_type", STRING, "Terminal or editor, such as `vscode`."),
    Column(
        "is_remote",
        BOOLEAN,
        "Whether the sessions ran remotely; null in records from before 2026.",
    ),
)


def _spending(prefix: str, of: str) -> tuple[Column, ...]:
    """Tokens and estimated cost, from the fields below a prefix."""
    return (
        Column("tokens_input", INTEGER, f"Input tokens{of}.", path=f"{prefix}tokens.input"),
        Column("tokens_output", INTEGER, f"Output tokens{of}.", path=f"{prefix}tokens.output"),
        Column(
            "tokens_cache_read",
            INTEGER,
            f"Input tokens read from a cache{of}.",
            path=f"{prefix}tokens.cache_read",
        ),
        Column(
            "tokens_cache_creation",
            INTEGER,
            f"Input tokens written to a cache{of}.",
            path=f"{prefix}tokens.cache_creation",
        ),
        Column(
            "estimated_cost_amount_cents",
            ESTIMATE,
            f"Estimated cost{of} in cents (hundredths of the currency), not a bill; to 12 "
            "decimals: extra of claude_code_model_usage keeps a longer number.",
            path=f"{prefix}estimated_cost.amount",
        ),
        Column(
            "estimated_cost_amount_usd",
            ESTIMATE,
            f"Estimated cost{of} in US dollars: cents / 100, to 12 decimals; null in another "
            "currency or where there is none; not a bill.",
            path=f"{prefix}estimated_cost.amount",
            usd_where=f"{prefix}estimated_cost.currency",
        ),
        Column(
            "estimated_cost_currency",
            STRING,
            "Currency of the estimate; `USD` today; null when models differ or there is none.",
            path=f"{prefix}estimated_cost.currency",
        ),
    )


def _core_metric(path: str, comment: str) -> Column:
    """One counter of core_metrics."""
    path = f"core_metrics.{path}"
    return Column(path.replace(".", "_"), INTEGER, comment, path=path)


def _tool_action(tool: str, outcome: str) -> Column:
    """How often the proposals of one tool were accepted or rejected."""
    return Column(
        f"tool_actions_{tool}_{outcome}",
        INTEGER,
        f"Proposals of {tool} that were {outcome}; null when the tool is not named.",
        path=f"tool_actions.{tool}.{outcome}",
    )


CLAUDE_CODE_USAGE = Asset(
    name="claude_code_usage",
    kind=Kind.DAYS,
    path="/v1/organizations/usage_report/claude_code",
    paging=Paging.PAGE_TOKEN,
    lookback_days=3,
    function=Function(
        "Reads the Claude Code activity of the days that are new or may have changed.",
        schedule_minute=38,
        memory_mb=1024,
        environment={"LOOKBACK_DAYS": "ClaudeCodeLookbackDays"},
    ),
    tables=(
        Table(
            name="claude_code_usage",
            comment="Claude Code activity of one actor on one kind of terminal on the day.",
            key=_KEY,
            columns=(
                _core_metric("num_sessions", "Number of sessions."),
                _core_metric("lines_of_code.added", "Lines of code added."),
                _core_metric("lines_of_code.removed", "Lines of code removed."),
                _core_metric("commits_by_claude_code", "Commits made by Claude Code."),
                _core_metric("pull_requests_by_claude_code", "Pull requests made by Claude Code."),
                *(
                    _tool_action(tool, outcome)
                    for tool in ("edit_tool", "multi_edit_tool", "write_tool", "notebook_edit_tool")
                    for outcome in ("accepted", "rejected")
                ),
                Column(
                    "tool_actions",
                    JSON,
                    "Every tool's accepted and rejected proposals: JSON object by tool.",
                ),
                *_spending("model_breakdown[].", of=", all models together"),
            ),
            partition_field="date",
        ),
        Table(
            name="claude_code_model_usage",
            comment="Claude Code tokens and estimated cost of one record and one model.",
            key=(*_KEY, Column("model", STRING, "Model.")),
            columns=_spending("", of=""),
            explode="model_breakdown",
        ),
    ),
)
