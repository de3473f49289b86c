-- What does the cost look like in the FinOps Foundation's FOCUS 1.2 (Cost and Usage)?
-- The source knows money but no quantities, so the quantity priced is the money itself.
SELECT
    c.billed_organization_id AS BillingAccountId,
    o.name AS BillingAccountName,
    c.cost AS BilledCost,
    c.currency AS BillingCurrency,
    c.month_start + INTERVAL '1' MONTH AS BillingPeriodEnd,
    c.month_start AS BillingPeriodStart,
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
    c.cost AS PricingQuantity,
    c.currency AS PricingUnit,
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
    c.token_type AS x_TokenType
FROM (
    SELECT
        r.*,
        coalesce(r.organization_id, l.organization_id) AS billed_organization_id,
        CAST(r.amount_cents * 0.01 AS decimal(38, 12)) AS cost,
        CAST(date_trunc('month', r.date) AS timestamp) AS month_start
    FROM cost_report AS r
    CROSS JOIN lake_organization AS l
) AS c
LEFT JOIN organization_current AS o
    ON o.id = c.billed_organization_id
LEFT JOIN workspace_names AS w
    ON coalesce(w.organization_id, '') = coalesce(c.billed_organization_id, '')
    AND coalesce(w.reported_workspace_id, '') = coalesce(c.workspace_id, '')
LEFT JOIN workspaces_current AS t
    ON t.id = w.workspace_id
    AND coalesce(t.organization_id, '') = coalesce(c.billed_organization_id, '')
