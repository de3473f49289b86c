-- Do the reports of last month agree, by workspace, and where they do not, is a reason known?
-- A line counts the days that have one explanation; the view cost_reconciliation has each day.
-- needs cost_report in the month of current_date - INTERVAL '1' MONTH
SELECT
    workspace_name,
    explanation,
    count(*) AS days,
    sum(cost_report_usd) AS cost_report_usd,
    sum(analytics_usd) AS analytics_usd,
    sum(analytics_list_usd) AS analytics_list_usd,
    sum(difference_usd) AS difference_usd,
    sum(allocated_usd) AS allocated_usd,
    sum(claude_code_estimate_usd) AS claude_code_estimate_usd,
    workspace_id
FROM cost_reconciliation
WHERE date >= date_trunc('month', current_date) - INTERVAL '1' MONTH
    AND date < date_trunc('month', current_date)
GROUP BY workspace_id, workspace_name, explanation
ORDER BY cost_report_usd DESC, workspace_name, workspace_id, explanation
