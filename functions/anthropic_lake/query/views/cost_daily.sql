-- What did each day cost in US dollars, by workspace, model, cost type and token type?
-- What is not in USD stands in rows of its own: cost_usd is null there, and cost holds the amount in
-- the currency named.
SELECT
    c.date,
    c.organization_id,
    coalesce(w.workspace_id, c.workspace_id) AS workspace_id,
    coalesce(w.workspace_name, c.workspace_id, 'Default') AS workspace_name,
    c.model,
    c.cost_type,
    c.token_type,
    sum(c.amount_usd) AS cost_usd,
    c.currency,
    CAST(sum(c.amount_cents) * 0.01 AS decimal(38, 12)) AS cost
FROM (
    SELECT
        r.date,
        coalesce(r.organization_id, l.organization_id) AS organization_id,
        r.workspace_id,
        r.model,
        r.cost_type,
        r.token_type,
        r.currency,
        r.amount_usd,
        r.amount_cents
    FROM cost_report AS r
    CROSS JOIN lake_organization AS l
) AS c
LEFT JOIN workspace_names AS w
    ON coalesce(w.organization_id, '') = coalesce(c.organization_id, '')
    AND coalesce(w.reported_workspace_id, '') = coalesce(c.workspace_id, '')
GROUP BY 1, 2, 3, 4, 5, 6, 7, 9
