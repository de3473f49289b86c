-- What will the month cost, for the organization and each workspace, and between which bounds?
-- Only final days count as spent: month_to_date_usd is a sum of the vendor's figures. The other
-- amounts are statistics, as docs/insight.md defines them. Looks at 120 days.
WITH calendar AS (
    SELECT
        m.date,
        m.date >= date_trunc('month', current_date) AS in_month,
        f.date IS NOT NULL AS is_final,
        max(f.date) OVER () AS last_final
    FROM (
        SELECT
            CAST(
                date_add('day', -t.n, date_trunc('month', current_date) + INTERVAL '1' MONTH)
                AS date
            ) AS date
        FROM UNNEST(sequence(1, 120)) AS t (n)
    ) AS m
    LEFT JOIN coverage AS f
        ON f.date = m.date
        AND f.asset = 'cost_report'
        AND f.status = 'final'
        AND f.date < current_date
),
costs AS (
    SELECT
        c.date,
        c.organization_id,
        s.series,
        CASE WHEN s.series = 'workspace' THEN c.workspace_id END AS workspace_id,
        max(CASE WHEN s.series = 'workspace' THEN c.workspace_name END) AS workspace_name,
        sum(c.cost_usd) AS cost_usd
    FROM cost_daily AS c
    CROSS JOIN (VALUES 'organization', 'workspace') AS s (series)
    WHERE c.cost_usd <> 0
        AND c.date >= date_trunc('month', current_date) + INTERVAL '1' MONTH - INTERVAL '120' DAY
        AND c.date < current_date
    GROUP BY 1, 2, 3, 4
),
days AS (
    SELECT
        d.date,
        d.in_month,
        d.is_final,
        d.last_final,
        d.is_final AND d.date > date_add('day', -28, d.last_final) AS is_recent,
        s.organization_id,
        s.series,
        s.workspace_id,
        s.workspace_name,
        s.first_cost,
        CASE WHEN d.is_final THEN coalesce(c.cost_usd, DECIMAL '0') END AS cost_usd
    FROM (
        SELECT
            organization_id,
            series,
            workspace_id,
            max(workspace_name) AS workspace_name,
            min(date) AS first_cost
        FROM costs
        WHERE date IN (SELECT date FROM calendar WHERE is_final)
        GROUP BY 1, 2, 3
    ) AS s
    CROSS JOIN calendar AS d
    LEFT JOIN costs AS c
        ON c.date = d.date
        AND c.series = s.series
        AND coalesce(c.organization_id, '') = coalesce(s.organization_id, '')
        AND coalesce(c.workspace_id, '') = coalesce(s.workspace_id, '')
),
weeks AS (
    SELECT
        *,
        lag(cost_usd, 7) OVER by_day AS week_1,
        lag(cost_usd, 14) OVER by_day AS week_2,
        lag(cost_usd, 21) OVER by_day AS week_3,
        lag(cost_usd, 28) OVER by_day AS week_4
    FROM days
    WHERE series = 'organization'
    WINDOW by_day AS (PARTITION BY organization_id ORDER BY date)
),
deviations AS (
    SELECT
        organization_id,
        (CAST(cost_usd AS double) - expected_usd) / greatest(expected_usd, 5) AS deviation
    FROM (
        SELECT
            *,
            CAST(
                week_1 + week_2 + week_3 + week_4
                - greatest(week_1, week_2, week_3, week_4)
                - least(week_1, week_2, week_3, week_4) AS double
            ) / 2 AS expected_usd
        FROM weeks
        WHERE is_recent AND date >= date_add('day', 28, first_cost)
    ) AS expectations
    WHERE expected_usd IS NOT NULL AND (cost_usd <> 0 OR expected_usd <> 0)
),
growth AS (
    SELECT organization_id, avg(deviation) AS growth
    FROM (
        SELECT
            organization_id,
            deviation,
            row_number() OVER (PARTITION BY organization_id ORDER BY deviation) AS place,
            count(*) OVER (PARTITION BY organization_id) AS places
        FROM deviations
    ) AS ranks
    WHERE places >= 14 AND 2 * place BETWEEN places AND places + 2
    GROUP BY organization_id
),
weekdays AS (
    SELECT
        *,
        count(CASE WHEN is_recent THEN cost_usd END) OVER one_weekday AS known_days,
        sum(CASE WHEN is_recent THEN cost_usd END) OVER one_weekday AS sum_usd,
        max(CASE WHEN is_recent THEN cost_usd END) OVER one_weekday AS most_usd,
        min(CASE WHEN is_recent THEN cost_usd END) OVER one_weekday AS least_usd,
        avg(CASE WHEN date >= first_cost THEN CAST(cost_usd AS double) END) OVER one_series
            AS pace_usd
    FROM days
    WINDOW one_series AS (PARTITION BY organization_id, series, workspace_id),
        one_weekday AS (PARTITION BY organization_id, series, workspace_id, day_of_week(date))
),
methods AS (
    SELECT
        *,
        CASE
            WHEN first_cost <= date_add('day', -27, last_final)
                AND min(known_days) OVER (PARTITION BY organization_id, series, workspace_id) > 0
                THEN 'weekday'
            ELSE 'pace'
        END AS method
    FROM weekdays
),
usual_days AS (
    SELECT
        *,
        CASE
            WHEN method = 'pace' THEN pace_usd
            WHEN known_days > 2
                THEN CAST(sum_usd - most_usd - least_usd AS double) / (known_days - 2)
            ELSE CAST(sum_usd AS double) / known_days
        END AS usual_usd
    FROM methods
),
months AS (
    SELECT
        organization_id,
        series,
        workspace_id,
        workspace_name,
        method,
        sum(CASE WHEN in_month AND is_final THEN cost_usd ELSE DECIMAL '0' END)
            AS month_to_date_usd,
        count(CASE WHEN in_month AND is_final THEN 1 END) AS days_final,
        count(CASE WHEN in_month AND NOT is_final THEN 1 END) AS days_left,
        sum(CASE WHEN in_month AND NOT is_final THEN usual_usd ELSE 0 END) AS usual_left_usd,
        sum(CASE WHEN is_recent AND date >= first_cost THEN abs(CAST(cost_usd AS double) - usual_usd) END)
            / greatest(sum(CASE WHEN is_recent AND date >= first_cost THEN usual_usd END), 5) AS usual_error
    FROM usual_days
    GROUP BY 1, 2, 3, 4, 5
),
forecasts AS (
    SELECT
        m.*,
        usual_left_usd * (1 + coalesce(growth, 0)) AS left_usd,
        2 * usual_error * sqrt(0.125 + 1e0 / days_left)
        + coalesce(abs(growth) * days_left / 40, 0.2) AS width
    FROM (
        SELECT months.*, CASE WHEN method = 'weekday' THEN g.growth END AS growth
        FROM months
        LEFT JOIN growth AS g
            ON coalesce(g.organization_id, '') = coalesce(months.organization_id, '')
    ) AS m
)
SELECT
    organization_id,
    series,
    workspace_id,
    workspace_name,
    month_to_date_usd,
    days_final,
    days_left,
    CAST(month_to_date_usd AS double) + left_usd AS forecast_usd,
    CAST(month_to_date_usd AS double) + left_usd - abs(left_usd) * least(width, 1) AS low_usd,
    CAST(month_to_date_usd AS double) + left_usd + abs(left_usd) * width AS high_usd,
    method
FROM forecasts
