-- 7. The gate: fails if a row is not on its day of UTC, or if there is no row at all.
--
-- Run it in the schema to check, as 4, and again after each upgrade. A failure is Snowflake's
-- "Numeric value 'FAILED: ...' is not recognized"; `snow sql` then ends with an exit code other
-- than 0. Let nobody read the tables before it passes: sums by day would be wrong.

-- generated:check by `python -m infra.generate` from functions/anthropic_lake
ALTER SESSION SET TIMEZONE = 'Pacific/Pago_Pago';

WITH checked AS (
  SELECT
    COUNT(*) AS all_rows,
    COUNT_IF(starting_at::DATE IS DISTINCT FROM date) AS moved_rows
  FROM usage_report
  UNION ALL
  SELECT
    COUNT(*) AS all_rows,
    COUNT_IF(starting_at::DATE IS DISTINCT FROM date) AS moved_rows
  FROM cost_report
  UNION ALL
  SELECT
    COUNT(*) AS all_rows,
    COUNT_IF(starting_at::DATE IS DISTINCT FROM date) AS moved_rows
  FROM analytics_usage
  UNION ALL
  SELECT
    COUNT(*) AS all_rows,
    COUNT_IF(starting_at::DATE IS DISTINCT FROM date) AS moved_rows
  FROM analytics_cost
)
SELECT
  TO_NUMBER(
    CASE
      WHEN SUM(all_rows) = 0 THEN 'FAILED: ' || SUM(all_rows) || ' rows in the tables of reports'
      WHEN SUM(moved_rows) > 0 THEN 'FAILED: ' || SUM(moved_rows) || ' rows are not on their UTC day'
      ELSE '0'
    END
  ) AS moved_rows
FROM checked;

ALTER SESSION SET TIMEZONE = 'Pacific/Kiritimati';

WITH checked AS (
  SELECT
    COUNT(*) AS all_rows,
    COUNT_IF(starting_at::DATE IS DISTINCT FROM date) AS moved_rows
  FROM usage_report
  UNION ALL
  SELECT
    COUNT(*) AS all_rows,
    COUNT_IF(starting_at::DATE IS DISTINCT FROM date) AS moved_rows
  FROM cost_report
  UNION ALL
  SELECT
    COUNT(*) AS all_rows,
    COUNT_IF(starting_at::DATE IS DISTINCT FROM date) AS moved_rows
  FROM analytics_usage
  UNION ALL
  SELECT
    COUNT(*) AS all_rows,
    COUNT_IF(starting_at::DATE IS DISTINCT FROM date) AS moved_rows
  FROM analytics_cost
)
SELECT
  TO_NUMBER(
    CASE
      WHEN SUM(all_rows) = 0 THEN 'FAILED: ' || SUM(all_rows) || ' rows in the tables of reports'
      WHEN SUM(moved_rows) > 0 THEN 'FAILED: ' || SUM(moved_rows) || ' rows are not on their UTC day'
      ELSE '0'
    END
  ) AS moved_rows
FROM checked;
-- /generated:check

ALTER SESSION UNSET TIMEZONE;
