SELECT datname FROM pg_database
  WHERE left(datname, length(:'db') + 9) = :'db' || '_restore_' AND substr(datname, length(:'db') + 10) ~ '^[0-9]{14}$';
