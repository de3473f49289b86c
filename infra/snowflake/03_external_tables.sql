-- 3. External tables: queries read the objects in the data bucket, nothing is copied.
--
-- The files hold instants in UTC. The columns are TIMESTAMP_NTZ and show UTC, as Athena does,
-- whatever the session's time zone is. `date` comes from the name of the object, never from the
-- file, and prunes: a query of one day reads one object.
--
-- <% task_hour %> is the stack's output SnowflakeTaskHour.

USE SCHEMA anthropic_lake.lake;

-- generated:external_tables by `python -m infra.generate` from functions/anthropic_lake
CREATE OR REPLACE EXTERNAL TABLE "ORGANIZATION" (
  id VARCHAR AS (value:"id"::VARCHAR) COMMENT 'Identifier (UUID) of the organization.',
  organization_id VARCHAR AS (value:"organization_id"::VARCHAR) COMMENT 'Organization the row belongs to; null when the API did not say.',
  type VARCHAR AS (value:"type"::VARCHAR) COMMENT 'Always `organization`.',
  name VARCHAR AS (value:"name"::VARCHAR) COMMENT 'Name of the organization.',
  extra VARCHAR AS (value:"extra"::VARCHAR) COMMENT 'JSON object from dotted path to value of the fields that the API returned and this table does not know; a dot or backslash inside a name has a backslash before it; null when there are none.',
  date DATE AS (TO_DATE(SPLIT_PART(SPLIT_PART(metadata$filename, 'asset=organization/date=', 2), '/', 1), 'YYYY-MM-DD')) COMMENT 'Day of the rows, UTC; the partition.'
)
  PARTITION BY (date)
  LOCATION = @objects/asset=organization/
  AUTO_REFRESH = TRUE
  PATTERN = '.*[.]parquet'
  FILE_FORMAT = (FORMAT_NAME = 'anthropic_lake.lake.parquet_file')
  COPY GRANTS
  COMMENT = 'The organization, as it was on the day.';

CREATE OR REPLACE EXTERNAL TABLE workspaces (
  id VARCHAR AS (value:"id"::VARCHAR) COMMENT 'Identifier of the workspace.',
  organization_id VARCHAR AS (value:"organization_id"::VARCHAR) COMMENT 'Organization the row belongs to; null when the API did not say.',
  type VARCHAR AS (value:"type"::VARCHAR) COMMENT 'Always `workspace`.',
  name VARCHAR AS (value:"name"::VARCHAR) COMMENT 'Name of the workspace.',
  created_at TIMESTAMP_NTZ(6) AS (CONVERT_TIMEZONE('UTC', value:"created_at"::TIMESTAMP_LTZ(6))::TIMESTAMP_NTZ(6)) COMMENT 'When the workspace was created, UTC.',
  archived_at TIMESTAMP_NTZ(6) AS (CONVERT_TIMEZONE('UTC', value:"archived_at"::TIMESTAMP_LTZ(6))::TIMESTAMP_NTZ(6)) COMMENT 'When the workspace was archived, UTC; null while it is active.',
  display_color VARCHAR AS (value:"display_color"::VARCHAR) COMMENT 'Colour in the Console, as a hex code.',
  data_residency_workspace_geo VARCHAR AS (value:"data_residency_workspace_geo"::VARCHAR) COMMENT 'Where the workspace''s data is stored; null when the API did not say.',
  data_residency_default_inference_geo VARCHAR AS (value:"data_residency_default_inference_geo"::VARCHAR) COMMENT 'Where requests that name no place run; null when the API did not say.',
  data_residency_allowed_inference_geos VARCHAR AS (value:"data_residency_allowed_inference_geos"::VARCHAR) COMMENT 'Where requests may run: JSON text, `"unrestricted"` or a list of places; null when the API did not say.',
  tags VARCHAR AS (value:"tags"::VARCHAR) COMMENT 'Tags: JSON object from name to value; null when the API did not say.',
  compartment_id VARCHAR AS (value:"compartment_id"::VARCHAR) COMMENT 'Compartment of customer-managed encryption; null where it is not used.',
  external_key_id VARCHAR AS (value:"external_key_id"::VARCHAR) COMMENT 'Customer-managed encryption key; null where none is used.',
  user_profile_id VARCHAR AS (value:"user_profile_id"::VARCHAR) COMMENT 'User profile of the workspace; null when the API did not say.',
  extra VARCHAR AS (value:"extra"::VARCHAR) COMMENT 'JSON object from dotted path to value of the fields that the API returned and this table does not know; a dot or backslash inside a name has a backslash before it; null when there are none.',
  date DATE AS (TO_DATE(SPLIT_PART(SPLIT_PART(metadata$filename, 'asset=workspaces/date=', 2), '/', 1), 'YYYY-MM-DD')) COMMENT 'Day of the rows, UTC; the partition.'
)
  PARTITION BY (date)
  LOCATION = @objects/asset=workspaces/
  AUTO_REFRESH = TRUE
  PATTERN = '.*[.]parquet'
  FILE_FORMAT = (FORMAT_NAME = 'anthropic_lake.lake.parquet_file')
  COPY GRANTS
  COMMENT = 'One workspace, as it was on the day.';

CREATE OR REPLACE EXTERNAL TABLE api_keys (
  id VARCHAR AS (value:"id"::VARCHAR) COMMENT 'Identifier of the key.',
  organization_id VARCHAR AS (value:"organization_id"::VARCHAR) COMMENT 'Organization the row belongs to; null when the API did not say.',
  type VARCHAR AS (value:"type"::VARCHAR) COMMENT 'Always `api_key`.',
  name VARCHAR AS (value:"name"::VARCHAR) COMMENT 'Name of the key.',
  status VARCHAR AS (value:"status"::VARCHAR) COMMENT '`active`, `inactive`, `archived` or `expired`.',
  partial_key_hint VARCHAR AS (value:"partial_key_hint"::VARCHAR) COMMENT 'The key with its middle left out, or null.',
  created_at TIMESTAMP_NTZ(6) AS (CONVERT_TIMEZONE('UTC', value:"created_at"::TIMESTAMP_LTZ(6))::TIMESTAMP_NTZ(6)) COMMENT 'When the key was created, UTC.',
  expires_at TIMESTAMP_NTZ(6) AS (CONVERT_TIMEZONE('UTC', value:"expires_at"::TIMESTAMP_LTZ(6))::TIMESTAMP_NTZ(6)) COMMENT 'When the key expires, UTC; null: never.',
  created_by_id VARCHAR AS (value:"created_by_id"::VARCHAR) COMMENT 'Who created the key; null for legacy, federated and system keys.',
  created_by_type VARCHAR AS (value:"created_by_type"::VARCHAR) COMMENT '`user` or `service_account`; null for legacy, federated and system keys.',
  workspace_id VARCHAR AS (value:"workspace_id"::VARCHAR) COMMENT 'Workspace of the key; null: the default workspace, or a key of the whole organization (scope_type tells which).',
  scope_type VARCHAR AS (value:"scope_type"::VARCHAR) COMMENT '`workspace` or `organization`; null when the API did not say.',
  scope_workspace_id VARCHAR AS (value:"scope_workspace_id"::VARCHAR) COMMENT 'Workspace of the key, the default one too; null for a key of the whole organization.',
  principal_type VARCHAR AS (value:"principal_type"::VARCHAR) COMMENT 'Kind of principal that the key acts as; null where it has none.',
  principal_id VARCHAR AS (value:"principal_id"::VARCHAR) COMMENT 'User or service account that the key acts as; null where it has none.',
  extra VARCHAR AS (value:"extra"::VARCHAR) COMMENT 'JSON object from dotted path to value of the fields that the API returned and this table does not know; a dot or backslash inside a name has a backslash before it; null when there are none.',
  date DATE AS (TO_DATE(SPLIT_PART(SPLIT_PART(metadata$filename, 'asset=api_keys/date=', 2), '/', 1), 'YYYY-MM-DD')) COMMENT 'Day of the rows, UTC; the partition.'
)
  PARTITION BY (date)
  LOCATION = @objects/asset=api_keys/
  AUTO_REFRESH = TRUE
  PATTERN = '.*[.]parquet'
  FILE_FORMAT = (FORMAT_NAME = 'anthropic_lake.lake.parquet_file')
  COPY GRANTS
  COMMENT = 'One API key, as it was on the day.';

