-- What does each cost centre pay this month, directly and as its part of shared cost?
-- By the rules of the chargeback (docs/allocation.md). A null cost centre is what no rule gives to
-- anybody; it is all cost while there are no rules. Costs that are not in USD are counted, and one of
-- their currencies is named.
-- needs cost_report in the month of current_date
SELECT
    cost_center,
    sum(direct_usd) AS direct_usd,
    sum(shared_usd) AS shared_usd,
    sum(direct_usd + shared_usd) AS cost_usd,
    count(CASE WHEN direct_usd IS NULL THEN 1 END) AS costs_in_other_currencies,
    min(CASE WHEN direct_usd IS NULL THEN currency END) AS other_currency
FROM cost_allocation
WHERE date BETWEEN date_trunc('month', current_date) AND current_date
GROUP BY cost_center
ORDER BY cost_usd DESC, cost_center
