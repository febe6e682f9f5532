-- Ends the sessions in :db, again and again, as soon as a rename keeps others out.
SELECT pg_terminate_backend(a.pid)
  FROM pg_stat_activity a JOIN pg_database d ON d.oid = a.datid JOIN pg_roles r ON r.oid = a.usesysid,
    (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) me
  WHERE d.datname = :'db' AND a.pid <> pg_backend_pid()
    AND EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'object' AND l.classid = 'pg_database'::regclass
      AND l.objid = d.oid AND l.mode = 'AccessExclusiveLock' AND l.granted)
    AND (me.rolsuper OR NOT r.rolsuper AND (pg_has_role(current_user, r.oid, 'MEMBER')
      OR pg_has_role(current_user, 'pg_signal_backend', 'MEMBER')))
\watch 0.05
