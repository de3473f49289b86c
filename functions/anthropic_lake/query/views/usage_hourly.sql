-- How many tokens were used in each hour, by workspace, API key, model and the other dimensions?
-- The hour is known where the time buckets are hours or minutes (USAGE_BUCKET_WIDTH): where they are
-- days, hour_start is null. So the sum of a day is that of usage_daily, whatever the time buckets.
-- Rows of different groupings stand side by side (grouped_by tells them apart): a dimension that
-- was not grouped by is null, and so is its name. Ratios do not add up: divide the sums of
-- cache_read_input_tokens and input_tokens.
SELECT
    u.date,
    u.hour_start,
    u.organization_id,
    u.grouped_by,
    coalesce(w.workspace_id, u.workspace_id) AS workspace_id,
    CASE
        WHEN u.grouped_by LIKE '%workspace_id%'
            THEN coalesce(w.workspace_name, u.workspace_id, 'Default')
    END AS workspace_name,
    u.api_key_id,
    CASE
        WHEN u.grouped_by LIKE '%api_key_id%' THEN coalesce(k.name, u.api_key_id, 'Console')
    END AS api_key_name,
    k.created_by_id AS api_key_created_by_id,
    u.account_id,
    u.service_account_id,
    u.model,
    u.service_tier,
    u.context_window,
    u.inference_geo,
    u.speed,
    u.uncached_input_tokens,
    u.cache_read_input_tokens,
    u.cache_creation_input_tokens,
    u.output_tokens,
    u.web_search_requests,
    CAST(u.cache_read_input_tokens AS double) / nullif(u.input_tokens, 0) AS cache_hit_ratio,
    u.input_tokens
FROM (
    SELECT
        r.date,
        CASE WHEN r.bucket_width <> '1d' THEN date_trunc('hour', r.starting_at) END AS hour_start,
        coalesce(r.organization_id, l.organization_id) AS organization_id,
        r.grouped_by,
        r.workspace_id,
        r.api_key_id,
        r.account_id,
        r.service_account_id,
        r.model,
        r.service_tier,
        r.context_window,
        r.inference_geo,
        r.speed,
        CAST(sum(r.uncached_input_tokens) AS bigint) AS uncached_input_tokens,
        CAST(sum(r.cache_read_input_tokens) AS bigint) AS cache_read_input_tokens,
        CAST(sum(
            coalesce(r.cache_creation_ephemeral_5m_input_tokens, 0)
            + coalesce(r.cache_creation_ephemeral_1h_input_tokens, 0)
        ) AS bigint) AS cache_creation_input_tokens,
        CAST(sum(
            coalesce(r.uncached_input_tokens, 0)
            + coalesce(r.cache_read_input_tokens, 0)
            + coalesce(r.cache_creation_ephemeral_5m_input_tokens, 0)
            + coalesce(r.cache_creation_ephemeral_1h_input_tokens, 0)
        ) AS bigint) AS input_tokens,
        CAST(sum(r.output_tokens) AS bigint) AS output_tokens,
        CAST(sum(r.server_tool_use_web_search_requests) AS bigint) AS web_search_requests
    FROM usage_report AS r
    CROSS JOIN lake_organization AS l
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13
) AS u
LEFT JOIN workspace_names AS w
    ON coalesce(w.organization_id, '') = coalesce(u.organization_id, '')
    AND coalesce(w.reported_workspace_id, '') = coalesce(u.workspace_id, '')
    AND u.grouped_by LIKE '%workspace_id%'
LEFT JOIN api_keys_current AS k
    ON coalesce(k.organization_id, '') = coalesce(u.organization_id, '')
    AND k.id = u.api_key_id
