-- 4. The views: the same as in Athena, written once in functions/anthropic_lake/query/views.
--
-- Run it in the schema whose tables the views are to read: after `USE SCHEMA anthropic_lake.lake`
-- for the external tables, after `USE SCHEMA anthropic_lake.loaded` for the native ones. Run again,
-- it replaces the views, and who could read them still can.

-- generated:views by `python -m infra.generate` from functions/anthropic_lake/query/views
CREATE OR REPLACE VIEW lake_organization
  COPY GRANTS
  COMMENT = 'Which organization is the lake''s? One row; null where the ledger knows none, or several.'
AS
  SELECT
    CASE WHEN MIN(organization_id) = MAX(organization_id) THEN MIN(organization_id) END AS organization_id
  FROM sync_days
  WHERE
    date >= DATE_TRUNC('MONTH', CAST(SYSDATE() AS DATE)) - INTERVAL '1 MONTH'
    AND date <= CAST(SYSDATE() AS DATE)
    AND DAY(date) = 1;

CREATE OR REPLACE VIEW coverage
  COPY GRANTS
  COMMENT = 'Which days of each asset are final, open or missing, and which run read each of them last?'
AS
  SELECT
    d.asset,
    d.date,
    CASE
      WHEN COALESCE(r.is_final, FALSE)
      THEN 'final'
      WHEN NOT r.asset IS NULL OR d.date = CAST(SYSDATE() AS DATE)
      THEN 'open'
      ELSE 'missing'
    END AS status,
    r.last_run_id,
    r.last_read_at
  FROM (
    SELECT
      f.asset,
      CAST(DATEADD(DAY, -CAST(t.n AS BIGINT), CAST(SYSDATE() AS DATE)) AS DATE) AS date
    FROM (
      SELECT
        asset,
        COALESCE(MIN(CASE WHEN in_history THEN day END), MIN(day)) AS first_day
      FROM sync_days
      WHERE
        date BETWEEN CAST('2023-01-01' AS DATE) AND CAST(SYSDATE() AS DATE)
        AND DAY(date) = 1
        AND day BETWEEN CAST('2023-01-01' AS DATE) AND CAST(SYSDATE() AS DATE)
      GROUP BY
        asset
    ) AS f
    CROSS JOIN TABLE(FLATTEN(INPUT => ARRAY_GENERATE_RANGE(0, 9999 + 1))) AS t(seq, key, path, index, n, this)
    WHERE
      DATEADD(DAY, -CAST(t.n AS BIGINT), CAST(SYSDATE() AS DATE)) >= f.first_day
  ) AS d
  LEFT JOIN (
    SELECT
      asset,
      day,
      is_final,
      last_run_id,
      last_read_at
    FROM sync_days
    WHERE
      date BETWEEN CAST('2023-01-01' AS DATE) AND CAST(SYSDATE() AS DATE)
      AND DAY(date) = 1
  ) AS r
    ON r.asset = d.asset AND r.day = d.date;

CREATE OR REPLACE VIEW api_keys_current
  COPY GRANTS
  COMMENT = 'What does the latest snapshot of api_keys say?'
AS
  SELECT
    date,
    id,
    organization_id,
    type,
    name,
    status,
    partial_key_hint,
    created_at,
    expires_at,
    created_by_id,
    created_by_type,
    workspace_id,
    scope_type,
    scope_workspace_id,
    principal_type,
    principal_id,
    extra
  FROM (
    SELECT
      s.date,
      s.id,
      COALESCE(s.organization_id, l.organization_id) AS organization_id,
      s.type,
      s.name,
      s.status,
      s.partial_key_hint,
      s.created_at,
      s.expires_at,
      s.created_by_id,
      s.created_by_type,
      s.workspace_id,
      s.scope_type,
      s.scope_workspace_id,
      s.principal_type,
      s.principal_id,
      s.extra,
      ROW_NUMBER() OVER (
        PARTITION BY s.id
        ORDER BY s.date, s.id, s.organization_id, s.type, s.name, s.status, s.partial_key_hint, s.created_at, s.expires_at, s.created_by_id, s.created_by_type, s.workspace_id, s.scope_type, s.scope_workspace_id, s.principal_type, s.principal_id, s.extra
      ) AS copy_number
    FROM api_keys AS s
    CROSS JOIN lake_organization AS l
    WHERE
      s.date > CAST(SYSDATE() AS DATE) - INTERVAL '31 DAY'
      AND s.date <= CAST(SYSDATE() AS DATE)
      AND s.date = (
        SELECT
          MAX(snapshot_date)
        FROM (
          SELECT
            MAX(day) AS snapshot_date
          FROM sync_days
          WHERE
            date >= DATE_TRUNC('MONTH', CAST(SYSDATE() AS DATE)) - INTERVAL '1 MONTH'
            AND date <= CAST(SYSDATE() AS DATE)
            AND DAY(date) = 1
            AND day <= CAST(SYSDATE() AS DATE)
            AND asset = 'api_keys'
          UNION ALL
          SELECT
            MAX(date) AS snapshot_date
          FROM api_keys
          WHERE
            date > CAST(SYSDATE() AS DATE) - INTERVAL '31 DAY'
            AND date <= CAST(SYSDATE() AS DATE)
        ) AS candidates
      )
  ) AS snapshot
  WHERE
    copy_number = 1;

CREATE OR REPLACE VIEW invites_current
  COPY GRANTS
  COMMENT = 'What does the latest snapshot of invites say?'
AS
  SELECT
    date,
    id,
    organization_id,
    type,
    email,
    role,
    status,
    invited_at,
    expires_at,
    accepted_at,
    rbac_group_ids,
    extra
  FROM (
    SELECT
      s.date,
      s.id,
      COALESCE(s.organization_id, l.organization_id) AS organization_id,
      s.type,
      s.email,
      s.role,
      s.status,
      s.invited_at,
      s.expires_at,
      s.accepted_at,
      s.rbac_group_ids,
      s.extra,
      ROW_NUMBER() OVER (
        PARTITION BY s.id
        ORDER BY s.date, s.id, s.organization_id, s.type, s.email, s.role, s.status, s.invited_at, s.expires_at, s.accepted_at, s.rbac_group_ids, s.extra
      ) AS copy_number
    FROM invites AS s
    CROSS JOIN lake_organization AS l
    WHERE
      s.date > CAST(SYSDATE() AS DATE) - INTERVAL '31 DAY'
      AND s.date <= CAST(SYSDATE() AS DATE)
      AND s.date = (
        SELECT
          MAX(snapshot_date)
        FROM (
          SELECT
            MAX(day) AS snapshot_date
          FROM sync_days
          WHERE
            date >= DATE_TRUNC('MONTH', CAST(SYSDATE() AS DATE)) - INTERVAL '1 MONTH'
            AND date <= CAST(SYSDATE() AS DATE)
            AND DAY(date) = 1
            AND day <= CAST(SYSDATE() AS DATE)
            AND asset = 'invites'
          UNION ALL
          SELECT
            MAX(date) AS snapshot_date
          FROM invites
          WHERE
            date > CAST(SYSDATE() AS DATE) - INTERVAL '31 DAY'
            AND date <= CAST(SYSDATE() AS DATE)
        ) AS candidates
      )
  ) AS snapshot
  WHERE
    copy_number = 1;

CREATE OR REPLACE VIEW organization_current
  COPY GRANTS
  COMMENT = 'What does the latest snapshot of organization say?'
AS
  SELECT
    date,
    id,
    organization_id,
    type,
    name,
    extra
  FROM (
    SELECT
      s.date,
      s.id,
      COALESCE(s.organization_id, l.organization_id) AS organization_id,
      s.type,
      s.name,
      s.extra,
      ROW_NUMBER() OVER (
        PARTITION BY s.id
        ORDER BY s.date, s.id, s.organization_id, s.type, s.name, s.extra
      ) AS copy_number
    FROM "ORGANIZATION" AS s
    CROSS JOIN lake_organization AS l
    WHERE
      s.date > CAST(SYSDATE() AS DATE) - INTERVAL '31 DAY'
      AND s.date <= CAST(SYSDATE() AS DATE)
      AND s.date = (
        SELECT
          MAX(snapshot_date)
        FROM (
          SELECT
            MAX(day) AS snapshot_date
          FROM sync_days
          WHERE
            date >= DATE_TRUNC('MONTH', CAST(SYSDATE() AS DATE)) - INTERVAL '1 MONTH'
            AND date <= CAST(SYSDATE() AS DATE)
            AND DAY(date) = 1
            AND day <= CAST(SYSDATE() AS DATE)
            AND asset = 'organization'
          UNION ALL
          SELECT
            MAX(date) AS snapshot_date
          FROM "ORGANIZATION"
          WHERE
            date > CAST(SYSDATE() AS DATE) - INTERVAL '31 DAY'
            AND date <= CAST(SYSDATE() AS DATE)
        ) AS candidates
      )
  ) AS snapshot
  WHERE
    copy_number = 1;

CREATE OR REPLACE VIEW rate_limits_current
  COPY GRANTS
  COMMENT = 'What does the latest snapshot of rate_limits say?'
AS
  SELECT
    date,
    workspace_id,
    group_id,
    limiter,
    organization_id,
    id,
    type,
    group_type,
    group_display_name,
    models,
    value,
    org_limit,
    source,
    extra
  FROM (
    SELECT
      s.date,
      s.workspace_id,
      s.group_id,
      s.limiter,
      COALESCE(s.organization_id, l.organization_id) AS organization_id,
      s.id,
      s.type,
      s.group_type,
      s.group_display_name,
      s.models,
      s.value,
      s.org_limit,
      s.source,
      s.extra,
      ROW_NUMBER() OVER (
        PARTITION BY s.workspace_id, s.group_id, s.limiter, s.id, s.group_type, s.models
        ORDER BY s.date, s.workspace_id, s.group_id, s.limiter, s.organization_id, s.id, s.type, s.group_type, s.group_display_name, s.models, s.value, s.org_limit, s.source, s.extra
      ) AS copy_number
    FROM rate_limits AS s
    CROSS JOIN lake_organization AS l
    WHERE
      s.date > CAST(SYSDATE() AS DATE) - INTERVAL '31 DAY'
      AND s.date <= CAST(SYSDATE() AS DATE)
      AND s.date = (
        SELECT
          MAX(snapshot_date)
        FROM (
          SELECT
            MAX(day) AS snapshot_date
          FROM sync_days
          WHERE
            date >= DATE_TRUNC('MONTH', CAST(SYSDATE() AS DATE)) - INTERVAL '1 MONTH'
            AND date <= CAST(SYSDATE() AS DATE)
            AND DAY(date) = 1
            AND day <= CAST(SYSDATE() AS DATE)
            AND asset = 'rate_limits'
          UNION ALL
          SELECT
            MAX(date) AS snapshot_date
          FROM rate_limits
          WHERE
            date > CAST(SYSDATE() AS DATE) - INTERVAL '31 DAY'
            AND date <= CAST(SYSDATE() AS DATE)
        ) AS candidates
      )
  ) AS snapshot
  WHERE
    copy_number = 1;

