-- What is known of the database itself.
SELECT json_build_object(
  'version', current_setting('server_version_num')::int,
  'version_text', current_setting('server_version'),
  'user', current_user,
  'size', pg_database_size(current_database()),
  'data', (SELECT coalesce(sum(pg_table_size(oid)), 0)::bigint FROM pg_class
    WHERE relkind IN ('r', 'm') AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)),
  'tables', (SELECT count(*) FROM pg_class c WHERE relkind IN ('r', 'p')
    AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
    AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = c.oid AND deptype = 'e'))
);
SELECT current_setting('is_superuser') AS unused,
  EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('schema_migrations') AND attname = 'version'
    AND NOT attisdropped) AS rails,
  to_regclass('_sqlx_migrations') IS NOT NULL AS sqlx,
  to_regclass('__diesel_schema_migrations') IS NOT NULL AS diesel
\gset
\if :rails
SELECT json_build_object('table', 'schema_migrations', 'version', max(version)::text, 'count', count(*)) FROM schema_migrations;
\elif :sqlx
SELECT json_build_object('table', '_sqlx_migrations', 'version', max(version)::text, 'count', count(*)) FROM _sqlx_migrations;
\elif :diesel
SELECT json_build_object('table', '__diesel_schema_migrations', 'version', max(version)::text, 'count', count(*))
  FROM __diesel_schema_migrations;
\endif
