-- What does each person, API key and service account cost this month, and how much at list price?
-- Needs the reports by person. A null name is use that the API attributes to nobody. Costs that are
-- not in USD are counted, and one of their currencies is named.
SELECT
    max(actor_name) AS name,
    actor_type,
    count(DISTINCT date) AS days,
    sum(cost_usd) AS cost_usd,
    sum(list_cost_usd) AS list_cost_usd,
    actor_id,
    count(CASE WHEN cost_usd IS NULL THEN 1 END) AS costs_in_other_currencies,
    min(CASE WHEN cost_usd IS NULL THEN currency END) AS other_currency
FROM cost_by_actor
WHERE date BETWEEN date_trunc('month', current_date) AND current_date
GROUP BY actor_type, actor_id
ORDER BY cost_usd DESC, name, actor_id