CREATE OR REPLACE VIEW spend_limits_current
  COPY GRANTS
  COMMENT = 'What does the latest snapshot of spend_limits say?'
AS
  SELECT
    date,
    id,
    organization_id,
    type,
    scope_type,
    scope_workspace_id,
    scope_user_id,
    scope,
    amount_cents,
    amount_usd,
    currency,
    period,
    is_enabled,
    created_at,
    updated_at,
    extra
  FROM (
    SELECT
      s.date,
      s.id,
      COALESCE(s.organization_id, l.organization_id) AS organization_id,
      s.type,
      s.scope_type,
      s.scope_workspace_id,
      s.scope_user_id,
      s.scope,
      s.amount_cents,
      s.amount_usd,
      s.currency,
      s.period,
      s.is_enabled,
      s.created_at,
      s.updated_at,
      s.extra,
      ROW_NUMBER() OVER (
        PARTITION BY s.id
        ORDER BY s.date, s.id, s.organization_id, s.type, s.scope_type, s.scope_workspace_id, s.scope_user_id, s.scope, s.amount_cents, s.amount_usd, s.currency, s.period, s.is_enabled, s.created_at, s.updated_at, s.extra
      ) AS copy_number
    FROM spend_limits AS s
    CROSS JOIN lake_organization AS l
    WHERE
      s.date > CAST(SYSDATE() AS DATE) - INTERVAL '31 DAY'
      AND s.date <= CAST(SYSDATE() AS DATE)
      AND s.date = (
        SELECT
          MAX(snapshot_date)
        FROM (
          SELECT
            MAX(day) AS snapshot_date
          FROM sync_days
          WHERE
            date >= DATE_TRUNC('MONTH', CAST(SYSDATE() AS DATE)) - INTERVAL '1 MONTH'
            AND date <= CAST(SYSDATE() AS DATE)
            AND DAY(date) = 1
            AND day <= CAST(SYSDATE() AS DATE)
            AND asset = 'spend_limits'
          UNION ALL
          SELECT
            MAX(date) AS snapshot_date
          FROM spend_limits
          WHERE
            date > CAST(SYSDATE() AS DATE) - INTERVAL '31 DAY'
            AND date <= CAST(SYSDATE() AS DATE)
        ) AS candidates
      )
  ) AS snapshot
  WHERE
    copy_number = 1;

CREATE OR REPLACE VIEW users_current
  COPY GRANTS
  COMMENT = 'What does the latest snapshot of users say?'
AS
  SELECT
    date,
    id,
    organization_id,
    type,
    email,
    name,
    role,
    added_at,
    extra
  FROM (
    SELECT
      s.date,
      s.id,
      COALESCE(s.organization_id, l.organization_id) AS organization_id,
      s.type,
      s.email,
      s.name,
      s.role,
      s.added_at,
      s.extra,
      ROW_NUMBER() OVER (
        PARTITION BY s.id
        ORDER BY s.date, s.id, s.organization_id, s.type, s.email, s.name, s.role, s.added_at, s.extra
      ) AS copy_number
    FROM users AS s
    CROSS JOIN lake_organization AS l
    WHERE
      s.date > CAST(SYSDATE() AS DATE) - INTERVAL '31 DAY'
      AND s.date <= CAST(SYSDATE() AS DATE)
      AND s.date = (
        SELECT
          MAX(snapshot_date)
        FROM (
          SELECT
            MAX(day) AS snapshot_date
          FROM sync_days
          WHERE
            date >= DATE_TRUNC('MONTH', CAST(SYSDATE() AS DATE)) - INTERVAL '1 MONTH'
            AND date <= CAST(SYSDATE() AS DATE)
            AND DAY(date) = 1
            AND day <= CAST(SYSDATE() AS DATE)
            AND asset = 'users'
          UNION ALL
          SELECT
            MAX(date) AS snapshot_date
          FROM users
          WHERE
            date > CAST(SYSDATE() AS DATE) - INTERVAL '31 DAY'
            AND date <= CAST(SYSDATE() AS DATE)
        ) AS candidates
      )
  ) AS snapshot
  WHERE
    copy_number = 1;

CREATE OR REPLACE VIEW workspace_members_current
  COPY GRANTS
  COMMENT = 'What does the latest snapshot of workspace_members say?'
AS
  SELECT
    date,
    workspace_id,
    user_id,
    organization_id,
    type,
    workspace_role,
    extra
  FROM (
    SELECT
      s.date,
      s.workspace_id,
      s.user_id,
      COALESCE(s.organization_id, l.organization_id) AS organization_id,
      s.type,
      s.workspace_role,
      s.extra,
      ROW_NUMBER() OVER (
        PARTITION BY s.workspace_id, s.user_id
        ORDER BY s.date, s.workspace_id, s.user_id, s.organization_id, s.type, s.workspace_role, s.extra
      ) AS copy_number
    FROM workspace_members AS s
    CROSS JOIN lake_organization AS l
    WHERE
      s.date > CAST(SYSDATE() AS DATE) - INTERVAL '31 DAY'
      AND s.date <= CAST(SYSDATE() AS DATE)
      AND s.date = (
        SELECT
          MAX(snapshot_date)
        FROM (
          SELECT
            MAX(day) AS snapshot_date
          FROM sync_days
          WHERE
            date >= DATE_TRUNC('MONTH', CAST(SYSDATE() AS DATE)) - INTERVAL '1 MONTH'
            AND date <= CAST(SYSDATE() AS DATE)
            AND DAY(date) = 1
            AND day <= CAST(SYSDATE() AS DATE)
            AND asset = 'workspace_members'
          UNION ALL
          SELECT
            MAX(date) AS snapshot_date
          FROM workspace_members
          WHERE
            date > CAST(SYSDATE() AS DATE) - INTERVAL '31 DAY'
            AND date <= CAST(SYSDATE() AS DATE)
        ) AS candidates
      )
  ) AS snapshot
  WHERE
    copy_number = 1;

CREATE OR REPLACE VIEW workspaces_current
  COPY GRANTS
  COMMENT = 'What does the latest snapshot of workspaces say?'
AS
  SELECT
    date,
    id,
    organization_id,
    type,
    name,
    created_at,
    archived_at,
    display_color,
    data_residency_workspace_geo,
    data_residency_default_inference_geo,
    data_residency_allowed_inference_geos,
    tags,
    compartment_id,
    external_key_id,
    user_profile_id,
    extra
  FROM (
    SELECT
      s.date,
      s.id,
      COALESCE(s.organization_id, l.organization_id) AS organization_id,
      s.type,
      s.name,
      s.created_at,
      s.archived_at,
      s.display_color,
      s.data_residency_workspace_geo,
      s.data_residency_default_inference_geo,
      s.data_residency_allowed_inference_geos,
      s.tags,
      s.compartment_id,
      s.external_key_id,
      s.user_profile_id,
      s.extra,
      ROW_NUMBER() OVER (
        PARTITION BY s.id
        ORDER BY s.date, s.id, s.organization_id, s.type, s.name, s.created_at, s.archived_at, s.display_color, s.data_residency_workspace_geo, s.data_residency_default_inference_geo, s.data_residency_allowed_inference_geos, s.tags, s.compartment_id, s.external_key_id, s.user_profile_id, s.extra
      ) AS copy_number
    FROM workspaces AS s
    CROSS JOIN lake_organization AS l
    WHERE
      s.date > CAST(SYSDATE() AS DATE) - INTERVAL '31 DAY'
      AND s.date <= CAST(SYSDATE() AS DATE)
      AND s.date = (
        SELECT
          MAX(snapshot_date)
        FROM (
          SELECT
            MAX(day) AS snapshot_date
          FROM sync_days
          WHERE
            date >= DATE_TRUNC('MONTH', CAST(SYSDATE() AS DATE)) - INTERVAL '1 MONTH'
            AND date <= CAST(SYSDATE() AS DATE)
            AND DAY(date) = 1
            AND day <= CAST(SYSDATE() AS DATE)
            AND asset = 'workspaces'
          UNION ALL
          SELECT
            MAX(date) AS snapshot_date
          FROM workspaces
          WHERE
            date > CAST(SYSDATE() AS DATE) - INTERVAL '31 DAY'
            AND date <= CAST(SYSDATE() AS DATE)
        ) AS candidates
      )
  ) AS snapshot
  WHERE
    copy_number = 1;

CREATE OR REPLACE VIEW api_key_name_owners
  COPY GRANTS
  COMMENT = 'Whose are the API keys of a name? Only names whose keys one user alone has created.'
AS
  SELECT
    k.organization_id,
    k.name AS api_key_name,
    MIN(LOWER(u.email)) AS owner_email
  FROM api_keys_current AS k
  LEFT JOIN users_current AS u
    ON u.id = k.created_by_id
    AND COALESCE(u.organization_id, '') = COALESCE(k.organization_id, '')
  GROUP BY
    k.organization_id,
    k.name
  HAVING
    COUNT(DISTINCT COALESCE(k.created_by_id, k.id)) = 1;

CREATE OR REPLACE VIEW workspace_names
  COPY GRANTS
  COMMENT = 'What is each workspace called? Also by the null that reports give for the default workspace.'
AS
  SELECT
    w.organization_id,
    CASE WHEN r.reported = 'id' THEN w.id END AS reported_workspace_id,
    MIN_BY(w.id, w.created_at) AS workspace_id,
    MIN(w.name) AS workspace_name
  FROM workspaces_current AS w
  CROSS JOIN (VALUES
    ('id'),
    ('null')) AS r(reported)
  WHERE
    r.reported = 'id' OR w.name = 'Default'
  GROUP BY
    1,
    2;

CREATE OR REPLACE VIEW claude_code_daily
  COPY GRANTS
  COMMENT = 'What did each person do with Claude Code each day, and what did it cost (estimated)?'
