-- How many people used Claude Code in each of the last 12 weeks?
-- needs claude_code_usage over 30 days
SELECT
    CAST(date_trunc('week', date) AS date) AS week,
    count(DISTINCT person) AS people,
    sum(sessions) AS sessions
FROM claude_code_daily
WHERE date >= date_trunc('week', current_date) - INTERVAL '77' DAY
    AND date <= current_date
GROUP BY 1
ORDER BY 1
