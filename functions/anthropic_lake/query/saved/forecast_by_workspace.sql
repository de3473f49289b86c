-- What will this month cost in each workspace, and between which bounds?
-- Only final days count as spent. In 8 of 10 simulated months the truth is within the bounds.
-- needs cost_report in the month of current_date
SELECT
    workspace_name,
    month_to_date_usd,
    round(forecast_usd, 2) AS forecast_usd,
    round(low_usd, 2) AS low_usd,
    round(high_usd, 2) AS high_usd,
    days_left,
    method,
    workspace_id
FROM cost_forecast
WHERE series = 'workspace'
ORDER BY forecast_usd DESC, workspace_name, workspace_id
