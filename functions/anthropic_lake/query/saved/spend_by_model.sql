-- What does each model cost this month, by token type?
-- Costs that are not in USD are counted, and one of their currencies is named.
SELECT
    coalesce(model, cost_type) AS model_or_service,
    token_type,
    sum(cost_usd) AS cost_usd,
    count(CASE WHEN cost_usd IS NULL THEN 1 END) AS costs_in_other_currencies,
    min(CASE WHEN cost_usd IS NULL THEN currency END) AS other_currency
FROM cost_daily
WHERE date BETWEEN date_trunc('month', current_date) AND current_date
GROUP BY 1, 2
ORDER BY cost_usd DESC, model_or_service, token_type
