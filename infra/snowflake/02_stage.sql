-- 2. Database, schemas, file format and stage.
--
-- <% data_location %> is the stack's output DataLocation, such as s3://bucket/prefix/. Run it again
-- at any time. Nothing is replaced: Snowflake refuses that for a file format or a stage that
-- external tables depend on. The stage keeps its URL; for another lake, drop the schemas first.

CREATE DATABASE IF NOT EXISTS anthropic_lake
  COMMENT = 'Anthropic Admin API data, kept by anthropic-lake.';

CREATE SCHEMA IF NOT EXISTS anthropic_lake.lake
  COMMENT = 'External tables: the objects of the data bucket, read where they are.';

CREATE SCHEMA IF NOT EXISTS anthropic_lake.loaded
  COMMENT = 'Native tables: copies of the objects, loaded by the procedure reload.';

-- Logical types: without them Snowflake takes a timestamp for the number that stands for it.
CREATE FILE FORMAT IF NOT EXISTS anthropic_lake.lake.parquet_file
  TYPE = PARQUET
  USE_LOGICAL_TYPE = TRUE;

ALTER FILE FORMAT anthropic_lake.lake.parquet_file SET
  USE_LOGICAL_TYPE = TRUE
  COMMENT = 'The Parquet files of anthropic-lake.';

-- generated:stage by `python -m infra.generate` from functions/anthropic_lake/lake/layout.py
CREATE STAGE IF NOT EXISTS anthropic_lake.lake.objects
  URL = '<% data_location %>'
  STORAGE_INTEGRATION = anthropic_lake
  FILE_FORMAT = (FORMAT_NAME = 'anthropic_lake.lake.parquet_file');

ALTER STAGE anthropic_lake.lake.objects SET
  STORAGE_INTEGRATION = anthropic_lake
  COMMENT = 'The lake: asset=<table>/date=<day>/, one folder per table and day.';

-- After the first deploy of the handshake: names of objects show that Snowflake may read them. (The
-- role may not list the root of the stage, only the tables below it.)
SELECT DISTINCT metadata$filename
FROM @anthropic_lake.lake.objects/asset=sync_runs/
LIMIT 5;
-- /generated:stage
