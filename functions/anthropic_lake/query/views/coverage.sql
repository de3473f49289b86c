-- Which days of each asset are final, open or missing, and which run read each of them last?
-- From the first day that a run asked for until today. final: read after the day was complete;
-- open: read, but not complete then, or today; missing: not read.
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
    SELECT f.asset, CAST(date_add('day', t.n, f.first_day) AS date) AS date
    FROM (
        SELECT asset, min(interval_start) AS first_day
        FROM sync_runs
        GROUP BY asset
    ) AS f
    CROSS JOIN UNNEST(sequence(0, 9999)) AS t (n)
    WHERE date_add('day', t.n, f.first_day) <= current_date
) AS d
LEFT JOIN (
    SELECT
        asset,
        date,
        max_by(run_id, started_at) AS last_run_id,
        max(finished_at) AS last_read_at,
        bool_or(
            last_synced_date >= date
            OR (trigger = 'interval' AND started_at >= CAST(date AS timestamp) + INTERVAL '26' HOUR)
        ) AS is_final
    FROM (
        SELECT
            s.asset,
            s.run_id,
            s.trigger,
            s.started_at,
            s.finished_at,
            s.last_synced_date,
            CAST(date_add('day', t.n - 1, s.interval_start) AS date) AS date
        FROM sync_runs AS s
        CROSS JOIN UNNEST(sequence(1, greatest(s.days_written, 1))) AS t (n)
        WHERE t.n <= s.days_written
    ) AS days_read
    GROUP BY asset, date
) AS r
    ON r.asset = d.asset
    AND r.date = d.date
