-- Which days that were already final did the vendor restate in the last 7 days?
-- A day read with another grouping is not restated. times_restated counts since the day was first
-- final.
SELECT asset, day AS date, last_changed_at AS restated_at, times_changed AS times_restated
FROM sync_days
WHERE date BETWEEN DATE '2023-01-01' AND current_date
    AND day(date) = 1
    AND is_final
    AND times_changed > 0
    AND last_changed_at >= current_date - INTERVAL '7' DAY
ORDER BY last_changed_at DESC, asset, day