CREATE OR REPLACE EXTERNAL TABLE invites (
  id VARCHAR AS (value:"id"::VARCHAR) COMMENT 'Identifier of the invitation.',
  organization_id VARCHAR AS (value:"organization_id"::VARCHAR) COMMENT 'Organization the row belongs to; null when the API did not say.',
  type VARCHAR AS (value:"type"::VARCHAR) COMMENT 'Always `invite`.',
  email VARCHAR AS (value:"email"::VARCHAR) COMMENT 'E-mail address that was invited.',
  role VARCHAR AS (value:"role"::VARCHAR) COMMENT 'Role that the person gets in the organization.',
  status VARCHAR AS (value:"status"::VARCHAR) COMMENT '`pending`, `accepted`, `expired` or `deleted`.',
  invited_at TIMESTAMP_NTZ(6) AS (CONVERT_TIMEZONE('UTC', value:"invited_at"::TIMESTAMP_LTZ(6))::TIMESTAMP_NTZ(6)) COMMENT 'When the person was invited, UTC.',
  expires_at TIMESTAMP_NTZ(6) AS (CONVERT_TIMEZONE('UTC', value:"expires_at"::TIMESTAMP_LTZ(6))::TIMESTAMP_NTZ(6)) COMMENT 'When the invitation expires, UTC.',
  accepted_at TIMESTAMP_NTZ(6) AS (CONVERT_TIMEZONE('UTC', value:"accepted_at"::TIMESTAMP_LTZ(6))::TIMESTAMP_NTZ(6)) COMMENT 'When the invitation was accepted, UTC; null until then.',
  rbac_group_ids VARCHAR AS (value:"rbac_group_ids"::VARCHAR) COMMENT 'Groups that the person joins: JSON list of identifiers; null when the API did not say.',
  extra VARCHAR AS (value:"extra"::VARCHAR) COMMENT 'JSON object from dotted path to value of the fields that the API returned and this table does not know; a dot or backslash inside a name has a backslash before it; null when there are none.',
  date DATE AS (TO_DATE(SPLIT_PART(SPLIT_PART(metadata$filename, 'asset=invites/date=', 2), '/', 1), 'YYYY-MM-DD')) COMMENT 'Day of the rows, UTC; the partition.'
)
  PARTITION BY (date)
  LOCATION = @objects/asset=invites/
  AUTO_REFRESH = TRUE
  PATTERN = '.*[.]parquet'
  FILE_FORMAT = (FORMAT_NAME = 'anthropic_lake.lake.parquet_file')
  COPY GRANTS
  COMMENT = 'One invitation, as it was on the day.';

CREATE OR REPLACE EXTERNAL TABLE users (
  id VARCHAR AS (value:"id"::VARCHAR) COMMENT 'Identifier of the user.',
  organization_id VARCHAR AS (value:"organization_id"::VARCHAR) COMMENT 'Organization the row belongs to; null when the API did not say.',
  type VARCHAR AS (value:"type"::VARCHAR) COMMENT 'Always `user`.',
  email VARCHAR AS (value:"email"::VARCHAR) COMMENT 'E-mail address of the user.',
  name VARCHAR AS (value:"name"::VARCHAR) COMMENT 'Name of the user.',
  role VARCHAR AS (value:"role"::VARCHAR) COMMENT 'Role of the user in the organization.',
  added_at TIMESTAMP_NTZ(6) AS (CONVERT_TIMEZONE('UTC', value:"added_at"::TIMESTAMP_LTZ(6))::TIMESTAMP_NTZ(6)) COMMENT 'When the user joined the organization, UTC.',
  extra VARCHAR AS (value:"extra"::VARCHAR) COMMENT 'JSON object from dotted path to value of the fields that the API returned and this table does not know; a dot or backslash inside a name has a backslash before it; null when there are none.',
  date DATE AS (TO_DATE(SPLIT_PART(SPLIT_PART(metadata$filename, 'asset=users/date=', 2), '/', 1), 'YYYY-MM-DD')) COMMENT 'Day of the rows, UTC; the partition.'
)
  PARTITION BY (date)
  LOCATION = @objects/asset=users/
  AUTO_REFRESH = TRUE
  PATTERN = '.*[.]parquet'
  FILE_FORMAT = (FORMAT_NAME = 'anthropic_lake.lake.parquet_file')
  COPY GRANTS
  COMMENT = 'One user, as they were on the day.';

CREATE OR REPLACE EXTERNAL TABLE workspace_members (
  workspace_id VARCHAR AS (value:"workspace_id"::VARCHAR) COMMENT 'Identifier of the workspace.',
  user_id VARCHAR AS (value:"user_id"::VARCHAR) COMMENT 'Identifier of the user.',
  organization_id VARCHAR AS (value:"organization_id"::VARCHAR) COMMENT 'Organization the row belongs to; null when the API did not say.',
  type VARCHAR AS (value:"type"::VARCHAR) COMMENT 'Always `workspace_member`.',
  workspace_role VARCHAR AS (value:"workspace_role"::VARCHAR) COMMENT 'Role of the user in the workspace.',
  extra VARCHAR AS (value:"extra"::VARCHAR) COMMENT 'JSON object from dotted path to value of the fields that the API returned and this table does not know; a dot or backslash inside a name has a backslash before it; null when there are none.',
  date DATE AS (TO_DATE(SPLIT_PART(SPLIT_PART(metadata$filename, 'asset=workspace_members/date=', 2), '/', 1), 'YYYY-MM-DD')) COMMENT 'Day of the rows, UTC; the partition.'
)
  PARTITION BY (date)
  LOCATION = @objects/asset=workspace_members/
  AUTO_REFRESH = TRUE
  PATTERN = '.*[.]parquet'
  FILE_FORMAT = (FORMAT_NAME = 'anthropic_lake.lake.parquet_file')
  COPY GRANTS
  COMMENT = 'One user''s membership of one workspace, as it was on the day.';

CREATE OR REPLACE EXTERNAL TABLE usage_report (
  starting_at TIMESTAMP_NTZ(6) AS (CONVERT_TIMEZONE('UTC', value:"starting_at"::TIMESTAMP_LTZ(6))::TIMESTAMP_NTZ(6)) COMMENT 'Start of the time bucket, UTC.',
  workspace_id VARCHAR AS (value:"workspace_id"::VARCHAR) COMMENT 'Workspace; null: the default workspace, or not grouped by.',
  api_key_id VARCHAR AS (value:"api_key_id"::VARCHAR) COMMENT 'API key; null: usage in the Console, or not grouped by.',
  account_id VARCHAR AS (value:"account_id"::VARCHAR) COMMENT 'Account of an OAuth request; null: another request, or not grouped by.',
  service_account_id VARCHAR AS (value:"service_account_id"::VARCHAR) COMMENT 'Service account of a federated request; null: another request, or not grouped by.',
  model VARCHAR AS (value:"model"::VARCHAR) COMMENT 'Model; null: not grouped by.',
  service_tier VARCHAR AS (value:"service_tier"::VARCHAR) COMMENT 'Service tier; null: not grouped by.',
  context_window VARCHAR AS (value:"context_window"::VARCHAR) COMMENT 'Context window; null: not grouped by.',
  inference_geo VARCHAR AS (value:"inference_geo"::VARCHAR) COMMENT 'Where the request ran; null: not grouped by.',
  speed VARCHAR AS (value:"speed"::VARCHAR) COMMENT 'Speed of the model; null: not grouped by.',
  organization_id VARCHAR AS (value:"organization_id"::VARCHAR) COMMENT 'Organization the row belongs to; null when the API did not say.',
  ending_at TIMESTAMP_NTZ(6) AS (CONVERT_TIMEZONE('UTC', value:"ending_at"::TIMESTAMP_LTZ(6))::TIMESTAMP_NTZ(6)) COMMENT 'End of the time bucket, exclusive, UTC.',
  bucket_width VARCHAR AS (value:"bucket_width"::VARCHAR) COMMENT 'Length of the time bucket: 1d, 1h or 1m.',
  grouped_by VARCHAR AS (value:"grouped_by"::VARCHAR) COMMENT 'Dimensions grouped by: names joined by commas in alphabetical order.',
  uncached_input_tokens NUMBER(19, 0) AS (value:"uncached_input_tokens"::NUMBER(19, 0)) COMMENT 'Input tokens not read from a cache.',
  cache_read_input_tokens NUMBER(19, 0) AS (value:"cache_read_input_tokens"::NUMBER(19, 0)) COMMENT 'Input tokens read from a cache.',
  cache_creation_ephemeral_5m_input_tokens NUMBER(19, 0) AS (value:"cache_creation_ephemeral_5m_input_tokens"::NUMBER(19, 0)) COMMENT 'Input tokens written to a cache that lives 5 minutes.',
  cache_creation_ephemeral_1h_input_tokens NUMBER(19, 0) AS (value:"cache_creation_ephemeral_1h_input_tokens"::NUMBER(19, 0)) COMMENT 'Input tokens written to a cache that lives an hour.',
  output_tokens NUMBER(19, 0) AS (value:"output_tokens"::NUMBER(19, 0)) COMMENT 'Output tokens.',
  server_tool_use_web_search_requests NUMBER(19, 0) AS (value:"server_tool_use_web_search_requests"::NUMBER(19, 0)) COMMENT 'Number of web searches.',
  extra VARCHAR AS (value:"extra"::VARCHAR) COMMENT 'JSON object from dotted path to value of the fields that the API returned and this table does not know; a dot or backslash inside a name has a backslash before it; null when there are none.',
  date DATE AS (TO_DATE(SPLIT_PART(SPLIT_PART(metadata$filename, 'asset=usage_report/date=', 2), '/', 1), 'YYYY-MM-DD')) COMMENT 'Day of the rows, UTC; the partition.'
)
  PARTITION BY (date)
  LOCATION = @objects/asset=usage_report/
  AUTO_REFRESH = TRUE
  PATTERN = '.*[.]parquet'
  FILE_FORMAT = (FORMAT_NAME = 'anthropic_lake.lake.parquet_file')
  COPY GRANTS
  COMMENT = 'Tokens of one time bucket and one combination of the dimensions grouped by.';