AS
  SELECT
    c.date,
    COALESCE(c.organization_id, l.organization_id) AS organization_id,
    COALESCE(LOWER(c.actor_email_address), o.owner_email, c.actor_api_key_name) AS person,
    CAST(SUM(c.core_metrics_num_sessions) AS BIGINT) AS sessions,
    CAST(SUM(c.core_metrics_lines_of_code_added) AS BIGINT) AS lines_added,
    CAST(SUM(c.core_metrics_lines_of_code_removed) AS BIGINT) AS lines_removed,
    CAST(SUM(c.core_metrics_commits_by_claude_code) AS BIGINT) AS commits,
    CAST(SUM(c.core_metrics_pull_requests_by_claude_code) AS BIGINT) AS pull_requests,
    CAST(SUM(
      COALESCE(c.tool_actions_edit_tool_accepted, 0) + COALESCE(c.tool_actions_multi_edit_tool_accepted, 0) + COALESCE(c.tool_actions_write_tool_accepted, 0) + COALESCE(c.tool_actions_notebook_edit_tool_accepted, 0)
    ) AS BIGINT) AS edits_accepted,
    CAST(SUM(
      COALESCE(c.tool_actions_edit_tool_rejected, 0) + COALESCE(c.tool_actions_multi_edit_tool_rejected, 0) + COALESCE(c.tool_actions_write_tool_rejected, 0) + COALESCE(c.tool_actions_notebook_edit_tool_rejected, 0)
    ) AS BIGINT) AS edits_rejected,
    CAST(SUM(c.tokens_input) AS BIGINT) AS input_tokens,
    CAST(SUM(c.tokens_output) AS BIGINT) AS output_tokens,
    CAST(SUM(c.tokens_cache_read) AS BIGINT) AS cache_read_tokens,
    CAST(SUM(c.tokens_cache_creation) AS BIGINT) AS cache_creation_tokens,
    SUM(c.estimated_cost_amount_usd) AS estimated_cost_usd,
    COUNT(
      CASE
        WHEN c.estimated_cost_amount_usd IS NULL AND c.estimated_cost_amount_cents <> 0
        THEN 1
      END
    ) AS estimates_in_other_currencies,
    MIN(
      CASE
        WHEN c.estimated_cost_amount_usd IS NULL AND c.estimated_cost_amount_cents <> 0
        THEN c.estimated_cost_currency
      END
    ) AS other_currency,
    c.customer_type
  FROM claude_code_usage AS c
  CROSS JOIN lake_organization AS l
  LEFT JOIN api_key_name_owners AS o
    ON o.api_key_name = c.actor_api_key_name
    AND COALESCE(o.organization_id, '') = COALESCE(c.organization_id, l.organization_id, '')
  GROUP BY
    1,
    2,
    3,
    c.customer_type;

CREATE OR REPLACE VIEW claude_code_daily_by_model
  COPY GRANTS
  COMMENT = 'Which models did each person use with Claude Code each day: tokens and estimated cost?'
AS
  SELECT
    c.date,
    COALESCE(c.organization_id, l.organization_id) AS organization_id,
    COALESCE(LOWER(c.actor_email_address), o.owner_email, c.actor_api_key_name) AS person,
    c.customer_type,
    c.model,
    CAST(SUM(c.tokens_input) AS BIGINT) AS input_tokens,
    CAST(SUM(c.tokens_output) AS BIGINT) AS output_tokens,
    CAST(SUM(c.tokens_cache_read) AS BIGINT) AS cache_read_tokens,
    CAST(SUM(c.tokens_cache_creation) AS BIGINT) AS cache_creation_tokens,
    SUM(c.estimated_cost_amount_usd) AS estimated_cost_usd,
    COUNT(
      CASE
        WHEN c.estimated_cost_amount_usd IS NULL AND c.estimated_cost_amount_cents <> 0
        THEN 1
      END
    ) AS estimates_in_other_currencies,
    MIN(
      CASE
        WHEN c.estimated_cost_amount_usd IS NULL AND c.estimated_cost_amount_cents <> 0
        THEN c.estimated_cost_currency
      END
    ) AS other_currency
  FROM claude_code_model_usage AS c
  CROSS JOIN lake_organization AS l
  LEFT JOIN api_key_name_owners AS o
    ON o.api_key_name = c.actor_api_key_name
    AND COALESCE(o.organization_id, '') = COALESCE(c.organization_id, l.organization_id, '')
  GROUP BY
    1,
    2,
    3,
    4,
    5;

CREATE OR REPLACE VIEW cost_by_actor
  COPY GRANTS
  COMMENT = 'What did each person, API key and service account cost each day, as the vendor attributes it?'
AS
  SELECT
    a.date,
    a.organization_id,
    a.actor_type,
    a.actor_id,
    COALESCE(a.person, k.name, a.actor_id) AS actor_name,
    a.api_key_id,
    a.workspace_id,
    COALESCE(w.workspace_name, a.workspace_id) AS workspace_name,
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
      COALESCE(r.organization_id, l.organization_id) AS organization_id,
      r.actor_type,
      COALESCE(
        r.actor_user_id,
        r.actor_service_account_id,
        r.actor_api_key_id,
        r.actor_federated_subject,
        r.actor_provider
      ) AS actor_id,
      COALESCE(LOWER(r.actor_email_address), r.actor_name) AS person,
      r.actor_api_key_id,
      r.api_key_id,
      r.workspace_id,
      r.model,
      r.product,
      r.cost_type,
      r.token_type,
      r.currency,
      SUM(r.amount_usd) AS cost_usd,
      SUM(r.list_amount_usd) AS list_cost_usd
    FROM analytics_cost AS r
    CROSS JOIN lake_organization AS l
    GROUP BY
      1,
      2,
      3,
      4,
      5,
      6,
      7,
      8,
      9,
      10,
      11,
      12,
      13
  ) AS a
  LEFT JOIN api_keys_current AS k
    ON k.id = a.actor_api_key_id
    AND COALESCE(k.organization_id, '') = COALESCE(a.organization_id, '')
  LEFT JOIN workspace_names AS w
    ON w.reported_workspace_id = a.workspace_id
    AND COALESCE(w.organization_id, '') = COALESCE(a.organization_id, '');

CREATE OR REPLACE VIEW cost_by_api_key
  COPY GRANTS
  COMMENT = 'What did each API key cost each day, the cost of its workspace and model being split by tokens?'
AS
  WITH charge AS (
    SELECT
      date,
      "ORGANIZATION",
      workspace,
      model,
      cost_type,
      token_type,
      service_tier,
      context_window,
      currency,
      is_usd,
      cost,
      CAST(RANK() OVER (
        PARTITION BY date
        ORDER BY "ORGANIZATION", workspace, model, cost_type, token_type, currency
      ) AS INT) AS line,
      CAST(RANK() OVER (
        PARTITION BY date
        ORDER BY "ORGANIZATION", workspace, model, service_tier, context_window
      ) AS INT) AS slice,
      RANK() OVER (
        PARTITION BY date
        ORDER BY "ORGANIZATION", workspace, model, cost_type, token_type, currency
      ) = ROW_NUMBER() OVER (
        PARTITION BY date
        ORDER BY "ORGANIZATION", workspace, model, cost_type, token_type, currency
      ) AS names_line,
      RANK() OVER (
        PARTITION BY date
        ORDER BY "ORGANIZATION", workspace, model, service_tier, context_window
      ) = ROW_NUMBER() OVER (
        PARTITION BY date
        ORDER BY "ORGANIZATION", workspace, model, service_tier, context_window
      ) AS names_slice
    FROM (
      SELECT
        r.date,
        COALESCE(r.organization_id, l.organization_id, '') AS "ORGANIZATION",
        COALESCE(r.workspace_id, '') AS workspace,
        r.model,
        r.cost_type,
        r.token_type,
        r.service_tier,
        r.context_window,
        r.currency,
        NOT SUM(r.amount_usd) IS NULL AS is_usd,
        COALESCE(SUM(r.amount_usd), CAST(SUM(r.amount_cents) * 0.01 AS DECIMAL(38, 12))) AS cost
      FROM cost_report AS r
      CROSS JOIN lake_organization AS l
      GROUP BY
        1,
        2,
        3,
        4,
        5,
        6,
        7,
        8,
        9
    ) AS summed
  ), counted_charge AS (
    SELECT
      date,
      line,
      slice,
      token_type,
      is_usd,
      cost,
      context_window IS NULL AS in_any_window,
      service_tier IS NULL
      OR COUNT(CASE WHEN service_tier IS NULL AND is_usd THEN 1 END) OVER (PARTITION BY date, line, context_window) = 0 AS is_counted
    FROM charge
  ), key_usage AS (
    SELECT
      s.date,
      s.slice,
      COALESCE(r.api_key_id, '') AS api_key,
      CAST(SUM(r.uncached_input_tokens) AS BIGINT) AS uncached_input,
      CAST(SUM(r.cache_read_input_tokens) AS BIGINT) AS cache_read,
      CAST(SUM(r.cache_creation_ephemeral_5m_input_tokens) AS BIGINT) AS cache_creation_5m,
      CAST(SUM(r.cache_creation_ephemeral_1h_input_tokens) AS BIGINT) AS cache_creation_1h,
      CAST(SUM(r.output_tokens) AS BIGINT) AS output
    FROM (
      SELECT
        u.*,
        COALESCE(u.organization_id, l.organization_id, '') AS "ORGANIZATION"
      FROM usage_report AS u
      CROSS JOIN lake_organization AS l
      WHERE
        u.grouped_by LIKE '%api_key_id%'
        AND u.grouped_by LIKE '%workspace_id%'
        AND u.grouped_by LIKE '%model%'
    ) AS r
    JOIN charge AS s
      ON s.date = r.date
      AND s."ORGANIZATION" = r."ORGANIZATION"
      AND s.workspace = COALESCE(r.workspace_id, '')
      AND s.model = r.model
      AND (
        s.service_tier IS NULL OR s.service_tier = r.service_tier
      )
      AND (
        s.context_window IS NULL OR s.context_window = r.context_window
      )
      AND s.names_slice
    GROUP BY
      1,
      2,
      3
  ), slice_usage AS (
    SELECT
      *,
      CAST(SUM(uncached_input) OVER (PARTITION BY date, slice) AS BIGINT) AS slice_uncached_input,
      CAST(SUM(cache_read) OVER (PARTITION BY date, slice) AS BIGINT) AS slice_cache_read,
      CAST(SUM(cache_creation_5m) OVER (PARTITION BY date, slice) AS BIGINT) AS slice_cache_creation_5m,
      CAST(SUM(cache_creation_1h) OVER (PARTITION BY date, slice) AS BIGINT) AS slice_cache_creation_1h,
      CAST(SUM(output) OVER (PARTITION BY date, slice) AS BIGINT) AS slice_output
    FROM key_usage
  ), matched AS (
    SELECT
      c.date,
      c.line,
      c.slice,
      c.in_any_window,
      c.is_counted,
      c.cost,
      u.api_key,
      CASE c.token_type
        WHEN 'uncached_input_tokens'
        THEN u.uncached_input
        WHEN 'cache_read_input_tokens'
        THEN u.cache_read
        WHEN 'cache_creation.ephemeral_5m_input_tokens'
        THEN u.cache_creation_5m
        WHEN 'cache_creation.ephemeral_1h_input_tokens'
        THEN u.cache_creation_1h
        WHEN 'output_tokens'
        THEN u.output
      END AS tokens,
      CASE c.token_type
        WHEN 'uncached_input_tokens'
        THEN u.slice_uncached_input
        WHEN 'cache_read_input_tokens'
        THEN u.slice_cache_read
        WHEN 'cache_creation.ephemeral_5m_input_tokens'
        THEN u.slice_cache_creation_5m
        WHEN 'cache_creation.ephemeral_1h_input_tokens'
        THEN u.slice_cache_creation_1h
        WHEN 'output_tokens'
        THEN u.slice_output
      END AS slice_tokens
    FROM counted_charge AS c
    LEFT JOIN slice_usage AS u
      ON u.date = c.date
      AND u.slice = c.slice
      AND c.is_usd
      AND CASE c.token_type
        WHEN 'uncached_input_tokens'
        THEN u.uncached_input
        WHEN 'cache_read_input_tokens'
        THEN u.cache_read
        WHEN 'cache_creation.ephemeral_5m_input_tokens'
        THEN u.cache_creation_5m
        WHEN 'cache_creation.ephemeral_1h_input_tokens'
        THEN u.cache_creation_1h
        WHEN 'output_tokens'
        THEN u.output
      END > 0
  ), divided AS (
    SELECT
      *,
      estimate + CAST(CAST(FLOOR(
        CAST((
          cost * tokens - estimate * slice_tokens
        ) * 1000000000000 AS DOUBLE) / CAST(slice_tokens AS DOUBLE)
      ) AS BIGINT) * 0.000000000001 AS DECIMAL(38, 12)) AS share
    FROM (
      SELECT
        *,
        CAST(CAST(cost AS DOUBLE) * CAST(tokens AS DOUBLE) / CAST(slice_tokens AS DOUBLE) AS DECIMAL(38, 12)) AS estimate
      FROM matched
    ) AS estimated
  ), ranked AS (
    SELECT
      *,
      cost - SUM(share) OVER (PARTITION BY date, line, slice) AS remainder,
      ROW_NUMBER() OVER (PARTITION BY date, line, slice ORDER BY tokens DESC NULLS LAST, api_key) AS place
    FROM divided
  ), per_key AS (
    SELECT
      date,
      line,
      api_key,
      CAST(GREATEST(
        COALESCE(SUM(CASE WHEN is_counted AND in_any_window THEN tokens END), 0),
        COALESCE(SUM(CASE WHEN is_counted AND NOT in_any_window THEN tokens END), 0)
      ) AS BIGINT) AS tokens,
      SUM(
        CASE
          WHEN api_key IS NULL
          THEN cost
          WHEN place = 1
          THEN share + remainder
          ELSE share
        END
      ) AS cost
    FROM ranked
    GROUP BY
      1,
      2,
      3
  )
  SELECT
    c.date,
    NULLIF(n."ORGANIZATION", '') AS organization_id,
    COALESCE(w.workspace_id, NULLIF(n.workspace, '')) AS workspace_id,
    COALESCE(w.workspace_name, NULLIF(n.workspace, ''), 'Default') AS workspace_name,
    NULLIF(c.api_key, '') AS api_key_id,
    CASE
      WHEN NOT c.api_key IS NULL
      THEN COALESCE(k.name, NULLIF(c.api_key, ''), 'Console')
    END AS api_key_name,
    k.created_by_id AS key_owner_id,
    LOWER(u.email) AS key_owner_email,
    n.model,
    n.cost_type,
    n.token_type,
    CASE WHEN NOT c.api_key IS NULL THEN c.tokens END AS tokens,
    CASE WHEN n.is_usd THEN c.cost END AS cost_usd,
    CASE WHEN NOT c.api_key IS NULL THEN 'tokens' ELSE 'unallocated' END AS method,
    n.currency,
    c.cost
  FROM per_key AS c
  JOIN charge AS n
    ON n.date = c.date AND n.line = c.line AND n.names_line
  LEFT JOIN workspace_names AS w
    ON COALESCE(w.organization_id, '') = n."ORGANIZATION"
    AND COALESCE(w.reported_workspace_id, '') = n.workspace
  LEFT JOIN api_keys_current AS k
    ON COALESCE(k.organization_id, '') = n."ORGANIZATION" AND k.id = c.api_key
  LEFT JOIN users_current AS u
    ON COALESCE(u.organization_id, '') = n."ORGANIZATION" AND u.id = k.created_by_id;

