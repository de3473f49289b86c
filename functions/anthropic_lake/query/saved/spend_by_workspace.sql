-- What does each workspace cost this month, and how does that compare with last month?
-- The change is against the same days of last month. Workspaces of one name stay apart by their id.
-- Costs that are not in USD are counted, and one of their currencies is named.
-- needs cost_report in the month of current_date
-- needs cost_report in the month of current_date - INTERVAL '1' MONTH
SELECT
    workspace_name,
    this_month_usd,
    last_month_same_days_usd,
    last_month_usd,
    this_month_usd - last_month_same_days_usd AS change_usd,
    workspace_id,
    costs_in_other_currencies,
    other_currency
FROM (
    SELECT
        workspace_id,
        workspace_name,
        sum(
            CASE WHEN date >= date_trunc('month', current_date) THEN cost_usd ELSE 0 END
        ) AS this_month_usd,
        sum(
            CASE
                WHEN date < date_trunc('month', current_date) AND day(date) <= day(current_date)
                    THEN cost_usd
                ELSE 0
            END
        ) AS last_month_same_days_usd,
        sum(
            CASE WHEN date < date_trunc('month', current_date) THEN cost_usd ELSE 0 END
        ) AS last_month_usd,
        count(CASE WHEN cost_usd IS NULL THEN 1 END) AS costs_in_other_currencies,
        min(CASE WHEN cost_usd IS NULL THEN currency END) AS other_currency
    FROM cost_daily
    WHERE date >= date_trunc('month', current_date) - INTERVAL '1' MONTH
        AND date <= current_date
    GROUP BY workspace_id, workspace_name
) AS months
ORDER BY this_month_usd DESC, workspace_name, workspace_id
