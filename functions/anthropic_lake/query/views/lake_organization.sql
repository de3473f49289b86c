-- Which organization is the lake's? One row; null where the ledger knows none, or several.
-- Where the API did not say whose a row is, it is this one's.
SELECT CASE WHEN min(organization_id) = max(organization_id) THEN min(organization_id) END
    AS organization_id
FROM sync_days
WHERE date >= date_trunc('month', current_date) - INTERVAL '1' MONTH
    AND date <= current_date
    AND day(date) = 1
