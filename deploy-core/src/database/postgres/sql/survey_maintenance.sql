-- What is known of the database :db and of the role that asks, from the maintenance database.
SELECT json_build_object(
  'version', current_setting('server_version_num')::int,
  'version_text', current_setting('server_version'),
  'user', current_user,
  'superuser', me.rolsuper,
  'may_create', me.rolsuper OR me.rolcreatedb,
  'exists', d.oid IS NOT NULL,
  'owner', pg_get_userbyid(d.datdba),
  'owns', d.oid IS NOT NULL AND pg_has_role(current_user, d.datdba, 'MEMBER'),
  'may_own', CASE WHEN :'owner' = '' THEN true
    ELSE EXISTS (SELECT FROM pg_roles r WHERE r.rolname = :'owner' AND pg_has_role(current_user, r.oid, 'MEMBER')) END,
  'sessions', (SELECT count(*) FROM pg_stat_activity WHERE datname = :'db'),
  'identity', extract(epoch FROM pg_postmaster_start_time())::text || '/' || coalesce(d.oid::text, ''),
  'replaced', (SELECT coalesce(json_agg(o.datname ORDER BY o.datname DESC), '[]') FROM pg_database o
    WHERE left(o.datname, length(:'db') + 8) = :'db' || '_before_'
      AND substr(o.datname, length(:'db') + 9) ~ '^[0-9]{14}$'),
  'roles', (SELECT json_agg(rolname ORDER BY rolname) FROM pg_roles),
  'extensions', (SELECT json_agg(name ORDER BY name) FROM pg_available_extensions)
) FROM pg_roles me LEFT JOIN pg_database d ON d.datname = :'db' WHERE me.rolname = current_user;