CREATE OR REPLACE EXTERNAL TABLE cost_report (
  starting_at TIMESTAMP_NTZ(6) AS (CONVERT_TIMEZONE('UTC', value:"starting_at"::TIMESTAMP_LTZ(6))::TIMESTAMP_NTZ(6)) COMMENT 'Start of the day, UTC.',
  workspace_id VARCHAR AS (value:"workspace_id"::VARCHAR) COMMENT 'Workspace; null: the default workspace.',
  description VARCHAR AS (value:"description"::VARCHAR) COMMENT 'What was paid for, in the vendor''s words.',
  cost_type VARCHAR AS (value:"cost_type"::VARCHAR) COMMENT '`tokens`, `web_search`, `code_execution` or `session_usage`.',
  model VARCHAR AS (value:"model"::VARCHAR) COMMENT 'Model; null where the cost is not for tokens.',
  service_tier VARCHAR AS (value:"service_tier"::VARCHAR) COMMENT 'Service tier; null where the cost is not for tokens.',
  context_window VARCHAR AS (value:"context_window"::VARCHAR) COMMENT 'Context window; null where the cost is not for tokens.',
  token_type VARCHAR AS (value:"token_type"::VARCHAR) COMMENT 'Kind of tokens, in the words of the usage report; null where the cost is not for tokens.',
  inference_geo VARCHAR AS (value:"inference_geo"::VARCHAR) COMMENT 'Where the requests ran; null: not said.',
  organization_id VARCHAR AS (value:"organization_id"::VARCHAR) COMMENT 'Organization the row belongs to; null when the API did not say.',
  ending_at TIMESTAMP_NTZ(6) AS (CONVERT_TIMEZONE('UTC', value:"ending_at"::TIMESTAMP_LTZ(6))::TIMESTAMP_NTZ(6)) COMMENT 'End of the day, exclusive, UTC.',
  currency VARCHAR AS (value:"currency"::VARCHAR) COMMENT 'Currency of the amount; `USD` today.',
  amount_cents NUMBER(38, 12) AS (value:"amount_cents"::NUMBER(38, 12)) COMMENT 'Cost in cents (hundredths of the currency), exact to 10 decimals; a cost with more is refused.',
  amount_usd NUMBER(38, 12) AS (value:"amount_usd"::NUMBER(38, 12)) COMMENT 'Cost in US dollars: amount_cents / 100, exact; null in another currency.',
  extra VARCHAR AS (value:"extra"::VARCHAR) COMMENT 'JSON object from dotted path to value of the fields that the API returned and this table does not know; a dot or backslash inside a name has a backslash before it; null when there are none.',
  date DATE AS (TO_DATE(SPLIT_PART(SPLIT_PART(metadata$filename, 'asset=cost_report/date=', 2), '/', 1), 'YYYY-MM-DD')) COMMENT 'Day of the rows, UTC; the partition.'
)
  PARTITION BY (date)
  LOCATION = @objects/asset=cost_report/
  AUTO_REFRESH = TRUE
  PATTERN = '.*[.]parquet'
  FILE_FORMAT = (FORMAT_NAME = 'anthropic_lake.lake.parquet_file')
  COPY GRANTS
  COMMENT = 'Cost of one day, workspace and description; not the invoice.';

CREATE OR REPLACE EXTERNAL TABLE claude_code_usage (
  actor_type VARCHAR AS (value:"actor_type"::VARCHAR) COMMENT '`user_actor` (a person who signed in) or `api_actor` (an API key).',
  actor_email_address VARCHAR AS (value:"actor_email_address"::VARCHAR) COMMENT 'E-mail address of a user_actor; null for an api_actor.',
  actor_api_key_name VARCHAR AS (value:"actor_api_key_name"::VARCHAR) COMMENT 'Name of the key of an api_actor; null for a user_actor.',
  customer_type VARCHAR AS (value:"customer_type"::VARCHAR) COMMENT '`api` or `subscription`.',
  subscription_type VARCHAR AS (value:"subscription_type"::VARCHAR) COMMENT '`enterprise` or `team`; null for API customers.',
  terminal_type VARCHAR AS (value:"terminal_type"::VARCHAR) COMMENT 'Terminal or editor, such as `vscode`.',
  is_remote BOOLEAN AS (value:"is_remote"::BOOLEAN) COMMENT 'Whether the sessions ran remotely; null in records from before 2026.',
  organization_id VARCHAR AS (value:"organization_id"::VARCHAR) COMMENT 'Organization the row belongs to; null when the API did not say.',
  core_metrics_num_sessions NUMBER(19, 0) AS (value:"core_metrics_num_sessions"::NUMBER(19, 0)) COMMENT 'Number of sessions.',
  core_metrics_lines_of_code_added NUMBER(19, 0) AS (value:"core_metrics_lines_of_code_added"::NUMBER(19, 0)) COMMENT 'Lines of code added.',
  core_metrics_lines_of_code_removed NUMBER(19, 0) AS (value:"core_metrics_lines_of_code_removed"::NUMBER(19, 0)) COMMENT 'Lines of code removed.',
  core_metrics_commits_by_claude_code NUMBER(19, 0) AS (value:"core_metrics_commits_by_claude_code"::NUMBER(19, 0)) COMMENT 'Commits made by Claude Code.',
  core_metrics_pull_requests_by_claude_code NUMBER(19, 0) AS (value:"core_metrics_pull_requests_by_claude_code"::NUMBER(19, 0)) COMMENT 'Pull requests made by Claude Code.',
  tool_actions_edit_tool_accepted NUMBER(19, 0) AS (value:"tool_actions_edit_tool_accepted"::NUMBER(19, 0)) COMMENT 'Proposals of edit_tool that were accepted; null when the tool is not named.',
  tool_actions_edit_tool_rejected NUMBER(19, 0) AS (value:"tool_actions_edit_tool_rejected"::NUMBER(19, 0)) COMMENT 'Proposals of edit_tool that were rejected; null when the tool is not named.',
  tool_actions_multi_edit_tool_accepted NUMBER(19, 0) AS (value:"tool_actions_multi_edit_tool_accepted"::NUMBER(19, 0)) COMMENT 'Proposals of multi_edit_tool that were accepted; null when the tool is not named.',
  tool_actions_multi_edit_tool_rejected NUMBER(19, 0) AS (value:"tool_actions_multi_edit_tool_rejected"::NUMBER(19, 0)) COMMENT 'Proposals of multi_edit_tool that were rejected; null when the tool is not named.',
  tool_actions_write_tool_accepted NUMBER(19, 0) AS (value:"tool_actions_write_tool_accepted"::NUMBER(19, 0)) COMMENT 'Proposals of write_tool that were accepted; null when the tool is not named.',
  tool_actions_write_tool_rejected NUMBER(19, 0) AS (value:"tool_actions_write_tool_rejected"::NUMBER(19, 0)) COMMENT 'Proposals of write_tool that were rejected; null when the tool is not named.',
  tool_actions_notebook_edit_tool_accepted NUMBER(19, 0) AS (value:"tool_actions_notebook_edit_tool_accepted"::NUMBER(19, 0)) COMMENT 'Proposals of notebook_edit_tool that were accepted; null when the tool is not named.',
  tool_actions_notebook_edit_tool_rejected NUMBER(19, 0) AS (value:"tool_actions_notebook_edit_tool_rejected"::NUMBER(19, 0)) COMMENT 'Proposals of notebook_edit_tool that were rejected; null when the tool is not named.',
  tool_actions VARCHAR AS (value:"tool_actions"::VARCHAR) COMMENT 'Every tool''s accepted and rejected proposals: JSON object by tool.',
  tokens_input NUMBER(19, 0) AS (value:"tokens_input"::NUMBER(19, 0)) COMMENT 'Input tokens, all models together.',
  tokens_output NUMBER(19, 0) AS (value:"tokens_output"::NUMBER(19, 0)) COMMENT 'Output tokens, all models together.',
  tokens_cache_read NUMBER(19, 0) AS (value:"tokens_cache_read"::NUMBER(19, 0)) COMMENT 'Input tokens read from a cache, all models together.',
  tokens_cache_creation NUMBER(19, 0) AS (value:"tokens_cache_creation"::NUMBER(19, 0)) COMMENT 'Input tokens written to a cache, all models together.',
  estimated_cost_amount_cents NUMBER(38, 12) AS (value:"estimated_cost_amount_cents"::NUMBER(38, 12)) COMMENT 'Estimated cost, all models together in cents (hundredths of the currency), not a bill; to 12 decimals: extra of claude_code_model_usage keeps a longer number.',
  estimated_cost_amount_usd NUMBER(38, 12) AS (value:"estimated_cost_amount_usd"::NUMBER(38, 12)) COMMENT 'Estimated cost, all models together in US dollars: cents / 100, to 12 decimals; null in another currency or where there is none; not a bill.',
  estimated_cost_currency VARCHAR AS (value:"estimated_cost_currency"::VARCHAR) COMMENT 'Currency of the estimate; `USD` today; null when models differ or there is none.',
  extra VARCHAR AS (value:"extra"::VARCHAR) COMMENT 'JSON object from dotted path to value of the fields that the API returned and this table does not know; a dot or backslash inside a name has a backslash before it; null when there are none.',
  date DATE AS (TO_DATE(SPLIT_PART(SPLIT_PART(metadata$filename, 'asset=claude_code_usage/date=', 2), '/', 1), 'YYYY-MM-DD')) COMMENT 'Day of the rows, UTC; the partition.'
)
  PARTITION BY (date)
  LOCATION = @objects/asset=claude_code_usage/
  AUTO_REFRESH = TRUE
  PATTERN = '.*[.]parquet'
  FILE_FORMAT = (FORMAT_NAME = 'anthropic_lake.lake.parquet_file')
  COPY GRANTS
  COMMENT = 'Claude Code activity of one actor on one kind of terminal on the day.';

