-- What did each day cost in US dollars, by workspace, model, cost type and token type?
SELECT
    c.date,
    c.organization_id,
    coalesce(w.workspace_id, c.workspace_id) AS workspace_id,
    coalesce(w.workspace_name, c.workspace_id, 'Default') AS workspace_name,
    c.model,
    c.cost_type,
    c.token_type,
    sum(c.amount_usd) AS cost_usd
FROM cost_report AS c
LEFT JOIN workspace_names AS w
    ON coalesce(w.organization_id, '') = coalesce(c.organization_id, '')
    AND coalesce(w.reported_workspace_id, '') = coalesce(c.workspace_id, '')
GROUP BY 1, 2, 3, 4, 5, 6, 7
