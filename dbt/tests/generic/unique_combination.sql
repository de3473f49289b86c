{% test unique_combination(model, columns) %}
{#- Return the values of some columns that several rows share; nulls are equal. -#}
SELECT {{ columns | join(', ') }}, count(*) AS number_of_rows
FROM {{ model }}
GROUP BY {{ columns | join(', ') }}
HAVING count(*) > 1
{% endtest %}
