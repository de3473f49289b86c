-- What does a pull request made with Claude Code cost, month by month?
-- Estimates that are not in USD are counted, and one of their currencies is named.
-- needs claude_code_usage over 30 days
SELECT
    CAST(date_trunc('month', date) AS date) AS month,
    sum(pull_requests) AS pull_requests,
    sum(estimated_cost_usd) AS estimated_cost_usd,
    round(
        CAST(sum(estimated_cost_usd) AS double) / nullif(sum(pull_requests), 0), 2
    ) AS usd_per_pull_request,
    sum(estimates_in_other_currencies) AS estimates_in_other_currencies,
    min(other_currency) AS other_currency
FROM claude_code_daily
WHERE date >= date_trunc('month', current_date) - INTERVAL '5' MONTH
    AND date <= current_date
GROUP BY 1
ORDER BY 1
