# systemd_restart ACTION SETTLE PATIENCE LINES HINT UNIT...: one unit after the other, each only when the one before it is well.
# `systemd_change` and `systemd_ask` run systemctl, the first with the rights to change something; `systemd_own` is a
# command of the user's own, for ACTION `own`.
systemd_restart() {
  systemd_action=$1 systemd_settle=$2 systemd_patience=$3 systemd_lines=$4 systemd_hint=$5
  shift 5
  systemd_began=$(date +%s)
  if [ "$systemd_action" = own ]; then
    systemd_own
    for systemd_unit; do systemd_main_before=''; systemd_check; done
    return 0
  fi
  for systemd_unit; do
    systemd_look
    systemd_main_before=$systemd_main systemd_status=0
    systemd_change "$systemd_action" "$systemd_unit" || systemd_status=$?
    [ "$systemd_status" -eq 0 ] ||
      systemd_failed "systemctl $systemd_action $systemd_unit ended with status $systemd_status"
    systemd_check
  done
}
# What systemd knows of the unit.
systemd_look() {
  systemd_active='' systemd_sub='' systemd_result='' systemd_main='' systemd_restarts=''
  systemd_facts=$(systemd_ask show --property ActiveState,SubState,Result,MainPID,NRestarts "$systemd_unit" 2>/dev/null) || :
  for systemd_fact in $systemd_facts; do
    case $systemd_fact in
      ActiveState=*) systemd_active=${systemd_fact#*=} ;;
      SubState=*) systemd_sub=${systemd_fact#*=} ;;
      Result=*) systemd_result=${systemd_fact#*=} ;;
      MainPID=*) systemd_main=${systemd_fact#*=} ;;
      NRestarts=*) systemd_restarts=${systemd_fact#*=} ;;
    esac
  done
}
# The unit is active, and stays so: one that systemd had to start again meanwhile is not well, nor is one that runs from an
# earlier release.
systemd_check() {
  systemd_look
  systemd_restarts_before=$systemd_restarts
  [ "$systemd_settle" = 0 ] || sleep "$systemd_settle"
  systemd_look
  case $systemd_active in
    active | reloading) ;;
    *) systemd_failed "the unit $systemd_unit is $(systemd_state) after its restart" ;;
  esac
  [ "$systemd_restarts" = "$systemd_restarts_before" ] ||
    systemd_failed "the unit $systemd_unit ended after its restart, and systemd started it again"
  systemd_prove
  systemd_was_killed
}
# Its state in systemd's own words, with the reason for a bad one.
systemd_state() {
  case ${systemd_active:-unknown}/$systemd_sub in
    unknown/*) echo 'not known' ;;
    failed/*) echo "failed${systemd_result:+ ($systemd_result)}" ;;
    activating/auto-restart) echo "waiting to be started again${systemd_result:+ ($systemd_result)}" ;;
    *) echo "$systemd_active" ;;
  esac
}
# The unit's main process is of the release that this task runs in. A reload may take its time, and ends without a word.
systemd_prove() {
  case $systemd_main in '' | 0) return 0 ;; esac
  systemd_tries=0
  [ "$systemd_action" = restart ] || systemd_tries=$systemd_patience
  while systemd_is_old; do
    [ "$systemd_tries" -gt 0 ] || systemd_failed "the unit $systemd_unit still runs from an earlier release after its restart: process $systemd_main in $systemd_place" \
      'let its WorkingDirectory= and ExecStart= lead through the link current, and let it be restarted where a reload is none: [recipes.systemd] action = "restart"'
    systemd_tries=$((systemd_tries - 1))
    sleep 1
    systemd_look
  done
  if [ "$systemd_main" = "$systemd_main_before" ] && [ ! -r "/proc/$systemd_main/cwd" ]; then
    deploy_note "the unit $systemd_unit was reloaded, and whether it runs this release can't be seen: its process is another user's"
  fi
}
# Whether the main process is in another release, or was started from one, as `systemd_place`; one that is removed counts.
systemd_is_old() {
  systemd_release=$(pwd -P)
  systemd_releases=${systemd_release%/*}
  for systemd_place in cwd exe; do
    systemd_place=$(readlink "/proc/$systemd_main/$systemd_place" 2>/dev/null) || continue
    case $systemd_place in
      "$systemd_release" | "$systemd_release"/*) ;;
      "$systemd_releases"/* | "${systemd_releases%/*}"/.deploy/trash*) return 0 ;;
    esac
  done
  return 1
}
# systemd tells nobody but the journal that it had to kill what didn't stop in time.
systemd_was_killed() {
  if systemd_journal --unit "$systemd_unit" --since "@$systemd_began" --output cat --no-pager 2>/dev/null |
    grep -q "^$systemd_unit.*: State '.*' timed out. Killing"; then
    deploy_note "the unit $systemd_unit didn't stop in time and was killed: what it was doing is lost; raise its TimeoutStopSec="
  fi
}
# systemd_failed MESSAGE [HINT]: with the last lines of the journal, as far as this user may read it.
systemd_failed() {
  systemd_journal --unit "$systemd_unit" --lines "$systemd_lines" --no-pager >&2 || :
  systemd_message=$1
  shift
  deploy_fail "$systemd_message" "$systemd_hint $systemd_unit" "$@"
}
# The manager of the user's own units is found by a folder that only a login by a person is sure to know.
systemd_find_manager() { export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/run/user/$(id -u)}"; }
systemd_user() {
  systemd_find_manager
  if [ ! -d "$XDG_RUNTIME_DIR" ]; then
    deploy_fail "there is no $XDG_RUNTIME_DIR: the user manager of $(id -un) does not run" "$(systemd_linger)"
  fi
  systemd_lingers
}
systemd_linger() { echo "let it run without a login, once on the server: sudo loginctl enable-linger $(id -un)"; }
# Without lingering all units of the user are stopped soon after the last login ends, and nothing says so. It is asked by the
# user's name: a login that logind doesn't know has no other.
systemd_is_lingering() {
  systemd_login=$(id -un)
  systemd_linger=$(loginctl show-user "$systemd_login" --property Linger 2>/dev/null) || systemd_linger=''
  [ "$systemd_linger" = Linger=yes ] || [ -e "/var/lib/systemd/linger/$systemd_login" ]
}
systemd_lingers() {
  if systemd_is_lingering; then return 0; fi
  deploy_fail "the units of $systemd_login end soon after its last login: it does not linger" "$(systemd_linger)"
}
