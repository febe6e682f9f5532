SET lock_timeout = '3s';
-- Up to where an application has migrated the database, as Rails, sqlx and Diesel note it; nothing where none does.
SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('schema_migrations') AND attname = 'version'
    AND NOT attisdropped) AS rails,
  to_regclass('_sqlx_migrations') IS NOT NULL AS sqlx,
  to_regclass('__diesel_schema_migrations') IS NOT NULL AS diesel
\gset
\if :rails
SELECT json_build_object('table', 'schema_migrations', 'count', count(*),
    'version', (array_agg(version::text ORDER BY length(version::text) DESC, version::text DESC))[1],
    'set', coalesce(md5(string_agg(version::text, ',' ORDER BY version::text COLLATE "C")), '')) FROM schema_migrations;
\elif :sqlx
SELECT json_build_object('table', '_sqlx_migrations', 'count', count(*),
    'version', (array_agg(version::text ORDER BY length(version::text) DESC, version::text DESC))[1],
    'set', coalesce(md5(string_agg(version::text, ',' ORDER BY version::text COLLATE "C")), '')) FROM _sqlx_migrations;
\elif :diesel
SELECT json_build_object('table', '__diesel_schema_migrations', 'count', count(*),
    'version', (array_agg(version::text ORDER BY length(version::text) DESC, version::text DESC))[1],
    'set', coalesce(md5(string_agg(version::text, ',' ORDER BY version::text COLLATE "C")), '')) FROM __diesel_schema_migrations;
\endif
