-- Whose session is it? Who hands one session on to several clients passes on no settings of ours; and the server has to be
-- the one that was asked about.
DO $deploy$
BEGIN
  IF current_setting('deploy.session', true) IS DISTINCT FROM 'own' THEN
    RAISE EXCEPTION 'deploy: the session is not our own';
  END IF;
  IF coalesce(current_setting('deploy.system', true), '') <> '' THEN
    IF current_setting('deploy.system') <> (SELECT system_identifier::text FROM pg_control_system()) THEN
      RAISE EXCEPTION 'deploy: another server answers';
    END IF;
  END IF;
  BEGIN
    PERFORM set_config('lc_messages', 'C', false);
  EXCEPTION WHEN insufficient_privilege THEN NULL;
  END;
END
$deploy$;
