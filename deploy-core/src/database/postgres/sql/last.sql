-- The end of a restore in one transaction, if that is still the same one: guard.sql's table is of it.
ANALYZE;
SELECT set_config('deploy.replaced', 'yes', true) FROM pg_temp.deploy_guard;
