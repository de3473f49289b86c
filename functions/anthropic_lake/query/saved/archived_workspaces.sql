-- Which archived workspaces still cost something in the last 90 days?
-- Workspaces of one name stay apart by their id. Costs that are not in USD are counted, and one of
-- their currencies is named.
-- needs cost_report over 30 days
-- needs workspaces
SELECT
    c.workspace_name,
    w.archived_at,
    max(c.date) AS last_cost,
    sum(CASE WHEN c.date >= w.archived_at THEN c.cost_usd ELSE 0 END) AS usd_after_archiving,
    sum(c.cost_usd) AS usd,
    c.workspace_id,
    count(CASE WHEN c.cost_usd IS NULL THEN 1 END) AS costs_in_other_currencies,
    min(CASE WHEN c.cost_usd IS NULL THEN c.currency END) AS other_currency
FROM cost_daily AS c
JOIN workspaces_current AS w
    ON w.id = c.workspace_id
    AND coalesce(w.organization_id, '') = coalesce(c.organization_id, '')
WHERE c.date > current_date - INTERVAL '90' DAY
    AND c.date <= current_date
    AND w.archived_at IS NOT NULL
GROUP BY c.workspace_id, c.workspace_name, w.archived_at
HAVING sum(c.cost) > 0
ORDER BY usd DESC, c.workspace_name, c.workspace_id
