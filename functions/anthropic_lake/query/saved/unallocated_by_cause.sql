-- Why could some cost of the last 30 days be given to no API key, and how much is it by cause?
-- The sum is that of the rows of cost_by_api_key whose method is unallocated. Where usage is not
-- grouped by tier or context window, a cost that names one finds no tokens.
-- needs cost_report over 30 days
SELECT
    cause,
    cost_type,
    sum(cost_usd) AS cost_usd,
    count(DISTINCT date) AS days,
    min(date) AS first_day,
    max(date) AS last_day,
    count(CASE WHEN cost_usd IS NULL THEN 1 END) AS costs_in_other_currencies,
    min(CASE WHEN cost_usd IS NULL THEN currency END) AS other_currency
FROM (
    SELECT
        c.date,
        c.cost_type,
        c.cost_usd,
        c.currency,
        CASE
            WHEN c.cost_usd IS NULL THEN 'not in US dollars'
            WHEN c.token_type IS NULL THEN 'has no tokens'
            WHEN s.day IS NULL THEN 'usage of the day was not read'
            WHEN s.grouped_by NOT LIKE '%api_key_id%'
                OR s.grouped_by NOT LIKE '%model%'
                OR s.grouped_by NOT LIKE '%workspace_id%'
                THEN 'usage is not grouped by API key, model and workspace'
            WHEN s.grouped_by NOT LIKE '%context_window%' OR s.grouped_by NOT LIKE '%service_tier%'
                THEN 'usage is not grouped by context window and service tier'
            ELSE 'no usage of the model in the workspace'
        END AS cause
    FROM cost_by_api_key AS c
    LEFT JOIN (
        SELECT day, coalesce(min(grouped_by), '') AS grouped_by
        FROM sync_days
        WHERE date >= date_trunc('month', current_date - INTERVAL '30' DAY)
            AND date <= current_date
            AND day(date) = 1
            AND asset = 'usage_report'
        GROUP BY day
    ) AS s
        ON s.day = c.date
    WHERE c.date > current_date - INTERVAL '30' DAY
        AND c.date <= current_date
        AND c.method = 'unallocated'
) AS unallocated
GROUP BY cause, cost_type
ORDER BY cost_usd DESC, cause, cost_type
