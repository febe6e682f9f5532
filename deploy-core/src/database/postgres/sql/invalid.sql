-- The indexes of tables in partitions that are not valid, since not all partitions have theirs attached. Others that are
-- not valid are in no dump.
SELECT json_agg(format('%I.%I', n.nspname, c.relname) ORDER BY n.nspname, c.relname)
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'I' AND NOT i.indisvalid;
