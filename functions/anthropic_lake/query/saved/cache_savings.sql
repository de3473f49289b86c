-- What did prompt caching save in the last 30 days, by model?
-- Tokens read from and written to caches at what uncached input cost on average on the same day, less
-- what they cost. Days on which a model had no uncached input have no such price: their cost of
-- caches is in the last column only.
-- needs cost_report over 30 days
-- needs usage_report grouped by api_key_id, model, workspace_id over 30 days
SELECT
    model,
    sum(CASE WHEN uncached_tokens > 0 THEN read_tokens END) AS cache_read_tokens,
    sum(CASE WHEN uncached_tokens > 0 THEN written_tokens END) AS cache_write_tokens,
    sum(CASE WHEN uncached_tokens > 0 THEN cache_usd END) AS cache_cost_usd,
    round(sum(uncached_price * (read_tokens + written_tokens)), 2) AS estimated_uncached_usd,
    round(sum(uncached_price * (read_tokens + written_tokens) - CAST(cache_usd AS double)), 2)
        AS estimated_saving_usd,
    sum(CASE WHEN uncached_tokens > 0 THEN 0 ELSE cache_usd END) AS cost_without_price_usd
FROM (
    SELECT
        *,
        CAST(uncached_usd AS double) / nullif(CAST(uncached_tokens AS double), 0) AS uncached_price
    FROM (
        SELECT
            date,
            organization_id,
            model,
            sum(CASE WHEN token_type = 'uncached_input_tokens' THEN tokens ELSE 0 END)
                AS uncached_tokens,
            sum(CASE WHEN token_type = 'uncached_input_tokens' THEN cost_usd ELSE 0 END)
                AS uncached_usd,
            sum(CASE WHEN token_type = 'cache_read_input_tokens' THEN tokens ELSE 0 END)
                AS read_tokens,
            sum(CASE WHEN token_type LIKE 'cache_creation%' THEN tokens ELSE 0 END)
                AS written_tokens,
            sum(CASE WHEN token_type LIKE 'cache%' THEN cost_usd ELSE 0 END) AS cache_usd
        FROM cost_by_api_key
        WHERE date > current_date - INTERVAL '30' DAY
            AND date <= current_date
            AND method = 'tokens'
        GROUP BY date, organization_id, model
    ) AS day
) AS priced
GROUP BY model
ORDER BY estimated_saving_usd DESC, model
