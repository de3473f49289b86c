-- What did each person, API key and service account cost each day, as the vendor attributes it?
-- Use that the API attributes to nobody stands in rows of its own, whose actor is null. A null
-- workspace is use of Claude Enterprise, or was not grouped by. Rows of RBAC groups overlap. What is
-- not in USD stands in rows of its own: the costs are null there, and currency names it. E-mail
-- addresses are in lower case.
SELECT
    a.date,
    a.organization_id,
    a.actor_type,
    a.actor_id,
    coalesce(a.person, k.name, a.actor_id) AS actor_name,
    a.api_key_id,
    a.workspace_id,
    coalesce(w.workspace_name, a.workspace_id) AS workspace_name,
    a.model,
    a.product,
    a.cost_type,
    a.token_type,
    a.cost_usd,
    a.list_cost_usd,
    a.currency
FROM (
    SELECT
        r.date,
        coalesce(r.organization_id, l.organization_id) AS organization_id,
        r.actor_type,
        coalesce(
            r.actor_user_id,
            r.actor_service_account_id,
            r.actor_api_key_id,
            r.actor_federated_subject,
            r.actor_provider
        ) AS actor_id,
        coalesce(lower(r.actor_email_address), r.actor_name) AS person,
        r.actor_api_key_id,
        r.api_key_id,
        r.workspace_id,
        r.model,
        r.product,
        r.cost_type,
        r.token_type,
        r.currency,
        sum(r.amount_usd) AS cost_usd,
        sum(r.list_amount_usd) AS list_cost_usd
    FROM analytics_cost AS r
    CROSS JOIN lake_organization AS l
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13
) AS a
LEFT JOIN api_keys_current AS k
    ON k.id = a.actor_api_key_id
    AND coalesce(k.organization_id, '') = coalesce(a.organization_id, '')
LEFT JOIN workspace_names AS w
    ON w.reported_workspace_id = a.workspace_id
    AND coalesce(w.organization_id, '') = coalesce(a.organization_id, '')
