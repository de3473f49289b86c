-- Which past days are missing or not final, per asset?
-- A missing day of a snapshot cannot be had any more; others come with a backfill.
SELECT asset, status, date, last_read_at
FROM coverage
WHERE status <> 'final'
    AND date < current_date
ORDER BY asset, date