CREATE OR REPLACE EXTERNAL TABLE claude_code_model_usage (
  actor_type VARCHAR AS (value:"actor_type"::VARCHAR) COMMENT '`user_actor` (a person who signed in) or `api_actor` (an API key).',
  actor_email_address VARCHAR AS (value:"actor_email_address"::VARCHAR) COMMENT 'E-mail address of a user_actor; null for an api_actor.',
  actor_api_key_name VARCHAR AS (value:"actor_api_key_name"::VARCHAR) COMMENT 'Name of the key of an api_actor; null for a user_actor.',
  customer_type VARCHAR AS (value:"customer_type"::VARCHAR) COMMENT '`api` or `subscription`.',
  subscription_type VARCHAR AS (value:"subscription_type"::VARCHAR) COMMENT '`enterprise` or `team`; null for API customers.',
  terminal_type VARCHAR AS (value:"terminal_type"::VARCHAR) COMMENT 'Terminal or editor, such as `vscode`.',
  is_remote BOOLEAN AS (value:"is_remote"::BOOLEAN) COMMENT 'Whether the sessions ran remotely; null in records from before 2026.',
  model VARCHAR AS (value:"model"::VARCHAR) COMMENT 'Model.',
  organization_id VARCHAR AS (value:"organization_id"::VARCHAR) COMMENT 'Organization the row belongs to; null when the API did not say.',
  tokens_input NUMBER(19, 0) AS (value:"tokens_input"::NUMBER(19, 0)) COMMENT 'Input tokens.',
  tokens_output NUMBER(19, 0) AS (value:"tokens_output"::NUMBER(19, 0)) COMMENT 'Output tokens.',
  tokens_cache_read NUMBER(19, 0) AS (value:"tokens_cache_read"::NUMBER(19, 0)) COMMENT 'Input tokens read from a cache.',
  tokens_cache_creation NUMBER(19, 0) AS (value:"tokens_cache_creation"::NUMBER(19, 0)) COMMENT 'Input tokens written to a cache.',
  estimated_cost_amount_cents NUMBER(38, 12) AS (value:"estimated_cost_amount_cents"::NUMBER(38, 12)) COMMENT 'Estimated cost in cents (hundredths of the currency), not a bill; to 12 decimals: extra of claude_code_model_usage keeps a longer number.',
  estimated_cost_amount_usd NUMBER(38, 12) AS (value:"estimated_cost_amount_usd"::NUMBER(38, 12)) COMMENT 'Estimated cost in US dollars: cents / 100, to 12 decimals; null in another currency or where there is none; not a bill.',
  estimated_cost_currency VARCHAR AS (value:"estimated_cost_currency"::VARCHAR) COMMENT 'Currency of the estimate; `USD` today; null when models differ or there is none.',
  extra VARCHAR AS (value:"extra"::VARCHAR) COMMENT 'JSON object from dotted path to value of the fields that the API returned and this table does not know; a dot or backslash inside a name has a backslash before it; null when there are none.',
  date DATE AS (TO_DATE(SPLIT_PART(SPLIT_PART(metadata$filename, 'asset=claude_code_model_usage/date=', 2), '/', 1), 'YYYY-MM-DD')) COMMENT 'Day of the rows, UTC; the partition.'
)
  PARTITION BY (date)
  LOCATION = @objects/asset=claude_code_model_usage/
  AUTO_REFRESH = TRUE
  PATTERN = '.*[.]parquet'
  FILE_FORMAT = (FORMAT_NAME = 'anthropic_lake.lake.parquet_file')
  COPY GRANTS
  COMMENT = 'Claude Code tokens and estimated cost of one record and one model.';

