-- What does each person, API key and service account cost in a month, and how much at list price?
-- A null name is use that the API attributes to nobody. Costs that are
-- not in USD are counted, and one of their currencies is named.
-- parameter month (date, default today): any day of the month
-- needs analytics_cost in the month of ${month}
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
WHERE date >= date_trunc('month', ${month})
    AND date < date_trunc('month', ${month}) + INTERVAL '1' MONTH
    AND date <= current_date
GROUP BY actor_type, actor_id
ORDER BY cost_usd DESC, name, actor_id
