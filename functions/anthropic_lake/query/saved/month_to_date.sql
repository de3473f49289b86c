-- How much of the monthly budget is spent, and what will the whole month cost?
-- Days that are not final count as spent with what is known of them, and as their weekday usually is
-- in the forecast. In 8 of 10 simulated months the truth is from low_usd to high_usd. Costs that are
-- not in USD are counted, and one of their currencies is named. Each organization has a row of its
-- own, and the budget is for each: ranges of several cannot be added.
-- parameter budget (decimal, default 0): budget of a month in USD; 0 is none
-- needs cost_report in the month of current_date
SELECT
    coalesce(m.spent_usd, 0) AS spent_usd,
    CAST(${budget} AS double) AS budget_usd,
    round(100 * CAST(m.spent_usd AS double) / nullif(CAST(${budget} AS double), 0), 1)
        AS percent_of_budget,
    round(f.forecast_usd, 2) AS forecast_usd,
    round(f.low_usd, 2) AS low_usd,
    round(f.high_usd, 2) AS high_usd,
    coalesce(m.costs_in_other_currencies, 0) AS costs_in_other_currencies,
    m.other_currency,
    coalesce(m.organization_id, f.organization_id) AS organization_id
FROM (
    SELECT
        organization_id,
        sum(cost_usd) AS spent_usd,
        count(CASE WHEN cost_usd IS NULL THEN 1 END) AS costs_in_other_currencies,
        min(CASE WHEN cost_usd IS NULL THEN currency END) AS other_currency
    FROM cost_daily
    WHERE date BETWEEN date_trunc('month', current_date) AND current_date
    GROUP BY organization_id
) AS m
FULL JOIN (
    SELECT organization_id, forecast_usd, low_usd, high_usd
    FROM cost_forecast
    WHERE series = 'organization'
) AS f
    ON coalesce(f.organization_id, '') = coalesce(m.organization_id, '')
ORDER BY spent_usd DESC, organization_id