CREATE OR REPLACE EXTERNAL TABLE analytics_usage (
  starting_at TIMESTAMP_NTZ(6) AS (CONVERT_TIMEZONE('UTC', value:"starting_at"::TIMESTAMP_LTZ(6))::TIMESTAMP_NTZ(6)) COMMENT 'Start of the time bucket, UTC.',
  actor_type VARCHAR AS (value:"actor_type"::VARCHAR) COMMENT '`user_actor`, `service_account_actor`, `federated_actor` or `api_actor`: whom the use is attributed to; null: nobody that the API can name, or not grouped by.',
  actor_user_id VARCHAR AS (value:"actor_user_id"::VARCHAR) COMMENT 'User of a user_actor; null: another actor, or not grouped by.',
  actor_service_account_id VARCHAR AS (value:"actor_service_account_id"::VARCHAR) COMMENT 'Service account of a service_account_actor; null: another actor, or not grouped by.',
  actor_api_key_id VARCHAR AS (value:"actor_api_key_id"::VARCHAR) COMMENT 'API key of an api_actor; null: another actor, or not grouped by.',
  actor_federated_subject VARCHAR AS (value:"actor_federated_subject"::VARCHAR) COMMENT 'Subject of a federated_actor; null: another actor, none known, or not grouped by.',
  agent_id VARCHAR AS (value:"agent_id"::VARCHAR) COMMENT 'Managed agent; null: use outside a session, or not grouped by.',
  api_key_id VARCHAR AS (value:"api_key_id"::VARCHAR) COMMENT 'API key that authenticated the requests, whoever the actor is; null: use without a key, or not grouped by.',
  child_organization_id VARCHAR AS (value:"child_organization_id"::VARCHAR) COMMENT 'Child organization in the report of a parent; null: not grouped by.',
  claude_tag_category VARCHAR AS (value:"claude_tag_category"::VARCHAR) COMMENT 'Category of Claude in Slack; null: other use, or not grouped by.',
  claude_tag_user_id VARCHAR AS (value:"claude_tag_user_id"::VARCHAR) COMMENT 'Slack user of Claude in Slack; null: other use, no single user, or not grouped by.',
  context_window VARCHAR AS (value:"context_window"::VARCHAR) COMMENT 'Context window; null: use without one, or not grouped by.',
  deployment_id VARCHAR AS (value:"deployment_id"::VARCHAR) COMMENT 'Deployment that started the session of a managed agent; null: none, or not grouped by.',
  environment_id VARCHAR AS (value:"environment_id"::VARCHAR) COMMENT 'Environment of the session of a managed agent; null: none, or not grouped by.',
  inference_geo VARCHAR AS (value:"inference_geo"::VARCHAR) COMMENT 'Where the requests ran; null: not set (the old reports say `not_available`), or not grouped by.',
  model VARCHAR AS (value:"model"::VARCHAR) COMMENT 'Model; null: use without one, or not grouped by.',
  product VARCHAR AS (value:"product"::VARCHAR) COMMENT 'Product that was used, such as `messages_api`; null: none that is known, or not grouped by.',
  rbac_group_id VARCHAR AS (value:"rbac_group_id"::VARCHAR) COMMENT 'Group of the user; a user in two groups counts in both, so rows of groups do not add up; null: in no group, or not grouped by.',
  service_tier VARCHAR AS (value:"service_tier"::VARCHAR) COMMENT 'Service tier; null: use without one, or not grouped by.',
  session_id VARCHAR AS (value:"session_id"::VARCHAR) COMMENT 'Session of a managed agent; null: other use, or not grouped by.',
  slack_channel_id VARCHAR AS (value:"slack_channel_id"::VARCHAR) COMMENT 'Slack channel; null: other use, or not grouped by.',
  speed VARCHAR AS (value:"speed"::VARCHAR) COMMENT 'Speed of the model; null: not grouped by.',
  user_profile_id VARCHAR AS (value:"user_profile_id"::VARCHAR) COMMENT 'User profile; null: none, or not grouped by.',
  workspace_id VARCHAR AS (value:"workspace_id"::VARCHAR) COMMENT 'Workspace, the default one by its identifier; null: use of Claude Enterprise, or not grouped by.',
  organization_id VARCHAR AS (value:"organization_id"::VARCHAR) COMMENT 'Organization the row belongs to; null when the API did not say.',
  ending_at TIMESTAMP_NTZ(6) AS (CONVERT_TIMEZONE('UTC', value:"ending_at"::TIMESTAMP_LTZ(6))::TIMESTAMP_NTZ(6)) COMMENT 'End of the time bucket, exclusive, UTC.',
  bucket_width VARCHAR AS (value:"bucket_width"::VARCHAR) COMMENT 'Length of the time bucket: 1d or 1h.',
  grouped_by VARCHAR AS (value:"grouped_by"::VARCHAR) COMMENT 'Dimensions grouped by: names joined by commas in alphabetical order.',
  actor_email_address VARCHAR AS (value:"actor_email_address"::VARCHAR) COMMENT 'E-mail address of a user_actor; null: another actor, not told, or not grouped by.',
  actor_name VARCHAR AS (value:"actor_name"::VARCHAR) COMMENT 'Name of a user_actor; null: another actor, not told, or not grouped by.',
  actor_deleted BOOLEAN AS (value:"actor_deleted"::BOOLEAN) COMMENT 'Whether a user_actor has left the organization; null: another actor, or not grouped by.',
  actor_provider VARCHAR AS (value:"actor_provider"::VARCHAR) COMMENT 'Where a federated_actor comes from: JSON object with `type`; null: another actor, or not grouped by.',
  uncached_input_tokens NUMBER(19, 0) AS (value:"uncached_input_tokens"::NUMBER(19, 0)) COMMENT 'Input tokens not read from a cache.',
  cache_read_input_tokens NUMBER(19, 0) AS (value:"cache_read_input_tokens"::NUMBER(19, 0)) COMMENT 'Input tokens read from a cache.',
  cache_creation_ephemeral_5m_input_tokens NUMBER(19, 0) AS (value:"cache_creation_ephemeral_5m_input_tokens"::NUMBER(19, 0)) COMMENT 'Input tokens written to a cache that lives 5 minutes.',
  cache_creation_ephemeral_1h_input_tokens NUMBER(19, 0) AS (value:"cache_creation_ephemeral_1h_input_tokens"::NUMBER(19, 0)) COMMENT 'Input tokens written to a cache that lives an hour.',
  output_tokens NUMBER(19, 0) AS (value:"output_tokens"::NUMBER(19, 0)) COMMENT 'Output tokens.',
  total_tokens NUMBER(19, 0) AS (value:"total_tokens"::NUMBER(19, 0)) COMMENT 'Tokens of all kinds together.',
  server_tool_use_web_search_requests NUMBER(19, 0) AS (value:"server_tool_use_web_search_requests"::NUMBER(19, 0)) COMMENT 'Number of web searches.',
  requests NUMBER(19, 0) AS (value:"requests"::NUMBER(19, 0)) COMMENT 'Number of requests, or of executions in a sandbox where product is null; null: the API does not count these.',
  data_refreshed_at TIMESTAMP_NTZ(6) AS (CONVERT_TIMEZONE('UTC', value:"data_refreshed_at"::TIMESTAMP_LTZ(6))::TIMESTAMP_NTZ(6)) COMMENT 'Until when the API''s data reached when the day''s rows last changed, UTC; null: not said.',
  extra VARCHAR AS (value:"extra"::VARCHAR) COMMENT 'JSON object from dotted path to value of the fields that the API returned and this table does not know; a dot or backslash inside a name has a backslash before it; null when there are none.',
  date DATE AS (TO_DATE(SPLIT_PART(SPLIT_PART(metadata$filename, 'asset=analytics_usage/date=', 2), '/', 1), 'YYYY-MM-DD')) COMMENT 'Day of the rows, UTC; the partition.'
)
  PARTITION BY (date)
  LOCATION = @objects/asset=analytics_usage/
  AUTO_REFRESH = TRUE
  PATTERN = '.*[.]parquet'
  FILE_FORMAT = (FORMAT_NAME = 'anthropic_lake.lake.parquet_file')
  COPY GRANTS
  COMMENT = 'Tokens of one time bucket and combination of dimensions.';

