-- Which cost centre pays for what each day, by the rules of the chargeback?
-- A null cost centre is what no rule gives to anybody; docs/allocation.md defines every step. Only
-- dollars are given to cost centres. Shares are stretches, from low to high, of a line that is
-- 1000000000000 long. Where a stretch begins and ends is rounded down, so that all stretches of an
-- amount add up to it. The stretches of money in proportion to money: a double estimates where each
-- ends, and decimals say whether that is too far.
WITH rule AS (
    SELECT
        coalesce(r.organization_id, l.organization_id, '') AS organization,
        r.match_type,
        coalesce(r.match_value, '') AS match_value,
        r.cost_center,
        r.line,
        CAST(r.share * 1000000000000 AS bigint) AS units,
        coalesce(r.valid_from, DATE '0001-01-01') AS first_day,
        CASE WHEN r.valid_to < DATE '9999-12-30' THEN r.valid_to ELSE DATE '9999-12-30' END
            AS last_day
    FROM allocation_rules AS r
    CROSS JOIN lake_organization AS l
),
boundary AS (
    SELECT organization, match_type, match_value, first_day AS day
    FROM rule
    UNION
    SELECT
        organization,
        match_type,
        match_value,
        CAST(date_add('day', 1, last_day) AS date) AS day
    FROM rule
),
rule_of_period AS (
    SELECT
        b.organization,
        b.match_type,
        b.match_value,
        b.day AS first_day,
        b.next_day,
        r.cost_center,
        r.line,
        r.units,
        dense_rank() OVER (ORDER BY b.organization, b.match_type, b.match_value, b.day)
            AS period_number,
        CAST(sum(r.units) OVER by_line AS bigint) AS high,
        min(r.line) OVER by_line AS first_line,
        row_number() OVER by_line AS place,
        count(*) OVER (PARTITION BY b.organization, b.match_type, b.match_value, b.day) AS places
    FROM (
        SELECT
            *,
            lead(day) OVER (
                PARTITION BY organization, match_type, match_value
                ORDER BY day
            ) AS next_day
        FROM boundary
    ) AS b
    INNER JOIN rule AS r
        ON r.match_type = b.match_type
        AND r.match_value = b.match_value
        AND r.organization = b.organization
        AND b.day BETWEEN r.first_day AND r.last_day
    WINDOW by_line AS (
            PARTITION BY b.organization, b.match_type, b.match_value, b.day ORDER BY r.line
        )
),
period AS (
    SELECT
        nullif(organization, '') AS organization_id,
        match_type,
        match_value,
        first_day,
        next_day,
        first_line,
        period_number
    FROM rule_of_period
    WHERE place = 1
),
payer AS (
    SELECT period_number, match_type AS method, line, cost_center, high - units AS low, high
    FROM rule_of_period
    UNION ALL
    SELECT
        period_number,
        'unallocated' AS method,
        first_line AS line,
        CAST(NULL AS varchar) AS cost_center,
        high AS low,
        1000000000000 AS high
    FROM rule_of_period
    WHERE place = places
        AND high < 1000000000000
),
tagged AS (
    SELECT
        d.date,
        coalesce(w.organization_id, '') AS organization,
        w.id AS workspace_id,
        min_by(p.period_number, p.first_line) AS period_number
    FROM (
        SELECT
            *,
            concat(
                chr(34),
                substr(match_value, 1, strpos(match_value, '=') - 1),
                chr(34),
                ':',
                chr(34),
                substr(match_value, strpos(match_value, '=') + 1),
                chr(34)
            ) AS tag
        FROM period
        WHERE match_type = 'workspace_tag'
    ) AS p
    INNER JOIN workspaces_current AS w
        ON coalesce(p.organization_id, w.organization_id, '') = coalesce(w.organization_id, '')
        AND (
            strpos(w.tags, concat('{', p.tag)) > 0
            OR strpos(w.tags, concat(',', p.tag)) > 0
        )
    INNER JOIN (SELECT DISTINCT date FROM cost_report) AS d
        ON d.date >= p.first_day
        AND d.date < p.next_day
    GROUP BY 1, 2, 3
),
actor_cost AS (
    SELECT
        date,
        coalesce(organization_id, '') AS organization,
        workspace_id,
        coalesce(api_key_id, '') AS api_key,
        coalesce(model, '') AS model,
        actor_id,
        actor_name,
        sum(cost_usd) AS cost_usd
    FROM cost_by_actor
    GROUP BY 1, 2, 3, 4, 5, 6, 7
    HAVING sum(cost_usd) > 0
),
actor_sum AS (
    SELECT
        a.date,
        a.organization,
        a.workspace_id,
        a.api_key,
        a.model,
        coalesce(i.period_number, n.period_number, 0) AS period_number,
        sum(sum(a.cost_usd)) OVER (
            PARTITION BY a.date, a.organization, a.workspace_id, a.api_key, a.model
            ORDER BY coalesce(i.period_number, n.period_number, 0)
        ) AS running_usd,
        sum(sum(a.cost_usd)) OVER (
            PARTITION BY a.date, a.organization, a.workspace_id, a.api_key, a.model
        ) AS total_usd
    FROM actor_cost AS a
    LEFT JOIN period AS i
        ON i.match_type = 'actor'
        AND i.match_value = a.actor_id
        AND coalesce(i.organization_id, a.organization) = a.organization
        AND a.date >= i.first_day
        AND a.date < i.next_day
    LEFT JOIN period AS n
        ON n.match_type = 'actor'
        AND n.match_value = a.actor_name
        AND coalesce(n.organization_id, a.organization) = a.organization
        AND a.date >= n.first_day
        AND a.date < n.next_day
    GROUP BY 1, 2, 3, 4, 5, 6
),
actor_end AS (
    SELECT
        *,
        CASE
            WHEN estimate * total_usd > running_usd * 1000000000000 THEN estimate - 1
            ELSE estimate
        END AS high
    FROM (
        SELECT
            *,
            CAST(
                CAST(running_usd AS double) / CAST(total_usd AS double) * 1000000000000 AS bigint
            ) AS estimate
        FROM actor_sum
    ) AS s
),
actor AS (
    SELECT
        *,
        coalesce(lag(high) OVER by_period, 0) AS low,
        max(period_number) OVER (
            PARTITION BY date, organization, workspace_id, api_key, model
        ) AS greatest_period_number
    FROM actor_end
    WINDOW by_period AS (
            PARTITION BY date, organization, workspace_id, api_key, model ORDER BY period_number
        )
),
charge AS (
    SELECT
        date,
        coalesce(organization_id, '') AS organization,
        workspace_id,
        workspace_name,
        api_key_id,
        model,
        currency,
        method = 'tokens' AS has_user,
        sum(cost_usd) AS cost_usd,
        sum(cost) AS cost
    FROM cost_by_api_key
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
),
portion AS (
    SELECT
        c.*,
        coalesce(
            k.period_number,
            nullif(a.period_number, 0),
            w.period_number,
            t.period_number,
            d.period_number
        ) AS period_number,
        CASE
            WHEN a.high IS NULL THEN c.cost_usd
            ELSE CAST(
                (floor(c.cost_usd * a.high) - floor(c.cost_usd * a.low)) * 0.000000000001
                AS decimal(38, 12)
            )
        END AS portion_usd
    FROM charge AS c
    LEFT JOIN period AS k
        ON k.match_type = 'api_key_id'
        AND k.match_value = c.api_key_id
        AND coalesce(k.organization_id, c.organization) = c.organization
        AND c.date >= k.first_day
        AND c.date < k.next_day
        AND c.cost_usd IS NOT NULL
    LEFT JOIN actor AS a
        ON a.date = c.date
        AND a.organization = c.organization
        AND a.workspace_id = c.workspace_id
        AND a.api_key = coalesce(c.api_key_id, '')
        AND a.model = coalesce(c.model, '')
        AND a.greatest_period_number > 0
        AND c.has_user
        AND k.period_number IS NULL
        AND c.cost_usd IS NOT NULL
    LEFT JOIN period AS w
        ON w.match_type = 'workspace_id'
        AND w.match_value = c.workspace_id
        AND coalesce(w.organization_id, c.organization) = c.organization
        AND c.date >= w.first_day
        AND c.date < w.next_day
        AND c.cost_usd IS NOT NULL
    LEFT JOIN tagged AS t
        ON t.date = c.date
        AND t.organization = c.organization
        AND t.workspace_id = c.workspace_id
        AND c.cost_usd IS NOT NULL
    LEFT JOIN period AS d
        ON d.match_type = 'default'
        AND coalesce(d.organization_id, c.organization) = c.organization
        AND c.date >= d.first_day
        AND c.date < d.next_day
        AND c.cost_usd IS NOT NULL
),
paid AS (
    SELECT
        p.date,
        p.organization,
        y.cost_center,
        p.workspace_id,
        p.workspace_name,
        p.api_key_id,
        p.model,
        coalesce(y.method, 'unallocated') AS method,
        y.line AS rule_line,
        p.currency,
        CASE WHEN y.cost_center = '*' THEN date_trunc('month', p.date) END AS shared_month,
        CASE
            WHEN y.high IS NULL OR y.high - y.low = 1000000000000 THEN p.portion_usd
            ELSE CAST(
                (floor(p.portion_usd * y.high) - floor(p.portion_usd * y.low)) * 0.000000000001
                AS decimal(38, 12)
            )
        END AS usd,
        CASE WHEN p.cost_usd IS NULL THEN p.cost END AS other_cost
    FROM portion AS p
    LEFT JOIN payer AS y
        ON y.period_number = p.period_number
),
center_sum AS (
    SELECT
        organization,
        date_trunc('month', date) AS month,
        cost_center,
        sum(sum(usd)) OVER (
            PARTITION BY organization, date_trunc('month', date) ORDER BY cost_center
        ) AS running_usd,
        sum(sum(usd)) OVER (PARTITION BY organization, date_trunc('month', date)) AS total_usd
    FROM paid
    WHERE cost_center <> '*'
    GROUP BY 1, 2, 3
    HAVING sum(usd) > 0
),
center_end AS (
    SELECT
        *,
        CASE
            WHEN estimate * total_usd > running_usd * 1000000000000 THEN estimate - 1
            ELSE estimate
        END AS high
    FROM (
        SELECT
            *,
            CAST(
                CAST(running_usd AS double) / CAST(total_usd AS double) * 1000000000000 AS bigint
            ) AS estimate
        FROM center_sum
    ) AS s
),
center AS (
    SELECT
        *,
        coalesce(lag(high) OVER (PARTITION BY organization, month ORDER BY cost_center), 0) AS low
    FROM center_end
)
SELECT
    date,
    nullif(organization, '') AS organization_id,
    coalesce(center, nullif(cost_center, '*')) AS cost_center,
    workspace_id,
    workspace_name,
    api_key_id,
    model,
    CASE WHEN center IS NULL THEN usd ELSE usd * 0 END AS direct_usd,
    CASE WHEN center IS NULL THEN usd * 0 ELSE shared_usd END AS shared_usd,
    CASE
        WHEN center IS NOT NULL THEN 'shared'
        WHEN cost_center = '*' THEN 'unallocated'
        ELSE method
    END AS method,
    rule_line,
    currency,
    CASE WHEN center IS NULL THEN coalesce(usd, other_cost) ELSE shared_usd END AS cost
FROM (
    SELECT
        p.*,
        c.cost_center AS center,
        CAST(
            (floor(p.usd * c.high) - floor(p.usd * c.low)) * 0.000000000001 AS decimal(38, 12)
        ) AS shared_usd
    FROM paid AS p
    LEFT JOIN center AS c
        ON c.organization = p.organization
        AND c.month = p.shared_month
) AS shares
