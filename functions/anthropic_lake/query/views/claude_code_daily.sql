-- What did each person do with Claude Code each day, and what did it cost (estimated)?
-- A record of an API key counts for the user who created it, where one user alone has created the
-- keys of that name; else the key's name stands for the person. E-mail addresses are in lower case.
-- A person who is a customer in both ways, of the API and by subscription, has a row of each.
-- Estimates that are not in USD are in no sum of dollars: two columns count them and name one of
-- their currencies, which is null where the models of a record have several.
SELECT
    c.date,
    coalesce(c.organization_id, l.organization_id) AS organization_id,
    coalesce(lower(c.actor_email_address), o.owner_email, c.actor_api_key_name) AS person,
    CAST(sum(c.core_metrics_num_sessions) AS bigint) AS sessions,
    CAST(sum(c.core_metrics_lines_of_code_added) AS bigint) AS lines_added,
    CAST(sum(c.core_metrics_lines_of_code_removed) AS bigint) AS lines_removed,
    CAST(sum(c.core_metrics_commits_by_claude_code) AS bigint) AS commits,
    CAST(sum(c.core_metrics_pull_requests_by_claude_code) AS bigint) AS pull_requests,
    CAST(sum(
        coalesce(c.tool_actions_edit_tool_accepted, 0)
        + coalesce(c.tool_actions_multi_edit_tool_accepted, 0)
        + coalesce(c.tool_actions_write_tool_accepted, 0)
        + coalesce(c.tool_actions_notebook_edit_tool_accepted, 0)
    ) AS bigint) AS edits_accepted,
    CAST(sum(
        coalesce(c.tool_actions_edit_tool_rejected, 0)
        + coalesce(c.tool_actions_multi_edit_tool_rejected, 0)
        + coalesce(c.tool_actions_write_tool_rejected, 0)
        + coalesce(c.tool_actions_notebook_edit_tool_rejected, 0)
    ) AS bigint) AS edits_rejected,
    CAST(sum(c.tokens_input) AS bigint) AS input_tokens,
    CAST(sum(c.tokens_output) AS bigint) AS output_tokens,
    CAST(sum(c.tokens_cache_read) AS bigint) AS cache_read_tokens,
    CAST(sum(c.tokens_cache_creation) AS bigint) AS cache_creation_tokens,
    sum(c.estimated_cost_amount_usd) AS estimated_cost_usd,
    count(
        CASE
            WHEN c.estimated_cost_amount_usd IS NULL AND c.estimated_cost_amount_cents <> 0 THEN 1
        END
    ) AS estimates_in_other_currencies,
    min(
        CASE
            WHEN c.estimated_cost_amount_usd IS NULL AND c.estimated_cost_amount_cents <> 0
                THEN c.estimated_cost_currency
        END
    ) AS other_currency,
    c.customer_type
FROM claude_code_usage AS c
CROSS JOIN lake_organization AS l
LEFT JOIN api_key_name_owners AS o
    ON o.api_key_name = c.actor_api_key_name
    AND coalesce(o.organization_id, '') = coalesce(c.organization_id, l.organization_id, '')
GROUP BY 1, 2, 3, c.customer_type
