# Marks both streams, so that what was written before is known to have arrived.
deploy_both() { deploy_mark "$@"; printf '\036%s %s\n' "$deploy_nonce" "$*" >&8; }
deploy_end() { deploy_both e "$1" "$2"; return "$2"; }
# The controller's next byte; nothing at end-of-file, or after too long a silence.
deploy_word() {
  if command -v timeout >/dev/null 2>&1; then
    timeout SILENCE dd bs=1 count=1 2>/dev/null
  else
    dd bs=1 count=1 2>/dev/null
  fi
}
# Waits for the controller's word: a dot is yes, and a w that it is still deciding.
deploy_gate() {
  deploy_mark g "$1"
  while :; do
    case $(deploy_word <&3) in
      .) return 0 ;;
      w) deploy_on_beat ;;
      *) return 1 ;;
    esac
  done
}
# All that the controller sends, to the end.
deploy_input() { cat <&3; }
# As many blocks of 64 KiB, and a rest: dd takes exactly these bytes.
deploy_blocks() {
  [ "$1" -eq 0 ] || dd bs=65536 count="$1" iflag=fullblock 2>/dev/null <&3
  [ "$2" -eq 0 ] || dd bs="$2" count=1 iflag=fullblock 2>/dev/null <&3
}
# The process group: sshd made the login shell a session leader, so the group is ours alone.
deploy_find_group() {
  deploy_group=$$
  if [ -r "/proc/$$/stat" ]; then read -r _ _ _ _ deploy_group _ <"/proc/$$/stat"; fi
}
# Writes the process group down where the run's lock is held, until deploy_leave: who takes the lock over may end it.
deploy_join() { deploy_write_group +; }
deploy_leave() { deploy_write_group -; }
deploy_write_group() {
  [ ! -e "${deploy_groups-}" ] || { echo "$1$deploy_group" >>"$deploy_groups"; } 2>/dev/null || :
}
# Whether a process group has members other than zombies and, in its own group, this shell.
deploy_group_lives() {
  deploy_self=
  { read -r deploy_self _ </proc/self/stat; } 2>/dev/null || return 0
  for deploy_stat in /proc/[0-9]*/stat; do
    { read -r deploy_line <"$deploy_stat"; } 2>/dev/null || continue
    case ${deploy_line##*) } in
      Z*) ;;
      *" $1 "*)
        deploy_fields=${deploy_line##*) }
        deploy_fields=${deploy_fields#* }
        deploy_fields=${deploy_fields#* }
        [ "${deploy_fields%% *}" != "$1" ] || [ "${deploy_line%% *}" = "$deploy_self" ] || return 0
        ;;
    esac
  done
  return 1
}
# Gives a process group up to TENTHS of a second to end.
deploy_await_group() {
  deploy_tenths=$2
  while [ "$deploy_tenths" -gt 0 ] && deploy_group_lives "$1"; do
    sleep 0.1 2>/dev/null || sleep 1
    deploy_tenths=$((deploy_tenths - 1))
  done
}
# In the background: the lifeline. The controller sends a byte now and then; at end-of-file, or after too long a silence,
# the process group is ended, and what the program held is given up. A program that has settled is not ended.
deploy_watch() {
  (
    trap '' HUP INT TERM
    trap deploy_settled=yes USR1
    while [ -n "$(deploy_word)" ]; do deploy_on_beat; done
    [ -n "${deploy_settled-}" ] || kill -s TERM -- "-$deploy_group"
    [ -n "${deploy_settled-}" ] || deploy_await_group "$deploy_group" 10
    deploy_on_end
    if [ -z "${deploy_settled-}" ]; then
      deploy_await_group "$deploy_group" 40
      kill -s KILL -- "-$deploy_group"
    fi
  ) <&3 >/dev/null 2>&1 8>&- 9>&- &
  deploy_watcher=$!
}
# Before the program says that it is done: there is nothing left to be ended, least of all by another keeper of the run.
deploy_settle() {
  trap '' HUP INT TERM
  deploy_leave
  deploy_settled=yes
  if [ -n "${deploy_watcher-}" ]; then kill -s USR1 "$deploy_watcher"; else deploy_watch; fi
}
# Stays on the server until the controller is done or gone. A watcher that was told before it listened starts again.
deploy_stay() {
  wait "$deploy_watcher" && return 0
  deploy_watch
  wait "$deploy_watcher"
}
