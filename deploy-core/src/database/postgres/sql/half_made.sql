-- What dead restores of :db left. A database that somebody is in is not dead, and only who has the lock may ask.
SELECT datname FROM pg_database d
  WHERE left(datname, length(:'db') + 9) = :'db' || '_restore_' AND substr(datname, length(:'db') + 10) ~ '^[0-9]{14}$'
    AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datid = d.oid)
    AND EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted AND l.classid = 1684368500
      AND l.objid = (hashtext(:'db')::bigint & 4294967295)::oid AND l.pid = :'holder'::int);
