-- Refreshes the materialised views that have contents, each after those that it reads from.
WITH RECURSIVE reads AS (
  SELECT DISTINCT r.ev_class AS view, d.refobjid AS source
  FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
    AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class
), depth AS (
  SELECT oid AS view, 0 AS level FROM pg_class WHERE relkind IN ('m', 'v')
  UNION
  SELECT reads.view, depth.level + 1 FROM reads JOIN depth ON depth.view = reads.source WHERE depth.level < 100
)
SELECT format('REFRESH MATERIALIZED VIEW %s', oid::regclass)
  FROM pg_class JOIN depth ON depth.view = oid WHERE relkind = 'm' AND relispopulated
  GROUP BY oid ORDER BY max(level), oid \gexec