CREATE OR REPLACE EXTERNAL TABLE analytics_cost (
  starting_at TIMESTAMP_NTZ(6) AS (CONVERT_TIMEZONE('UTC', value:"starting_at"::TIMESTAMP_LTZ(6))::TIMESTAMP_NTZ(6)) COMMENT 'Start of the time bucket, UTC.',
  actor_type VARCHAR AS (value:"actor_type"::VARCHAR) COMMENT '`user_actor`, `service_account_actor`, `federated_actor` or `api_actor`: whom the use is attributed to; null: nobody that the API can name, or not grouped by.',
  actor_user_id VARCHAR AS (value:"actor_user_id"::VARCHAR) COMMENT 'User of a user_actor; null: another actor, or not grouped by.',
  actor_service_account_id VARCHAR AS (value:"actor_service_account_id"::VARCHAR) COMMENT 'Service account of a service_account_actor; null: another actor, or not grouped by.',
  actor_api_key_id VARCHAR AS (value:"actor_api_key_id"::VARCHAR) COMMENT 'API key of an api_actor; null: another actor, or not grouped by.',
  actor_federated_subject VARCHAR AS (value:"actor_federated_subject"::VARCHAR) COMMENT 'Subject of a federated_actor; null: another actor, none known, or not grouped by.',
  agent_id VARCHAR AS (value:"agent_id"::VARCHAR) COMMENT 'Managed agent; null: use outside a session, or not grouped by.',
  api_key_id VARCHAR AS (value:"api_key_id"::VARCHAR) COMMENT 'API key that authenticated the requests, whoever the actor is; null: use without a key, or not grouped by.',
  child_organization_id VARCHAR AS (value:"child_organization_id"::VARCHAR) COMMENT 'Child organization in the report of a parent; null: not grouped by.',
  claude_tag_category VARCHAR AS (value:"claude_tag_category"::VARCHAR) COMMENT 'Category of Claude in Slack; null: other use, or not grouped by.',
  claude_tag_user_id VARCHAR AS (value:"claude_tag_user_id"::VARCHAR) COMMENT 'Slack user of Claude in Slack; null: other use, no single user, or not grouped by.',
  context_window VARCHAR AS (value:"context_window"::VARCHAR) COMMENT 'Context window; null: use without one, or not grouped by.',
  deployment_id VARCHAR AS (value:"deployment_id"::VARCHAR) COMMENT 'Deployment that started the session of a managed agent; null: none, or not grouped by.',
  environment_id VARCHAR AS (value:"environment_id"::VARCHAR) COMMENT 'Environment of the session of a managed agent; null: none, or not grouped by.',
  inference_geo VARCHAR AS (value:"inference_geo"::VARCHAR) COMMENT 'Where the requests ran; null: not set (the old reports say `not_available`), or not grouped by.',
  model VARCHAR AS (value:"model"::VARCHAR) COMMENT 'Model; null: use without one, or not grouped by.',
  product VARCHAR AS (value:"product"::VARCHAR) COMMENT 'Product that was used, such as `messages_api`; null: none that is known, or not grouped by.',
  rbac_group_id VARCHAR AS (value:"rbac_group_id"::VARCHAR) COMMENT 'Group of the user; a user in two groups counts in both, so rows of groups do not add up; null: in no group, or not grouped by.',
  service_tier VARCHAR AS (value:"service_tier"::VARCHAR) COMMENT 'Service tier; null: use without one, or not grouped by.',
  session_id VARCHAR AS (value:"session_id"::VARCHAR) COMMENT 'Session of a managed agent; null: other use, or not grouped by.',
  slack_channel_id VARCHAR AS (value:"slack_channel_id"::VARCHAR) COMMENT 'Slack channel; null: other use, or not grouped by.',
  speed VARCHAR AS (value:"speed"::VARCHAR) COMMENT 'Speed of the model; null: not grouped by.',
  user_profile_id VARCHAR AS (value:"user_profile_id"::VARCHAR) COMMENT 'User profile; null: none, or not grouped by.',
  workspace_id VARCHAR AS (value:"workspace_id"::VARCHAR) COMMENT 'Workspace, the default one by its identifier; null: use of Claude Enterprise, or not grouped by.',
  cost_type VARCHAR AS (value:"cost_type"::VARCHAR) COMMENT '`tokens`, `web_search`, `code_execution` or `session_usage`.',
  token_type VARCHAR AS (value:"token_type"::VARCHAR) COMMENT 'Kind of tokens, in the words of the usage report; null where the cost is not for tokens.',
  organization_id VARCHAR AS (value:"organization_id"::VARCHAR) COMMENT 'Organization the row belongs to; null when the API did not say.',
  ending_at TIMESTAMP_NTZ(6) AS (CONVERT_TIMEZONE('UTC', value:"ending_at"::TIMESTAMP_LTZ(6))::TIMESTAMP_NTZ(6)) COMMENT 'End of the time bucket, exclusive, UTC.',
  bucket_width VARCHAR AS (value:"bucket_width"::VARCHAR) COMMENT 'Length of the time bucket: 1d or 1h.',
  grouped_by VARCHAR AS (value:"grouped_by"::VARCHAR) COMMENT 'Dimensions grouped by: names joined by commas in alphabetical order.',
  actor_email_address VARCHAR AS (value:"actor_email_address"::VARCHAR) COMMENT 'E-mail address of a user_actor; null: another actor, not told, or not grouped by.',
  actor_name VARCHAR AS (value:"actor_name"::VARCHAR) COMMENT 'Name of a user_actor; null: another actor, not told, or not grouped by.',
  actor_deleted BOOLEAN AS (value:"actor_deleted"::BOOLEAN) COMMENT 'Whether a user_actor has left the organization; null: another actor, or not grouped by.',
  actor_provider VARCHAR AS (value:"actor_provider"::VARCHAR) COMMENT 'Where a federated_actor comes from: JSON object with `type`; null: another actor, or not grouped by.',
  currency VARCHAR AS (value:"currency"::VARCHAR) COMMENT 'Currency of the amounts; `USD` today.',
  amount_cents NUMBER(38, 12) AS (value:"amount_cents"::NUMBER(38, 12)) COMMENT 'Cost after discounts, in cents (hundredths of the currency), exact to 10 decimals; a cost with more is refused.',
  amount_usd NUMBER(38, 12) AS (value:"amount_usd"::NUMBER(38, 12)) COMMENT 'Cost after discounts, in US dollars: amount_cents / 100, exact; null in another currency.',
  list_amount_cents NUMBER(38, 12) AS (value:"list_amount_cents"::NUMBER(38, 12)) COMMENT 'Cost at list prices, before discounts, in cents (hundredths of the currency), exact to 10 decimals; a cost with more is refused.',
  list_amount_usd NUMBER(38, 12) AS (value:"list_amount_usd"::NUMBER(38, 12)) COMMENT 'Cost at list prices, before discounts, in US dollars: list_amount_cents / 100, exact; null in another currency.',
  requests NUMBER(19, 0) AS (value:"requests"::NUMBER(19, 0)) COMMENT 'Number of requests, or of executions in a sandbox where product is null; null: the API does not count these.',
  data_refreshed_at TIMESTAMP_NTZ(6) AS (CONVERT_TIMEZONE('UTC', value:"data_refreshed_at"::TIMESTAMP_LTZ(6))::TIMESTAMP_NTZ(6)) COMMENT 'Until when the API''s data reached when the day''s rows last changed, UTC; null: not said.',
  extra VARCHAR AS (value:"extra"::VARCHAR) COMMENT 'JSON object from dotted path to value of the fields that the API returned and this table does not know; a dot or backslash inside a name has a backslash before it; null when there are none.',
  date DATE AS (TO_DATE(SPLIT_PART(SPLIT_PART(metadata$filename, 'asset=analytics_cost/date=', 2), '/', 1), 'YYYY-MM-DD')) COMMENT 'Day of the rows, UTC; the partition.'
)
  PARTITION BY (date)
  LOCATION = @objects/asset=analytics_cost/
  AUTO_REFRESH = TRUE
  PATTERN = '.*[.]parquet'
  FILE_FORMAT = (FORMAT_NAME = 'anthropic_lake.lake.parquet_file')
  COPY GRANTS
  COMMENT = 'Cost of one time bucket and combination of dimensions, before credits.';

CREATE OR REPLACE EXTERNAL TABLE rate_limits (
  workspace_id VARCHAR AS (value:"workspace_id"::VARCHAR) COMMENT 'Identifier of the workspace; null: the organization.',
  group_id VARCHAR AS (value:"group_id"::VARCHAR) COMMENT 'Identifier of the group of models, or of the surface of the API, that the limit is for; the same in every organization.',
  limiter VARCHAR AS (value:"limiter"::VARCHAR) COMMENT 'What is limited, such as `requests_per_minute`; null: the entry names no limit.',
  organization_id VARCHAR AS (value:"organization_id"::VARCHAR) COMMENT 'Organization the row belongs to; null when the API did not say.',
  id VARCHAR AS (value:"id"::VARCHAR) COMMENT 'Identifier of the organization''s entry, the same in the entries of its workspaces.',
  type VARCHAR AS (value:"type"::VARCHAR) COMMENT '`rate_limit`, or `workspace_rate_limit` of a workspace.',
  group_type VARCHAR AS (value:"group_type"::VARCHAR) COMMENT 'What the group is: models, or a surface of the API.',
  group_display_name VARCHAR AS (value:"group_display_name"::VARCHAR) COMMENT 'Name of a group of models, which may change; null for other groups.',
  models VARCHAR AS (value:"models"::VARCHAR) COMMENT 'Models that the limit is for: JSON list of names; null where it is for no models.',
  value NUMBER(19, 0) AS (value:"value"::NUMBER(19, 0)) COMMENT 'The limit, in the unit that the limiter''s name says.',
  org_limit NUMBER(19, 0) AS (value:"org_limit"::NUMBER(19, 0)) COMMENT 'The organization''s limit, beside a workspace''s; null in the organization''s own row, or where it has none.',
  source VARCHAR AS (value:"source"::VARCHAR) COMMENT 'Where a workspace''s limit comes from: JSON object, whose `type` is `workspace`, or `organization` where it is inherited.',
  extra VARCHAR AS (value:"extra"::VARCHAR) COMMENT 'JSON object from dotted path to value of the fields that the API returned and this table does not know; a dot or backslash inside a name has a backslash before it; null when there are none.',
  date DATE AS (TO_DATE(SPLIT_PART(SPLIT_PART(metadata$filename, 'asset=rate_limits/date=', 2), '/', 1), 'YYYY-MM-DD')) COMMENT 'Day of the rows, UTC; the partition.'
)
  PARTITION BY (date)
  LOCATION = @objects/asset=rate_limits/
  AUTO_REFRESH = TRUE
  PATTERN = '.*[.]parquet'
  FILE_FORMAT = (FORMAT_NAME = 'anthropic_lake.lake.parquet_file')
  COPY GRANTS
  COMMENT = 'One limiter of the organization or of one active workspace, as it was on the day.';

