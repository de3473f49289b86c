-- What does the latest snapshot of {table} say?
-- The latest one is the last in the ledger, which may have found nothing at all, or else the last
-- day that has rows; days to come do not count. Both are looked for in few partitions, so that it
-- stays cheap. An identifier that stands twice in a snapshot counts once.
SELECT {columns}
FROM (
    SELECT
        {filled_columns},
        row_number() OVER (PARTITION BY {key} ORDER BY {raw_columns}) AS copy_number
    FROM {table} AS s
    CROSS JOIN lake_organization AS l
    WHERE s.date > current_date - INTERVAL '31' DAY
        AND s.date <= current_date
        AND s.date = (
            SELECT max(snapshot_date)
            FROM (
                SELECT max(day) AS snapshot_date
                FROM sync_days
                WHERE date >= date_trunc('month', current_date) - INTERVAL '1' MONTH
                    AND date <= current_date
                    AND day(date) = 1
                    AND day <= current_date
                    AND asset = '{asset}'
                UNION ALL
                SELECT max(date) AS snapshot_date
                FROM {table}
                WHERE date > current_date - INTERVAL '31' DAY
                    AND date <= current_date
            ) AS candidates
        )
) AS snapshot
WHERE copy_number = 1
