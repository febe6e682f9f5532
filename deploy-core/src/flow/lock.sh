# The stage's lock on this server is a file with three lines: the run's token, who holds it since when, the run's servers.
# It is made by link(2), so of two only one succeeds. Beside it the run's keeper writes a beat while the run lives.
#
# take_lock TOKEN ABOUT SERVERS
take_lock() {
  lock=$root/.deploy/lock token=$1 tries=0 seen=''
  [ -d "$root/.deploy" ] || mkdir -p -- "$root/.deploy"
  # From here on the lock is given up however this ends.
  deploy_hold
  until ask_for_lock "$@"; do
    holder='' about='' servers='' beat=0
    { read -r holder && read -r about && read -r servers; } 2>/dev/null <"$lock" || :
    if [ "$holder" = "$token" ]; then break; fi
    tries=$((tries + 1))
    [ "$tries" -lt 1000 ] || deploy_fail "can't take the lock $lock" "does its file system have hard links?"
    if [ -n "$holder" ]; then judge_lock; fi
  done
  sweep_locks
}
# Makes everything that a holder needs before it asks: a full disk must not be noticed when the lock is held.
ask_for_lock() {
  said=$({ printf '%s\n%s\n%s\n' "$1" "$2" "$3" >"$lock.$token" && date +%s >"$lock.$token.beat" &&
    echo "+$deploy_group" >"$lock.$token.groups"; } 2>&1) || {
    forget_lock
    deploy_fail "nothing can be written to \`$root/.deploy\`: $said" "is the disk full, or mounted read-only, or the folder somebody else's? see \`df -h\`, \`df -i\` and \`ls -ld $root/.deploy\` on the server"
  }
  ln -- "$lock.$token" "$lock" 2>/dev/null
}
forget_lock() { rm -f -- "$lock.$token" "$lock.$token.new" "$lock.$token.beat" "$lock.$token.groups" || :; }
# What other runs left behind. Those that are about to ask for the lock keep what they need for that.
sweep_locks() {
  for left in "$lock".* "$root"/.deploy/payload.*; do
    case $left in "$lock.$token" | "$lock.$token".* | *'*') continue ;; esac
    find "$root/.deploy" \( -name 'lock.*' -o -name 'payload.*' \) ! -name "lock.$token*" -mmin +2 -exec rm -f -- {} + 2>/dev/null || :
    return 0
  done
}
# What to do about the lock of another run: refuse if it lives, take it over if its beat has been missing too long.
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
    end_groups "$lock.$holder.groups" 0
    if mv -f -- "$lock" "$lock.$token.stale" 2>/dev/null; then
      read -r moved <"$lock.$token.stale" || moved=''
      if [ "$moved" != "$holder" ]; then ln -- "$lock.$token.stale" "$lock" || :; fi
      rm -f -- "$lock.$token.stale" "$lock.$holder" "$lock.$holder.beat" "$lock.$holder.groups"
      deploy_note "took over a lock whose holder is gone: $about"
    fi
  fi
}
# end_groups FILE TENTHS: ends the process groups that a run wrote down in FILE, other than our own, after up to so many
# tenths of a second. A number that by now is another program's is left alone.
end_groups() {
  [ -f "$1" ] || return 0
  while read -r group; do
    group=${group#+}
    case $group in '' | *[!0-9]* | "$deploy_group") continue ;; esac
    # A leader that is dead has no command line, and may leave others of its group behind.
    leader=$({ tr '\000' ' ' <"/proc/$group/cmdline"; } 2>/dev/null) || leader=''
    case $leader in '' | *deploy_converse* | *iflag=fullblock*) ;; *) continue ;; esac
    deploy_await_group "$group" "$2"
    kill -s KILL -- "-$group" 2>/dev/null || :
  done <"$1"
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
  holder=''
  { read -r holder <"$lock"; } 2>/dev/null || :
  if [ "$holder" = "$token" ]; then rm -f -- "$lock"; fi
  forget_lock
}