CREATE OR REPLACE VIEW cost_daily
  COPY GRANTS
  COMMENT = 'What did each day cost in US dollars, by workspace, model, cost type and token type?'
AS
  SELECT
    c.date,
    c.organization_id,
    COALESCE(w.workspace_id, c.workspace_id) AS workspace_id,
    COALESCE(w.workspace_name, c.workspace_id, 'Default') AS workspace_name,
    c.model,
    c.cost_type,
    c.token_type,
    SUM(c.amount_usd) AS cost_usd,
    c.currency,
    CAST(SUM(c.amount_cents) * 0.01 AS DECIMAL(38, 12)) AS cost
  FROM (
    SELECT
      r.date,
      COALESCE(r.organization_id, l.organization_id) AS organization_id,
      r.workspace_id,
      r.model,
      r.cost_type,
      r.token_type,
      r.currency,
      r.amount_usd,
      r.amount_cents
    FROM cost_report AS r
    CROSS JOIN lake_organization AS l
  ) AS c
  LEFT JOIN workspace_names AS w
    ON COALESCE(w.organization_id, '') = COALESCE(c.organization_id, '')
    AND COALESCE(w.reported_workspace_id, '') = COALESCE(c.workspace_id, '')
  GROUP BY
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    9;

CREATE OR REPLACE VIEW focus_cost_and_usage
  COPY GRANTS
  COMMENT = 'What does the cost look like in the FinOps Foundation''s FOCUS 1.2 (Cost and Usage)?'
