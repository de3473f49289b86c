-- How many tokens did each hour of a day use, and what did they cost (estimated)?
-- The day's cost of a model and token type is split by its tokens of each hour. What has no tokens
-- stands in a row without an hour, so that the sum is the day's. Times are UTC.
-- parameter day (date, default yesterday): the day
-- needs usage_report grouped by model on ${day}
-- needs usage_report by the hour on ${day}
-- needs cost_report on ${day}
SELECT
    u.hour_start,
    sum(CASE WHEN u.token_type <> 'output_tokens' THEN u.tokens END) AS input_tokens,
    sum(CASE WHEN u.token_type = 'output_tokens' THEN u.tokens END) AS output_tokens,
    round(sum(CAST(c.cost_usd AS double) * coalesce(u.share, 1)), 4) AS estimated_cost_usd
FROM (
    SELECT model, token_type, sum(cost_usd) AS cost_usd
    FROM cost_daily
    WHERE date = ${day}
    GROUP BY model, token_type
) AS c
FULL JOIN (
    SELECT
        hour_start,
        model,
        token_type,
        tokens,
        CAST(tokens AS double) / sum(CAST(tokens AS double)) OVER (PARTITION BY model, token_type)
            AS share
    FROM (
        SELECT
            date_trunc('hour', r.starting_at) AS hour_start,
            r.model,
            t.token_type,
            sum(
                CASE t.token_type
                    WHEN 'uncached_input_tokens' THEN r.uncached_input_tokens
                    WHEN 'cache_read_input_tokens' THEN r.cache_read_input_tokens
                    WHEN 'cache_creation.ephemeral_5m_input_tokens'
                        THEN r.cache_creation_ephemeral_5m_input_tokens
                    WHEN 'cache_creation.ephemeral_1h_input_tokens'
                        THEN r.cache_creation_ephemeral_1h_input_tokens
                    ELSE r.output_tokens
                END
            ) AS tokens
        FROM usage_report AS r
        CROSS JOIN (
            VALUES
                ('uncached_input_tokens'),
                ('cache_read_input_tokens'),
                ('cache_creation.ephemeral_5m_input_tokens'),
                ('cache_creation.ephemeral_1h_input_tokens'),
                ('output_tokens')
        ) AS t (token_type)
        WHERE r.date = ${day}
            AND r.bucket_width <> '1d'
        GROUP BY 1, 2, 3
    ) AS hours
    WHERE tokens > 0
) AS u
    ON u.model = c.model
    AND u.token_type = c.token_type
GROUP BY u.hour_start
ORDER BY u.hour_start
