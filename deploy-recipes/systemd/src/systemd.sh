# systemd_restart ACTION SETTLE LINES HINT UNIT...: one unit after the other, each only when the one before it is well.
# `systemd_change` and `systemd_ask` run systemctl, the first with the rights to change something; `systemd_own` is a
# command of the user's own, for ACTION `own`.
systemd_restart() {
  systemd_action=$1 systemd_settle=$2 systemd_lines=$3 systemd_hint=$4
  shift 4
  if [ "$systemd_action" = own ]; then
    systemd_own
    for systemd_unit; do systemd_check; done
    return 0
  fi
  for systemd_unit; do
    systemd_status=0
    systemd_change "$systemd_action" "$systemd_unit" || systemd_status=$?
    [ "$systemd_status" -eq 0 ] ||
      systemd_failed "systemctl $systemd_action $systemd_unit ended with status $systemd_status"
    systemd_check
  done
}
# The unit is active, and stays so: one that systemd had to start again meanwhile is not well.
systemd_check() {
  systemd_restarts=$(systemd_ask show --property NRestarts "$systemd_unit" 2>/dev/null) || systemd_restarts=''
  [ "$systemd_settle" = 0 ] || sleep "$systemd_settle"
  systemd_state=$(systemd_ask is-active "$systemd_unit") ||
    systemd_failed "the unit $systemd_unit is ${systemd_state:-not known} after its restart"
  systemd_again=$(systemd_ask show --property NRestarts "$systemd_unit" 2>/dev/null) || systemd_again=''
  [ "$systemd_again" = "$systemd_restarts" ] ||
    systemd_failed "the unit $systemd_unit ended after its restart, and systemd started it again"
}
# systemd_failed MESSAGE: with the last lines of the journal, as far as this user may read it.
systemd_failed() {
  systemd_journal --unit "$systemd_unit" --lines "$systemd_lines" --no-pager >&2 || :
  deploy_fail "$1" "$systemd_hint $systemd_unit"
}
# The manager of the user's own units is found by a folder that only a login by a person is sure to know.
systemd_user() {
  XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-/run/user/$(id -u)}
  export XDG_RUNTIME_DIR
  if [ ! -d "$XDG_RUNTIME_DIR" ]; then
    deploy_fail "there is no $XDG_RUNTIME_DIR: the user manager of $(id -un) does not run" \
      "let it run without a login, once on the server: sudo loginctl enable-linger $(id -un)"
  fi
}
