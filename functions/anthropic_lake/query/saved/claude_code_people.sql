-- What did each person's Claude Code cost in the last 30 days, and how many edits were accepted?
SELECT
    person,
    count(DISTINCT date) AS days_active,
    sum(sessions) AS sessions,
    sum(edits_accepted) AS edits_accepted,
    round(
        CAST(sum(edits_accepted) AS double) / nullif(sum(edits_accepted + edits_rejected), 0), 4
    ) AS acceptance_ratio,
    sum(estimated_cost_usd) AS estimated_cost_usd
FROM claude_code_daily
WHERE date > current_date - INTERVAL '30' DAY
    AND date <= current_date
GROUP BY person
ORDER BY estimated_cost_usd DESC, person
