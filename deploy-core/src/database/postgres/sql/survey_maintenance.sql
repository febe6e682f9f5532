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
  'identity', json_build_object('system', :'system', 'database', coalesce(d.oid::text, 'none'),
    'started', extract(epoch FROM pg_postmaster_start_time())::text, 'standby', pg_is_in_recovery()),
  'prepared', (SELECT coalesce(json_agg(gid), '[]') FROM pg_prepared_xacts WHERE database = :'db'),
  'subscriptions', (SELECT coalesce(json_agg(subname), '[]') FROM pg_subscription WHERE subdbid = d.oid AND subenabled),
  'slots', (SELECT coalesce(json_agg(slot_name), '[]') FROM pg_replication_slots WHERE database = :'db'),
  'settings', (SELECT coalesce(json_agg(json_build_object('role', coalesce(r.rolname, ''), 'setting', setting) ORDER BY r.rolname, setting), '[]')
    FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole, LATERAL unnest(s.setconfig) setting
    WHERE s.setdatabase = d.oid),
  'free', least(
    current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
      - coalesce(current_setting('reserved_connections', true)::int, 0)
      - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
    CASE WHEN me.rolconnlimit < 0 THEN NULL
      ELSE me.rolconnlimit - (SELECT count(*) FROM pg_stat_activity WHERE usename = current_user) END) - 2,
  'replaced', (SELECT coalesce(json_agg(o.datname ORDER BY o.datname DESC), '[]') FROM pg_database o
    WHERE left(o.datname, length(:'db') + 8) = :'db' || '_before_'
      AND substr(o.datname, length(:'db') + 9) ~ '^[0-9]{14}$'),
  'connections', current_setting('max_connections')::int + current_setting('max_prepared_transactions')::int,
  'data_directory', (SELECT setting FROM pg_settings WHERE name = 'data_directory'
    AND (inet_server_addr() IS NULL OR inet_server_addr() = inet_client_addr())),
  'roles', (SELECT json_agg(rolname ORDER BY rolname) FROM pg_roles),
  'extensions', (SELECT json_agg(name ORDER BY name) FROM pg_available_extensions)
) FROM pg_roles me LEFT JOIN pg_database d ON d.datname = :'db' WHERE me.rolname = current_user;
