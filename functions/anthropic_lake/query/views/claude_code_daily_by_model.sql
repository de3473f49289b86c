-- Which models did each person use with Claude Code each day: tokens and estimated cost?
-- Persons are those of claude_code_daily, which has their sessions and edits: these know no model.
-- Estimates that are not in USD are in no sum of dollars: the last two columns count them and name
-- one of their currencies.
SELECT
    c.date,
    coalesce(c.organization_id, l.organization_id) AS organization_id,
    coalesce(lower(c.actor_email_address), o.owner_email, c.actor_api_key_name) AS person,
    c.customer_type,
    c.model,
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
    ) AS other_currency
FROM claude_code_model_usage AS c
CROSS JOIN lake_organization AS l
LEFT JOIN api_key_name_owners AS o
    ON o.api_key_name = c.actor_api_key_name
    AND coalesce(o.organization_id, '') = coalesce(c.organization_id, l.organization_id, '')
GROUP BY 1, 2, 3, 4, 5
