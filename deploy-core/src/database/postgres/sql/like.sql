-- Gives the database :scratch what :db has besides its contents: settings, privileges, limit, comment. Prints the names of
-- the settings that only a superuser could give it.
SELECT CASE WHEN rolsuper THEN '{}' ELSE (SELECT array_agg(name) FROM pg_settings WHERE context LIKE 'superuser%') END AS out
  FROM pg_roles WHERE rolname = current_user \gset
SELECT format('ALTER DATABASE %I SET %s TO %s', :'scratch', name,
    CASE WHEN lower(name) IN ('search_path', 'local_preload_libraries', 'session_preload_libraries', 'temp_tablespaces')
      THEN value ELSE quote_literal(value) END)
  FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase AND d.datname = :'db',
    LATERAL unnest(s.setconfig) setting,
    LATERAL (SELECT split_part(setting, '=', 1) AS name, substr(setting, strpos(setting, '=') + 1) AS value) parts
  WHERE s.setrole = 0 AND name <> ALL (:'out'::text[]) \gexec
SELECT string_agg(format('`%s`', split_part(setting, '=', 1)), ', ')
  FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase AND d.datname = :'db',
    LATERAL unnest(s.setconfig) setting
  WHERE s.setrole = 0 AND split_part(setting, '=', 1) = ANY (:'out'::text[]);
SELECT format('ALTER ROLE %I IN DATABASE %I SET %s TO %s', r.rolname, :'scratch', name,
    CASE WHEN lower(name) IN ('search_path', 'local_preload_libraries', 'session_preload_libraries', 'temp_tablespaces')
      THEN value ELSE quote_literal(value) END)
  FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase AND d.datname = :'db'
    JOIN pg_roles r ON r.oid = s.setrole,
    LATERAL unnest(s.setconfig) setting,
    LATERAL (SELECT split_part(setting, '=', 1) AS name, substr(setting, strpos(setting, '=') + 1) AS value) parts
  WHERE name <> ALL (:'out'::text[])
    AND (r.rolname = current_user OR (SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user)) \gexec
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', :'scratch')
  FROM pg_database WHERE datname = :'db' AND datacl IS NOT NULL \gexec
SELECT format('GRANT %s ON DATABASE %I TO %s%s', privilege_type, :'scratch',
    CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
    CASE WHEN is_grantable AND grantee <> 0 THEN ' WITH GRANT OPTION' ELSE '' END)
  FROM pg_database, LATERAL aclexplode(datacl) WHERE datname = :'db' AND grantee <> datdba \gexec
SELECT format('ALTER DATABASE %I CONNECTION LIMIT %s', :'scratch', datconnlimit)
  FROM pg_database WHERE datname = :'db' AND datconnlimit >= 0 \gexec
SELECT format('COMMENT ON DATABASE %I IS %L', :'scratch', shobj_description(oid, 'pg_database'))
  FROM pg_database WHERE datname = :'db' AND shobj_description(oid, 'pg_database') IS NOT NULL \gexec
