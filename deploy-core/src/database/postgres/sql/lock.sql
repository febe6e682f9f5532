-- Takes the lock on restores of :db. It is one of this database alone; who keeps it from another one stands in pg_locks too.
SELECT pg_try_advisory_lock(1684368500, hashtext(:'db')) AS is_taken \gset
SELECT :'is_taken'::boolean AND NOT EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted
    AND l.classid = 1684368500 AND l.objid = (hashtext(:'db')::bigint & 4294967295)::oid AND l.pid <> pg_backend_pid()),
  pg_backend_pid();
