-- Which runs of the last 7 days found that the vendor had restated days that were already final?
-- Counted are the days that changed beyond those that were new or still open.
SELECT asset, run_id, started_at, days_changed - days_due AS days_restated
FROM (
    SELECT
        asset,
        run_id,
        started_at,
        days_changed,
        greatest(
            date_diff('day', synced_before, interval_end) - 1, 0
        ) AS days_due
    FROM (
        SELECT
            asset,
            run_id,
            started_at,
            date,
            days_changed,
            interval_start,
            interval_end,
            lag(last_synced_date) OVER (PARTITION BY asset ORDER BY started_at) AS synced_before
        FROM sync_runs
        WHERE date > current_date - INTERVAL '9' DAY
            AND trigger <> 'interval'
            AND interval_end > interval_start + INTERVAL '1' DAY
    ) AS runs
    WHERE date > current_date - INTERVAL '7' DAY
        AND synced_before IS NOT NULL
) AS due
WHERE days_changed > days_due
ORDER BY started_at DESC, asset
