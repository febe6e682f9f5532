-- What is known of the database itself.
SELECT json_build_object(
  'version', current_setting('server_version_num')::int,
  'version_text', current_setting('server_version'),
  'user', current_user,
  'identity', json_build_object('system', :'system', 'database', (SELECT oid FROM pg_database WHERE datname = current_database())::text,
    'started', extract(epoch FROM pg_postmaster_start_time())::text, 'standby', pg_is_in_recovery()),
  'size', pg_database_size(current_database()),
  'data', (SELECT coalesce(sum(relpages::bigint), 0) * current_setting('block_size')::bigint FROM pg_class
    WHERE relkind IN ('r', 'm', 't') AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)),
  'strangers', (SELECT coalesce(json_agg(json_build_array(n.nspname, c.relname, pg_get_userbyid(c.relowner))
    ORDER BY n.nspname, c.relname), '[]') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'f') AND n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'
      AND c.relowner <> CASE WHEN :'owner' = '' THEN (SELECT datdba FROM pg_database WHERE datname = current_database())
        ELSE coalesce((SELECT oid FROM pg_roles WHERE rolname = :'owner'), 0) END
      AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = c.oid AND deptype = 'e')),
  'relations', (SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p', 'm', 'S', 'i', 'I', 'v', 't')),
  'unreadable', (SELECT coalesce(json_agg(name), '[]') FROM (SELECT format('%s.%s', n.nspname, c.relname) AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'S') AND n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'
      AND NOT (has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'))
    ORDER BY 1 LIMIT 10) hidden),
  'installed', (SELECT json_agg(extname ORDER BY extname) FROM pg_extension),
  'others', (SELECT coalesce(json_agg(extname), '[]') FROM pg_extension WHERE NOT pg_has_role(extowner, 'USAGE')),
  'tables', (SELECT count(*) FROM pg_class c WHERE relkind IN ('r', 'p')
    AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
    AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = c.oid AND deptype = 'e'))
);
