-- Whose are the API keys of a name? Only names whose keys one user alone has created.
-- Claude Code names the key, not its id. The e-mail address is in lower case.
SELECT
    k.organization_id,
    k.name AS api_key_name,
    min(lower(u.email)) AS owner_email
FROM api_keys_current AS k
LEFT JOIN users_current AS u
    ON u.id = k.created_by_id
    AND coalesce(u.organization_id, '') = coalesce(k.organization_id, '')
GROUP BY k.organization_id, k.name
HAVING count(DISTINCT coalesce(k.created_by_id, k.id)) = 1
