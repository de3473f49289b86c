-- Which active API keys were not used lately?
-- parameter days (integer, default 30): days without use
-- needs api_keys
-- needs usage_report grouped by api_key_id over ${days} days
SELECT
    k.name AS api_key_name,
    coalesce(w.workspace_name, k.scope_workspace_id) AS workspace_name,
    coalesce(u.email, k.created_by_id) AS owner,
    k.created_at,
    k.id AS api_key_id,
    coalesce(w.workspace_id, k.scope_workspace_id) AS workspace_id
FROM api_keys_current AS k
LEFT JOIN users_current AS u
    ON u.id = k.created_by_id
    AND coalesce(u.organization_id, '') = coalesce(k.organization_id, '')
LEFT JOIN workspace_names AS w
    ON w.reported_workspace_id = coalesce(k.scope_workspace_id, k.workspace_id)
    AND coalesce(w.organization_id, '') = coalesce(k.organization_id, '')
WHERE k.status = 'active'
    AND k.created_at < current_date - INTERVAL '${days}' DAY
    AND k.id NOT IN (
        SELECT api_key_id
        FROM usage_report
        WHERE date > current_date - INTERVAL '${days}' DAY
            AND api_key_id IS NOT NULL
    )
ORDER BY k.created_at, k.name, k.id
