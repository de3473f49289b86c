-- What does the cost look like in the FinOps Foundation's FOCUS 1.2 (Cost and Usage)?
-- A charge is a row of the cost report. Its tokens are those of its slice: day, workspace, model,
-- token type, service tier and context window. A slice without a tier or window contains others, so
-- tokens go to the slice that names most of theirs, and to no other; those of Priority Tier, which
-- the cost report leaves out, only to one that names it. Charges of one slice share its tokens by
-- their dollars: the differences of a rounded running sum, so that none is lost or added. One unit
-- of 12 decimals more gives tokens to a charge of 0. A refund and what is not in USD have none.
-- Without tokens, the money itself is what is priced, at 1 a unit.
-- A double estimates the unit price, and decimals say by how many units it is off.
WITH charge AS (
    SELECT
        r.*,
        coalesce(r.organization_id, l.organization_id, '') AS organization,
        coalesce(r.workspace_id, '') AS workspace,
        CAST(r.amount_cents * 0.01 AS decimal(38, 12)) AS cost,
        CASE WHEN r.amount_usd >= 0 THEN r.amount_usd + 0.000000000001 END AS weight
    FROM cost_report AS r
    CROSS JOIN lake_organization AS l
),
slice AS (
    SELECT
        r.date,
        coalesce(r.organization_id, l.organization_id, '') AS organization,
        coalesce(r.workspace_id, '') AS workspace,
        r.model,
        r.token_type,
        r.service_tier,
        r.context_window,
        sum(r.amount_usd + 0.000000000001) AS weight
    FROM cost_report AS r
    CROSS JOIN lake_organization AS l
    WHERE r.amount_usd >= 0
    GROUP BY 1, 2, 3, 4, 5, 6, 7
),
used AS (
    SELECT
        r.date,
        coalesce(r.organization_id, l.organization_id, '') AS organization,
        coalesce(r.workspace_id, '') AS workspace,
        r.model,
        r.service_tier,
        r.context_window,
        sum(r.uncached_input_tokens) AS uncached_input_tokens,
        sum(r.cache_read_input_tokens) AS cache_read_input_tokens,
        sum(r.cache_creation_ephemeral_5m_input_tokens) AS ephemeral_5m_input_tokens,
        sum(r.cache_creation_ephemeral_1h_input_tokens) AS ephemeral_1h_input_tokens,
        sum(r.output_tokens) AS output_tokens
    FROM usage_report AS r
    CROSS JOIN lake_organization AS l
    WHERE r.grouped_by LIKE '%workspace_id%'
        AND r.grouped_by LIKE '%model%'
    GROUP BY 1, 2, 3, 4, 5, 6
),
counter AS (
    SELECT
        u.date,
        u.organization,
        u.workspace,
        u.model,
        t.token_type,
        u.service_tier,
        u.context_window,
        CAST(
            CASE t.token_type
                WHEN 'uncached_input_tokens' THEN u.uncached_input_tokens
                WHEN 'cache_read_input_tokens' THEN u.cache_read_input_tokens
                WHEN 'cache_creation.ephemeral_5m_input_tokens' THEN u.ephemeral_5m_input_tokens
                WHEN 'cache_creation.ephemeral_1h_input_tokens' THEN u.ephemeral_1h_input_tokens
                ELSE u.output_tokens
            END AS bigint
        ) AS tokens
    FROM used AS u
    CROSS JOIN (
        VALUES
            ('uncached_input_tokens'),
            ('cache_read_input_tokens'),
            ('cache_creation.ephemeral_5m_input_tokens'),
            ('cache_creation.ephemeral_1h_input_tokens'),
            ('output_tokens')
    ) AS t (token_type)
),
candidate AS (
    SELECT
        u.*,
        s.weight,
        CASE WHEN s.service_tier IS NULL THEN 2 ELSE 0 END
            + CASE WHEN s.context_window IS NULL THEN 1 ELSE 0 END AS left_out
    FROM counter AS u
    JOIN slice AS s
        ON s.date = u.date
        AND s.organization = u.organization
        AND s.workspace = u.workspace
        AND s.model = u.model
        AND s.token_type = u.token_type
        AND (
            s.service_tier = u.service_tier
            OR (s.service_tier IS NULL AND coalesce(u.service_tier, '') NOT LIKE 'priority%')
        )
        AND (s.context_window IS NULL OR s.context_window = u.context_window)
    WHERE u.tokens > 0
),
counted AS (
    SELECT
        date,
        organization,
        workspace,
        model,
        token_type,
        service_tier,
        context_window,
        max(tokens) AS tokens,
        min(left_out) AS left_out,
        min_by(weight, left_out) AS weight
    FROM candidate
    GROUP BY 1, 2, 3, 4, 5, 6, 7
),
slice_tokens AS (
    SELECT
        date,
        organization,
        workspace,
        model,
        token_type,
        CASE WHEN left_out IN (0, 1) THEN service_tier END AS service_tier,
        CASE WHEN left_out IN (0, 2) THEN context_window END AS context_window,
        CAST(sum(tokens) AS bigint) AS tokens,
        max(weight) AS weight
    FROM counted
    GROUP BY 1, 2, 3, 4, 5, 6, 7
),
running AS (
    SELECT
        c.*,
        s.tokens AS slice_tokens,
        CAST(s.weight AS double) AS slice_weight,
        sum(CASE WHEN s.tokens IS NOT NULL THEN c.weight END) OVER (
            PARTITION BY
                c.date, c.organization, c.workspace, c.model, c.token_type, c.service_tier,
                c.context_window
            ORDER BY c.weight DESC, c.description, c.inference_geo, c.cost_type
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS weight_so_far
    FROM charge AS c
    LEFT JOIN slice_tokens AS s
        ON s.date = c.date
        AND s.organization = c.organization
        AND s.workspace = c.workspace
        AND s.model = c.model
        AND s.token_type = c.token_type
        AND coalesce(s.service_tier, '') = coalesce(c.service_tier, '')
        AND coalesce(s.context_window, '') = coalesce(c.context_window, '')
        AND c.weight IS NOT NULL
),
shared AS (
    SELECT
        *,
        nullif(
            CAST(
                round(slice_tokens * (CAST(weight_so_far AS double) / slice_weight))
                - round(slice_tokens * (CAST(weight_so_far - weight AS double) / slice_weight))
                AS bigint
            ),
            0
        ) AS tokens
    FROM running
),
estimated AS (
    SELECT
        *,
        CAST(CAST(cost AS double) * 1000000 / CAST(tokens AS double) AS decimal(38, 12))
            AS estimated_price
    FROM shared
),
priced AS (
    SELECT
        *,
        estimated_price + CAST(
            CAST(
                round(
                    CAST(
                        (cost * 1000000 - estimated_price * tokens) * 1000000000000 AS double
                    ) / CAST(tokens AS double)
                ) AS bigint
            ) * 0.000000000001 AS decimal(38, 12)
        ) AS token_price,
        coalesce(model || '/' || token_type, cost_type, description) AS sku,
        coalesce(',`x_Model`:`' || model || '`', '')
            || coalesce(',`x_TokenType`:`' || token_type || '`', '')
            || coalesce(',`x_ServiceTier`:`' || service_tier || '`', '')
            || coalesce(',`x_ContextWindow`:`' || context_window || '`', '')
            || coalesce(',`x_InferenceGeo`:`' || inference_geo || '`', '') AS sku_details
    FROM estimated
)
SELECT
    nullif(c.organization, '') AS BillingAccountId,
    o.name AS BillingAccountName,
    c.cost AS BilledCost,
    c.currency AS BillingCurrency,
    CAST(date_trunc('month', c.date) AS timestamp) + INTERVAL '1' MONTH AS BillingPeriodEnd,
    CAST(date_trunc('month', c.date) AS timestamp) AS BillingPeriodStart,
    'Usage' AS ChargeCategory,
    CAST(NULL AS varchar) AS ChargeClass,
    c.description AS ChargeDescription,
    'Usage-Based' AS ChargeFrequency,
    c.ending_at AS ChargePeriodEnd,
    c.starting_at AS ChargePeriodStart,
    c.cost AS ContractedCost,
    c.cost AS EffectiveCost,
    CAST(NULL AS varchar) AS InvoiceId,
    'Anthropic' AS InvoiceIssuerName,
    c.cost AS ListCost,
    'Standard' AS PricingCategory,
    coalesce(CAST(c.tokens * 0.000001 AS decimal(38, 12)), c.cost) AS PricingQuantity,
    CASE WHEN c.tokens IS NOT NULL THEN '1000000 Tokens' ELSE c.currency END AS PricingUnit,
    'Anthropic' AS ProviderName,
    'Anthropic' AS PublisherName,
    'AI and Machine Learning' AS ServiceCategory,
    'Claude API' AS ServiceName,
    'Generative AI' AS ServiceSubcategory,
    coalesce(w.workspace_id, c.workspace_id) AS SubAccountId,
    coalesce(w.workspace_name, c.workspace_id) AS SubAccountName,
    t.tags AS Tags,
    c.context_window AS x_ContextWindow,
    c.cost_type AS x_CostType,
    c.date AS x_Date,
    c.inference_geo AS x_InferenceGeo,
    c.model AS x_Model,
    c.service_tier AS x_ServiceTier,
    c.token_type AS x_TokenType,
    CAST(NULL AS varchar) AS CommitmentDiscountCategory,
    CAST(NULL AS varchar) AS CommitmentDiscountId,
    CAST(NULL AS varchar) AS CommitmentDiscountName,
    CAST(NULL AS decimal(38, 12)) AS CommitmentDiscountQuantity,
    CAST(NULL AS varchar) AS CommitmentDiscountStatus,
    CAST(NULL AS varchar) AS CommitmentDiscountType,
    CAST(NULL AS varchar) AS CommitmentDiscountUnit,
    CAST(c.tokens AS decimal(38, 12)) AS ConsumedQuantity,
    CASE WHEN c.tokens IS NOT NULL THEN 'Tokens' END AS ConsumedUnit,
    coalesce(c.token_price, CAST(1 AS decimal(38, 12))) AS ContractedUnitPrice,
    'Anthropic' AS HostProviderName,
    coalesce(c.token_price, CAST(1 AS decimal(38, 12))) AS ListUnitPrice,
    'Anthropic' AS ServiceProviderName,
    c.sku AS SkuId,
    coalesce(c.token_type, c.cost_type) AS SkuMeter,
    '{' || replace(
        replace(
            replace(nullif(substr(c.sku_details, 2), ''), chr(92), chr(92) || chr(92)),
            chr(34),
            chr(92) || chr(34)
        ),
        '`',
        chr(34)
    ) || '}' AS SkuPriceDetails,
    c.sku
        || coalesce('/' || c.service_tier, '')
        || coalesce('/' || c.context_window, '')
        || coalesce('/' || c.inference_geo, '') AS SkuPriceId
FROM priced AS c
LEFT JOIN organization_current AS o
    ON o.id = nullif(c.organization, '')
LEFT JOIN workspace_names AS w
    ON coalesce(w.organization_id, '') = c.organization
    AND coalesce(w.reported_workspace_id, '') = c.workspace
LEFT JOIN workspaces_current AS t
    ON t.id = w.workspace_id
    AND coalesce(t.organization_id, '') = c.organization
