# Finds the program $1 of PostgreSQL: of the major version $2, else of the next newer one, else the newest there is. Where
# $3 names a folder, only there. Sets $found and $found_major.
pg_find() {
  pg_program=$1 pg_wanted=$2 pg_path=$3
  found='' found_major=0
  if [ -n "$pg_path" ]; then
    set -- "$pg_path"
  else
    pg_path=$(command -v "$pg_program" 2>/dev/null || :)
    set -- /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/local/pgsql*/bin /opt/homebrew/opt/postgresql*/bin \
      /usr/local/opt/postgresql*/bin "${pg_path%/*}"
  fi
  for pg_folder; do
    [ -x "$pg_folder/$pg_program" ] || continue
    pg_major=$("$pg_folder/$pg_program" --version 2>/dev/null | sed 's/^[^0-9]*\([0-9]*\).*/\1/;q')
    case $pg_major in ''|*[!0-9]*) continue ;; esac
    if pg_better "$pg_major"; then found=$pg_folder/$pg_program found_major=$pg_major; fi
  done
}
# Whether the major version $1 is nearer to the wanted one than what was found.
pg_better() {
  if [ -z "$found" ]; then return 0; fi
  if [ "$found_major" -eq "$pg_wanted" ]; then return 1; fi
  if [ "$1" -eq "$pg_wanted" ]; then return 0; fi
  if [ "$found_major" -gt "$pg_wanted" ]; then [ "$1" -gt "$pg_wanted" ] && [ "$1" -lt "$found_major" ]; return; fi
  [ "$1" -gt "$found_major" ]
}
# Finds psql, which all that follows is asked with.
pg_client() {
  pg_find psql 999 "$1"
  psql=$found
  [ -n "$psql" ] || deploy_fail 'there is no psql on this machine' \
    "install PostgreSQL's client programs (apt-get install postgresql-client), or say where they are: database.bin_dir"
}
# Runs the SQL $2 in the database $1, with further options of psql.
pg_sql() {
  pg_database=$1 pg_text=$2
  shift 2
  PGDATABASE=$pg_database "$psql" -X -w -q -A -t -v ON_ERROR_STOP=1 "$@" <<PG_TEXT
SET client_min_messages = warning;
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
$pg_text
PG_TEXT
}
# Runs a program of PostgreSQL that takes its database as an argument, which may look like a connection string.
pg_named() { printf "dbname='%s'" "$(printf '%s\n' "$1" | sed "s/[\\\\']/\\\\&/g")"; }
# How many jobs: as many as $1 says, else one for each processor, at most 8.
pg_jobs() {
  jobs=$1
  [ -n "$jobs" ] || jobs=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
  [ "$jobs" -le 8 ] || jobs=8
}
# Waits until the file $1 has an answer, as long as the process $2 lives; prints the answer.
pg_answer() {
  while [ ! -s "$1" ] && kill -0 "$2" 2>/dev/null; do sleep 0.05 2>/dev/null || sleep 1; done
  cat "$1"
}
# Reports how large the database $1 is, every second, while what follows runs in the foreground.
pg_watch_size() {
  (
    trap 'exit 0' TERM
    while sleep 1; do
      pg_size=$(pg_sql "$maintenance" "SELECT pg_database_size(:'db')" -v db="$1" 2>/dev/null) || continue
      deploy_fact loaded "$pg_size"
    done
  ) &
  pg_watcher=$!
}
# Removes the database $1, whoever is connected to it.
pg_drop() {
  pg_sql "$maintenance" "$pg_drop_sql" -v db="$1"
}
