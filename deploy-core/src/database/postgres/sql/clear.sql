-- Removes all that the current role owns in this database. What a transaction's end makes of it decides the rest.
DO $clear$
DECLARE
  statement text;
  statements text[];
BEGIN
  FOR statement IN
    SELECT format('DROP EXTENSION IF EXISTS %I CASCADE', extname) FROM pg_extension
      WHERE extowner = (SELECT oid FROM pg_roles WHERE rolname = current_user)
    UNION ALL
    SELECT format('DROP SCHEMA IF EXISTS %I CASCADE', nspname) FROM pg_namespace
      WHERE nspowner = (SELECT oid FROM pg_roles WHERE rolname = current_user) AND nspname <> 'public'
        AND nspname NOT LIKE 'pg\_%'
  LOOP
    EXECUTE statement;
  END LOOP;
  FOR statement IN
    SELECT format('DROP %s IF EXISTS %s CASCADE', CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
        WHEN 'S' THEN 'SEQUENCE' WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, oid::regclass)
      FROM pg_class WHERE relkind IN ('v', 'm', 'r', 'p', 'f', 'S')
        AND relowner = (SELECT oid FROM pg_roles WHERE rolname = current_user)
        AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
        AND NOT EXISTS (SELECT FROM pg_namespace n WHERE n.oid = relnamespace AND n.nspname LIKE 'pg\_%')
      ORDER BY relkind = 'S', relkind = 'r'
  LOOP
    EXECUTE statement;
  END LOOP;
  FOR statement IN
    SELECT format('DROP ROUTINE IF EXISTS %s CASCADE', oid::regprocedure) FROM pg_proc
      WHERE proowner = (SELECT oid FROM pg_roles WHERE rolname = current_user)
    UNION ALL
    SELECT format('DROP TYPE IF EXISTS %s CASCADE', t.oid::regtype) FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
      WHERE t.typowner = (SELECT oid FROM pg_roles WHERE rolname = current_user) AND t.typelem = 0
        AND (t.typtype IN ('e', 'd', 'r') OR t.typtype = 'c' AND c.relkind = 'c')
    UNION ALL
    SELECT format('DROP TEXT SEARCH CONFIGURATION IF EXISTS %s CASCADE', oid::regconfig) FROM pg_ts_config
      WHERE cfgowner = (SELECT oid FROM pg_roles WHERE rolname = current_user)
    UNION ALL
    SELECT format('DROP TEXT SEARCH DICTIONARY IF EXISTS %s CASCADE', oid::regdictionary) FROM pg_ts_dict
      WHERE dictowner = (SELECT oid FROM pg_roles WHERE rolname = current_user)
    UNION ALL
    SELECT format('DROP COLLATION IF EXISTS %I.%I CASCADE', n.nspname, collname) FROM pg_collation
      JOIN pg_namespace n ON n.oid = collnamespace
      WHERE collowner = (SELECT oid FROM pg_roles WHERE rolname = current_user)
  LOOP
    EXECUTE statement;
  END LOOP;
  -- Whatever it still owns, as PostgreSQL has it noted: operators, conversions, foreign servers, publications. Default
  -- privileges are in nobody's way, user mappings go with their servers, and what belongs to an extension stays.
  SELECT array_agg(format('DROP %s IF EXISTS %s CASCADE', CASE o.type WHEN 'statistics object' THEN 'STATISTICS'
      WHEN 'foreign-data wrapper' THEN 'FOREIGN DATA WRAPPER' ELSE upper(o.type) END, o.identity))
    INTO statements
    FROM pg_shdepend d, LATERAL pg_identify_object(d.classid, d.objid, 0) o
    WHERE d.deptype = 'o' AND d.refclassid = 'pg_authid'::regclass AND d.objsubid = 0
      AND d.refobjid = (SELECT oid FROM pg_roles WHERE rolname = current_user)
      AND d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND o.type NOT IN ('default acl', 'large object', 'user mapping', 'event trigger', 'subscription')
      AND (o.type <> 'schema' OR o.name <> 'public') AND coalesce(o.schema, '') NOT LIKE 'pg\_%'
      AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = d.classid AND e.objid = d.objid AND e.deptype = 'e');
  FOREACH statement IN ARRAY coalesce(statements, '{}') LOOP
    EXECUTE statement;
  END LOOP;
  PERFORM lo_unlink(oid) FROM pg_largeobject_metadata
    WHERE lomowner = (SELECT oid FROM pg_roles WHERE rolname = current_user);
END
$clear$;
