-- Which days of the last 30 cost unusually much, by how much, and what drove them?
-- Workspaces of one name stay apart by their id. Days that are not final are not judged yet.
-- A day is judged by the 42 days before it; the first of a history are not.
-- needs cost_report over 42 days
SELECT
    date,
    series,
    workspace_name,
    model,
    kind,
    cost_usd,
    round(expected_usd, 2) AS expected_usd,
    round(impact_usd, 2) AS impact_usd,
    driver,
    round(driver_impact_usd, 2) AS driver_impact_usd,
    workspace_id
FROM cost_anomalies
WHERE date > current_date - INTERVAL '30' DAY
    AND date <= current_date
ORDER BY date DESC, impact_usd DESC, series, workspace_name, model, workspace_id