AS
  WITH charge AS (
    SELECT
      r.*,
      COALESCE(r.organization_id, l.organization_id, '') AS "ORGANIZATION",
      COALESCE(r.workspace_id, '') AS workspace,
      CAST(r.amount_cents * 0.01 AS DECIMAL(38, 12)) AS cost,
      CASE WHEN r.amount_usd >= 0 THEN r.amount_usd + 0.000000000001 END AS weight
    FROM cost_report AS r
    CROSS JOIN lake_organization AS l
  ), slice AS (
    SELECT
      r.date,
      COALESCE(r.organization_id, l.organization_id, '') AS "ORGANIZATION",
      COALESCE(r.workspace_id, '') AS workspace,
      r.model,
      r.token_type,
      r.service_tier,
      r.context_window,
      SUM(r.amount_usd + 0.000000000001) AS weight
    FROM cost_report AS r
    CROSS JOIN lake_organization AS l
    WHERE
      r.amount_usd >= 0
    GROUP BY
      1,
      2,
      3,
      4,
      5,
      6,
      7
  ), used AS (
    SELECT
      r.date,
      COALESCE(r.organization_id, l.organization_id, '') AS "ORGANIZATION",
      COALESCE(r.workspace_id, '') AS workspace,
      r.model,
      r.service_tier,
      r.context_window,
      SUM(r.uncached_input_tokens) AS uncached_input_tokens,
      SUM(r.cache_read_input_tokens) AS cache_read_input_tokens,
      SUM(r.cache_creation_ephemeral_5m_input_tokens) AS ephemeral_5m_input_tokens,
      SUM(r.cache_creation_ephemeral_1h_input_tokens) AS ephemeral_1h_input_tokens,
      SUM(r.output_tokens) AS output_tokens
    FROM usage_report AS r
    CROSS JOIN lake_organization AS l
    WHERE
      r.grouped_by LIKE '%workspace_id%' AND r.grouped_by LIKE '%model%'
    GROUP BY
      1,
      2,
      3,
      4,
      5,
      6
  ), counter AS (
    SELECT
      u.date,
      u."ORGANIZATION",
      u.workspace,
      u.model,
      t.token_type,
      u.service_tier,
      u.context_window,
      CAST(CASE t.token_type
        WHEN 'uncached_input_tokens'
        THEN u.uncached_input_tokens
        WHEN 'cache_read_input_tokens'
        THEN u.cache_read_input_tokens
        WHEN 'cache_creation.ephemeral_5m_input_tokens'
        THEN u.ephemeral_5m_input_tokens
        WHEN 'cache_creation.ephemeral_1h_input_tokens'
        THEN u.ephemeral_1h_input_tokens
        ELSE u.output_tokens
      END AS BIGINT) AS tokens
    FROM used AS u
    CROSS JOIN (VALUES
      ('uncached_input_tokens'),
      ('cache_read_input_tokens'),
      ('cache_creation.ephemeral_5m_input_tokens'),
      ('cache_creation.ephemeral_1h_input_tokens'),
      ('output_tokens')) AS t(token_type)
  ), candidate AS (
    SELECT
      u.*,
      s.weight,
      CASE WHEN s.service_tier IS NULL THEN 2 ELSE 0 END + CASE WHEN s.context_window IS NULL THEN 1 ELSE 0 END AS left_out
    FROM counter AS u
    JOIN slice AS s
      ON s.date = u.date
      AND s."ORGANIZATION" = u."ORGANIZATION"
      AND s.workspace = u.workspace
      AND s.model = u.model
      AND s.token_type = u.token_type
      AND (
        s.service_tier = u.service_tier
        OR (
          s.service_tier IS NULL AND COALESCE(u.service_tier, '') NOT LIKE 'priority%'
        )
      )
      AND (
        s.context_window IS NULL OR s.context_window = u.context_window
      )
    WHERE
      u.tokens > 0
  ), counted AS (
    SELECT
      date,
      "ORGANIZATION",
      workspace,
      model,
      token_type,
      service_tier,
      context_window,
      MAX(tokens) AS tokens,
      MIN(left_out) AS left_out,
      MIN_BY(weight, left_out) AS weight
    FROM candidate
    GROUP BY
      1,
      2,
      3,
      4,
      5,
      6,
      7
  ), slice_tokens AS (
    SELECT
      date,
      "ORGANIZATION",
      workspace,
      model,
      token_type,
      CASE WHEN left_out IN (0, 1) THEN service_tier END AS service_tier,
      CASE WHEN left_out IN (0, 2) THEN context_window END AS context_window,
      CAST(SUM(tokens) AS BIGINT) AS tokens,
      MAX(weight) AS weight
    FROM counted
    GROUP BY
      1,
      2,
      3,
      4,
      5,
      6,
      7
  ), running AS (
    SELECT
      c.*,
      s.tokens AS slice_tokens,
      CAST(s.weight AS DOUBLE) AS slice_weight,
      SUM(CASE WHEN NOT s.tokens IS NULL THEN c.weight END) OVER (
        PARTITION BY c.date, c."ORGANIZATION", c.workspace, c.model, c.token_type, c.service_tier, c.context_window
        ORDER BY c.weight DESC NULLS LAST, c.description, c.inference_geo, c.cost_type
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS weight_so_far
    FROM charge AS c
    LEFT JOIN slice_tokens AS s
      ON s.date = c.date
      AND s."ORGANIZATION" = c."ORGANIZATION"
      AND s.workspace = c.workspace
      AND s.model = c.model
      AND s.token_type = c.token_type
      AND COALESCE(s.service_tier, '') = COALESCE(c.service_tier, '')
      AND COALESCE(s.context_window, '') = COALESCE(c.context_window, '')
      AND NOT c.weight IS NULL
  ), shared AS (
    SELECT
      *,
      NULLIF(
        CAST(ROUND(slice_tokens * (
          CAST(weight_so_far AS DOUBLE) / slice_weight
        )) - ROUND(slice_tokens * (
          CAST(weight_so_far - weight AS DOUBLE) / slice_weight
        )) AS BIGINT),
        0
      ) AS tokens
    FROM running
  ), estimated AS (
    SELECT
      *,
      CAST(CAST(cost AS DOUBLE) * 1000000 / CAST(tokens AS DOUBLE) AS DECIMAL(38, 12)) AS estimated_price
    FROM shared
  ), priced AS (
    SELECT
      *,
      estimated_price + CAST(CAST(ROUND(
        CAST((
          cost * 1000000 - estimated_price * tokens
        ) * 1000000000000 AS DOUBLE) / CAST(tokens AS DOUBLE)
      ) AS BIGINT) * 0.000000000001 AS DECIMAL(38, 12)) AS token_price,
      COALESCE(model || '/' || token_type, cost_type, description) AS sku,
      COALESCE(',`x_Model`:`' || model || '`', '') || COALESCE(',`x_TokenType`:`' || token_type || '`', '') || COALESCE(',`x_ServiceTier`:`' || service_tier || '`', '') || COALESCE(',`x_ContextWindow`:`' || context_window || '`', '') || COALESCE(',`x_InferenceGeo`:`' || inference_geo || '`', '') AS sku_details
    FROM estimated
  )
  SELECT
    NULLIF(c."ORGANIZATION", '') AS BillingAccountId,
    o.name AS BillingAccountName,
    c.cost AS BilledCost,
    c.currency AS BillingCurrency,
    CAST(DATE_TRUNC('MONTH', c.date) AS TIMESTAMPNTZ) + INTERVAL '1 MONTH' AS BillingPeriodEnd,
    CAST(DATE_TRUNC('MONTH', c.date) AS TIMESTAMPNTZ) AS BillingPeriodStart,
    'Usage' AS ChargeCategory,
    CAST(NULL AS VARCHAR) AS ChargeClass,
    c.description AS ChargeDescription,
    'Usage-Based' AS ChargeFrequency,
    c.ending_at AS ChargePeriodEnd,
    c.starting_at AS ChargePeriodStart,
    c.cost AS ContractedCost,
    c.cost AS EffectiveCost,
    CAST(NULL AS VARCHAR) AS InvoiceId,
    'Anthropic' AS InvoiceIssuerName,
    c.cost AS ListCost,
    'Standard' AS PricingCategory,
    COALESCE(CAST(c.tokens * 0.000001 AS DECIMAL(38, 12)), c.cost) AS PricingQuantity,
    CASE WHEN NOT c.tokens IS NULL THEN '1000000 Tokens' ELSE c.currency END AS PricingUnit,
    'Anthropic' AS ProviderName,
    'Anthropic' AS PublisherName,
    'AI and Machine Learning' AS ServiceCategory,
    'Claude API' AS ServiceName,
    'Generative AI' AS ServiceSubcategory,
    COALESCE(w.workspace_id, c.workspace_id) AS SubAccountId,
    COALESCE(w.workspace_name, c.workspace_id) AS SubAccountName,
    t.tags AS Tags,
    c.context_window AS x_ContextWindow,
    c.cost_type AS x_CostType,
    c.date AS x_Date,
    c.inference_geo AS x_InferenceGeo,
    c.model AS x_Model,
    c.service_tier AS x_ServiceTier,
    c.token_type AS x_TokenType,
    CAST(NULL AS VARCHAR) AS CommitmentDiscountCategory,
    CAST(NULL AS VARCHAR) AS CommitmentDiscountId,
    CAST(NULL AS VARCHAR) AS CommitmentDiscountName,
    CAST(NULL AS DECIMAL(38, 12)) AS CommitmentDiscountQuantity,
    CAST(NULL AS VARCHAR) AS CommitmentDiscountStatus,
    CAST(NULL AS VARCHAR) AS CommitmentDiscountType,
    CAST(NULL AS VARCHAR) AS CommitmentDiscountUnit,
    CAST(c.tokens AS DECIMAL(38, 12)) AS ConsumedQuantity,
    CASE WHEN NOT c.tokens IS NULL THEN 'Tokens' END AS ConsumedUnit,
    COALESCE(c.token_price, CAST(1 AS DECIMAL(38, 12))) AS ContractedUnitPrice,
    'Anthropic' AS HostProviderName,
    COALESCE(c.token_price, CAST(1 AS DECIMAL(38, 12))) AS ListUnitPrice,
    'Anthropic' AS ServiceProviderName,
    c.sku AS SkuId,
    COALESCE(c.token_type, c.cost_type) AS SkuMeter,
    '{' || REPLACE(
      REPLACE(
        REPLACE(NULLIF(SUBSTRING(c.sku_details, 2), ''), CHR(  92), CHR(  92) || CHR(  92)),
        CHR(  34),
        CHR(  92) || CHR(  34)
      ),
      '`',
      CHR(  34)
    ) || '}' AS SkuPriceDetails,
    c.sku || COALESCE('/' || c.service_tier, '') || COALESCE('/' || c.context_window, '') || COALESCE('/' || c.inference_geo, '') AS SkuPriceId
  FROM priced AS c
  LEFT JOIN organization_current AS o
    ON o.id = NULLIF(c."ORGANIZATION", '')
  LEFT JOIN workspace_names AS w
    ON COALESCE(w.organization_id, '') = c."ORGANIZATION"
    AND COALESCE(w.reported_workspace_id, '') = c.workspace
  LEFT JOIN workspaces_current AS t
    ON t.id = w.workspace_id AND COALESCE(t.organization_id, '') = c."ORGANIZATION";

CREATE OR REPLACE VIEW usage_hourly
  COPY GRANTS
  COMMENT = 'How many tokens were used in each hour, by workspace, API key, model and the other dimensions?'
AS
  SELECT
    u.date,
    u.hour_start,
    u.organization_id,
    u.grouped_by,
    COALESCE(w.workspace_id, u.workspace_id) AS workspace_id,
    CASE
      WHEN u.grouped_by LIKE '%workspace_id%'
      THEN COALESCE(w.workspace_name, u.workspace_id, 'Default')
    END AS workspace_name,
    u.api_key_id,
    CASE
      WHEN u.grouped_by LIKE '%api_key_id%'
      THEN COALESCE(k.name, u.api_key_id, 'Console')
    END AS api_key_name,
    k.created_by_id AS api_key_created_by_id,
    u.account_id,
    u.service_account_id,
    u.model,
    u.service_tier,
    u.context_window,
    u.inference_geo,
    u.speed,
    u.uncached_input_tokens,
    u.cache_read_input_tokens,
    u.cache_creation_input_tokens,
    u.output_tokens,
    u.web_search_requests,
    CAST(u.cache_read_input_tokens AS DOUBLE) / NULLIF(u.input_tokens, 0) AS cache_hit_ratio,
    u.input_tokens
  FROM (
    SELECT
      r.date,
      CASE WHEN r.bucket_width <> '1d' THEN DATE_TRUNC('HOUR', r.starting_at) END AS hour_start,
      COALESCE(r.organization_id, l.organization_id) AS organization_id,
      r.grouped_by,
      r.workspace_id,
      r.api_key_id,
      r.account_id,
      r.service_account_id,
      r.model,
      r.service_tier,
      r.context_window,
      r.inference_geo,
      r.speed,
      CAST(SUM(r.uncached_input_tokens) AS BIGINT) AS uncached_input_tokens,
      CAST(SUM(r.cache_read_input_tokens) AS BIGINT) AS cache_read_input_tokens,
      CAST(SUM(
        COALESCE(r.cache_creation_ephemeral_5m_input_tokens, 0) + COALESCE(r.cache_creation_ephemeral_1h_input_tokens, 0)
      ) AS BIGINT) AS cache_creation_input_tokens,
      CAST(SUM(
        COALESCE(r.uncached_input_tokens, 0) + COALESCE(r.cache_read_input_tokens, 0) + COALESCE(r.cache_creation_ephemeral_5m_input_tokens, 0) + COALESCE(r.cache_creation_ephemeral_1h_input_tokens, 0)
      ) AS BIGINT) AS input_tokens,
      CAST(SUM(r.output_tokens) AS BIGINT) AS output_tokens,
      CAST(SUM(r.server_tool_use_web_search_requests) AS BIGINT) AS web_search_requests
    FROM usage_report AS r
    CROSS JOIN lake_organization AS l
    GROUP BY
      1,
      2,
      3,
      4,
      5,
      6,
      7,
      8,
      9,
      10,
      11,
      12,
      13
  ) AS u
  LEFT JOIN workspace_names AS w
    ON COALESCE(w.organization_id, '') = COALESCE(u.organization_id, '')
    AND COALESCE(w.reported_workspace_id, '') = COALESCE(u.workspace_id, '')
    AND u.grouped_by LIKE '%workspace_id%'
  LEFT JOIN api_keys_current AS k
    ON COALESCE(k.organization_id, '') = COALESCE(u.organization_id, '')
    AND k.id = u.api_key_id;

CREATE OR REPLACE VIEW cost_allocation
  COPY GRANTS
  COMMENT = 'Which cost centre pays for what each day, by the rules of the chargeback?'
AS
  WITH period AS (
    SELECT
      organization_id,
      match_type,
      match_value,
      COALESCE(valid_from, CAST('0001-01-01' AS DATE)) AS first_day,
      COALESCE(valid_to, CAST('9999-12-31' AS DATE)) AS last_day,
      period
    FROM allocation_rules
    WHERE
      share_before = 0
  ), payer AS (
    SELECT
      r.period,
      r.line,
      CASE WHEN p.kind = 'rule' THEN r.match_type ELSE 'unallocated' END AS method,
      CASE WHEN p.kind = 'rule' THEN r.cost_center END AS cost_center,
      CAST(CASE WHEN p.kind = 'rule' THEN r.share_before ELSE r.share_sum END * 1000000000000 AS BIGINT) AS low,
      CAST(CASE WHEN p.kind = 'rule' THEN r.share_before + r.share ELSE 1 END * 1000000000000 AS BIGINT) AS high
    FROM allocation_rules AS r
    CROSS JOIN (VALUES
      ('rule'),
      ('rest')) AS p(kind)
    WHERE
      p.kind = 'rule' OR (
        r.share_before = 0 AND r.share_sum < 1
      )
  ), tagged AS (
    SELECT
      w.id AS workspace_id,
      p.first_day,
      p.last_day,
      p.organization_id,
      MIN(p.period) AS period
    FROM (
      SELECT
        *,
        CONCAT(
          CHR(  34),
          SUBSTRING(match_value, 1, CHARINDEX('=', match_value) - 1),
          CHR(  34),
          ':',
          CHR(  34),
          SUBSTRING(match_value, CHARINDEX('=', match_value) + 1),
          CHR(  34)
        ) AS tag
      FROM period
      WHERE
        match_type = 'workspace_tag'
    ) AS p
    INNER JOIN (
      SELECT
        id,
        MAX_BY(tags, date) AS tags
      FROM workspaces
      WHERE
        date > CAST(SYSDATE() AS DATE) - INTERVAL '31 DAY'
        AND date <= CAST(SYSDATE() AS DATE)
      GROUP BY
        id
    ) AS w
      ON CHARINDEX(CONCAT('{', p.tag), w.tags) > 0
      OR CHARINDEX(CONCAT(',', p.tag), w.tags) > 0
    GROUP BY
      1,
      2,
      3,
      4
  ), actor_cost AS (
    SELECT
      a.date,
      COALESCE(a.organization_id, l.organization_id, '') AS "ORGANIZATION",
      a.workspace_id,
      COALESCE(a.api_key_id, '') AS api_key,
      COALESCE(a.model, '') AS model,
      COALESCE(
        a.actor_user_id,
        a.actor_service_account_id,
        a.actor_api_key_id,
        a.actor_federated_subject,
        a.actor_provider
      ) AS actor_id,
      COALESCE(LOWER(a.actor_email_address), a.actor_name) AS actor_name,
      SUM(a.amount_usd) AS cost_usd
    FROM analytics_cost AS a
    CROSS JOIN lake_organization AS l
    GROUP BY
      1,
      2,
      3,
      4,
      5,
      6,
      7
    HAVING
      SUM(a.amount_usd) > 0
  ), actor_sum AS (
    SELECT
      a.date,
      a."ORGANIZATION",
      a.workspace_id,
      a.api_key,
      a.model,
      COALESCE(i.period, n.period, 0) AS period,
      SUM(SUM(a.cost_usd)) OVER (
        PARTITION BY a.date, a."ORGANIZATION", a.workspace_id, a.api_key, a.model
        ORDER BY COALESCE(i.period, n.period, 0)
      ) AS running_usd,
      SUM(SUM(a.cost_usd)) OVER (PARTITION BY a.date, a."ORGANIZATION", a.workspace_id, a.api_key, a.model) AS total_usd
    FROM actor_cost AS a
    LEFT JOIN period AS i
      ON i.match_type = 'actor'
      AND i.match_value = a.actor_id
      AND COALESCE(i.organization_id, a."ORGANIZATION") = a."ORGANIZATION"
      AND a.date BETWEEN i.first_day AND i.last_day
    LEFT JOIN period AS n
      ON n.match_type = 'actor'
      AND n.match_value = a.actor_name
      AND COALESCE(n.organization_id, a."ORGANIZATION") = a."ORGANIZATION"
      AND a.date BETWEEN n.first_day AND n.last_day
    GROUP BY
      1,
      2,
      3,
      4,
      5,
      6
  ), actor_end AS (
    SELECT
      *,
      CASE
        WHEN estimate * total_usd > running_usd * 1000000000000
        THEN estimate - 1
        ELSE estimate
      END AS high
    FROM (
      SELECT
        *,
        CAST(CAST(running_usd AS DOUBLE) / CAST(total_usd AS DOUBLE) * 1000000000000 AS BIGINT) AS estimate
      FROM actor_sum
    ) AS s
  ), actor AS (
    SELECT
      *,
      COALESCE(
        LAG(high) OVER (PARTITION BY date, "ORGANIZATION", workspace_id, api_key, model ORDER BY period),
        0
      ) AS low,
      MAX(period) OVER (PARTITION BY date, "ORGANIZATION", workspace_id, api_key, model) AS greatest_period
    FROM actor_end
  ), charge AS (
    SELECT
      date,
      COALESCE(organization_id, '') AS "ORGANIZATION",
      workspace_id,
      workspace_name,
      api_key_id,
      model,
      currency,
      method = 'tokens' AS has_user,
      SUM(cost_usd) AS cost_usd,
      SUM(cost) AS cost
    FROM cost_by_api_key
    GROUP BY
      1,
      2,
      3,
      4,
      5,
      6,
      7,
      8
  ), portion AS (
    SELECT
      c.*,
      COALESCE(k.period, NULLIF(a.period, 0), w.period, t.period, d.period) AS period,
      CASE
        WHEN a.high IS NULL
        THEN c.cost_usd
        ELSE CAST((
          FLOOR(c.cost_usd * a.high) - FLOOR(c.cost_usd * a.low)
        ) * 0.000000000001 AS DECIMAL(38, 12))
      END AS portion_usd
    FROM charge AS c
    LEFT JOIN period AS k
      ON k.match_type = 'api_key_id'
      AND k.match_value = c.api_key_id
      AND COALESCE(k.organization_id, c."ORGANIZATION") = c."ORGANIZATION"
      AND c.date BETWEEN k.first_day AND k.last_day
      AND NOT c.cost_usd IS NULL
    LEFT JOIN actor AS a
      ON a.date = c.date
      AND a."ORGANIZATION" = c."ORGANIZATION"
      AND a.workspace_id = c.workspace_id
      AND a.api_key = COALESCE(c.api_key_id, '')
      AND a.model = COALESCE(c.model, '')
      AND a.greatest_period > 0
      AND c.has_user
      AND k.period IS NULL
      AND NOT c.cost_usd IS NULL
    LEFT JOIN period AS w
      ON w.match_type = 'workspace_id'
      AND w.match_value = c.workspace_id
      AND COALESCE(w.organization_id, c."ORGANIZATION") = c."ORGANIZATION"
      AND c.date BETWEEN w.first_day AND w.last_day
      AND NOT c.cost_usd IS NULL
    LEFT JOIN tagged AS t
      ON t.workspace_id = c.workspace_id
      AND COALESCE(t.organization_id, c."ORGANIZATION") = c."ORGANIZATION"
      AND c.date BETWEEN t.first_day AND t.last_day
      AND NOT c.cost_usd IS NULL
    LEFT JOIN period AS d
      ON d.match_type = 'default'
      AND COALESCE(d.organization_id, c."ORGANIZATION") = c."ORGANIZATION"
      AND c.date BETWEEN d.first_day AND d.last_day
      AND NOT c.cost_usd IS NULL
  ), paid AS (
    SELECT
      p.date,
      p."ORGANIZATION",
      y.cost_center,
      p.workspace_id,
      p.workspace_name,
      p.api_key_id,
      p.model,
      COALESCE(y.method, 'unallocated') AS method,
      y.line AS rule_line,
      p.currency,
      CASE WHEN y.cost_center = '*' THEN DATE_TRUNC('MONTH', p.date) END AS shared_month,
      CASE
        WHEN y.high IS NULL OR y.high - y.low = 1000000000000
        THEN p.portion_usd
        ELSE CAST((
          FLOOR(p.portion_usd * y.high) - FLOOR(p.portion_usd * y.low)
        ) * 0.000000000001 AS DECIMAL(38, 12))
      END AS usd,
      CASE WHEN p.cost_usd IS NULL THEN p.cost END AS other_cost
    FROM portion AS p
    LEFT JOIN payer AS y
      ON y.period = p.period
  ), center_sum AS (
    SELECT
      "ORGANIZATION",
      DATE_TRUNC('MONTH', date) AS month,
      cost_center,
      SUM(SUM(usd)) OVER (PARTITION BY "ORGANIZATION", DATE_TRUNC('MONTH', date) ORDER BY cost_center) AS running_usd,
      SUM(SUM(usd)) OVER (PARTITION BY "ORGANIZATION", DATE_TRUNC('MONTH', date)) AS total_usd
    FROM paid
    WHERE
      cost_center <> '*'
    GROUP BY
      1,
      2,
      3
    HAVING
      SUM(usd) > 0
  ), center_end AS (
    SELECT
      *,
      CASE
        WHEN estimate * total_usd > running_usd * 1000000000000
        THEN estimate - 1
        ELSE estimate
      END AS high
    FROM (
      SELECT
        *,
        CAST(CAST(running_usd AS DOUBLE) / CAST(total_usd AS DOUBLE) * 1000000000000 AS BIGINT) AS estimate
      FROM center_sum
    ) AS s
  ), center AS (
    SELECT
      *,
      COALESCE(LAG(high) OVER (PARTITION BY "ORGANIZATION", month ORDER BY cost_center), 0) AS low
    FROM center_end
  )
  SELECT
    date,
    NULLIF("ORGANIZATION", '') AS organization_id,
    COALESCE(center, NULLIF(cost_center, '*')) AS cost_center,
    workspace_id,
    workspace_name,
    api_key_id,
    model,
    CASE WHEN center IS NULL THEN usd ELSE usd * 0 END AS direct_usd,
    CASE WHEN center IS NULL THEN usd * 0 ELSE shared_usd END AS shared_usd,
    CASE
      WHEN NOT center IS NULL
      THEN 'shared'
      WHEN cost_center = '*'
      THEN 'unallocated'
      ELSE method
    END AS method,
    rule_line,
    currency,
    CASE WHEN center IS NULL THEN COALESCE(usd, other_cost) ELSE shared_usd END AS cost
  FROM (
    SELECT
      p.*,
      c.cost_center AS center,
      CAST((
        FLOOR(p.usd * c.high) - FLOOR(p.usd * c.low)
      ) * 0.000000000001 AS DECIMAL(38, 12)) AS shared_usd
    FROM paid AS p
    LEFT JOIN center AS c
      ON c."ORGANIZATION" = p."ORGANIZATION" AND c.month = p.shared_month
  ) AS shares;

CREATE OR REPLACE VIEW cost_anomalies
  COPY GRANTS
  COMMENT = 'Which days of an organization, a workspace or a model cost unusually much, and what drove them?'
AS
  WITH calendar AS (
    SELECT
      date,
      status = 'final' AS is_final,
      MIN(date) OVER () AS lake_start
    FROM coverage
    WHERE
      asset = 'cost_report'
  ), costs AS (
    SELECT
      c.date,
      c.organization_id,
      s.series,
      CASE WHEN s.series <> 'organization' THEN c.workspace_id END AS workspace_id,
      CASE WHEN s.series = 'model' THEN c.model END AS model,
      MAX(CASE WHEN s.series <> 'organization' THEN c.workspace_name END) AS workspace_name,
      SUM(c.cost_usd) AS cost_usd
    FROM cost_daily AS c
    CROSS JOIN (VALUES
      ('organization'),
      ('workspace'),
      ('model')) AS s(series)
    WHERE
      c.cost_usd <> 0
    GROUP BY
      1,
      2,
      3,
      4,
      5
  ), days AS (
    SELECT
      d.date,
      d.lake_start,
      s.organization_id,
      s.series,
      s.workspace_id,
      s.workspace_name,
      s.model,
      s.first_cost,
      CASE WHEN d.is_final THEN COALESCE(c.cost_usd, 0) END AS cost_usd
    FROM (
      SELECT
        organization_id,
        series,
        workspace_id,
        model,
        MAX(workspace_name) AS workspace_name,
        MIN(date) AS first_cost
      FROM costs
      WHERE
        date IN (
          SELECT
            date
          FROM calendar
          WHERE
            is_final
        )
      GROUP BY
        1,
        2,
        3,
        4
    ) AS s
    CROSS JOIN calendar AS d
    LEFT JOIN costs AS c
      ON c.date = d.date
      AND c.series = s.series
      AND COALESCE(c.organization_id, '') = COALESCE(s.organization_id, '')
      AND COALESCE(c.workspace_id, '') = COALESCE(s.workspace_id, '')
      AND COALESCE(c.model, '') = COALESCE(s.model, '')
  ), weeks AS (
    SELECT
      *,
      LAG(cost_usd, 7) OVER (PARTITION BY organization_id, series, workspace_id, model ORDER BY date) AS week_1,
      LAG(cost_usd, 14) OVER (PARTITION BY organization_id, series, workspace_id, model ORDER BY date) AS week_2,
      LAG(cost_usd, 21) OVER (PARTITION BY organization_id, series, workspace_id, model ORDER BY date) AS week_3,
      LAG(cost_usd, 28) OVER (PARTITION BY organization_id, series, workspace_id, model ORDER BY date) AS week_4,
      SUM(cost_usd) OVER (
        PARTITION BY organization_id, series, workspace_id, model
        ORDER BY date
        ROWS BETWEEN 6 PRECEDING AND CURRENT ROW
      ) AS seven_days_usd
    FROM days
  ), expectations AS (
    SELECT
      *,
      CAST(week_1 + week_2 + week_3 + week_4 - GREATEST(week_1, week_2, week_3, week_4) - LEAST(week_1, week_2, week_3, week_4) AS DOUBLE) / 2 AS expected_usd
    FROM weeks
  ), deviations AS (
    SELECT
      *,
      CAST(cost_usd AS DOUBLE) - expected_usd AS impact_usd,
      CASE
        WHEN date >= DATEADD(DAY, 28, first_cost) AND (
          cost_usd <> 0 OR expected_usd <> 0
        )
        THEN (
          CAST(cost_usd AS DOUBLE) - expected_usd
        ) / GREATEST(expected_usd, 5)
      END AS deviation,
      CASE
        WHEN first_cost >= DATEADD(DAY, 28, lake_start)
        AND date < DATEADD(DAY, 42, first_cost)
        AND seven_days_usd > 100
        THEN date
      END AS new_spend_day
    FROM expectations
  ), judgements AS (
    SELECT
      *,
      AVG(LEAST(ABS(deviation), 0.5)) OVER (
        PARTITION BY organization_id, series, workspace_id, model
        ORDER BY date
        ROWS BETWEEN 28 PRECEDING AND 1 PRECEDING
      ) AS usual_deviation,
      COUNT(deviation) OVER (
        PARTITION BY organization_id, series, workspace_id, model
        ORDER BY date
        ROWS BETWEEN 28 PRECEDING AND 1 PRECEDING
      ) AS days_compared,
      MIN(new_spend_day) OVER (PARTITION BY organization_id, series, workspace_id, model ORDER BY date) AS first_new_spend_day,
      CASE
        WHEN series = 'model'
        THEN workspace_name || ' / ' || COALESCE(model, 'no model')
      END AS part,
      CASE WHEN series = 'model' THEN impact_usd END AS part_impact_usd
    FROM deviations
  ), kinds AS (
    SELECT
      *,
      CASE
        WHEN date = first_new_spend_day
        THEN 'new spend'
        WHEN deviation >= GREATEST(4 * usual_deviation, 0.25)
        AND impact_usd >= 25
        AND days_compared >= 14
        THEN 'spike'
      END AS kind,
      FIRST_VALUE(part) OVER (PARTITION BY date, organization_id ORDER BY part_impact_usd DESC NULLS LAST, part) AS organization_driver,
      FIRST_VALUE(part_impact_usd) OVER (PARTITION BY date, organization_id ORDER BY part_impact_usd DESC NULLS LAST, part) AS organization_driver_impact_usd,
      FIRST_VALUE(part) OVER (
        PARTITION BY date, organization_id, workspace_id
        ORDER BY part_impact_usd DESC NULLS LAST, part
      ) AS workspace_driver,
      FIRST_VALUE(part_impact_usd) OVER (
        PARTITION BY date, organization_id, workspace_id
        ORDER BY part_impact_usd DESC NULLS LAST, part
      ) AS workspace_driver_impact_usd
    FROM judgements
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
      WHEN 'organization'
      THEN organization_driver
      WHEN 'workspace'
      THEN workspace_driver
      ELSE part
    END AS driver,
    CASE series
      WHEN 'organization'
      THEN organization_driver_impact_usd
      WHEN 'workspace'
      THEN workspace_driver_impact_usd
      ELSE part_impact_usd
    END AS driver_impact_usd
  FROM kinds
  WHERE
    NOT kind IS NULL;

CREATE OR REPLACE VIEW cost_forecast
  COPY GRANTS
  COMMENT = 'What will the month cost, for the organization and each workspace, and between which bounds?'
AS
  WITH calendar AS (
    SELECT
      m.date,
      m.date >= DATE_TRUNC('MONTH', CAST(SYSDATE() AS DATE)) AS in_month,
      NOT f.date IS NULL AS is_final,
      MAX(f.date) OVER () AS last_final
    FROM (
      SELECT
        CAST(DATEADD(
          DAY,
          -CAST(t.n AS BIGINT),
          DATE_TRUNC('MONTH', CAST(SYSDATE() AS DATE)) + INTERVAL '1 MONTH'
        ) AS DATE) AS date
      FROM TABLE(FLATTEN(INPUT => ARRAY_GENERATE_RANGE(1, 120 + 1))) AS t(seq, key, path, index, n, this)
    ) AS m
    LEFT JOIN coverage AS f
      ON f.date = m.date
      AND f.asset = 'cost_report'
      AND f.status = 'final'
      AND f.date < CAST(SYSDATE() AS DATE)
  ), costs AS (
    SELECT
      c.date,
      c.organization_id,
      s.series,
      CASE WHEN s.series = 'workspace' THEN c.workspace_id END AS workspace_id,
      MAX(CASE WHEN s.series = 'workspace' THEN c.workspace_name END) AS workspace_name,
      SUM(c.cost_usd) AS cost_usd
    FROM cost_daily AS c
    CROSS JOIN (VALUES
      ('organization'),
      ('workspace')) AS s(series)
    WHERE
      c.cost_usd <> 0
      AND c.date >= DATE_TRUNC('MONTH', CAST(SYSDATE() AS DATE)) + INTERVAL '1 MONTH' - INTERVAL '120 DAY'
      AND c.date < CAST(SYSDATE() AS DATE)
    GROUP BY
      1,
      2,
      3,
      4
  ), days AS (
    SELECT
      d.date,
      d.in_month,
      d.is_final,
      d.last_final,
      d.is_final AND d.date > DATEADD(DAY, -28, d.last_final) AS is_recent,
      s.organization_id,
      s.series,
      s.workspace_id,
      s.workspace_name,
      s.first_cost,
      CASE WHEN d.is_final THEN COALESCE(c.cost_usd, 0) END AS cost_usd
    FROM (
      SELECT
        organization_id,
        series,
        workspace_id,
        MAX(workspace_name) AS workspace_name,
        MIN(date) AS first_cost
      FROM costs
      WHERE
        date IN (
          SELECT
            date
          FROM calendar
          WHERE
            is_final
        )
      GROUP BY
        1,
        2,
        3
    ) AS s
    CROSS JOIN calendar AS d
    LEFT JOIN costs AS c
      ON c.date = d.date
      AND c.series = s.series
      AND COALESCE(c.organization_id, '') = COALESCE(s.organization_id, '')
      AND COALESCE(c.workspace_id, '') = COALESCE(s.workspace_id, '')
  ), weeks AS (
    SELECT
      *,
      LAG(cost_usd, 7) OVER (PARTITION BY organization_id ORDER BY date) AS week_1,
      LAG(cost_usd, 14) OVER (PARTITION BY organization_id ORDER BY date) AS week_2,
      LAG(cost_usd, 21) OVER (PARTITION BY organization_id ORDER BY date) AS week_3,
      LAG(cost_usd, 28) OVER (PARTITION BY organization_id ORDER BY date) AS week_4
    FROM days
    WHERE
      series = 'organization'
  ), deviations AS (
    SELECT
      organization_id,
      (
        CAST(cost_usd AS DOUBLE) - expected_usd
      ) / GREATEST(expected_usd, 5) AS deviation
    FROM (
      SELECT
        *,
        CAST(week_1 + week_2 + week_3 + week_4 - GREATEST(week_1, week_2, week_3, week_4) - LEAST(week_1, week_2, week_3, week_4) AS DOUBLE) / 2 AS expected_usd
      FROM weeks
      WHERE
        is_recent AND date >= DATEADD(DAY, 28, first_cost)
    ) AS expectations
    WHERE
      NOT expected_usd IS NULL AND (
        cost_usd <> 0 OR expected_usd <> 0
      )
  ), growth AS (
    SELECT
      organization_id,
      AVG(deviation) AS growth
    FROM (
      SELECT
        organization_id,
        deviation,
        ROW_NUMBER() OVER (PARTITION BY organization_id ORDER BY deviation) AS place,
        COUNT(*) OVER (PARTITION BY organization_id) AS places
      FROM deviations
    ) AS ranks
    WHERE
      places >= 14 AND 2 * place BETWEEN places AND places + 2
    GROUP BY
      organization_id
  ), weekdays AS (
    SELECT
      *,
      COUNT(CASE WHEN is_recent THEN cost_usd END) OVER (PARTITION BY organization_id, series, workspace_id, DAYOFWEEKISO(date)) AS known_days,
      SUM(CASE WHEN is_recent THEN cost_usd END) OVER (PARTITION BY organization_id, series, workspace_id, DAYOFWEEKISO(date)) AS sum_usd,
      MAX(CASE WHEN is_recent THEN cost_usd END) OVER (PARTITION BY organization_id, series, workspace_id, DAYOFWEEKISO(date)) AS most_usd,
      MIN(CASE WHEN is_recent THEN cost_usd END) OVER (PARTITION BY organization_id, series, workspace_id, DAYOFWEEKISO(date)) AS least_usd,
      AVG(CASE WHEN date >= first_cost THEN CAST(cost_usd AS DOUBLE) END) OVER (PARTITION BY organization_id, series, workspace_id) AS pace_usd
    FROM days
  ), methods AS (
    SELECT
      *,
      CASE
        WHEN first_cost <= DATEADD(DAY, -27, last_final)
        AND MIN(known_days) OVER (PARTITION BY organization_id, series, workspace_id) > 0
        THEN 'weekday'
        ELSE 'pace'
      END AS method
    FROM weekdays
  ), usual_days AS (
    SELECT
      *,
      CASE
        WHEN method = 'pace'
        THEN pace_usd
        WHEN known_days > 2
        THEN CAST(sum_usd - most_usd - least_usd AS DOUBLE) / (
          known_days - 2
        )
        ELSE CAST(sum_usd AS DOUBLE) / known_days
      END AS usual_usd
    FROM methods
  ), months AS (
    SELECT
      organization_id,
      series,
      workspace_id,
      workspace_name,
      method,
      SUM(CASE WHEN in_month AND is_final THEN cost_usd ELSE 0 END) AS month_to_date_usd,
      COUNT(CASE WHEN in_month AND is_final THEN 1 END) AS days_final,
      COUNT(CASE WHEN in_month AND NOT is_final THEN 1 END) AS days_left,
      SUM(CASE WHEN in_month AND NOT is_final THEN usual_usd ELSE 0 END) AS usual_left_usd,
      SUM(
        CASE
          WHEN is_recent AND date >= first_cost
          THEN ABS(CAST(cost_usd AS DOUBLE) - usual_usd)
        END
      ) / GREATEST(SUM(CASE WHEN is_recent AND date >= first_cost THEN usual_usd END), 5) AS usual_error
    FROM usual_days
    GROUP BY
      1,
      2,
      3,
      4,
      5
  ), forecasts AS (
    SELECT
      m.*,
      usual_left_usd * (
        1 + COALESCE(growth, 0)
      ) AS left_usd,
      2 * usual_error * SQRT(0.125 + 1e0 / days_left) + COALESCE(ABS(growth) * days_left / 40, 0.2) AS width
    FROM (
      SELECT
        months.*,
        CASE WHEN method = 'weekday' THEN g.growth END AS growth
      FROM months
      LEFT JOIN growth AS g
        ON COALESCE(g.organization_id, '') = COALESCE(months.organization_id, '')
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
    CAST(month_to_date_usd AS DOUBLE) + left_usd AS forecast_usd,
    CAST(month_to_date_usd AS DOUBLE) + left_usd - ABS(left_usd) * LEAST(width, 1) AS low_usd,
    CAST(month_to_date_usd AS DOUBLE) + left_usd + ABS(left_usd) * width AS high_usd,
    method
  FROM forecasts;

CREATE OR REPLACE VIEW cost_reconciliation
  COPY GRANTS
  COMMENT = 'Do the cost report and the cost by person agree on each day and workspace, and if not, why?'
AS
  WITH figure AS (
    SELECT
      date,
      organization_id,
      workspace_id,
      cost_usd AS cost_report_usd,
      CAST(NULL AS DECIMAL(38, 12)) AS analytics_usd,
      CAST(NULL AS DECIMAL(38, 12)) AS analytics_list_usd,
      CAST(NULL AS DECIMAL(38, 12)) AS allocated_usd,
      CAST(NULL AS DECIMAL(38, 12)) AS claude_code_estimate_usd
    FROM cost_daily
    UNION ALL
    SELECT
      a.date,
      a.organization_id,
      CASE
        WHEN NOT n.workspace_id IS NULL OR NOT r.workspace_id IS NULL
        THEN a.workspace_id
      END,
      NULL,
      a.amount_usd,
      a.list_amount_usd,
      NULL,
      NULL
    FROM (
      SELECT
        r.date,
        COALESCE(r.organization_id, l.organization_id) AS organization_id,
        r.workspace_id,
        SUM(r.amount_usd) AS amount_usd,
        SUM(r.list_amount_usd) AS list_amount_usd
      FROM analytics_cost AS r
      CROSS JOIN lake_organization AS l
      WHERE
        NOT r.amount_usd IS NULL
      GROUP BY
        1,
        2,
        3
    ) AS a
    LEFT JOIN workspace_names AS n
      ON n.reported_workspace_id IS NULL
      AND COALESCE(n.organization_id, '') = COALESCE(a.organization_id, '')
    LEFT JOIN (
      SELECT DISTINCT
        date,
        workspace_id
      FROM cost_report
    ) AS r
      ON r.date = a.date AND r.workspace_id = a.workspace_id
    UNION ALL
    SELECT
      date,
      organization_id,
      workspace_id,
      NULL,
      NULL,
      NULL,
      cost_usd,
      NULL
    FROM cost_by_api_key
    WHERE
      method <> 'unallocated'
    UNION ALL
    SELECT
      u.date,
      COALESCE(u.organization_id, l.organization_id),
      NULL,
      NULL,
      NULL,
      NULL,
      NULL,
      u.estimated_cost_amount_usd
    FROM claude_code_usage AS u
    CROSS JOIN lake_organization AS l
  ), summed AS (
    SELECT
      date,
      organization_id,
      workspace_id,
      SUM(cost_report_usd) AS cost_report_usd,
      SUM(analytics_usd) AS analytics_usd,
      SUM(analytics_list_usd) AS analytics_list_usd,
      SUM(allocated_usd) AS allocated_usd,
      SUM(claude_code_estimate_usd) AS claude_code_estimate_usd
    FROM figure
    WHERE
      NOT COALESCE(cost_report_usd, analytics_usd, allocated_usd, claude_code_estimate_usd) IS NULL
    GROUP BY
      1,
      2,
      3
  ), day_read AS (
    SELECT
      COALESCE(s.organization_id, l.organization_id) AS organization_id,
      s.day,
      COUNT(
        DISTINCT CASE WHEN s.is_final AND s.asset <> 'claude_code_usage' THEN s.asset END
      ) AS final_reports,
      COUNT(
        CASE
          WHEN s.asset = 'analytics_cost'
          AND s.grouped_by LIKE '%workspace_id%'
          AND s.grouped_by NOT LIKE '%rbac_group_id%'
          THEN 1
        END
      ) AS reports_by_workspace,
      MIN(MIN(CASE WHEN s.asset = 'analytics_cost' THEN s.day END)) OVER (PARTITION BY COALESCE(s.organization_id, l.organization_id)) AS first_analytics_day
    FROM sync_days AS s
    CROSS JOIN lake_organization AS l
    WHERE
      s.date BETWEEN CAST('2023-01-01' AS DATE) AND CAST(SYSDATE() AS DATE)
      AND DAY(s.date) = 1
      AND s.asset IN ('analytics_cost', 'claude_code_usage', 'cost_report')
    GROUP BY
      1,
      2
  ), compared AS (
    SELECT
      f.*,
      COALESCE(f.analytics_usd - f.cost_report_usd, f.analytics_usd, -f.cost_report_usd) AS difference_usd,
      CASE
        WHEN f.analytics_usd IS NULL AND COALESCE(f.date < d.first_analytics_day, TRUE)
        THEN 'not offered'
        WHEN COALESCE(d.final_reports, 0) < 2
        THEN 'open'
        WHEN d.reports_by_workspace = 0
        THEN 'grouping'
        WHEN f.analytics_usd IS NULL AND f.cost_report_usd IS NULL
        THEN 'grouping'
      END AS obstacle
    FROM summed AS f
    LEFT JOIN day_read AS d
      ON d.day = f.date
      AND COALESCE(d.organization_id, '') = COALESCE(f.organization_id, '')
  )
  SELECT
    c.date,
    c.organization_id,
    c.workspace_id,
    COALESCE(w.workspace_name, c.workspace_id) AS workspace_name,
    c.cost_report_usd,
    c.analytics_usd,
    c.analytics_list_usd,
    c.allocated_usd,
    c.claude_code_estimate_usd,
    CASE WHEN COALESCE(c.obstacle, 'open') = 'open' THEN c.difference_usd END AS difference_usd,
    CASE
      WHEN NOT c.obstacle IS NULL
      THEN c.obstacle
      WHEN ABS(c.difference_usd) <= 0.01
      THEN 'equal'
      ELSE 'unexplained'
    END AS explanation
  FROM compared AS c
  LEFT JOIN workspace_names AS w
    ON w.reported_workspace_id = c.workspace_id
    AND COALESCE(w.organization_id, '') = COALESCE(c.organization_id, '');

CREATE OR REPLACE VIEW usage_daily
  COPY GRANTS
  COMMENT = 'How many tokens were used each day, by workspace, API key, model and the other dimensions?'
AS
  SELECT
    date,
    organization_id,
    grouped_by,
    workspace_id,
    workspace_name,
    api_key_id,
    api_key_name,
    api_key_created_by_id,
    account_id,
    service_account_id,
    model,
    service_tier,
    context_window,
    inference_geo,
    speed,
    CAST(SUM(uncached_input_tokens) AS BIGINT) AS uncached_input_tokens,
    CAST(SUM(cache_read_input_tokens) AS BIGINT) AS cache_read_input_tokens,
    CAST(SUM(cache_creation_input_tokens) AS BIGINT) AS cache_creation_input_tokens,
    CAST(SUM(output_tokens) AS BIGINT) AS output_tokens,
    CAST(SUM(web_search_requests) AS BIGINT) AS web_search_requests,
    CAST(SUM(cache_read_input_tokens) AS DOUBLE) / NULLIF(SUM(input_tokens), 0) AS cache_hit_ratio,
    CAST(SUM(input_tokens) AS BIGINT) AS input_tokens
  FROM usage_hourly
  GROUP BY
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    10,
    11,
    12,
    13,
    14,
    15;
-- /generated:views
