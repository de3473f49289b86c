-- 1. The storage integration: who Snowflake is when it reads the data bucket.
--
-- Needs the role ACCOUNTADMIN or the privilege CREATE INTEGRATION. The stack's outputs have the
-- values: <% role_arn %> is SnowflakeRoleArn, <% data_location %> is DataLocation; the output
-- SnowflakeStatement is the first statement with both filled in. The role need not exist yet.

CREATE STORAGE INTEGRATION IF NOT EXISTS anthropic_lake
  TYPE = EXTERNAL_STAGE
  STORAGE_PROVIDER = 'S3'
  ENABLED = TRUE
  STORAGE_AWS_ROLE_ARN = '<% role_arn %>'
  STORAGE_ALLOWED_LOCATIONS = ('<% data_location %>');

-- Give these two back to the stack (make parameters SET="Name=value") and deploy it again:
--   STORAGE_AWS_IAM_USER_ARN -> parameter SnowflakeUserArn
--   STORAGE_AWS_EXTERNAL_ID  -> parameter SnowflakeExternalId
-- Never replace the integration afterwards (OR REPLACE): its external id would be another.
DESCRIBE STORAGE INTEGRATION anthropic_lake;
