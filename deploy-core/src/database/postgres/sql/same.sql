-- The database :db has to be the one that was asked about, or missing as it was then.
SELECT coalesce(current_setting('deploy.database', true), '') NOT IN
    ('', coalesce((SELECT oid::text FROM pg_database WHERE datname = :'db'), 'none')) AS is_other \gset
\if :is_other
DO 'BEGIN RAISE EXCEPTION ''deploy: another database answers''; END';
\endif
