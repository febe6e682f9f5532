-- After the dump: it must have come to its end, and what it set for its own sake is taken back.
DO $whole$
BEGIN
  IF current_setting('deploy.complete', true) IS DISTINCT FROM 'yes' THEN
    RAISE EXCEPTION 'the dump ended too early: everything is taken back';
  END IF;
END
$whole$;
RESET ALL;
SET row_security = off;
