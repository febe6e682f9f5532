SELECT format('ALTER DATABASE %I IS_TEMPLATE false', datname) FROM pg_database WHERE datname = :'db' AND datistemplate \gexec
SELECT current_setting('server_version_num')::int >= 130000 AS has_force \gset
\if :has_force
DROP DATABASE IF EXISTS :"db" WITH (FORCE);
\else
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = :'db';
DROP DATABASE IF EXISTS :"db";
\endif