CREATE OR REPLACE EXTERNAL TABLE spend_limits (
  id VARCHAR AS (value:"id"::VARCHAR) COMMENT 'Identifier of the spend limit.',
  organization_id VARCHAR AS (value:"organization_id"::VARCHAR) COMMENT 'Organization the row belongs to; null when the API did not say.',
  type VARCHAR AS (value:"type"::VARCHAR) COMMENT 'Always `spend_limit`.',
  scope_type VARCHAR AS (value:"scope_type"::VARCHAR) COMMENT 'What is capped.',
  scope_workspace_id VARCHAR AS (value:"scope_workspace_id"::VARCHAR) COMMENT 'Identifier of the workspace that is capped; null: not a workspace.',
  scope_user_id VARCHAR AS (value:"scope_user_id"::VARCHAR) COMMENT 'Identifier of the user who is capped; null: not a user.',
  scope VARCHAR AS (value:"scope"::VARCHAR) COMMENT 'What is capped, whole: JSON object.',
  amount_cents NUMBER(38, 12) AS (value:"amount_cents"::NUMBER(38, 12)) COMMENT 'The cap, in cents of the currency; null: no number is set.',
  amount_usd NUMBER(38, 12) AS (value:"amount_usd"::NUMBER(38, 12)) COMMENT 'The cap in US dollars; null: no number is set, or another currency.',
  currency VARCHAR AS (value:"currency"::VARCHAR) COMMENT 'Currency of the amount, such as `USD`.',
  period VARCHAR AS (value:"period"::VARCHAR) COMMENT 'How long the cap is for, before it counts anew.',
  is_enabled BOOLEAN AS (value:"is_enabled"::BOOLEAN) COMMENT 'Whether the cap applies; false for the organization''s while extra usage is switched off.',
  created_at TIMESTAMP_NTZ(6) AS (CONVERT_TIMEZONE('UTC', value:"created_at"::TIMESTAMP_LTZ(6))::TIMESTAMP_NTZ(6)) COMMENT 'When the cap was created, UTC.',
  updated_at TIMESTAMP_NTZ(6) AS (CONVERT_TIMEZONE('UTC', value:"updated_at"::TIMESTAMP_LTZ(6))::TIMESTAMP_NTZ(6)) COMMENT 'When the cap was last changed, UTC; that of a `usage_tier` never changes.',
  extra VARCHAR AS (value:"extra"::VARCHAR) COMMENT 'JSON object from dotted path to value of the fields that the API returned and this table does not know; a dot or backslash inside a name has a backslash before it; null when there are none.',
  date DATE AS (TO_DATE(SPLIT_PART(SPLIT_PART(metadata$filename, 'asset=spend_limits/date=', 2), '/', 1), 'YYYY-MM-DD')) COMMENT 'Day of the rows, UTC; the partition.'
)
  PARTITION BY (date)
  LOCATION = @objects/asset=spend_limits/
  AUTO_REFRESH = TRUE
  PATTERN = '.*[.]parquet'
  FILE_FORMAT = (FORMAT_NAME = 'anthropic_lake.lake.parquet_file')
  COPY GRANTS
  COMMENT = 'One cap on metered spend, as it was on the day.';

CREATE OR REPLACE EXTERNAL TABLE sync_days (
  asset VARCHAR AS (value:"asset"::VARCHAR) COMMENT 'Asset that was read.',
  day DATE AS (value:"day"::DATE) COMMENT 'Day of the asset, UTC.',
  organization_id VARCHAR AS (value:"organization_id"::VARCHAR) COMMENT 'Organization the row belongs to; null when the API did not say.',
  in_history BOOLEAN AS (value:"in_history"::BOOLEAN) COMMENT 'Whether the day belongs to the unbroken history; false: an interval read it alone.',
  first_read_at TIMESTAMP_NTZ(6) AS (CONVERT_TIMEZONE('UTC', value:"first_read_at"::TIMESTAMP_LTZ(6))::TIMESTAMP_NTZ(6)) COMMENT 'When the day was first read, UTC.',
  last_read_at TIMESTAMP_NTZ(6) AS (CONVERT_TIMEZONE('UTC', value:"last_read_at"::TIMESTAMP_LTZ(6))::TIMESTAMP_NTZ(6)) COMMENT 'When the API was last asked for the day, UTC.',
  last_changed_at TIMESTAMP_NTZ(6) AS (CONVERT_TIMEZONE('UTC', value:"last_changed_at"::TIMESTAMP_LTZ(6))::TIMESTAMP_NTZ(6)) COMMENT 'When a read last found other rows, UTC.',
  times_changed NUMBER(19, 0) AS (value:"times_changed"::NUMBER(19, 0)) COMMENT 'How often a read found other rows of a final day, since it is grouped, and people are named, as now.',
  is_final BOOLEAN AS (value:"is_final"::BOOLEAN) COMMENT 'Whether the day was complete when it was read.',
  "ROWS" NUMBER(19, 0) AS (value:"rows"::NUMBER(19, 0)) COMMENT 'Rows of the day, all tables together.',
  bytes NUMBER(19, 0) AS (value:"bytes"::NUMBER(19, 0)) COMMENT 'Size of the day''s objects, all tables together.',
  digest VARCHAR AS (value:"digest"::VARCHAR) COMMENT 'SHA-256 of the rows of the asset''s first table.',
  last_run_id VARCHAR AS (value:"last_run_id"::VARCHAR) COMMENT 'Run that last read the day.',
  grouped_by VARCHAR AS (value:"grouped_by"::VARCHAR) COMMENT 'Dimensions grouped by; null: the asset has none.',
  bucket_width VARCHAR AS (value:"bucket_width"::VARCHAR) COMMENT 'Length of a time bucket; null: the asset has none.',
  data_refreshed_at TIMESTAMP_NTZ(6) AS (CONVERT_TIMEZONE('UTC', value:"data_refreshed_at"::TIMESTAMP_LTZ(6))::TIMESTAMP_NTZ(6)) COMMENT 'Until when the API''s data reached, UTC, or null.',
  extra VARCHAR AS (value:"extra"::VARCHAR) COMMENT 'JSON object from dotted path to value of the fields that the API returned and this table does not know; a dot or backslash inside a name has a backslash before it; null when there are none.',
  people VARCHAR AS (value:"people"::VARCHAR) COMMENT 'Pseudonym of the text `anthropic-lake`: tells by which key people have pseudonyms on the day; null: they are named plainly, or the asset names nobody.',
  date DATE AS (TO_DATE(SPLIT_PART(SPLIT_PART(metadata$filename, 'asset=sync_days/date=', 2), '/', 1), 'YYYY-MM-DD')) COMMENT 'Day of the rows, UTC; the partition.'
)
  PARTITION BY (date)
  LOCATION = @objects/asset=sync_days/
  AUTO_REFRESH = TRUE
  PATTERN = '.*[.]parquet'
  FILE_FORMAT = (FORMAT_NAME = 'anthropic_lake.lake.parquet_file')
  COPY GRANTS
  COMMENT = 'What was last read of one day of an asset; its partition is the first of the month.';

