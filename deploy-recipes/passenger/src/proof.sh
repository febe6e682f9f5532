# passenger_begin APP: what runs below the folder APP before the restart.
passenger_begin() {
  passenger_done=''
  passenger_find "$1"
  passenger_before=" $passenger_pids "
}
# passenger_find APP: the processes that Passenger runs below APP, as `passenger_pids`. Passenger writes into their titles
# what they are, and everybody may read these.
passenger_find() {
  passenger_pattern=$(printf '%s\n' "$1" | sed 's/[][\.*^$]/\\&/g')
  passenger_pids=$(LC_ALL=C grep -ls "^Passenger [A-Za-z]*App[A-Za-z]*: $passenger_pattern/" /proc/[0-9]*/cmdline) || :
  passenger_pids=$(printf %s "$passenger_pids" | sed -e 's/[^0-9]//g' | tr '\n' ' ')
}
# Sorts these processes: `passenger_new` are of the release that this task runs in, `passenger_old` of an earlier one, with
# its name. Where a process is may be asked of one's own only; one of another user is old if it was there before.
passenger_sort() {
  passenger_new='' passenger_old=''
  passenger_stamp=$(pwd -P)
  passenger_stamp=${passenger_stamp##*/}
  for passenger_pid in $passenger_pids; do
    passenger_place=$(readlink "/proc/$passenger_pid/cwd" 2>/dev/null) || passenger_place=''
    case $passenger_place in
      '') passenger_sort_by_age ;;
      */releases/"$passenger_stamp" | */releases/"$passenger_stamp"/*) passenger_new="$passenger_new $passenger_pid" ;;
      */releases/*) passenger_sort_old "${passenger_place##*/releases/}" ;;
      */.deploy/trash/*) passenger_sort_old "${passenger_place##*/.deploy/trash/}" ;;
    esac
  done
}
passenger_sort_old() {
  passenger_release=${1%%/*}
  passenger_old="${passenger_old:+$passenger_old, }process $passenger_pid in release ${passenger_release%% *}"
}
passenger_sort_by_age() {
  [ -d "/proc/$passenger_pid" ] || return 0
  case $passenger_before in
    *" $passenger_pid "*)
      passenger_old="${passenger_old:+$passenger_old, }process $passenger_pid, which was there before the restart"
      ;;
    *) passenger_new="$passenger_new $passenger_pid" ;;
  esac
}
# passenger_prove APP ASKED SECONDS HINT: fails unless what runs below APP is of this release. ASKED is `told` where the
# answer to a health check has told the commit, `asked` where there was an answer, else `unasked`.
passenger_prove() {
  passenger_patience=$3
  case ${passenger_method-}:$passenger_done:$2 in
    # It is the next request that has it restarted.
    touch:*:unasked) return 0 ;;
    touch:* | *:yes:*) ;;
    *) passenger_patience=0 ;;
  esac
  while passenger_find "$1"; passenger_sort; [ -n "$passenger_old" ]; do
    [ -z "$passenger_new" ] || [ "$passenger_patience" -lt 5 ] || passenger_patience=5
    [ "$passenger_patience" -gt 0 ] || break
    passenger_patience=$((passenger_patience - 1))
    sleep 1
  done
  if [ -n "$passenger_old" ]; then
    passenger_is_late "$4"
  elif [ "$2$passenger_new" = asked ]; then
    deploy_note "the application answers, and of which release can't be seen: no process of Passenger's below $1/ is; $(passenger_remedy)"
  fi
}
passenger_is_late() {
  case ${passenger_method-}:$passenger_done in
    touch:* | *:yes)
      if [ -n "$passenger_new" ]; then
        deploy_note "an earlier release still finishes requests: $passenger_old"
        return 0
      fi
      ;;
  esac
  deploy_fail "the restart didn't reach the application, which still runs from an earlier release: $passenger_old" \
    'is it the Passenger of this web server that was told? in deploy.toml: [recipes.passenger] env = { PASSENGER_INSTANCE_REGISTRY_DIR = "…" }' \
    'or restart the web server, by hand on the server' "$1"
}
passenger_remedy() {
  echo 'have the answer tell the commit, and in deploy.toml: [recipes.passenger] health_revision = "X-Revision"'
}
# passenger_foresee APP ASKED METHOD WHOSE CURRENT: says where nobody will be able to tell which release answers after a
# restart.
passenger_foresee() {
  passenger_why=''
  passenger_find "$1"
  case $2:$3:$4 in
    unasked:touch:*) passenger_why='Passenger restarts it for the next request, and without a `health_url` there is none' ;;
    *:others) [ -r /proc/1/cmdline ] || passenger_why="$(id -un) doesn't see the processes of others" ;;
  esac
  if [ ! -d "/proc/$$" ]; then
    passenger_why="there is no /proc"
  elif [ -z "$passenger_why$passenger_pids" ] && [ "$2" = asked ] && [ -d "$5" ]; then
    passenger_why="no process of Passenger's below $1/ is seen now"
  fi
  [ -n "$passenger_why" ] || deploy_skip 'it will be seen'
  deploy_note "whether the new release answers after the restart may not be seen: $passenger_why; $(passenger_remedy)"
}
