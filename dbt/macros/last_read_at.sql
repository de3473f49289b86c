{% macro last_read_at(asset, may_be_unavailable=false) %}
{#-
  Return the query of when the API last answered about an asset, for its freshness.

  The ledger says it. An asset that may not be offered to the organization has no row there then,
  but runs that say so. Predicates on `date` keep the query to few objects.
-#}
SELECT max(answered_at)
FROM (
    SELECT max(last_read_at) AS answered_at
    FROM {{ source('anthropic_lake', 'sync_days') }}
    WHERE date >= {{ dbt.dateadd('day', -62, 'current_date') }}
        AND extract(day FROM date) = 1
        AND asset = '{{ asset }}'
    {%- if may_be_unavailable %}
    UNION ALL
    SELECT max(finished_at)
    FROM {{ source('anthropic_lake', 'sync_runs') }}
    WHERE date >= {{ dbt.dateadd('day', -31, 'current_date') }}
        AND status = 'unavailable'
        AND asset = '{{ asset }}'
    {%- endif %}
) AS answers
{% endmacro %}
