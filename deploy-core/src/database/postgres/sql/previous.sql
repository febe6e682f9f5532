-- The name that :db gets when it is replaced: :previous, or with the next second that is later than all there are.
SET timezone = 'UTC';
SELECT left(:'previous', -14) || to_char(
    greatest(to_timestamp(right(:'previous', 14), 'YYYYMMDDHH24MISS'),
      max(to_timestamp(right(datname, 14), 'YYYYMMDDHH24MISS')) + interval '1 second'), 'YYYYMMDDHH24MISS')
  FROM pg_database
  WHERE left(datname, length(:'db') + 8) = :'db' || '_before_'
    AND substr(datname, length(:'db') + 9) ~ '^20\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])([01]\d|2[0-3])[0-5]\d[0-5]\d$';
