-- Do the cost report and the cost by person agree on each day and workspace, and if not, why?
-- not offered: no cost by person of so early a day was ever read; open: one of the two is not final,
-- by the ledger; grouping: the cost by person is not grouped by workspace, or it is by RBAC groups,
-- which overlap, or a row has only the estimate of Claude Code, which knows no workspace; equal:
-- within a cent; unexplained: all else. Only US dollars are compared; a figure is null where its
-- source has none. The null workspace is use of Claude Enterprise; where the list of workspaces does
-- not name the default one, it is also all that the cost report of the day does not name.
WITH figure AS (
    SELECT
        date,
        organization_id,
        workspace_id,
        cost_usd AS cost_report_usd,
        CAST(NULL AS decimal(38, 12)) AS analytics_usd,
        CAST(NULL AS decimal(38, 12)) AS analytics_list_usd,
        CAST(NULL AS decimal(38, 12)) AS allocated_usd,
        CAST(NULL AS decimal(38, 12)) AS claude_code_estimate_usd
    FROM cost_daily
    UNION ALL
    SELECT
        a.date,
        a.organization_id,
        CASE
            WHEN n.workspace_id IS NOT NULL OR r.workspace_id IS NOT NULL THEN a.workspace_id
        END,
        NULL,
        a.amount_usd,
        a.list_amount_usd,
        NULL,
        NULL
    FROM (
        SELECT
            r.date,
            coalesce(r.organization_id, l.organization_id) AS organization_id,
            r.workspace_id,
            sum(r.amount_usd) AS amount_usd,
            sum(r.list_amount_usd) AS list_amount_usd
        FROM analytics_cost AS r
        CROSS JOIN lake_organization AS l
        WHERE r.amount_usd IS NOT NULL
        GROUP BY 1, 2, 3
    ) AS a
    LEFT JOIN workspace_names AS n
        ON n.reported_workspace_id IS NULL
        AND coalesce(n.organization_id, '') = coalesce(a.organization_id, '')
    LEFT JOIN (SELECT DISTINCT date, workspace_id FROM cost_report) AS r
        ON r.date = a.date
        AND r.workspace_id = a.workspace_id
    UNION ALL
    SELECT date, organization_id, workspace_id, NULL, NULL, NULL, cost_usd, NULL
    FROM cost_by_api_key
    WHERE method <> 'unallocated'
    UNION ALL
    SELECT
        u.date,
        coalesce(u.organization_id, l.organization_id),
        NULL,
        NULL,
        NULL,
        NULL,
        NULL,
        u.estimated_cost_amount_usd
    FROM claude_code_usage AS u
    CROSS JOIN lake_organization AS l
),
summed AS (
    SELECT
        date,
        organization_id,
        workspace_id,
        sum(cost_report_usd) AS cost_report_usd,
        sum(analytics_usd) AS analytics_usd,
        sum(analytics_list_usd) AS analytics_list_usd,
        sum(allocated_usd) AS allocated_usd,
        sum(claude_code_estimate_usd) AS claude_code_estimate_usd
    FROM figure
    WHERE coalesce(cost_report_usd, analytics_usd, allocated_usd, claude_code_estimate_usd)
        IS NOT NULL
    GROUP BY 1, 2, 3
),
day_read AS (
    SELECT
        coalesce(s.organization_id, l.organization_id) AS organization_id,
        s.day,
        count(DISTINCT CASE WHEN s.is_final AND s.asset <> 'claude_code_usage' THEN s.asset END)
            AS final_reports,
        count(
            CASE
                WHEN s.asset = 'analytics_cost'
                    AND s.grouped_by LIKE '%workspace_id%'
                    AND s.grouped_by NOT LIKE '%rbac_group_id%'
                    THEN 1
            END
        ) AS reports_by_workspace,
        min(min(CASE WHEN s.asset = 'analytics_cost' THEN s.day END))
            OVER (PARTITION BY coalesce(s.organization_id, l.organization_id))
            AS first_analytics_day
    FROM sync_days AS s
    CROSS JOIN lake_organization AS l
    WHERE s.date BETWEEN DATE '2023-01-01' AND current_date
        AND day(s.date) = 1
        AND s.asset IN ('analytics_cost', 'claude_code_usage', 'cost_report')
    GROUP BY 1, 2
),
compared AS (
    SELECT
        f.*,
        coalesce(f.analytics_usd - f.cost_report_usd, f.analytics_usd, -f.cost_report_usd)
            AS difference_usd,
        CASE
            WHEN f.analytics_usd IS NULL AND coalesce(f.date < d.first_analytics_day, true)
                THEN 'not offered'
            WHEN coalesce(d.final_reports, 0) < 2 THEN 'open'
            WHEN d.reports_by_workspace = 0 THEN 'grouping'
            WHEN f.analytics_usd IS NULL AND f.cost_report_usd IS NULL THEN 'grouping'
        END AS obstacle
    FROM summed AS f
    LEFT JOIN day_read AS d
        ON d.day = f.date
        AND coalesce(d.organization_id, '') = coalesce(f.organization_id, '')
)
SELECT
    c.date,
    c.organization_id,
    c.workspace_id,
    coalesce(w.workspace_name, c.workspace_id) AS workspace_name,
    c.cost_report_usd,
    c.analytics_usd,
    c.analytics_list_usd,
    c.allocated_usd,
    c.claude_code_estimate_usd,
    CASE WHEN coalesce(c.obstacle, 'open') = 'open' THEN c.difference_usd END AS difference_usd,
    CASE
        WHEN c.obstacle IS NOT NULL THEN c.obstacle
        WHEN abs(c.difference_usd) <= 0.01 THEN 'equal'
        ELSE 'unexplained'
    END AS explanation
FROM compared AS c
LEFT JOIN workspace_names AS w
    ON w.reported_workspace_id = c.workspace_id
    AND coalesce(w.organization_id, '') = coalesce(c.organization_id, '')
