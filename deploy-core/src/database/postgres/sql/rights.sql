-- Brings statements one by one, rights and settings. A statement about the schema public by who doesn't own it would only warn.
DO $deploy$
DECLARE
  r record;
BEGIN
  FOR r IN SELECT * FROM pg_temp.deploy_rights ORDER BY number LOOP
    BEGIN
      IF r.role IS NOT NULL AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = r.role) THEN
        RAISE EXCEPTION 'the role % is missing', quote_ident(r.role);
      END IF;
      CONTINUE WHEN r.statement = 'REVOKE CREATE ON SCHEMA public FROM PUBLIC;'
        AND NOT pg_catalog.has_schema_privilege('public', 'public', 'CREATE');
      IF r.statement ~ ' ON SCHEMA public ' AND EXISTS (SELECT FROM pg_catalog.pg_namespace
          WHERE nspname = 'public' AND NOT pg_catalog.pg_has_role(nspowner, 'USAGE')) THEN
        RAISE EXCEPTION 'the schema belongs to another role';
      END IF;
      EXECUTE r.statement;
    EXCEPTION WHEN OTHERS THEN
      UPDATE pg_temp.deploy_rights SET problem = SQLERRM WHERE number = r.number;
    END;
  END LOOP;
END
$deploy$;
SELECT format('%s (%s)', CASE WHEN told LIKE 'CREATE USER MAPPING %'
    THEN regexp_replace(told, 'OPTIONS \(.*', 'OPTIONS (…);') ELSE told END, problem) FROM pg_temp.deploy_rights WHERE problem IS NOT NULL ORDER BY number;
DROP TABLE pg_temp.deploy_rights;
