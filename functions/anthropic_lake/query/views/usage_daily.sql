-- How many tokens were used each day, by workspace, API key, model and the other dimensions?
-- Rows of different groupings stand side by side (grouped_by tells them apart): a dimension that
-- was not grouped by is null, and so is its name.
SELECT
    u.date,
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
    CAST(u.cache_read_input_tokens AS double)
        / nullif(
            u.uncached_input_tokens + u.cache_read_input_tokens + u.cache_creation_input_tokens, 0
        ) AS cache_hit_ratio
FROM (
    SELECT
        r.date,
        coalesce(r.organization_id, l.organization_id) AS organization_id,
        grouped_by,
        workspace_id,
        api_key_id,
        account_id,
        service_account_id,
        model,
        service_tier,
        context_window,
        inference_geo,
        speed,
        CAST(sum(uncached_input_tokens) AS bigint) AS uncached_input_tokens,
        CAST(sum(cache_read_input_tokens) AS bigint) AS cache_read_input_tokens,
        CAST(sum(
            coalesce(cache_creation_ephemeral_5m_input_tokens, 0)
            + coalesce(cache_creation_ephemeral_1h_input_tokens, 0)
        ) AS bigint) AS cache_creation_input_tokens,
        CAST(sum(output_tokens) AS bigint) AS output_tokens,
        CAST(sum(server_tool_use_web_search_requests) AS bigint) AS web_search_requests
    FROM usage_report AS r
    CROSS JOIN lake_organization AS l
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
) AS u
LEFT JOIN workspace_names AS w
    ON coalesce(w.organization_id, '') = coalesce(u.organization_id, '')
    AND coalesce(w.reported_workspace_id, '') = coalesce(u.workspace_id, '')
    AND u.grouped_by LIKE '%workspace_id%'
LEFT JOIN api_keys_current AS k
    ON coalesce(k.organization_id, '') = coalesce(u.organization_id, '')
    AND k.id = u.api_key_id
