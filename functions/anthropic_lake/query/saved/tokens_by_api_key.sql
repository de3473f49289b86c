-- Which API keys used how many tokens in the last 30 days, and who owns them?
-- Keys and workspaces of one name stay apart by their ids.
-- needs usage_report grouped by api_key_id over 30 days
-- needs api_keys
SELECT
    t.api_key_name,
    t.workspace_name,
    coalesce(u.email, t.api_key_created_by_id) AS owner,
    t.input_tokens,
    t.output_tokens,
    t.api_key_id,
    t.workspace_id
FROM (
    SELECT
        organization_id,
        api_key_id,
        api_key_name,
        api_key_created_by_id,
        workspace_id,
        workspace_name,
        sum(input_tokens) AS input_tokens,
        sum(output_tokens) AS output_tokens
    FROM usage_daily
    WHERE date > current_date - INTERVAL '30' DAY
        AND date <= current_date
        AND grouped_by LIKE '%api_key_id%'
    GROUP BY
        organization_id,
        api_key_id,
        api_key_name,
        api_key_created_by_id,
        workspace_id,
        workspace_name
) AS t
LEFT JOIN users_current AS u
    ON u.id = t.api_key_created_by_id
    AND coalesce(u.organization_id, '') = coalesce(t.organization_id, '')
ORDER BY t.input_tokens + t.output_tokens DESC, t.api_key_name, t.workspace_name, t.api_key_id
