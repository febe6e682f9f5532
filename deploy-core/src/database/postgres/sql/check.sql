-- Prints what is wrong with a restored database, a line each; nothing if all is well.
SELECT format('the table %I.%I is missing', schema, name) FROM pg_temp.deploy_expected
  WHERE to_regclass(format('%I.%I', schema, name)) IS NULL;
-- What was not valid in the source is not valid here. Where nobody says what was, an index that lacks parts is as it was.
SELECT format('the index %s is not valid', i.indexrelid::regclass)
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE NOT i.indisvalid
    AND NOT EXISTS (SELECT FROM pg_temp.deploy_invalid WHERE name = format('%I.%I', n.nspname, c.relname))
    AND (:'known' = 'yes' OR NOT EXISTS (SELECT FROM pg_inherits part WHERE c.relkind = 'I' AND part.inhparent = i.indrelid
      AND NOT EXISTS (SELECT FROM pg_inherits attached JOIN pg_index o ON o.indexrelid = attached.inhrelid
        WHERE attached.inhparent = i.indexrelid AND o.indrelid = part.inhrelid AND o.indisvalid)));
