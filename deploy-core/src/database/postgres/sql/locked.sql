-- The session :holder still has to keep the lock on restores of :db.
SELECT NOT EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted AND l.classid = 1684368500
    AND l.objid = (hashtext(:'db')::bigint & 4294967295)::oid AND l.pid = :'holder'::int) AS is_lost \gset
\if :is_lost
DO 'BEGIN RAISE EXCEPTION ''deploy: the lock is lost''; END';
\endif
