-- What does each model cost in a month, by token type?
-- Costs that are not in USD are counted, and one of their currencies is named.
-- parameter month (date, default today): any day of the month
-- parameter workspace (text, default all): name or identifier of one workspace
-- needs cost_report in the month of ${month}
SELECT
    coalesce(model, cost_type) AS model_or_service,
    token_type,
    sum(cost_usd) AS cost_usd,
    count(CASE WHEN cost_usd IS NULL THEN 1 END) AS costs_in_other_currencies,
    min(CASE WHEN cost_usd IS NULL THEN currency END) AS other_currency
FROM cost_daily
WHERE date >= date_trunc('month', ${month})
    AND date < date_trunc('month', ${month}) + INTERVAL '1' MONTH
    AND date <= current_date
    AND ${workspace} IN ('all', workspace_id, workspace_name)
GROUP BY 1, 2
ORDER BY cost_usd DESC, model_or_service, token_type
