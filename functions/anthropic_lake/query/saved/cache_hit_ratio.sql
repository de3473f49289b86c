-- Which share of the input tokens of the last 30 days came from a cache, by workspace and model?
-- Workspaces of one name stay apart by their id.
-- needs usage_report over 30 days
SELECT
    workspace_name,
    model,
    sum(cache_read_input_tokens) AS cache_read_input_tokens,
    sum(input_tokens) AS input_tokens,
    round(
        CAST(sum(cache_read_input_tokens) AS double) / nullif(sum(input_tokens), 0), 4
    ) AS cache_hit_ratio,
    workspace_id
FROM usage_daily
WHERE date > current_date - INTERVAL '30' DAY
    AND date <= current_date
GROUP BY workspace_id, workspace_name, model
ORDER BY input_tokens DESC, workspace_name, model, workspace_id
