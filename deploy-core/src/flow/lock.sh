# The stage's lock on this server is a file with three lines: the run's token, who holds it since when, the run's servers.
# It is made by link(2), so of two only one succeeds. Beside it the run's conversation writes a beat while the run lives.
#
# take_lock TOKEN ABOUT SERVERS [FREES]: a run that FREES room takes what was kept for it first, since all it does may need
# a few bytes.
take_lock() {
  lock=$root/.deploy/lock token=$1 tries=0 seen=''
  make_folders "$root/.deploy"
  # Whose lock was taken away takes it no second time; after a silence of the network it may.
  deploy_about=''
  { read -r deploy_about; } 2>/dev/null <"$lock.$1.lost" || :
  case $deploy_about in '' | nothing*) ;; *) deploy_fence ;; esac
  # From here on the lock is given up however this ends.
  deploy_hold
  until ask_for_lock "$@"; do
    holder='' about='' servers='' beat=0
    { read -r holder && read -r about && read -r servers; } 2>/dev/null <"$lock" || :
    if [ "$holder" = "$token" ]; then break; fi
    tries=$((tries + 1))
    [ "$tries" -lt 1000 ] || deploy_fail "can't take the lock $lock" "does its file system have hard links?"
    if [ -n "$holder" ]; then judge_lock "$2"; fi
  done
  sweep_locks
}
# Makes everything that a holder needs before it asks: a full disk must not be noticed when the lock is held.
ask_for_lock() {
  if [ -n "${4-}" ]; then rm -f -- "$root/.deploy/reserve"; fi
  { printf '%s\n%s\n%s\n' "$1" "$2" "$3" >"$lock.$token" && date +%s >"$lock.$token.beat" &&
    echo "+$deploy_group" >"$lock.$token.groups"; } 2>"$deploy_dir/said" || {
    forget_lock
    read -r said <"$deploy_dir/said" || said='?'
    at_places at_mirror need_access
    deploy_fail "nothing can be written to \`$root/.deploy\`: $said" "is the disk full, or mounted read-only? see \`df -h\` and \`df -i\` on the server"
  }
  ln -- "$lock.$token" "$lock" 2>/dev/null
}
# forget_run TOKEN FILE...: removes the files, and then what a run keeps beside the lock.
forget_run() {
  kept=$lock.$1
  shift
  rm -f -- "$@" "$kept" "$kept.new" "$kept.beat" "$kept.groups" "$kept.at".*
}
forget_lock() { forget_run "$token" "$@" "$lock.$token.lost" || :; }
# leave_word TEXT: what a run that had the lock is told if it comes back.
leave_word() { { printf '%s\n' "$1" >"$lock.$holder.lost"; } 2>/dev/null || :; }
# only_once NUMBER NAME: fails where another server of the run, which is numbered too, is this machine and folder as well.
# Each writes its name before it looks for others, so that one at least sees the other.
only_once() {
  printf '%s\n' "$2" >"$lock.$token.at.$1"
  for other in "$lock.$token.at".*; do
    if [ "$other" = "$lock.$token.at.$1" ] || ! read -r name <"$other"; then continue; fi
    deploy_fail "\`$name\` is the same machine, and has the same folder" "list it once in deploy.toml, or give each a \`deploy_to\` of its own"
  done
}
# What other runs left behind. Those that are about to ask for the lock keep what they need for that.
sweep_locks() {
  for left in "$lock".* "$root"/.deploy/payload.*; do
    case $left in "$lock.$token" | "$lock.$token".* | *'*') continue ;; esac
    find "$root/.deploy" \( -name 'lock.*' -o -name 'payload.*' \) ! -name "lock.$token*" \( ! -name '*.lost' -mmin +2 -o -mmin +1440 \) -exec rm -f -- {} + 2>/dev/null || :
    return 0
  done
}
# judge_lock ABOUT: what we, who are called so, do about the lock of another run: refuse if it lives, take it over if its
# beat has been missing too long.
judge_lock() {
  # A lock without a beat is being freed just now, or was made by hand: its age is the file's.
  { read -r beat <"$lock.$holder.beat"; } 2>/dev/null || beat=$(date -r "$lock" +%s 2>/dev/null) || return 0
  now=$(date +%s)
  age=$((now - beat))
  # The clock was set back since: whether the holder lives shows in whether it beats.
  if [ "$age" -lt 0 ]; then
    if [ "$beat" != "$seen" ]; then seen=$beat first=$now; fi
    age=$((now - first + 16))
  fi
  if [ "$age" -le 15 ]; then
    forget_lock
    deploy_fact lock_held_by "$holder"
    deploy_fact lock_about "$about"
    deploy_fact lock_servers "$servers"
    deploy_fail "locked by $about"
  elif [ "$age" -lt 30 ]; then
    sleep 1
  else
    leave_word "$1 took it over"
    end_groups "$lock.$holder.groups" 0
    refuse_living
    if mv -f -- "$lock" "$lock.$token.stale" 2>/dev/null; then
      read -r moved <"$lock.$token.stale" || moved=''
      if [ "$moved" != "$holder" ]; then ln -- "$lock.$token.stale" "$lock" || :; fi
      forget_run "$holder" "$lock.$token.stale"
      deploy_note "took over a lock whose holder is gone: $about"
    fi
  fi
}
# end_groups FILE TENTHS: ends the process groups that a run wrote down in FILE, other than our own, after up to so many
# tenths of a second. What survives, as another user's processes may, is told as living.
end_groups() {
  living=''
  [ -f "$1" ] || return 0
  while read -r group; do
    is_group_of_a_run || continue
    deploy_await_group "$group" "$2"
    kill -s KILL -- "-$group" 2>/dev/null || :
    # Another user's shell ends what it started by itself, and has four seconds for that.
    deploy_await_group "$group" 80
    living=$living$deploy_pids
  done <"$1"
}
# find_living FILE: what lives of the process groups that a run wrote down in FILE, as living.
find_living() {
  living=''
  [ -f "$1" ] || return 0
  while read -r group; do
    if is_group_of_a_run && deploy_members "$group" ''; then living=$living$deploy_pids; fi
  done <"$1"
}
# Whether group is a process group of another run's. A number that by now is another program's is left alone.
is_group_of_a_run() {
  group=${group#+}
  case $group in '' | *[!0-9]* | "$deploy_group") return 1 ;; esac
  # A leader that is dead has no command line, and may leave others of its group behind.
  leader=$({ tr '\000' ' ' <"/proc/$group/cmdline"; } 2>/dev/null) || leader=''
  case $leader in '' | *deploy_converse* | *iflag=fullblock*) return 0 ;; *) return 1 ;; esac
}
# Fails where processes of the lock's holder live.
refuse_living() {
  [ -n "$living" ] || return 0
  named='' pids=''
  for pid in $living; do
    owner=$(stat -c %U "/proc/$pid" 2>/dev/null) || owner='?'
    [ -d "/proc/$pid" ] || continue
    named="$named, $pid of $owner" pids="$pids $pid"
  done
  [ -n "$named" ] || return 0
  deploy_fail "processes of $about still run: ${named#, }" "$@" "end them on the server: sudo kill -9$pids"
}
# Says that the holder lives. Only the conversation's listener calls it, so that no two write one name.
lock_beat() {
  holder=''
  { read -r holder <"$lock"; } 2>/dev/null || :
  [ "$holder" = "$token" ] || return 0
  date +%s >"$lock.$token.new" && mv -f -- "$lock.$token.new" "$lock.$token.beat"
}
free_lock() {
  end_groups "$lock.$token.groups" 10
  [ -z "$living" ] || return 0
  holder=''
  { read -r holder <"$lock"; } 2>/dev/null || :
  if [ "$holder" = "$token" ]; then forget_lock "$lock"; else forget_lock; fi
  if [ -n "${deploy_silent-}" ] && [ "$holder" = "$token" ]; then
    leave_word "nothing was heard of the run"
  fi
}
# find_loss TOKEN: what took the lock from the run with this token, as a fact; nothing where that isn't known.
find_loss() {
  deploy_lock=$root/.deploy/lock deploy_token=$1
  deploy_find_loss
  rm -f -- "$deploy_lock.$1.lost"
  deploy_fact lock_lost "$deploy_about"
}
# break_lock FORCE WHO: frees the lock of a run whose processes are gone, or can be ended.
break_lock() {
  lock=$root/.deploy/lock token='' holder='' about=''
  if [ ! -e "$lock" ]; then deploy_skip 'there is no lock'; fi
  { read -r holder && read -r about; } <"$lock" || :
  read -r beat 2>/dev/null <"$lock.$holder.beat" || beat=0
  now=$(date +%s)
  if [ "$1" = no ]; then
    [ "$((now - beat))" -ge 30 ] || deploy_fail "locked by $about" 'that run is alive; to break its lock all the same, add --force'
    find_living "$lock.$holder.groups"
    refuse_living 'to end them and break the lock, add --force'
  else
    leave_word "$2 broke it by \`deploy unlock --force\`"
    end_groups "$lock.$holder.groups" 0
    refuse_living
  fi
  forget_run "$holder" "$lock"
  deploy_note "broke the lock of $about"
}
