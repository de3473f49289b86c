"""What follows from the assets, the tables and the queries: template, Snowflake DDL, documents."""
