-- What is each workspace called? Also by the null that reports give for the default workspace.
SELECT
    w.organization_id,
    CASE WHEN r.reported = 'id' THEN w.id END AS reported_workspace_id,
    min_by(w.id, w.created_at) AS workspace_id,
    min(w.name) AS workspace_name
FROM workspaces_current AS w
CROSS JOIN (VALUES 'id', 'null') AS r (reported)
WHERE r.reported = 'id'
    OR w.name = 'Default'
GROUP BY 1, 2
