-- Which days of each asset are final, open or missing, and which run read each of them last?
-- From the first day of an asset's history until today, by the ledger. final: complete when it was
-- read; open: read, but not complete then, or today; missing: not read. What an interval read
-- outside of the history is not listed, unless there is no history yet; nothing is before 2023.
SELECT
    d.asset,
    d.date,
    CASE
        WHEN coalesce(r.is_final, false) THEN 'final'
        WHEN r.asset IS NOT NULL OR d.date = current_date THEN 'open'
        ELSE 'missing'
    END AS status,
    r.last_run_id,
    r.last_read_at
FROM (
    SELECT f.asset, CAST(date_add('day', -t.n, current_date) AS date) AS date
    FROM (
        SELECT asset, coalesce(min(CASE WHEN in_history THEN day END), min(day)) AS first_day
        FROM sync_days
        WHERE date BETWEEN DATE '2023-01-01' AND current_date
            AND day(date) = 1
            AND day BETWEEN DATE '2023-01-01' AND current_date
        GROUP BY asset
    ) AS f
    CROSS JOIN UNNEST(sequence(0, 9999)) AS t (n)
    WHERE date_add('day', -t.n, current_date) >= f.first_day
) AS d
LEFT JOIN (
    SELECT asset, day, is_final, last_run_id, last_read_at
    FROM sync_days
    WHERE date BETWEEN DATE '2023-01-01' AND current_date
        AND day(date) = 1
) AS r
    ON r.asset = d.asset
    AND r.day = d.date
