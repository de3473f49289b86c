-- What did each API key cost each day, the cost of its workspace and model being split by tokens?
-- A slice is what nearly always has one price: a day, workspace, model, service tier, context window
-- and token type. A cost that names no tier or no window is split over the slice that leaves it out.
-- Shares are rounded down to 12 decimals and the largest takes what remains, so that sums are exact:
-- a double estimates the share, and decimals say by how many units it is off. Only dollars are split.
-- Tokens of overlapping slices count once: those without a tier or window contain the others.
-- Between the reports and the last step, numbers within a day stand for names, which would fill the
-- memory: line for all but the key that a row of the result names; slice for organization,
-- workspace, model, tier and window, the token types being columns.
WITH charge AS (
    SELECT
        date,
        organization,
        workspace,
        model,
        cost_type,
        token_type,
        service_tier,
        context_window,
        currency,
        is_usd,
        cost,
        CAST(rank() OVER by_line AS integer) AS line,
        CAST(rank() OVER by_slice AS integer) AS slice,
        rank() OVER by_line = row_number() OVER by_line AS names_line,
        rank() OVER by_slice = row_number() OVER by_slice AS names_slice
    FROM (
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
            sum(r.amount_usd) IS NOT NULL AS is_usd,
            coalesce(
                sum(r.amount_usd), CAST(sum(r.amount_cents) * 0.01 AS decimal(38, 12))
            ) AS cost
        FROM cost_report AS r
        CROSS JOIN lake_organization AS l
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
    ) AS summed
    WINDOW by_line AS (
            PARTITION BY date
            ORDER BY organization, workspace, model, cost_type, token_type, currency
        ),
        by_slice AS (
            PARTITION BY date
            ORDER BY organization, workspace, model, service_tier, context_window
        )
),
counted_charge AS (
    SELECT
        date,
        line,
        slice,
        token_type,
        is_usd,
        cost,
        context_window IS NULL AS in_any_window,
        service_tier IS NULL
        OR count(CASE WHEN service_tier IS NULL AND is_usd THEN 1 END) OVER (
            PARTITION BY date, line, context_window
        ) = 0 AS is_counted
    FROM charge
),
key_usage AS (
    SELECT
        s.date,
        s.slice,
        coalesce(r.api_key_id, '') AS api_key,
        CAST(sum(r.uncached_input_tokens) AS bigint) AS uncached_input,
        CAST(sum(r.cache_read_input_tokens) AS bigint) AS cache_read,
        CAST(sum(r.cache_creation_ephemeral_5m_input_tokens) AS bigint) AS cache_creation_5m,
        CAST(sum(r.cache_creation_ephemeral_1h_input_tokens) AS bigint) AS cache_creation_1h,
        CAST(sum(r.output_tokens) AS bigint) AS output
    FROM (
        SELECT u.*, coalesce(u.organization_id, l.organization_id, '') AS organization
        FROM usage_report AS u
        CROSS JOIN lake_organization AS l
        WHERE u.grouped_by LIKE '%api_key_id%'
            AND u.grouped_by LIKE '%workspace_id%'
            AND u.grouped_by LIKE '%model%'
    ) AS r
    JOIN charge AS s
        ON s.date = r.date
        AND s.organization = r.organization
        AND s.workspace = coalesce(r.workspace_id, '')
        AND s.model = r.model
        AND (s.service_tier IS NULL OR s.service_tier = r.service_tier)
        AND (s.context_window IS NULL OR s.context_window = r.context_window)
        AND s.names_slice
    GROUP BY 1, 2, 3
),
slice_usage AS (
    SELECT
        *,
        CAST(sum(uncached_input) OVER one_slice AS bigint) AS slice_uncached_input,
        CAST(sum(cache_read) OVER one_slice AS bigint) AS slice_cache_read,
        CAST(sum(cache_creation_5m) OVER one_slice AS bigint) AS slice_cache_creation_5m,
        CAST(sum(cache_creation_1h) OVER one_slice AS bigint) AS slice_cache_creation_1h,
        CAST(sum(output) OVER one_slice AS bigint) AS slice_output
    FROM key_usage
    WINDOW one_slice AS (PARTITION BY date, slice)
),
matched AS (
    SELECT
        c.date,
        c.line,
        c.slice,
        c.in_any_window,
        c.is_counted,
        c.cost,
        u.api_key,
        CASE c.token_type
            WHEN 'uncached_input_tokens' THEN u.uncached_input
            WHEN 'cache_read_input_tokens' THEN u.cache_read
            WHEN 'cache_creation.ephemeral_5m_input_tokens' THEN u.cache_creation_5m
            WHEN 'cache_creation.ephemeral_1h_input_tokens' THEN u.cache_creation_1h
            WHEN 'output_tokens' THEN u.output
        END AS tokens,
        CASE c.token_type
            WHEN 'uncached_input_tokens' THEN u.slice_uncached_input
            WHEN 'cache_read_input_tokens' THEN u.slice_cache_read
            WHEN 'cache_creation.ephemeral_5m_input_tokens' THEN u.slice_cache_creation_5m
            WHEN 'cache_creation.ephemeral_1h_input_tokens' THEN u.slice_cache_creation_1h
            WHEN 'output_tokens' THEN u.slice_output
        END AS slice_tokens
    FROM counted_charge AS c
    LEFT JOIN slice_usage AS u
        ON u.date = c.date
        AND u.slice = c.slice
        AND c.is_usd
        AND CASE c.token_type
            WHEN 'uncached_input_tokens' THEN u.uncached_input
            WHEN 'cache_read_input_tokens' THEN u.cache_read
            WHEN 'cache_creation.ephemeral_5m_input_tokens' THEN u.cache_creation_5m
            WHEN 'cache_creation.ephemeral_1h_input_tokens' THEN u.cache_creation_1h
            WHEN 'output_tokens' THEN u.output
        END > 0
),
divided AS (
    SELECT
        *,
        estimate + CAST(
            CAST(
                floor(
                    CAST((cost * tokens - estimate * slice_tokens) * 1000000000000 AS double)
                    / CAST(slice_tokens AS double)
                ) AS bigint
            ) * 0.000000000001 AS decimal(38, 12)
        ) AS share
    FROM (
        SELECT
            *,
            CAST(
                CAST(cost AS double) * CAST(tokens AS double) / CAST(slice_tokens AS double)
                AS decimal(38, 12)
            ) AS estimate
        FROM matched
    ) AS estimated
),
ranked AS (
    SELECT
        *,
        cost - sum(share) OVER (PARTITION BY date, line, slice) AS remainder,
        row_number() OVER (PARTITION BY date, line, slice ORDER BY tokens DESC, api_key) AS place
    FROM divided
),
per_key AS (
    SELECT
        date,
        line,
        api_key,
        CAST(greatest(
            coalesce(sum(CASE WHEN is_counted AND in_any_window THEN tokens END), 0),
            coalesce(sum(CASE WHEN is_counted AND NOT in_any_window THEN tokens END), 0)
        ) AS bigint) AS tokens,
        sum(
            CASE
                WHEN api_key IS NULL THEN cost
                WHEN place = 1 THEN share + remainder
                ELSE share
            END
        ) AS cost
    FROM ranked
    GROUP BY 1, 2, 3
)
SELECT
    c.date,
    nullif(n.organization, '') AS organization_id,
    coalesce(w.workspace_id, nullif(n.workspace, '')) AS workspace_id,
    coalesce(w.workspace_name, nullif(n.workspace, ''), 'Default') AS workspace_name,
    nullif(c.api_key, '') AS api_key_id,
    CASE
        WHEN c.api_key IS NOT NULL THEN coalesce(k.name, nullif(c.api_key, ''), 'Console')
    END AS api_key_name,
    k.created_by_id AS key_owner_id,
    lower(u.email) AS key_owner_email,
    n.model,
    n.cost_type,
    n.token_type,
    CASE WHEN c.api_key IS NOT NULL THEN c.tokens END AS tokens,
    CASE WHEN n.is_usd THEN c.cost END AS cost_usd,
    CASE WHEN c.api_key IS NOT NULL THEN 'tokens' ELSE 'unallocated' END AS method,
    n.currency,
    c.cost
FROM per_key AS c
JOIN charge AS n
    ON n.date = c.date
    AND n.line = c.line
    AND n.names_line
LEFT JOIN workspace_names AS w
    ON coalesce(w.organization_id, '') = n.organization
    AND coalesce(w.reported_workspace_id, '') = n.workspace
LEFT JOIN api_keys_current AS k
    ON coalesce(k.organization_id, '') = n.organization
    AND k.id = c.api_key
LEFT JOIN users_current AS u
    ON coalesce(u.organization_id, '') = n.organization
    AND u.id = k.created_by_id
