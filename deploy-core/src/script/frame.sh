# One command on a server is a conversation: programs come one after the other. It consists of the executor, which is the
# process that sshd waits for; the listener, the only one that reads what the controller sends; and the guard, which ends
# everything when the controller falls silent. What is sent are frames, a line each, and as many bytes as the line says:
#
#   P BYTES NUMBER     a program: functions, and among them deploy_program. Cut short, it is a syntax error, and runs nothing
#   Z BYTES NUMBER     the same, compressed by gzip
#   D BYTES more|last  a piece of a payload, and whether it is the last one
#   G yes|no           what a task that waits for the controller's word is told
#   H                  the controller is there
#   X                  ends what runs, and nothing else
#   Q                  the end: what is held is given up, and nothing is ended
#
# The input's end without a Q means that the controller is gone.
#
# deploy_converse HELLO [NUMBER]: begins, with a program that is here already, if there is a number for it.
deploy_converse() {
  deploy_hello "$1"
  deploy_open || exit 98
  deploy_find_group
  # A reader that is gone must not end the shell before it has given up what it holds.
  trap : PIPE
  trap deploy_hit=yes HUP INT TERM
  # By exec, since dash keeps a copy of what else it would have to put back.
  ( exec <&3 3<&- 8>&- 9>&- >/dev/null 2>&1; deploy_listen ) &
  deploy_listener=$! deploy_self=$$
  exec 3<&- 7<"$deploy_dir/words"
  deploy_all=0 deploy_left=''
  if [ "$#" -gt 1 ]; then deploy_answer "$2"; fi
  while deploy_next; do
    case $deploy_word in
      run) . "$deploy_dir/$deploy_what"; deploy_answer "$deploy_what" ;;
      payload) rm -f -- "$deploy_what" ;;
      full) exit 97 ;;
      end) deploy_part ;;
    esac
  done
  exit 1
}
# deploy_alone HELLO: runs one program, whose input is all that the controller sends.
deploy_alone() {
  deploy_hello "$1"
  deploy_all=0
  deploy_answer 0
  exit "$deploy_all"
}
# A name that nobody guesses, as deploy_name.
deploy_random() {
  { read -r deploy_name </proc/sys/kernel/random/uuid; } 2>/dev/null || deploy_name=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
}
# From here on everything that is said begins with a word that was made here, and that no command line shows.
deploy_hello() {
  deploy_random
  deploy_nonce=$deploy_name
  printf '\036%s %s\n' "$1" "$deploy_nonce" >&9
  printf '\036%s %s\n' "$1" "$deploy_nonce" >&8
}
# A private folder, in the first place that has room.
deploy_open() {
  deploy_random
  for deploy_dir in "${TMPDIR:-/tmp}" /tmp /dev/shm; do
    deploy_dir=$deploy_dir/deploy.$deploy_name
    if mkdir -m 700 -- "$deploy_dir" 2>/dev/null; then
      if { echo room >"$deploy_dir/room" && mkfifo -m 600 -- "$deploy_dir/words"; } 2>/dev/null; then return 0; fi
      rm -rf -- "$deploy_dir"
    fi
  done
  return 1
}
# The next word for the executor. A signal may come while it waits.
deploy_next() {
  while :; do
    deploy_hit='' deploy_word='' deploy_what=''
    if read -r deploy_word deploy_what <&7; then return 0; fi
    [ -n "$deploy_hit" ] || return 1
  done
}
# Runs the program that came last, and says how it ended.
deploy_answer() {
  deploy_hit=''
  ( deploy_program )
  deploy_ended=$?
  if [ -n "$deploy_hit" ]; then deploy_end_rest; fi
  [ "$deploy_ended" -eq 0 ] || deploy_all=1
  deploy_both z "$1" "$deploy_ended"
}
# The good end. The status tells whether every program succeeded.
deploy_part() {
  if deploy_is_clear; then deploy_on_end; fi
  rm -rf -- "$deploy_dir"
  deploy_both q "$deploy_all"
  exit "$deploy_all"
}
# Ends by force what was told to end and didn't. What can't be ended is kept in mind.
deploy_end_rest() {
  { read -r deploy_kin <"$deploy_dir/kin"; } 2>/dev/null || deploy_kin=''
  deploy_end_group 40 "$deploy_listener" || deploy_left="$deploy_left $deploy_pids"
}
# Whether nothing of it runs any more.
deploy_is_clear() {
  for deploy_pid in $deploy_left; do [ ! -d "/proc/$deploy_pid" ] || return 1; done
}
# Marks both streams, so that what was written before is known to have arrived.
deploy_both() { deploy_mark "$@"; printf '\036%s %s\n' "$deploy_nonce" "$*" >&8; }
deploy_end() { deploy_both e "$1" "$2"; return "$2"; }
deploy_on_beat() { :; }
deploy_on_end() { :; }
# Has deploy_on_beat called from now on, at each of the controller's beats.
deploy_hold() { : >"$deploy_dir/held"; }
# A run that has lost the stage's lock changes nothing any more.
deploy_fence() {
  deploy_find_loss
  if [ "$deploy_holder" = "$deploy_token" ]; then return 0; fi
  deploy_mark l
  deploy_fail "this run no longer holds the stage's lock$deploy_about" 'see what became of it: cargo xtask deploy status'
}
# Who holds the lock, as deploy_holder, and what became of ours, as deploy_about: whoever takes it away leaves a word.
deploy_find_loss() {
  deploy_holder='' deploy_about=''
  { read -r deploy_holder && read -r deploy_about; } 2>/dev/null <"$deploy_lock" || :
  if [ -n "$deploy_holder" ] && [ "$deploy_holder" != "$deploy_token" ]; then
    deploy_about="; now it is locked by $deploy_about"
  elif { read -r deploy_about; } 2>/dev/null <"$deploy_lock.$deploy_token.lost"; then
    deploy_about=": $deploy_about"
  else
    deploy_about=''
  fi
}
# Waits for the controller's word.
deploy_gate() {
  deploy_mark g "$1"
  read -r deploy_word deploy_what <&7 && [ "$deploy_word $deploy_what" = 'gate yes' ]
}
# deploy_payload [COMMAND...]: runs the command, or else cat, on what the controller sends for this task. The file is out of
# everybody's sight before it is read.
deploy_payload() {
  { read -r deploy_word deploy_what <&7 && [ "$deploy_word" = payload ]; } || return 97
  [ "$#" -gt 0 ] || set -- cat
  { rm -f -- "$deploy_what"; "$@" 7<&-; } <"$deploy_what"
}
# deploy_as USER BYTES: runs our standard input, a script of so many bytes, in a shell of USER, which reads it from a line
# that stays open as long as we live: nothing else passes sudo, and it is how that shell hears of our end. (A command line
# would stand in `ps`.) That shell is a session of its own, so that nothing that root ends there is ours.
deploy_as() {
  deploy_random
  deploy_mark i "$deploy_name"
  deploy_word=$deploy_name deploy_made=''
  if [ -z "${deploy_dir-}" ]; then deploy_open && deploy_made=$deploy_dir; fi
  rm -f -- "$deploy_dir/line"
  mkfifo -m 600 -- "$deploy_dir/line"
  exec 4<>"$deploy_dir/line" 5<"$deploy_dir/line" 6>"$deploy_dir/line" 4<&0
  rm -rf -- "$deploy_dir/line" "$deploy_made"
  ( exec 5<&- 8>&- 9>&- >/dev/null 2>&1; printf '%s\n' "$deploy_word" >&6; cat <&4 >&6 ) &
  exec 4<&-
  sudo -n -H -u "$1" -- sh -c '
    trap : HUP INT TERM
    read -r deploy_nonce
    deploy_text=$(dd bs="$1" count=1 iflag=fullblock 2>/dev/null || dd bs=1 count="$1" 2>/dev/null)
    deploy_apart=$(command -v setsid) || deploy_apart=""
    { printf "%s\n" "deploy_nonce=$deploy_nonce" "$deploy_text" | $deploy_apart sh -c "eval \"\$(cat)\"" 3<&4 4<&-; } 4<&0
  ' sh "$2" <&5 5<&- 6>&- 8>&- 9>&-
}
# What that shell does first: from now on deploy_watch waits.
deploy_begin_as() {
  exec 8>&2 9>&1 </dev/null
  trap : HUP INT TERM
  ( exec 8>&- 9>&- >/dev/null 2>&1; deploy_watch ) &
  deploy_watcher=$!
  exec 3<&-
}
# deploy_end_as STATUS: what it does last. A signal ends the watch, unless that is at its work already.
deploy_end_as() {
  kill -s USR2 "$deploy_watcher" 2>/dev/null
  wait "$deploy_watcher"
  exit "$1"
}
# Waits for the end of the line, and then ends what the shell started, by force what doesn't obey within four seconds.
deploy_watch() {
  trap '' HUP INT TERM PIPE
  while read -r deploy_line; do :; done <&3
  trap '' USR2
  deploy_find_self
  deploy_group=$$
  if deploy_find_left; then kill -s TERM $deploy_pids; fi
  for deploy_nap in 0.1 0.1 0.2 0.3 0.3 1 1 1; do
    deploy_find_left || return 0
    sleep "$deploy_nap" || sleep 1
  done
  # Again, since what is looked up may start something meanwhile.
  for deploy_nap in 0.1 0.1 0.1 1 1; do
    deploy_find_left || return 0
    kill -s KILL $deploy_pids
    sleep "$deploy_nap" || sleep 1
  done
}
# Whether something that the shell started still runs, and what, as deploy_pids.
deploy_find_left() {
  deploy_find_kin
  deploy_pids=''
  for deploy_pid in $deploy_known; do
    case $deploy_pid in "$$" | "$deploy_self") ;; *) deploy_pids="$deploy_pids $deploy_pid" ;; esac
  done
  [ -n "$deploy_pids" ]
}
# All that the controller sends, to the end.
deploy_input() { cat <&3; }
# deploy_take BYTES FILE: adds what the controller sends next to FILE. dd takes exactly the bytes that it is told.
deploy_take() {
  { [ "$1" -lt 65536 ] || dd bs=65536 count="$(($1 / 65536))" iflag=fullblock; } >>"$2" 2>/dev/null &&
    { [ "$(($1 % 65536))" -eq 0 ] || dd bs="$(($1 % 65536))" count=1 iflag=fullblock; } >>"$2" 2>/dev/null
}
deploy_listen() {
  deploy_find_self
  deploy_listener=$deploy_self
  deploy_set_guard
  trap '' HUP INT TERM PIPE
  exec 7>"$deploy_dir/words"
  while read -r deploy_kind deploy_bytes deploy_rest; do
    kill -s USR1 "$deploy_guard"
    case $deploy_kind in
      H) if [ -e "$deploy_dir/held" ]; then deploy_on_beat; fi ;;
      P) deploy_take "$deploy_bytes" "$deploy_dir/$deploy_rest" || deploy_full
        echo "run $deploy_rest" >&7 ;;
      Z) { deploy_take "$deploy_bytes" "$deploy_dir/$deploy_rest.gz" && gzip -d "$deploy_dir/$deploy_rest.gz" </dev/null; } ||
          deploy_full
        echo "run $deploy_rest" >&7 ;;
      D) deploy_store
        deploy_take "$deploy_bytes" "$deploy_file" || deploy_full
        if [ "$deploy_rest" = last ]; then echo "payload $deploy_file" >&7; fi ;;
      G) echo "gate $deploy_bytes" >&7 ;;
      X) deploy_cancel ;;
      Q) kill -s TERM "$deploy_guard"
        echo end >&7
        exit 0 ;;
    esac
  done
  deploy_die
}
# Where a payload is kept until it is read: beside the deployment, where there is one, since it may be large.
deploy_store() {
  deploy_file=$deploy_dir/payload
  if [ -d "${deploy_lock%/*}" ]; then deploy_file=${deploy_lock%/*}/payload.$deploy_name; fi
}
# There is no room for what was sent, so what follows isn't understood any more.
deploy_full() {
  echo full >&7
  cat >/dev/null
  deploy_die
}
# The guard hears of each frame by a signal, which must not end it before it listens.
deploy_set_guard() {
  trap '' USR1
  ( exec 7>&-; deploy_guard ) &
  deploy_guard=$!
}
# Ends everything when nothing came for so long.
deploy_guard() {
  # By force: a shell that has just been forked still has our trap, and would swallow a TERM.
  trap 'kill -s KILL "$!"; exit 0' TERM
  trap deploy_alive=yes USR1
  deploy_alive=yes
  while [ -n "$deploy_alive" ]; do
    deploy_alive=''
    # A name for it, by which a stand-in of the test kit knows that no task calls.
    DEPLOY_GUARD=yes sleep HALF_SILENCE &
    deploy_nap=$!
    until wait "$deploy_nap"; [ "$?" -le 128 ]; do :; done
  done
  trap '' TERM
  kill -s KILL "$deploy_listener"
  deploy_silent=yes
  deploy_die
}
# Ends what runs, and nothing of our own. What doesn't obey is the executor's to end, before it says that the program is over.
deploy_cancel() {
  deploy_find_kin
  echo "$deploy_kin" >"$deploy_dir/kin"
  kill -s TERM -- "-$deploy_group"
  trap - TERM
  deploy_set_guard
  trap '' TERM
}
# The number of this very shell, which may be one inside of another, as deploy_self.
deploy_find_self() { { read -r deploy_self _ </proc/self/stat; } 2>/dev/null || deploy_self=''; }
# The controller is gone: ends the process group, and gives up what is held when nothing runs any more. What can't be ended
# keeps the lock, for whoever comes next to see.
deploy_die() {
  trap '' HUP INT TERM PIPE USR1
  exec 7>&-
  deploy_find_kin
  kill -s TERM -- "-$deploy_group"
  deploy_find_self
  if deploy_end_group 6 ''; then deploy_on_end; fi
  rm -rf -- "$deploy_dir"
  kill -s KILL -- "-$deploy_group"
}
# deploy_end_group TENTHS SPARED: gives our process group up to so many tenths of a second to end, ends the rest by force,
# and tells whether nothing is left. Another user's processes, which end by themselves when their line is cut, get longer.
deploy_end_group() {
  deploy_await_group "$deploy_group" "$1" "$2"
  for deploy_pid in $deploy_pids; do kill -s KILL "$deploy_pid" 2>/dev/null; done
  for deploy_kin_group in "$deploy_group" $deploy_kin; do
    deploy_await_group "$deploy_kin_group" 80 "$2"
    if [ "$deploy_kin_group" != "$deploy_group" ] && [ -n "$deploy_pids" ]; then
      kill -s KILL -- "-$deploy_kin_group" 2>/dev/null
      deploy_await_group "$deploy_kin_group" 10
    fi
    [ -z "$deploy_pids" ] || return 1
  done
}
# The other process groups that descend from ours, as deploy_kin: what runs as another user has one of its own.
deploy_find_kin() {
  deploy_kin='' deploy_known='' deploy_grown=yes
  while [ -n "$deploy_grown" ]; do
    deploy_grown=''
    for deploy_stat in /proc/[0-9]*/stat; do
      { read -r deploy_line <"$deploy_stat"; } 2>/dev/null || continue
      deploy_pid=${deploy_line%% *} deploy_fields=${deploy_line##*) }
      case " $deploy_known " in *" $deploy_pid "*) continue ;; esac
      case $deploy_fields in Z*) continue ;; esac
      deploy_fields=${deploy_fields#* }
      deploy_parent=${deploy_fields%% *} deploy_fields=${deploy_fields#* }
      deploy_leads=${deploy_fields%% *}
      case " $deploy_group $deploy_known " in
        *" $deploy_leads "* | *" $deploy_parent "*) ;;
        *) continue ;;
      esac
      deploy_known="$deploy_known $deploy_pid" deploy_grown=yes
      case " $deploy_group $deploy_kin " in *" $deploy_leads "*) ;; *) deploy_kin="$deploy_kin $deploy_leads" ;; esac
    done
  done
}
# The process group: sshd made the login shell a session leader, so the group is ours alone.
deploy_find_group() {
  deploy_group=$$
  if [ -r "/proc/$$/stat" ]; then read -r _ _ _ _ deploy_group _ <"/proc/$$/stat"; fi
}
# deploy_members GROUP SPARED: whether a process group has members, and which: deploy_pids. Not counted are zombies, this
# shell itself, and the processes that are spared with their children.
deploy_members() {
  deploy_pids='' deploy_spared=" $2 "
  for deploy_stat in /proc/[0-9]*/stat; do
    { read -r deploy_line <"$deploy_stat"; } 2>/dev/null || continue
    deploy_fields=${deploy_line##*) }
    case $deploy_fields in Z*) continue ;; *" $1 "*) deploy_fields=${deploy_fields#* } ;; *) continue ;; esac
    deploy_pid=${deploy_line%% *}
    case $deploy_spared in
      *" ${deploy_fields%% *} "*) deploy_spared="$deploy_spared$deploy_pid " && continue ;;
      *" $deploy_pid "*) continue ;;
    esac
    deploy_fields=${deploy_fields#* }
    if [ "${deploy_fields%% *}" = "$1" ] && [ "$deploy_pid" != "$deploy_self" ]; then deploy_pids="$deploy_pids $deploy_pid"; fi
  done
  [ -n "$deploy_pids" ]
}
# deploy_await_group GROUP TENTHS SPARED: gives a process group up to so many tenths of a second to end. It looks often at
# first, and then less: to look takes time too.
deploy_await_group() {
  deploy_tenths=$2 deploy_nap=1
  while deploy_members "$1" "${3-}" && [ "$deploy_tenths" -gt 0 ]; do
    [ "$deploy_nap" -le "$deploy_tenths" ] || deploy_nap=$deploy_tenths
    sleep "0.$deploy_nap" 2>/dev/null || sleep 1
    deploy_tenths=$((deploy_tenths - deploy_nap))
    [ "$deploy_nap" -ge 8 ] || deploy_nap=$((deploy_nap * 2))
  done
}
