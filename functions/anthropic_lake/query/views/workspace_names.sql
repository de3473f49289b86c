-- What is each workspace called? Also by the null that reports give for the default workspace.
SELECT
    organization_id,
    id AS reported_workspace_id,
    id AS workspace_id,
    name AS workspace_name
FROM workspaces_current
UNION ALL
SELECT
    organization_id,
    CAST(NULL AS varchar) AS reported_workspace_id,
    min_by(id, created_at) AS workspace_id,
    min(name) AS workspace_name
FROM workspaces_current
WHERE name = 'Default'
GROUP BY organization_id
