-- How much of the monthly budget is spent, and what will the whole month cost?
-- Days that are not final count as spent with what is known of them, and as their weekday usually is
-- in the forecast. In 8 of 10 simulated months the truth is from low_usd to high_usd. Costs that are
-- not in USD are counted, and one of their currencies is named.
SELECT
    spent_usd,
    budget_usd,
    round(100 * CAST(spent_usd AS double) / nullif(budget_usd, 0), 1) AS percent_of_budget,
    round(forecast_usd, 2) AS forecast_usd,
    round(low_usd, 2) AS low_usd,
    round(high_usd, 2) AS high_usd,
    costs_in_other_currencies,
    other_currency
FROM (
    SELECT
        sum(cost_usd) AS spent_usd,
        CAST(${MonthlyBudgetUsd} AS double) AS budget_usd,
        count(CASE WHEN cost_usd IS NULL THEN 1 END) AS costs_in_other_currencies,
        min(CASE WHEN cost_usd IS NULL THEN currency END) AS other_currency
    FROM cost_daily
    WHERE date BETWEEN date_trunc('month', current_date) AND current_date
) AS month
CROSS JOIN (
    SELECT
        sum(forecast_usd) AS forecast_usd,
        sum(low_usd) AS low_usd,
        sum(high_usd) AS high_usd
    FROM cost_forecast
    WHERE series = 'organization'
) AS forecast
