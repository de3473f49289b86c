-- Which users showed no activity lately, neither in Claude Code nor with a key?
-- Keys count for those who created them. Use of the Console is not in the data.
-- parameter days (integer, default 30): days without activity
-- needs users
-- needs api_keys
-- needs claude_code_usage over ${days} days
-- needs usage_report grouped by api_key_id over ${days} days
SELECT u.email, u.name, u.role, u.added_at
FROM users_current AS u
WHERE u.added_at < current_date - INTERVAL '${days}' DAY
    AND lower(u.email) NOT IN (
        SELECT lower(person)
        FROM claude_code_daily
        WHERE date > current_date - INTERVAL '${days}' DAY
            AND person IS NOT NULL
    )
    AND u.id NOT IN (
        SELECT k.created_by_id
        FROM api_keys_current AS k
        JOIN usage_report AS r
            ON r.api_key_id = k.id
        WHERE r.date > current_date - INTERVAL '${days}' DAY
            AND k.created_by_id IS NOT NULL
    )
ORDER BY u.added_at, u.email
