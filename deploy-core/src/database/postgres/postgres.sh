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
# Has all sessions that follow be alike, whatever their role and their database are set to, on a server of the major version
# $1 (0: not known yet) that calls itself $2, and the database $3. Programs speak English: their texts are read. What is hidden
# from who asks is an error: a part is never taken for the whole.
pg_session() {
  pg_options='-c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0 -c row_security=off'
  pg_options="$pg_options -c deploy.session=own"
  [ "$1" -lt 14 ] || pg_options="$pg_options -c idle_session_timeout=0"
  [ "$1" -lt 17 ] || pg_options="$pg_options -c transaction_timeout=0"
  [ -z "$2" ] || pg_options="$pg_options -c deploy.system=$2"
  [ -z "$3" ] || pg_options="$pg_options -c deploy.database=$3"
  PGOPTIONS="${PGOPTIONS-} $pg_options"
  LC_CTYPE=${LC_ALL:-${LC_CTYPE:-${LANG-}}} LC_MESSAGES=C
  export PGOPTIONS LC_CTYPE LC_MESSAGES
  unset LC_ALL LANGUAGE
}
# Runs the SQL $2 in the database $1, with further options of psql. It sets nothing before it knows whose session it is.
pg_sql() {
  pg_database=$1 pg_text=$2
  shift 2
  "$psql" -X -w -q -A -t -v ON_ERROR_STOP=1 -d "$(pg_named "$pg_database")" "$@" <<PG_TEXT
$pg_proof_sql
SET client_min_messages = warning;
$pg_text
PG_TEXT
}
# The database $1 as an argument of PostgreSQL's programs: a bare name may look like a connection string.
pg_named() { printf "dbname='%s'%s" "$(printf '%s\n' "$1" | sed "s/[\\\\']/\\\\&/g")" "${pg_beside-}"; }
# How many jobs: as many as $1 says, else one for each processor, at most 8, and no more than $2, if that is known.
pg_jobs() {
  jobs=$1
  [ -n "$jobs" ] || jobs=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
  [ "$jobs" -le 8 ] || jobs=8
  [ -z "$2" ] || [ "$jobs" -le "$2" ] || jobs=$2
}
# Waits until the file $1 has an answer, as long as the process $2 lives. Sets $answer. (A subshell would wait for ever: only
# its parent sees the end of a process.)
pg_answer() {
  while [ ! -s "$1" ] && kill -0 "$2" 2>/dev/null; do sleep 0.05 2>/dev/null || sleep 1; done
  read -r answer <"$1" || :
}
# Reports how large the database $1 is, every second, while what follows runs in the foreground.
pg_watch_size() {
  (
    while sleep 1 >/dev/null 2>&1 8>&- 9>&- && kill -0 "$$" 2>/dev/null; do
      pg_size=$(pg_sql "$maintenance" "SELECT pg_database_size(:'db')" -v db="$1" 2>/dev/null) || continue
      deploy_fact loaded "$pg_size"
      # Somebody else may have the lock by now. Who loads finds out by losing what it loads into.
      [ -e "$folder/lock.held" ] || pg_drop "$1" || :
    done
  ) &
  pg_watcher=$!
}
# Removes the database $1, whoever is connected to it.
pg_drop() {
  pg_sql "$maintenance" "$pg_drop_sql" -v db="$1"
}
# Runs a command while the size of the database $1 is reported.
pg_watched() {
  pg_watch_size "$1"
  shift
  pg_status=0
  "$@" || pg_status=$?
  kill "$pg_watcher" 2>/dev/null || :
  [ "$pg_status" -eq 0 ] || [ -e "$folder/lock.held" ] || deploy_fail \
    'the session that keeps the lock on restores has ended' 'who ends sessions there? a proxy, or an administrator: try again'
  return "$pg_status"
}
# Finds the program $1 for a server of the major version $2.
pg_need() {
  pg_find "$1" "$2" "$3"
  [ -n "$found" ] || deploy_fail "there is no $1 on this machine" \
    "install PostgreSQL's client programs (apt-get install postgresql-client), or say where they are: database.bin_dir"
}
# Takes the lock on restores of the database $1 for $2, and keeps it as long as the file lock.pid names a process. The session
# says something now and then, so that nobody on the way takes it for dead. When it ends all the same, the file lock.held goes.
pg_lock() {
  : >"$folder/lock"
  : >"$folder/lock.held"
  sh -c 'trap '\''kill "$!"; exit'\'' TERM; echo "$$" >"$1"; printf "%s\n" "$2"
    while :; do sleep 5 >/dev/null & wait "$!"; echo "SELECT WHERE false;" || exit; done' sh "$folder/lock.pid" \
    "$pg_proof_sql
$pg_lock_sql" 8>&- 9>&- 2>/dev/null | {
    PGAPPNAME=$2 "$psql" -X -w -q -A -t -v ON_ERROR_STOP=1 -d "$(pg_named "$maintenance")" -v db="$1" \
      >"$folder/lock" 2>"$folder/lock.err" || :
    rm -f -- "$folder/lock.held"
  } 2>/dev/null 8>&- 9>&- &
  answer=''
  pg_answer "$folder/lock" "$!"
  case $answer in
    t\|*) pg_holder=${answer#t|}; deploy_fact lock_session "$pg_holder"; return ;;
    f\|*) ;;
    *) cat "$folder/lock.err" >&2; pg_unlock "$folder"; return 1 ;;
  esac
  pg_unlock "$folder"
  deploy_fact held_by "$(pg_sql "$maintenance" "$pg_holder_sql" -v db="$1" -v own="${answer#f|}")"
  deploy_fail "the database $1 is being restored already"
}
# Ends the session that has, or wants, the lock of a restore, and removes its folder $1.
pg_unlock() {
  if [ -s "$1/lock.pid" ]; then kill "$(cat "$1/lock.pid")" 2>/dev/null || :; fi
  rm -rf -- "$1"
}
# Gives up what a restore holds in the folder $1, and removes the database $2 that it may have half made.
pg_give_up() {
  [ -d "$1" ] || return 0
  pg_drop "$2" || :
  pg_unlock "$1"
}
# Puts the database $2 in the place of $1, which becomes $3. The rename lets nobody in any more and then waits for those
# who are in; meanwhile a second session ends theirs.
pg_swap() {
  "$psql" -X -w -q -d "$(pg_named "$maintenance")" -v db="$1" >/dev/null 2>&1 8>&- 9>&- <<PG_TEXT &
$pg_terminate_sql
PG_TEXT
  pg_terminator=$!
  sleep 0.2 2>/dev/null || sleep 1
  for pg_try in 1 2 3; do
    pg_status=0
    pg_said=$(pg_sql "$maintenance" "$pg_swap_sql" -v db="$1" -v next="$2" -v previous="$3" -v holder="$4" 2>&1) || pg_status=$?
    [ "$pg_status" -ne 0 ] || break
    # The answer may have been lost, and not the swap.
    case $(pg_sql "$maintenance" "SELECT count(*) FROM pg_database WHERE datname = :'db'" -v db="$2") in
      0) pg_status=0; break ;;
    esac
  done
  kill "$pg_terminator" 2>/dev/null || :
  [ "$pg_status" -eq 0 ] || printf '%s\n' "$pg_said" >&2
  return "$pg_status"
}
# Fails, and says who uses the database $1, if that is what PostgreSQL said.
pg_in_use() {
  case $pg_said in *'being accessed by other users'*) ;; *) return 1 ;; esac
  deploy_fail "the database $1 can't be replaced while others use it" \
    "end these sessions, or restore as a superuser: $(pg_sql "$maintenance" "$pg_sessions_sql" -v db="$1" | tr '\n' ' ')"
}
# Removes what dead restores of the database $1 left half-made. Only who has the lock may do so.
pg_sweep() {
  pg_sql "$maintenance" "$pg_half_made_sql" -v db="$1" -v holder="$pg_holder" | while IFS= read -r pg_old; do
    if pg_sql "$maintenance" 'DROP DATABASE IF EXISTS :"old"' -v old="$pg_old"; then
      deploy_note "removed the half-made database $pg_old of a restore that died"
    else
      deploy_note "the half-made database $pg_old of a restore that died could not be removed"
    fi
  done
}
# Removes replaced databases of $1, but for the newest $2.
pg_prune() {
  pg_sql "$maintenance" "$pg_replaced_sql" -v db="$1" -v keep="$2" | while IFS= read -r pg_old; do
    if pg_drop "$pg_old"; then
      deploy_note "removed the replaced database $pg_old"
    else
      deploy_note "the replaced database $pg_old could not be removed: DROP DATABASE it by hand"
    fi
  done
}
# Unpacks the tar file $1, where it holds the files of a dump of the format `directory`. Sets $archive to what is loaded,
# and $jobs to 1 where only one can.
pg_unpack() {
  archive=$1
  if tar -tf "$1" | grep -q '^\(\./\)*restore\.sql$'; then jobs=1; return; fi
  mkdir -p -- "$folder/dump"
  tar -xf "$1" -C "$folder/dump"
  archive=$(find "$folder/dump" -name toc.dat | head -n 1)
  [ -n "$archive" ] || deploy_fail 'the tar file has no toc.dat: it is no dump of PostgreSQL'
  archive=${archive%/toc.dat}
}
# Tells each line of $1, a statement that could not be run.
pg_not_brought() {
  printf '%s\n' "$1" | while IFS= read -r pg_line; do
    if [ -n "$pg_line" ]; then deploy_note "could not be brought, run it when you can: $pg_line"; fi
  done
}
# What is in the archive $1, which came in a tar file, the controller doesn't know: where indexes of partitions are attached to
# others, which must not happen side by side, one job does all. Sets $jobs.
pg_side_by_side() {
  if "$pg_restore" --list "$1" | grep -q ' INDEX ATTACH '; then jobs=1; fi
}
# Writes an archive as SQL, with options of pg_restore before its path.
pg_as_sql() {
  "$pg_restore" --no-owner --no-privileges --no-tablespaces --no-subscriptions --no-publications --no-security-labels \
    --single-transaction --file=- "$@"
}
# What follows a dump that came to its end.
pg_end() { echo "SELECT set_config('deploy.complete', 'yes', false);"; }
# Leaves out the first BEGIN and the last COMMIT of what pg_as_sql writes, and the \restrict around it, in whose place we have
# our own: whatever else looks like them is data. A setting of its head that older servers don't know is made for each session.
pg_without_commit() {
  LC_ALL=C awk '
    function give(from) { for (at = from; at <= held; at++) print line[at]; held = 0 }
    $1 == "\\restrict" && !begun && key == "" { key = $2; next }
    key != "" && $0 == "\\unrestrict " key { next }
    $0 == "BEGIN;" && !begun { begun = 1; next }
    $0 == "SET transaction_timeout = 0;" && !headless { next }
    $0 != "" && $0 !~ /^(--|SET |SELECT pg_catalog.set_config)/ { headless = 1 }
    $0 == "COMMIT;" { give(1) }
    $0 == "COMMIT;" || held > 0 { line[++held] = $0; if (held > 30) give(1); next }
    { print }
    END { if (held > 0) give(2) }'
}
# Runs, in one transaction of the database $1 of the stage $2, what the options that follow tell psql to.
pg_at_once() {
  pg_database=$1 pg_stage=$2 pg_status=0
  shift 2
  "$psql" -X -w -q -A -t -d "$(pg_named "$pg_database")" -o /dev/null -v ON_ERROR_STOP=1 -v stage="$pg_stage" \
    -v lost="$folder/lost" -1 "$@" || pg_status=$?
  case $pg_status in
    0) ;;
    2) deploy_fail "the connection to the database $pg_database was lost while everything in it was replaced" \
      'it is as it was, unless that happened in the very last step: look at it before you try again' ;;
    *) deploy_fail "the dump can't be loaded: the database $pg_database is as it was" ;;
  esac
}
# Finds the pg_restore for this server, of at least the major version $1. Where that begins by setting what the server doesn't
# know yet, $pg_ahead is not empty.
pg_reader() {
  pg_server=$(($(pg_sql "$maintenance" 'SHOW server_version_num') / 10000))
  pg_least=$pg_server
  [ "$pg_least" -ge "$1" ] || pg_least=$1
  pg_need pg_restore "$pg_least" "$2"
  pg_restore=$found pg_ahead=''
  if [ "$found_major" -ge 17 ] && [ "$pg_server" -lt 17 ]; then pg_ahead=yes; fi
}
# Loads the archive $1 into the database $2 as the role $3 (empty: as who logs in), with further options.
pg_load() {
  pg_archive=$1 pg_target=$(pg_named "$2") pg_role=$3
  shift 3
  [ -z "$pg_role" ] || set -- "--role=$pg_role" "$@"
  [ -n "$pg_ahead" ] || set -- --exit-on-error "$@"
  set -- --no-password --no-owner --no-privileges --no-tablespaces --no-subscriptions --no-publications \
    --no-security-labels "--jobs=$jobs" "--dbname=$pg_target" "$@" "$pg_archive"
  if [ -n "$pg_ahead" ]; then pg_but_for_settings "$pg_restore" "$@"; else "$pg_restore" "$@"; fi
}
# Runs a pg_restore that goes on after errors, and fails after any but this: a time-out that is set to 0, of which the server
# knows nothing.
pg_but_for_settings() {
  pg_left=0
  "$@" 2>"$folder/complaints" || pg_left=$?
  LC_ALL=C awk '
    /^pg_restore: error: could not execute query: ERROR:  unrecognized configuration parameter "[a-z_]+"$/ { held = $0; next }
    held != "" && /^Command was: SET [a-z_]+ = 0;$/ { held = ""; next }
    held != "" { print held; held = ""; bad = 1 }
    /^pg_restore: while INITIALIZING:$/ || /^pg_restore: warning: errors ignored on restore: / { next }
    /^pg_restore: error: / { bad = 1 }
    { print }
    END { if (held != "") { print held; bad = 1 }; exit bad }' "$folder/complaints" >&2 || return 1
  [ "$pg_left" -le 1 ] || return "$pg_left"
}
# Runs the SQL text of the file $1 in the database $2 as the role $3 (empty: as who logs in), with further options.
pg_run_file() {
  pg_file=$1 pg_target=$(pg_named "$2") pg_role=$3
  shift 3
  if [ -n "$pg_role" ]; then
    "$psql" -X -w -q -d "$pg_target" -v ON_ERROR_STOP=1 -v role="$pg_role" "$@" -1 -f "$folder/role.sql" -f "$pg_file"
  else
    "$psql" -X -w -q -d "$pg_target" -v ON_ERROR_STOP=1 "$@" -1 -f "$pg_file"
  fi
}
# The numbers of the migrations in the first of the folders that has any, of Rails, sqlx or Diesel. Sets $migrations.
pg_migrations() {
  migrations=''
  for pg_folder; do
    for pg_place in "$pg_folder/db/migrate" "$pg_folder/migrations"; do
      if [ -n "$migrations" ] || [ ! -d "$pg_place" ]; then continue; fi
      migrations=$(printf '%s\n' "$pg_place"/[0-9]*_* | sed -n 's|.*/\([0-9][0-9-]*\)_[^/]*$|\1|p' | tr -d - | tr '\n' ' ')
    done
  done
}
