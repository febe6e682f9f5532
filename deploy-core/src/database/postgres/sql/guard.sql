-- Has every end of this transaction fail but the one that last.sql allows: a COMMIT among what follows would otherwise leave
-- a database of which half is replaced.
CREATE TEMP TABLE deploy_guard (id int) ON COMMIT DROP;
CREATE FUNCTION pg_temp.deploy_guard() RETURNS trigger LANGUAGE plpgsql AS $guard$
BEGIN
  IF current_setting('deploy.replaced', true) IS DISTINCT FROM 'yes' THEN
    RAISE EXCEPTION 'the transaction in which everything is replaced ended too early: everything is taken back'
      USING HINT = 'Leave BEGIN, COMMIT and SET CONSTRAINTS ALL IMMEDIATE out of the SQL that runs after the restore.';
  END IF;
  RETURN NULL;
END
$guard$;
CREATE CONSTRAINT TRIGGER deploy_guard AFTER INSERT ON deploy_guard DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE PROCEDURE pg_temp.deploy_guard();
INSERT INTO pg_temp.deploy_guard VALUES (1);
