-- What did each API key cost in the last 30 days, and who owns it?
-- Split by tokens (view cost_by_api_key). What no key can be named for stands in rows of its own, one
-- a workspace: their method is unallocated. Keys and workspaces of one name stay apart by their ids.
-- Costs that are not in USD are counted, and one of their currencies is named.
-- needs cost_report over 30 days
-- needs usage_report grouped by api_key_id, model, workspace_id over 30 days
-- needs api_keys
SELECT
    api_key_name,
    workspace_name,
    coalesce(key_owner_email, key_owner_id) AS owner,
    sum(cost_usd) AS cost_usd,
    method,
    api_key_id,
    workspace_id,
    count(CASE WHEN cost_usd IS NULL THEN 1 END) AS costs_in_other_currencies,
    min(CASE WHEN cost_usd IS NULL THEN currency END) AS other_currency
FROM cost_by_api_key
WHERE date > current_date - INTERVAL '30' DAY
    AND date <= current_date
GROUP BY
    organization_id,
    api_key_id,
    api_key_name,
    key_owner_email,
    key_owner_id,
    workspace_id,
    workspace_name,
    method
ORDER BY cost_usd DESC, api_key_name, workspace_name, api_key_id, workspace_id
