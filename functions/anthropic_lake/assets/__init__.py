"""The assets: one declarative definition each, and the registry of all of them."""

from anthropic_lake.assets.analytics_cost import ANALYTICS_COST
from anthropic_lake.assets.analytics_usage import ANALYTICS_USAGE
from anthropic_lake.assets.api_keys import API_KEYS
from anthropic_lake.assets.asset import Asset, FanOut, Kind, TimeBuckets
from anthropic_lake.assets.claude_code_usage import CLAUDE_CODE_USAGE
from anthropic_lake.assets.cost_report import COST_REPORT
from anthropic_lake.assets.invites import INVITES
from anthropic_lake.assets.organization import ORGANIZATION
from anthropic_lake.assets.rate_limits import RATE_LIMITS
from anthropic_lake.assets.spend_limits import SPEND_LIMITS
from anthropic_lake.assets.usage_report import USAGE_REPORT
from anthropic_lake.assets.users import USERS
from anthropic_lake.assets.workspace_members import WORKSPACE_MEMBERS
from anthropic_lake.assets.workspaces import WORKSPACES

ASSETS = {
    asset.name: asset
    for asset in (
        ORGANIZATION,
        WORKSPACES,
        API_KEYS,
        INVITES,
        USERS,
        WORKSPACE_MEMBERS,
        USAGE_REPORT,
        COST_REPORT,
        CLAUDE_CODE_USAGE,
        ANALYTICS_USAGE,
        ANALYTICS_COST,
        RATE_LIMITS,
        SPEND_LIMITS,
    )
}
"""Every asset by its name."""

__all__ = ["ASSETS", "Asset", "FanOut", "Kind", "TimeBuckets"]
