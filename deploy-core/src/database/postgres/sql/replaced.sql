SELECT datname FROM pg_database
  WHERE left(datname, length(:'db') + 8) = :'db' || '_before_' AND substr(datname, length(:'db') + 9) ~ '^[0-9]{14}$'
  ORDER BY datname DESC OFFSET :keep;
