-- How many tokens were used each day, by workspace, API key, model and the other dimensions?
-- Rows of different groupings stand side by side (grouped_by tells them apart): a dimension that
-- was not grouped by is null, and so is its name. Ratios do not add up: divide the sums of
-- cache_read_input_tokens and input_tokens.
SELECT
    date,
    organization_id,
    grouped_by,
    workspace_id,
    workspace_name,
    api_key_id,
    api_key_name,
    api_key_created_by_id,
    account_id,
    service_account_id,
    model,
    service_tier,
    context_window,
    inference_geo,
    speed,
    CAST(sum(uncached_input_tokens) AS bigint) AS uncached_input_tokens,
    CAST(sum(cache_read_input_tokens) AS bigint) AS cache_read_input_tokens,
    CAST(sum(cache_creation_input_tokens) AS bigint) AS cache_creation_input_tokens,
    CAST(sum(output_tokens) AS bigint) AS output_tokens,
    CAST(sum(web_search_requests) AS bigint) AS web_search_requests,
    CAST(sum(cache_read_input_tokens) AS double) / nullif(sum(input_tokens), 0) AS cache_hit_ratio,
    CAST(sum(input_tokens) AS bigint) AS input_tokens
FROM usage_hourly
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
