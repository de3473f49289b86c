-- What did each API key cost each day, the cost of its workspace and model being split by tokens?
-- A slice is what nearly always has one price: a day, workspace, model, service tier, context window
-- and token type. A cost that names no tier or no window is split over the slice that leaves it out.
-- Shares are rounded down to 12 decimals and the largest takes what remains, so that sums are exact:
-- a double estimates the share, and decimals say by how many units it is off. Only dollars are split.
-- Tokens of overlapping slices count once: those without a tier or window contain the others.
WITH charge AS (
    SELECT
        r.date,
        coalesce(r.organization_id, l.organization_id, '') AS organization,
        coalesce(r.workspace_id, '') AS workspace,
        r.model,
        r.cost_type,
        r.token_type,
        r.service_tier,
        r.context_window,
        r.currency,
        sum(r.amount_usd) AS cost_usd,
        CAST(sum(r.amount_cents) * 0.01 AS decimal(38, 12)) AS cost
    FROM cost_report AS r
    CROSS JOIN lake_organization AS l
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
),

key_usage AS (
    SELECT
        r.date,
        coalesce(r.organization_id, l.organization_id, '') AS organization,
        coalesce(r.workspace_id, '') AS workspace,
        r.model,
        r.service_tier,
        r.context_window,
        coalesce(r.api_key_id, '') AS api_key,
        t.token_type,
        CAST(sum(
            CASE t.token_type
                WHEN 'uncached_input_tokens' THEN r.uncached_input_tokens
                WHEN 'cache_read_input_tokens' THEN r.cache_read_input_tokens
                WHEN 'cache_creation.ephemeral_5m_input_tokens'
                    THEN r.cache_creation_ephemeral_5m_input_tokens
                WHEN 'cache_creation.ephemeral_1h_input_tokens'
                    THEN r.cache_creation_ephemeral_1h_input_tokens
                ELSE r.output_tokens
            END
        ) AS bigint) AS tokens
    FROM usage_report AS r
    CROSS JOIN lake_organization AS l
    CROSS JOIN (
        VALUES
            ('uncached_input_tokens'),
            ('cache_read_input_tokens'),
            ('cache_creation.ephemeral_5m_input_tokens'),
            ('cache_creation.ephemeral_1h_input_tokens'),
            ('output_tokens')
    ) AS t (token_type)
    WHERE r.grouped_by LIKE '%api_key_id%'
        AND r.grouped_by LIKE '%workspace_id%'
        AND r.grouped_by LIKE '%model%'
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
),

slice AS (
    SELECT
        c.date,
        c.organization,
        c.workspace,
        c.model,
        c.cost_type,
        c.token_type,
        c.service_tier,
        c.context_window,
        c.currency,
        u.api_key,
        max(c.cost_usd) AS cost_usd,
        max(c.cost) AS cost,
        CAST(sum(u.tokens) AS bigint) AS tokens
    FROM charge AS c
    LEFT JOIN key_usage AS u
        ON u.date = c.date
        AND u.organization = c.organization
        AND u.workspace = c.workspace
        AND u.model = c.model
        AND u.token_type = c.token_type
        AND (c.service_tier IS NULL OR u.service_tier = c.service_tier)
        AND (c.context_window IS NULL OR u.context_window = c.context_window)
        AND u.tokens > 0
        AND c.cost_usd IS NOT NULL
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
),

ranked AS (
    SELECT
        *,
        CAST(sum(tokens) OVER (
            PARTITION BY
                date, organization, workspace, model, cost_type, token_type, service_tier,
                context_window, currency
        ) AS bigint) AS slice_tokens,
        row_number() OVER (
            PARTITION BY
                date, organization, workspace, model, cost_type, token_type, service_tier,
                context_window, currency
            ORDER BY tokens DESC, api_key
        ) AS place
    FROM slice
),

estimated AS (
    SELECT
        *,
        CAST(
            CAST(cost_usd AS double) * CAST(tokens AS double) / CAST(slice_tokens AS double)
            AS decimal(38, 12)
        ) AS estimate_usd
    FROM ranked
),

divided AS (
    SELECT
        *,
        estimate_usd + CAST(
            CAST(
                floor(
                    CAST(
                        (cost_usd * tokens - estimate_usd * slice_tokens) * 1000000000000 AS double
                    ) / CAST(slice_tokens AS double)
                ) AS bigint
            ) * 0.000000000001 AS decimal(38, 12)
        ) AS share_usd
    FROM estimated
),

allocated AS (
    SELECT
        *,
        CASE
            WHEN place = 1
                THEN cost_usd - coalesce(sum(CASE WHEN place > 1 THEN share_usd END) OVER (
                    PARTITION BY
                        date, organization, workspace, model, cost_type, token_type, service_tier,
                        context_window, currency
                ), 0)
            ELSE share_usd
        END AS key_cost_usd
    FROM divided
),

per_window AS (
    SELECT
        date,
        organization,
        workspace,
        api_key,
        model,
        cost_type,
        token_type,
        context_window,
        currency,
        greatest(
            coalesce(max(CASE WHEN service_tier IS NULL THEN tokens END), 0),
            coalesce(sum(CASE WHEN service_tier IS NOT NULL THEN tokens END), 0)
        ) AS tokens,
        sum(key_cost_usd) AS cost_usd,
        sum(CASE WHEN api_key IS NULL THEN cost ELSE key_cost_usd END) AS cost
    FROM allocated
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
),

per_key AS (
    SELECT
        date,
        organization,
        workspace,
        api_key,
        model,
        cost_type,
        token_type,
        currency,
        CAST(greatest(
            coalesce(max(CASE WHEN context_window IS NULL THEN tokens END), 0),
            coalesce(sum(CASE WHEN context_window IS NOT NULL THEN tokens END), 0)
        ) AS bigint) AS tokens,
        sum(cost_usd) AS cost_usd,
        sum(cost) AS cost
    FROM per_window
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
)

SELECT
    c.date,
    nullif(c.organization, '') AS organization_id,
    coalesce(w.workspace_id, nullif(c.workspace, '')) AS workspace_id,
    coalesce(w.workspace_name, nullif(c.workspace, ''), 'Default') AS workspace_name,
    nullif(c.api_key, '') AS api_key_id,
    CASE
        WHEN c.api_key IS NOT NULL THEN coalesce(k.name, nullif(c.api_key, ''), 'Console')
    END AS api_key_name,
    k.created_by_id AS key_owner_id,
    lower(u.email) AS key_owner_email,
    c.model,
    c.cost_type,
    c.token_type,
    CASE WHEN c.api_key IS NOT NULL THEN c.tokens END AS tokens,
    c.cost_usd,
    CASE WHEN c.api_key IS NOT NULL THEN 'tokens' ELSE 'unallocated' END AS method,
    c.currency,
    c.cost
FROM per_key AS c
LEFT JOIN workspace_names AS w
    ON coalesce(w.organization_id, '') = c.organization
    AND coalesce(w.reported_workspace_id, '') = c.workspace
LEFT JOIN api_keys_current AS k
    ON coalesce(k.organization_id, '') = c.organization
    AND k.id = c.api_key
LEFT JOIN users_current AS u
    ON coalesce(u.organization_id, '') = c.organization
    AND u.id = k.created_by_id
