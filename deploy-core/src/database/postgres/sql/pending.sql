SET lock_timeout = '3s';
-- How many of the migrations :known the database doesn't have; nothing where no application notes any.
SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('schema_migrations') AND attname = 'version'
    AND NOT attisdropped) AS rails,
  to_regclass('_sqlx_migrations') IS NOT NULL AS sqlx,
  to_regclass('__diesel_schema_migrations') IS NOT NULL AS diesel
\gset
\if :rails
SELECT count(DISTINCT ltrim(known, '0')) FROM unnest(string_to_array(trim(:'known'), ' ')) known
  WHERE ltrim(known, '0') NOT IN (SELECT ltrim(version::text, '0') FROM schema_migrations);
\elif :sqlx
SELECT count(DISTINCT ltrim(known, '0')) FROM unnest(string_to_array(trim(:'known'), ' ')) known
  WHERE ltrim(known, '0') NOT IN (SELECT ltrim(version::text, '0') FROM _sqlx_migrations);
\elif :diesel
SELECT count(DISTINCT ltrim(known, '0')) FROM unnest(string_to_array(trim(:'known'), ' ')) known
  WHERE ltrim(known, '0') NOT IN (SELECT ltrim(version::text, '0') FROM __diesel_schema_migrations);
\endif