CREATE OR REPLACE EXTERNAL TABLE sync_runs (
  run_id VARCHAR AS (value:"run_id"::VARCHAR) COMMENT 'Identifier of the run.',
  organization_id VARCHAR AS (value:"organization_id"::VARCHAR) COMMENT 'Organization the row belongs to; null when the API did not say.',
  asset VARCHAR AS (value:"asset"::VARCHAR) COMMENT 'Asset that was synced.',
  "TRIGGER" VARCHAR AS (value:"trigger"::VARCHAR) COMMENT 'What started the run: `schedule`, `interval` or `manual`.',
  status VARCHAR AS (value:"status"::VARCHAR) COMMENT '`succeeded`, `partial` (out of time), `failed`, or `unavailable` (not offered to the organization).',
  started_at TIMESTAMP_NTZ(6) AS (CONVERT_TIMEZONE('UTC', value:"started_at"::TIMESTAMP_LTZ(6))::TIMESTAMP_NTZ(6)) COMMENT 'When the run started, UTC.',
  finished_at TIMESTAMP_NTZ(6) AS (CONVERT_TIMEZONE('UTC', value:"finished_at"::TIMESTAMP_LTZ(6))::TIMESTAMP_NTZ(6)) COMMENT 'When the run ended, UTC; null: it was cut off.',
  interval_start DATE AS (value:"interval_start"::DATE) COMMENT 'First day asked for, UTC.',
  interval_end DATE AS (value:"interval_end"::DATE) COMMENT 'Day after the last day asked for, UTC.',
  days_written NUMBER(19, 0) AS (value:"days_written"::NUMBER(19, 0)) COMMENT 'Days brought up to date, unchanged ones included.',
  days_changed NUMBER(19, 0) AS (value:"days_changed"::NUMBER(19, 0)) COMMENT 'Days of which an object was put.',
  "ROWS" NUMBER(19, 0) AS (value:"rows"::NUMBER(19, 0)) COMMENT 'Rows of the days written, all tables together.',
  bytes NUMBER(19, 0) AS (value:"bytes"::NUMBER(19, 0)) COMMENT 'Bytes put.',
  requests NUMBER(19, 0) AS (value:"requests"::NUMBER(19, 0)) COMMENT 'Requests sent to the Admin API.',
  retries NUMBER(19, 0) AS (value:"retries"::NUMBER(19, 0)) COMMENT 'How many of the requests repeated an earlier one.',
  unknown_fields NUMBER(19, 0) AS (value:"unknown_fields"::NUMBER(19, 0)) COMMENT 'Fields and enumerated values that the tables do not know.',
  last_synced_date DATE AS (value:"last_synced_date"::DATE) COMMENT 'Last complete day in the lake after the run; null: none yet.',
  grouped_by VARCHAR AS (value:"grouped_by"::VARCHAR) COMMENT 'Dimensions grouped by; null: the asset has none.',
  bucket_width VARCHAR AS (value:"bucket_width"::VARCHAR) COMMENT 'Length of a time bucket; null: the asset has none.',
  anthropic_version VARCHAR AS (value:"anthropic_version"::VARCHAR) COMMENT 'Version of the Admin API.',
  version VARCHAR AS (value:"version"::VARCHAR) COMMENT 'Version of anthropic-lake.',
  error_type VARCHAR AS (value:"error_type"::VARCHAR) COMMENT 'Name of the error; null: there was none.',
  error_message VARCHAR AS (value:"error_message"::VARCHAR) COMMENT 'What happened and what to do; null: no error.',
  request_id VARCHAR AS (value:"request_id"::VARCHAR) COMMENT 'The vendor''s id of the request that failed, or null.',
  extra VARCHAR AS (value:"extra"::VARCHAR) COMMENT 'JSON object from dotted path to value of the fields that the API returned and this table does not know; a dot or backslash inside a name has a backslash before it; null when there are none.',
  lag_days NUMBER(19, 0) AS (value:"lag_days"::NUMBER(19, 0)) COMMENT 'Complete days that the report did not have yet; null: none.',
  warnings VARCHAR AS (value:"warnings"::VARCHAR) COMMENT 'What was left out or is not as it should be: JSON list of texts.',
  date DATE AS (TO_DATE(SPLIT_PART(SPLIT_PART(metadata$filename, 'asset=sync_runs/date=', 2), '/', 1), 'YYYY-MM-DD')) COMMENT 'Day of the rows, UTC; the partition.'
)
  PARTITION BY (date)
  LOCATION = @objects/asset=sync_runs/
  AUTO_REFRESH = TRUE
  PATTERN = '.*[.]parquet'
  FILE_FORMAT = (FORMAT_NAME = 'anthropic_lake.lake.parquet_file')
  COPY GRANTS
  COMMENT = 'One run of the extractor for one asset.';

CREATE OR REPLACE EXTERNAL TABLE allocation_rules (
  line NUMBER(19, 0) AS (value:"line"::NUMBER(19, 0)) COMMENT 'Line of the rule in the file that was loaded.',
  valid_from DATE AS (value:"valid_from"::DATE) COMMENT 'First day of the row; null: it has always been valid.',
  organization_id VARCHAR AS (value:"organization_id"::VARCHAR) COMMENT 'Organization the row belongs to; null when the API did not say.',
  match_type VARCHAR AS (value:"match_type"::VARCHAR) COMMENT '`api_key_id`, `actor`, `workspace_id`, `workspace_tag` or `default`: the first of them that matches wins.',
  match_value VARCHAR AS (value:"match_value"::VARCHAR) COMMENT 'What the rule matches: an identifier, an actor''s name, or a tag such as `team=search`; null for `default`.',
  cost_center VARCHAR AS (value:"cost_center"::VARCHAR) COMMENT 'Who pays; `*`: all cost centres, each its part.',
  share NUMBER(38, 12) AS (value:"share"::NUMBER(38, 12)) COMMENT 'Part of the cost that the cost centre pays, up to 1.',
  valid_to DATE AS (value:"valid_to"::DATE) COMMENT 'Last day of the row; null: it has no end.',
  note VARCHAR AS (value:"note"::VARCHAR) COMMENT 'The user''s own words.',
  period NUMBER(19, 0) AS (value:"period"::NUMBER(19, 0)) COMMENT 'Number of a match and of days on which the same rules of it are valid, in the order of first lines.',
  share_before NUMBER(38, 12) AS (value:"share_before"::NUMBER(38, 12)) COMMENT 'Sum of the shares of the period''s earlier lines.',
  share_sum NUMBER(38, 12) AS (value:"share_sum"::NUMBER(38, 12)) COMMENT 'Sum of all shares of the period.',
  extra VARCHAR AS (value:"extra"::VARCHAR) COMMENT 'JSON object from dotted path to value of the fields that the API returned and this table does not know; a dot or backslash inside a name has a backslash before it; null when there are none.',
  date DATE AS (TO_DATE(SPLIT_PART(SPLIT_PART(metadata$filename, 'asset=allocation_rules/date=', 2), '/', 1), 'YYYY-MM-DD')) COMMENT 'Day of the rows, UTC; the partition.'
)
  PARTITION BY (date)
  LOCATION = @objects/asset=allocation_rules/
  AUTO_REFRESH = TRUE
  PATTERN = '.*[.]parquet'
  FILE_FORMAT = (FORMAT_NAME = 'anthropic_lake.lake.parquet_file')
  COPY GRANTS
  COMMENT = 'One rule of the chargeback: which cost centre pays for what. It has several rows if others of its match begin or end meanwhile. All stand in one partition.';
-- /generated:external_tables

-- Compares the lists of objects of all tables with the bucket. A notification that got lost is made
-- up for, and so is an object that a scan skipped.
CREATE OR REPLACE PROCEDURE anthropic_lake.lake.refresh()
  RETURNS VARCHAR
  LANGUAGE SQL
  COMMENT = 'Refreshes all external tables from the data bucket.'
  EXECUTE AS CALLER
AS
$$
DECLARE
  tables CURSOR FOR
    SELECT table_name AS name
    FROM anthropic_lake.information_schema.external_tables
    WHERE table_schema = 'LAKE';
  number INTEGER DEFAULT 0;
  statement VARCHAR;
BEGIN
  FOR one IN tables DO
    statement := 'ALTER EXTERNAL TABLE anthropic_lake.lake."' || one.name || '" REFRESH';
    EXECUTE IMMEDIATE :statement;
    number := number + 1;
  END FOR;
  RETURN 'refreshed ' || number || ' tables';
END;
$$;

-- Every day, when the daily runs have ended. Serverless; it needs EXECUTE MANAGED TASK, or name a
-- warehouse instead (WAREHOUSE = ...).
CREATE OR REPLACE TASK anthropic_lake.lake.refresh_daily
  SCHEDULE = 'USING CRON 0 <% task_hour %> * * * UTC'
  USER_TASK_MANAGED_INITIAL_WAREHOUSE_SIZE = 'XSMALL'
  COMMENT = 'Refreshes all external tables from the data bucket.'
AS
  CALL anthropic_lake.lake.refresh();

ALTER TASK anthropic_lake.lake.refresh_daily RESUME;

-- Give the column notification_channel (the same for all) back to the stack as its parameter
-- SnowflakeQueueArn (make parameters SET="Name=value") and deploy it again; from then on the tables refresh themselves.
SHOW EXTERNAL TABLES IN SCHEMA anthropic_lake.lake;
