-- Puts the database :next in the place of :db, which becomes :previous. Both or nothing.
SET lock_timeout = '20s';
SELECT EXISTS (SELECT FROM pg_database WHERE datname = :'db') AS has_live \gset
BEGIN;
\if :has_live
ALTER DATABASE :"db" RENAME TO :"previous";
\endif
ALTER DATABASE :"next" RENAME TO :"db";
COMMIT;
