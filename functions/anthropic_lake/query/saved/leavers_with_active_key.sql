-- Which active API keys were created by people who have left the organization?
-- Who created a key and is not in the latest list of users has left it, or waits for a new invitation
-- to be accepted. Keys of service accounts, and those whose creator the API does not name, are not
-- here. last_listed and the address come from the lists of users of the last 90 days.
-- needs users
-- needs api_keys
SELECT
    coalesce(p.email, k.created_by_id) AS left_by,
    p.last_listed,
    k.name AS api_key_name,
    coalesce(w.workspace_name, k.scope_workspace_id, k.workspace_id) AS workspace_name,
    k.created_at,
    k.expires_at,
    k.id AS api_key_id,
    k.created_by_id
FROM api_keys_current AS k
LEFT JOIN users_current AS u
    ON u.id = k.created_by_id
    AND coalesce(u.organization_id, '') = coalesce(k.organization_id, '')
LEFT JOIN (
    SELECT id, max(date) AS last_listed, lower(max_by(email, date)) AS email
    FROM users
    WHERE date > current_date - INTERVAL '90' DAY
        AND date <= current_date
    GROUP BY id
) AS p
    ON p.id = k.created_by_id
LEFT JOIN workspace_names AS w
    ON w.reported_workspace_id = coalesce(k.scope_workspace_id, k.workspace_id)
    AND coalesce(w.organization_id, '') = coalesce(k.organization_id, '')
WHERE k.status = 'active'
    AND k.created_by_id IS NOT NULL
    AND coalesce(k.created_by_type, 'user') = 'user'
    AND u.id IS NULL
ORDER BY p.last_listed DESC, left_by, k.name, k.id
