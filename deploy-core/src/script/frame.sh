# Marks both streams, so that what was written before is known to have arrived.
deploy_both() { deploy_mark "$@"; printf '\036%s %s\n' "$deploy_nonce" "$*" >&8; }
deploy_end() { deploy_both e "$1" "$2"; return "$2"; }
# Waits for the controller's word: a dot is yes.
deploy_gate() {
  deploy_mark g "$1"
  [ "$(dd bs=1 count=1 2>/dev/null <&3)" = . ]
}
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
# The lifeline: the controller sends a byte now and then. Returns at end-of-file, or after too long a silence.
deploy_listen() {
  deploy_limit='timeout SILENCE'
  command -v timeout >/dev/null 2>&1 || deploy_limit=
  while [ -n "$($deploy_limit dd bs=1 count=1 2>/dev/null)" ]; do "$@"; done
}
# In the background: when the controller is gone, the process group is ended.
deploy_watch() {
  deploy_find_group
  if [ -n "${deploy_groups-}" ]; then { echo "$deploy_group" >>"$deploy_groups"; } 2>/dev/null || :; fi
  (
    trap '' HUP INT TERM
    deploy_listen :
    deploy_on_end
    kill -s TERM -- "-$deploy_group"
    sleep 5
    kill -s KILL -- "-$deploy_group"
  ) <&3 >/dev/null 2>&1 8>&- 9>&- &
  deploy_watcher=$!
}
# Stays on the server until the controller is done or gone.
deploy_hold() {
  trap '' HUP INT TERM
  deploy_listen deploy_on_beat
  deploy_on_end
}
