-- How much of the monthly budget is spent, and where will the month end at this pace?
-- Costs that are not in USD are counted, and one of their currencies is named.
SELECT
    spent_usd,
    budget_usd,
    round(100 * CAST(spent_usd AS double) / nullif(budget_usd, 0), 1) AS percent_of_budget,
    round(CAST(spent_usd AS double) / days_with_cost * days_in_month, 2) AS usd_at_this_pace,
    costs_in_other_currencies,
    other_currency
FROM (
    SELECT
        sum(cost_usd) AS spent_usd,
        CAST(${MonthlyBudgetUsd} AS double) AS budget_usd,
        count(DISTINCT date) AS days_with_cost,
        day(date_trunc('month', current_date) + INTERVAL '1' MONTH - INTERVAL '1' DAY)
            AS days_in_month,
        count(CASE WHEN cost_usd IS NULL THEN 1 END) AS costs_in_other_currencies,
        min(CASE WHEN cost_usd IS NULL THEN currency END) AS other_currency
    FROM cost_daily
    WHERE date BETWEEN date_trunc('month', current_date) AND current_date
) AS month
