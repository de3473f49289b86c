-- What does the latest snapshot of {table} say?
-- The latest one is that of the last successful run, which may have found nothing at all, or else
-- of the last day that has rows. Both are looked for in few partitions, so that it stays cheap.
SELECT {columns}
FROM {table}
WHERE date > current_date - INTERVAL '31' DAY
    AND date = (
        SELECT max(snapshot_date)
        FROM (
            SELECT max(interval_start) AS snapshot_date
            FROM sync_runs
            WHERE date > current_date - INTERVAL '3' DAY
                AND asset = '{asset}'
                AND status = 'succeeded'
            UNION ALL
            SELECT max(date) AS snapshot_date
            FROM {table}
            WHERE date > current_date - INTERVAL '31' DAY
        ) AS candidates
    )
