-- What did each person's Claude Code cost in the last 30 days, and how many edits were accepted?
-- Estimates that are not in USD are counted, and one of their currencies is named.
-- needs claude_code_usage over 30 days
SELECT
    person,
    count(DISTINCT date) AS days_active,
    sum(sessions) AS sessions,
    sum(edits_accepted) AS edits_accepted,
    round(
        CAST(sum(edits_accepted) AS double) / nullif(sum(edits_accepted + edits_rejected), 0), 4
    ) AS acceptance_ratio,
    sum(estimated_cost_usd) AS estimated_cost_usd,
    sum(estimates_in_other_currencies) AS estimates_in_other_currencies,
    min(other_currency) AS other_currency
FROM claude_code_daily
WHERE date > current_date - INTERVAL '30' DAY
    AND date <= current_date
GROUP BY person
ORDER BY estimated_cost_usd DESC, person
