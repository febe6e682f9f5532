-- What is worked out while a dump is loaded, and fails there since no schema is searched: it is worked out for one row, as the
-- load will do it. Only what the role made itself is run.
SET lock_timeout = '3s';
BEGIN READ ONLY;
SET LOCAL statement_timeout = '20s';
SET LOCAL search_path = '';
DO $deploy$
DECLARE
  r record;
  found text[] := '{}';
BEGIN
  FOR r IN
    WITH own AS (
      SELECT classid, objid FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_proc p ON p.oid = d.refobjid
        WHERE d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND p.oid >= 16384
        GROUP BY 1, 2 HAVING pg_catalog.bool_and(pg_catalog.pg_get_userbyid(p.proowner) = current_user)
    ), tables AS (
      SELECT oid FROM pg_catalog.pg_class WHERE pg_catalog.pg_get_userbyid(relowner) = current_user
    )
    SELECT format('the index %s', i.indexrelid::pg_catalog.regclass) AS what, i.indrelid AS source,
        pg_catalog.pg_get_indexdef(i.indexrelid, n, false) AS expression
      FROM pg_catalog.pg_index i JOIN tables ON tables.oid = i.indrelid
        JOIN own ON own.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND own.objid = i.indexrelid,
        LATERAL pg_catalog.generate_series(1, i.indnkeyatts) n WHERE i.indkey[n - 1] = 0
    UNION ALL
    SELECT format('the index %s', i.indexrelid::pg_catalog.regclass), i.indrelid, pg_catalog.pg_get_expr(i.indpred, i.indrelid)
      FROM pg_catalog.pg_index i JOIN tables ON tables.oid = i.indrelid
        JOIN own ON own.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND own.objid = i.indexrelid
      WHERE i.indpred IS NOT NULL
    UNION ALL
    SELECT format('the check %I of %s', c.conname, c.conrelid::pg_catalog.regclass), c.conrelid,
        pg_catalog.pg_get_expr(c.conbin, c.conrelid)
      FROM pg_catalog.pg_constraint c JOIN tables ON tables.oid = c.conrelid
        JOIN own ON own.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND own.objid = c.oid
      WHERE c.contype = 'c'
    UNION ALL
    SELECT format('the column %I of %s', a.attname, d.adrelid::pg_catalog.regclass), d.adrelid,
        pg_catalog.pg_get_expr(d.adbin, d.adrelid)
      FROM pg_catalog.pg_attrdef d JOIN tables ON tables.oid = d.adrelid
        JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum AND a.attgenerated <> ''
        JOIN own ON own.objid = d.oid OR own.objid = d.adrelid
    UNION ALL
    SELECT format('the materialized view %s', w.ev_class::pg_catalog.regclass), w.ev_class, NULL
      FROM pg_catalog.pg_rewrite w JOIN tables ON tables.oid = w.ev_class
        JOIN pg_catalog.pg_class v ON v.oid = w.ev_class AND v.relkind = 'm' AND v.relispopulated
        JOIN own ON own.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND own.objid = w.oid
  LOOP
    BEGIN
      IF r.expression IS NULL THEN
        EXECUTE format('SELECT * FROM (%s) AS source LIMIT 1', rtrim(pg_catalog.pg_get_viewdef(r.source), ';'));
      ELSE
        EXECUTE format('SELECT (%s) FROM %s LIMIT 1', r.expression, r.source::pg_catalog.regclass);
      END IF;
    EXCEPTION
      WHEN undefined_table OR undefined_function OR undefined_object OR invalid_schema_name THEN
        found := found || format('can''t be restored: %s works only with a search_path (%s); name the schema in its function, '
          'or ALTER FUNCTION … SET search_path', r.what, SQLERRM);
      WHEN OTHERS THEN NULL;
    END;
  END LOOP;
  PERFORM set_config('deploy.fragile', to_json(ARRAY(SELECT DISTINCT unnest(found)))::text, true);
END
$deploy$;
SELECT current_setting('deploy.fragile', true);
COMMIT;
