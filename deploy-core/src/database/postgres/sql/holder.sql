SELECT coalesce(max(a.application_name), 'somebody') FROM pg_locks l JOIN pg_stat_activity a USING (pid)
  WHERE l.pid <> :'own'::int AND l.locktype = 'advisory' AND l.granted AND l.classid = 1684368500
    AND l.objid = (hashtext(:'db')::bigint & 4294967295)::oid;
