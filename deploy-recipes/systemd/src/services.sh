# systemd_keep HOW UNIT TEXT: has the unit's file be TEXT, and tells how it differs; for HOW `look` it only tells.
systemd_keep() {
  systemd_file=$HOME/.config/systemd/user/$2
  systemd_first=${3%%"
"*}
  systemd_there=''
  if [ -e "$systemd_file" ]; then
    systemd_there=$(cat -- "$systemd_file")
    [ "$systemd_there" != "$3" ] || return 0
    case $systemd_there in
      "$systemd_first
"*) ;;
      *)
        deploy_fail "$systemd_file is there, and wasn't written for this deployment" \
          "move it away, or leave it as it is and name it in deploy.toml: [recipes.systemd] units = [\"${2%.service}\"]"
        ;;
    esac
  fi
  [ -e "$systemd_file" ] || systemd_there=none
  systemd_diff=$(printf '%s\n' "$3" | systemd_diff "$systemd_there" "$systemd_file") || :
  if [ "$1" = look ]; then
    deploy_note "the unit $2 would change:
$systemd_diff"
    return 0
  fi
  deploy_note "the unit $2 has changed:
$systemd_diff"
  [ -d "${systemd_file%/*}" ] || mkdir -p -- "${systemd_file%/*}"
  ( umask 077; printf '%s\n' "$3" >"$systemd_file.new" )
  mv -f -- "$systemd_file.new" "$systemd_file"
  systemd_changed="${systemd_changed-} $2"
}
# systemd_diff THERE FILE: how the input differs from the file, if that is there.
systemd_diff() {
  if [ "$1" = none ]; then set -- none /dev/null; fi
  diff -U0 -- "$2" - | sed -e 1,2d -e '/^@@/d'
}
# systemd_enable UNIT TARGET: it is started with the machine.
systemd_enable() {
  if [ ! -L "$HOME/.config/systemd/user/$2.wants/$1" ]; then systemd_change enable --quiet "$1"; fi
}
systemd_load() {
  if [ -n "${systemd_changed-}" ]; then systemd_change daemon-reload; fi
}
# systemd_listen UNIT LINES HINT: its socket listens as its file says. A socket can't be opened while its service runs.
systemd_listen() {
  case " ${systemd_changed-} " in
    *" $1.socket "*) ;;
    *) if systemd_ask is-active --quiet "$1.socket"; then return 0; fi ;;
  esac
  systemd_unit=$1.socket systemd_lines=$2 systemd_hint=$3
  systemd_was=$(systemd_ask is-active "$1.service") || :
  systemd_change stop "$1.socket" "$1.service"
  systemd_change start "$1.socket" || systemd_failed "the socket $1.socket can't be opened"
  if [ "$systemd_was" = active ]; then systemd_change start "$1.service"; fi
}
# systemd_needs FILE UNIT: a file with variables is there before anything changes.
systemd_needs() {
  [ -f "$1" ] || deploy_fail "the environment_file of $2 isn't there: $1" "put it there: it has a line NAME=value for each variable"
}
# systemd_free SOCKET ADDRESS PATTERN: nobody else listens at ADDRESS, which is PATTERN in the kernel's lists.
systemd_free() {
  case "$(systemd_ask show --property ActiveState,Listen "$1")" in
    *"=$2 (Stream)"*ActiveState=active* | *ActiveState=active*"=$2 (Stream)"*) return 0 ;;
  esac
  if grep -qs "$3 [0-9A-F]*:0000 0A " /proc/net/tcp /proc/net/tcp6; then
    deploy_fail "something else listens on $2, where $1 is to" "see what it is, on the server: ss -ltnp"
  fi
}
# systemd_stop UNIT...: sockets go first, or they would start their services again.
systemd_stop() {
  systemd_change stop "$@"
  for systemd_unit; do
    systemd_look
    [ "$systemd_result" != timeout ] ||
      deploy_note "the unit $systemd_unit didn't stop in time and was killed: what it was doing is lost; raise its TimeoutStopSec="
  done
}
# systemd_start SETTLE LINES HINT UNIT...: each has to be well.
systemd_start() {
  systemd_action=restart systemd_settle=$1 systemd_lines=$2 systemd_hint=$3 systemd_began=$(date +%s)
  shift 3
  for systemd_unit; do
    systemd_main_before='' systemd_status=0
    systemd_change start "$systemd_unit" || systemd_status=$?
    [ "$systemd_status" -eq 0 ] || systemd_failed "systemctl start $systemd_unit ended with status $systemd_status"
    systemd_check
  done
}
# systemd_status UNIT...: how they are. That a unit doesn't run is an answer, too.
systemd_status() {
  systemd_said=$(systemd_ask status --no-pager --lines 0 "$@" 2>&1) || :
  deploy_note "$systemd_said"
}
# systemd_logs LINES UNIT...: the last lines of the journal of each.
systemd_logs() {
  systemd_lines=$1
  shift
  for systemd_unit; do
    deploy_note "$systemd_unit:
$(systemd_journal --unit "$systemd_unit" --lines "$systemd_lines" --no-pager 2>&1 | tail -c 32768)"
  done
}
