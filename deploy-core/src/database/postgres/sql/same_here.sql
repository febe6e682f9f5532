-- The database of this session has to be the one that was asked about.
DO $deploy$
BEGIN
  IF coalesce(current_setting('deploy.database', true), '') NOT IN
      ('', (SELECT oid::text FROM pg_database WHERE datname = current_database())) THEN
    RAISE EXCEPTION 'deploy: another database answers';
  END IF;
END
$deploy$;
