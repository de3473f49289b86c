-- What does each model cost this month, by token type?
SELECT
    coalesce(model, cost_type) AS model_or_service,
    token_type,
    sum(cost_usd) AS cost_usd
FROM cost_daily
WHERE date BETWEEN date_trunc('month', current_date) AND current_date
GROUP BY 1, 2
ORDER BY cost_usd DESC, model_or_service, token_type
