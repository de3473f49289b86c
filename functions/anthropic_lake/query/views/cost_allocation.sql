-- Which cost centre pays for what each day, by the rules of the chargeback?
-- A null cost centre is what no rule gives to anybody; docs/allocation.md defines every step. Only
-- dollars are given to cost centres. Shares are stretches, from low to high, of a line that is
-- 1000000000000 long. Where a stretch begins and ends is rounded down, so that all stretches of an
-- amount add up to it. The stretches of money in proportion to money: a double estimates where each
-- ends, and decimals say whether that is too far. Trino computes a query as often as it is named, in
-- 150 stages at most: hence tables are read here where a view would do.
WITH period AS (
    SELECT
        organization_id,
        match_type,
        match_value,
        coalesce(valid_from, DATE '0001-01-01') AS first_day,
        coalesce(valid_to, DATE '9999-12-31') AS last_day,
        period
    FROM allocation_rules
    WHERE share_before = 0
),
payer AS (
    SELECT
        r.period,
        r.line,
        CASE WHEN p.kind = 'rule' THEN r.match_type ELSE 'unallocated' END AS method,
        CASE WHEN p.kind = 'rule' THEN r.cost_center END AS cost_center,
        CAST(
            CASE WHEN p.kind = 'rule' THEN r.share_before ELSE r.share_sum END * 1000000000000
            AS bigint
        ) AS low,
        CAST(
            CASE WHEN p.kind = 'rule' THEN r.share_before + r.share ELSE 1 END * 1000000000000
            AS bigint
        ) AS high
    FROM allocation_rules AS r
    CROSS JOIN (VALUES 'rule', 'rest') AS p (kind)
    WHERE p.kind = 'rule'
        OR (r.share_before = 0 AND r.share_sum < 1)
),
tagged AS (
    SELECT
        w.id AS workspace_id,
        p.first_day,
        p.last_day,
        p.organization_id,
        min(p.period) AS period
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
    INNER JOIN (
        SELECT id, max_by(tags, date) AS tags
        FROM workspaces
        WHERE date > current_date - INTERVAL '31' DAY
            AND date <= current_date
        GROUP BY id
    ) AS w
        ON strpos(w.tags, concat('{', p.tag)) > 0
        OR strpos(w.tags, concat(',', p.tag)) > 0
    GROUP BY 1, 2, 3, 4
),
actor_cost AS (
    SELECT
        a.date,
        coalesce(a.organization_id, l.organization_id, '') AS organization,
        a.workspace_id,
        coalesce(a.api_key_id, '') AS api_key,
        coalesce(a.model, '') AS model,
        coalesce(
            a.actor_user_id,
            a.actor_service_account_id,
            a.actor_api_key_id,
            a.actor_federated_subject,
            a.actor_provider
        ) AS actor_id,
        coalesce(lower(a.actor_email_address), a.actor_name) AS actor_name,
        sum(a.amount_usd) AS cost_usd
    FROM analytics_cost AS a
    CROSS JOIN lake_organization AS l
    GROUP BY 1, 2, 3, 4, 5, 6, 7
    HAVING sum(a.amount_usd) > 0
),
actor_sum AS (
    SELECT
        a.date,
        a.organization,
        a.workspace_id,
        a.api_key,
        a.model,
        coalesce(i.period, n.period, 0) AS period,
        sum(sum(a.cost_usd)) OVER (
            PARTITION BY a.date, a.organization, a.workspace_id, a.api_key, a.model
            ORDER BY coalesce(i.period, n.period, 0)
        ) AS running_usd,
        sum(sum(a.cost_usd)) OVER (
            PARTITION BY a.date, a.organization, a.workspace_id, a.api_key, a.model
        ) AS total_usd
    FROM actor_cost AS a
    LEFT JOIN period AS i
        ON i.match_type = 'actor'
        AND i.match_value = a.actor_id
        AND coalesce(i.organization_id, a.organization) = a.organization
        AND a.date BETWEEN i.first_day AND i.last_day
    LEFT JOIN period AS n
        ON n.match_type = 'actor'
        AND n.match_value = a.actor_name
        AND coalesce(n.organization_id, a.organization) = a.organization
        AND a.date BETWEEN n.first_day AND n.last_day
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
        max(period) OVER (
            PARTITION BY date, organization, workspace_id, api_key, model
        ) AS greatest_period
    FROM actor_end
    WINDOW by_period AS (
            PARTITION BY date, organization, workspace_id, api_key, model ORDER BY period
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
            k.period,
            nullif(a.period, 0),
            w.period,
            t.period,
            d.period
        ) AS period,
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
        AND c.date BETWEEN k.first_day AND k.last_day
        AND c.cost_usd IS NOT NULL
    LEFT JOIN actor AS a
        ON a.date = c.date
        AND a.organization = c.organization
        AND a.workspace_id = c.workspace_id
        AND a.api_key = coalesce(c.api_key_id, '')
        AND a.model = coalesce(c.model, '')
        AND a.greatest_period > 0
        AND c.has_user
        AND k.period IS NULL
        AND c.cost_usd IS NOT NULL
    LEFT JOIN period AS w
        ON w.match_type = 'workspace_id'
        AND w.match_value = c.workspace_id
        AND coalesce(w.organization_id, c.organization) = c.organization
        AND c.date BETWEEN w.first_day AND w.last_day
        AND c.cost_usd IS NOT NULL
    LEFT JOIN tagged AS t
        ON t.workspace_id = c.workspace_id
        AND coalesce(t.organization_id, c.organization) = c.organization
        AND c.date BETWEEN t.first_day AND t.last_day
        AND c.cost_usd IS NOT NULL
    LEFT JOIN period AS d
        ON d.match_type = 'default'
        AND coalesce(d.organization_id, c.organization) = c.organization
        AND c.date BETWEEN d.first_day AND d.last_day
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
        ON y.period = p.period
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
