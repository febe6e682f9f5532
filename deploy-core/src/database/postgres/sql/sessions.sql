SELECT format('%s (%s)', coalesce(usename, backend_type), coalesce(nullif(application_name, ''), 'no name')) AS session
  FROM pg_stat_activity WHERE datname = :'db' GROUP BY 1 ORDER BY 1 LIMIT 10;
