-- 6. A role that reads tables and views and can do nothing else.
--
-- <% warehouse %> is the warehouse that its queries run on. Readers need no right on the stage,
-- the file format or the integration: the tables' owner has it.

CREATE ROLE IF NOT EXISTS anthropic_lake_reader
  COMMENT = 'Reads the tables and views of anthropic-lake.';

GRANT USAGE ON WAREHOUSE <% warehouse %> TO ROLE anthropic_lake_reader;
GRANT USAGE ON DATABASE anthropic_lake TO ROLE anthropic_lake_reader;
GRANT USAGE ON SCHEMA anthropic_lake.lake TO ROLE anthropic_lake_reader;
GRANT USAGE ON SCHEMA anthropic_lake.loaded TO ROLE anthropic_lake_reader;

GRANT SELECT ON ALL EXTERNAL TABLES IN SCHEMA anthropic_lake.lake TO ROLE anthropic_lake_reader;
GRANT SELECT ON FUTURE EXTERNAL TABLES IN SCHEMA anthropic_lake.lake TO ROLE anthropic_lake_reader;
GRANT SELECT ON ALL VIEWS IN SCHEMA anthropic_lake.lake TO ROLE anthropic_lake_reader;
GRANT SELECT ON FUTURE VIEWS IN SCHEMA anthropic_lake.lake TO ROLE anthropic_lake_reader;

GRANT SELECT ON ALL TABLES IN SCHEMA anthropic_lake.loaded TO ROLE anthropic_lake_reader;
GRANT SELECT ON FUTURE TABLES IN SCHEMA anthropic_lake.loaded TO ROLE anthropic_lake_reader;
GRANT SELECT ON ALL VIEWS IN SCHEMA anthropic_lake.loaded TO ROLE anthropic_lake_reader;
GRANT SELECT ON FUTURE VIEWS IN SCHEMA anthropic_lake.loaded TO ROLE anthropic_lake_reader;

-- Then give the role to people: GRANT ROLE anthropic_lake_reader TO USER someone;
GRANT ROLE anthropic_lake_reader TO ROLE SYSADMIN;
