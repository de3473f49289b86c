-- Which people have a seat for Claude Code alone and have not used it lately?
-- Those whose role is claude_code_user, and who joined before the period. A key's use counts for who
-- created it.
-- parameter days (integer, default 30): days without use
-- needs users
-- needs api_keys
-- needs claude_code_usage over ${days} days
SELECT u.email, u.name, u.added_at
FROM users_current AS u
WHERE u.role = 'claude_code_user'
    AND u.added_at < current_date - INTERVAL '${days}' DAY
    AND lower(u.email) NOT IN (
        SELECT lower(person)
        FROM claude_code_daily
        WHERE date > current_date - INTERVAL '${days}' DAY
            AND date <= current_date
            AND person IS NOT NULL
    )
ORDER BY u.added_at, u.email
