-- Which days of an organization, a workspace or a model cost unusually much, and what drove them?
-- A final day without cost is 0; an open or missing day is compared with nothing. All but cost_usd
-- are statistics, as docs/insight.md defines them.
WITH calendar AS (
    SELECT date, status = 'final' AS is_final, min(date) OVER () AS lake_start
    FROM coverage
    WHERE asset = 'cost_report'
),
costs AS (
    SELECT
        c.date,
        c.organization_id,
        s.series,
        CASE WHEN s.series <> 'organization' THEN c.workspace_id END AS workspace_id,
        CASE WHEN s.series = 'model' THEN c.model END AS model,
        max(CASE WHEN s.series <> 'organization' THEN c.workspace_name END) AS workspace_name,
        sum(c.cost_usd) AS cost_usd
    FROM cost_daily AS c
    CROSS JOIN (VALUES 'organization', 'workspace', 'model') AS s (series)
    WHERE c.cost_usd <> 0
    GROUP BY 1, 2, 3, 4, 5
),
days AS (
    SELECT
        d.date,
        d.lake_start,
        s.organization_id,
        s.series,
        s.workspace_id,
        s.workspace_name,
        s.model,
        s.first_cost,
        CASE WHEN d.is_final THEN coalesce(c.cost_usd, DECIMAL '0') END AS cost_usd
    FROM (
        SELECT
            organization_id,
            series,
            workspace_id,
            model,
            max(workspace_name) AS workspace_name,
            min(date) AS first_cost
        FROM costs
        WHERE date IN (SELECT date FROM calendar WHERE is_final)
        GROUP BY 1, 2, 3, 4
    ) AS s
    CROSS JOIN calendar AS d
    LEFT JOIN costs AS c
        ON c.date = d.date
        AND c.series = s.series
        AND coalesce(c.organization_id, '') = coalesce(s.organization_id, '')
        AND coalesce(c.workspace_id, '') = coalesce(s.workspace_id, '')
        AND coalesce(c.model, '') = coalesce(s.model, '')
),
weeks AS (
    SELECT
        *,
        lag(cost_usd, 7) OVER by_day AS week_1,
        lag(cost_usd, 14) OVER by_day AS week_2,
        lag(cost_usd, 21) OVER by_day AS week_3,
        lag(cost_usd, 28) OVER by_day AS week_4,
        sum(cost_usd) OVER (by_day ROWS BETWEEN 6 PRECEDING AND CURRENT ROW) AS seven_days_usd
    FROM days
    WINDOW by_day AS (PARTITION BY organization_id, series, workspace_id, model ORDER BY date)
),
expectations AS (
    SELECT
        *,
        CAST(
            week_1 + week_2 + week_3 + week_4
            - greatest(week_1, week_2, week_3, week_4)
            - least(week_1, week_2, week_3, week_4) AS double
        ) / 2 AS expected_usd
    FROM weeks
),
deviations AS (
    SELECT
        *,
        CAST(cost_usd AS double) - expected_usd AS impact_usd,
        CASE
            WHEN date >= date_add('day', 28, first_cost) AND (cost_usd <> 0 OR expected_usd <> 0)
                THEN (CAST(cost_usd AS double) - expected_usd) / greatest(expected_usd, 5)
        END AS deviation,
        CASE
            WHEN first_cost >= date_add('day', 28, lake_start)
                AND date < date_add('day', 42, first_cost)
                AND seven_days_usd > 100
                THEN date
        END AS new_spend_day
    FROM expectations
),
judgements AS (
    SELECT
        *,
        avg(least(abs(deviation), 0.5)) OVER month_before AS usual_deviation,
        count(deviation) OVER month_before AS days_compared,
        min(new_spend_day) OVER by_day AS first_new_spend_day,
        CASE WHEN series = 'model' THEN workspace_name || ' / ' || coalesce(model, 'no model') END
            AS part,
        CASE WHEN series = 'model' THEN impact_usd END AS part_impact_usd
    FROM deviations
    WINDOW by_day AS (PARTITION BY organization_id, series, workspace_id, model ORDER BY date),
        month_before AS (
            PARTITION BY organization_id, series, workspace_id, model
            ORDER BY date
            ROWS BETWEEN 28 PRECEDING AND 1 PRECEDING
        )
),
kinds AS (
    SELECT
        *,
        CASE
            WHEN date = first_new_spend_day THEN 'new spend'
            WHEN deviation >= greatest(4 * usual_deviation, 0.25)
                AND impact_usd >= 25
                AND days_compared >= 14
                THEN 'spike'
        END AS kind,
        first_value(part) OVER in_organization AS organization_driver,
        first_value(part_impact_usd) OVER in_organization AS organization_driver_impact_usd,
        first_value(part) OVER in_workspace AS workspace_driver,
        first_value(part_impact_usd) OVER in_workspace AS workspace_driver_impact_usd
    FROM judgements
    WINDOW in_organization AS (
            PARTITION BY date, organization_id ORDER BY part_impact_usd DESC NULLS LAST, part
        ),
        in_workspace AS (
            PARTITION BY date, organization_id, workspace_id
            ORDER BY part_impact_usd DESC NULLS LAST, part
        )
)
SELECT
    date,
    organization_id,
    series,
    workspace_id,
    workspace_name,
    model,
    kind,
    cost_usd,
    expected_usd,
    impact_usd,
    deviation,
    usual_deviation,
    CASE series
        WHEN 'organization' THEN organization_driver
        WHEN 'workspace' THEN workspace_driver
        ELSE part
    END AS driver,
    CASE series
        WHEN 'organization' THEN organization_driver_impact_usd
        WHEN 'workspace' THEN workspace_driver_impact_usd
        ELSE part_impact_usd
    END AS driver_impact_usd
FROM kinds
WHERE kind IS NOT NULL
