-- What was paid per million tokens in the last 30 days, by model and token type?
-- The cost that found its tokens, divided by these: discounts of batches and surcharges are in it.
-- needs cost_report over 30 days
-- needs usage_report grouped by api_key_id, model, workspace_id over 30 days
SELECT
    model,
    token_type,
    sum(tokens) AS tokens,
    sum(cost_usd) AS cost_usd,
    round(1000000 * CAST(sum(cost_usd) AS double) / CAST(sum(tokens) AS double), 4)
        AS effective_usd_per_million_tokens
FROM cost_by_api_key
WHERE date > current_date - INTERVAL '30' DAY
    AND date <= current_date
    AND method = 'tokens'
GROUP BY model, token_type
ORDER BY model, token_type
