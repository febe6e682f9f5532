-- Prints what is wrong with a restored database, a line each; nothing if all is well.
SELECT format('the table %I.%I is missing', schema, name) FROM pg_temp.deploy_expected
  WHERE to_regclass(format('%I.%I', schema, name)) IS NULL;
SELECT format('the index %s is not valid', indexrelid::regclass) FROM pg_index WHERE NOT indisvalid;
