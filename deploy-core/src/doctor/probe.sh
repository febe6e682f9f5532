# What a server is like, told as facts. Nothing is changed: what is written to try something out is removed at once. What
# can't be found out is left out.
#
# A command that may hang, for a few seconds at most, without our streams: what it leaves running keeps nobody waiting.
probe_briefly() {
  if command -v timeout >/dev/null 2>&1; then set -- timeout 8 "$@"; fi
  "$@" 8>&- 9>&-
}
probe_clock() { deploy_fact clock "$(date +%s)"; }
# probe_shell FLAGS: who we are, in which shell, and what a shell with these flags has on its PATH besides.
probe_shell() {
  deploy_fact user "$(id -un 2>/dev/null || id -u)"
  deploy_fact login_shell "${SHELL-}"
  sh=$(command -v sh)
  deploy_fact sh "$(readlink -f "$sh" 2>/dev/null || printf %s "$sh")"
  deploy_fact path "$PATH"
  case ${SHELL-} in
    */bash | */dash | */zsh | */ksh | */mksh | */ash | */sh | */fish) deploy_fact path_lacks "$(probe_login_path "$1" | probe_lacks)" ;;
  esac
}
probe_login_path() {
  probe_briefly env -i HOME="${HOME-/}" USER="${USER-}" LOGNAME="${LOGNAME-}" SHELL="$SHELL" TERM=dumb \
    PATH=/usr/local/bin:/usr/bin:/bin "$SHELL" "$1" 'printf "\nprobe-path=%s\n" "$PATH"' 2>/dev/null |
    sed -n '/^probe-path=/{s/^probe-path=//;p;q;}'
}
# The folders of the PATH on standard input that exist and are not on ours.
probe_lacks() {
  read -r login_path || :
  set -f
  IFS=:
  for folder in $login_path; do
    case :$PATH: in
      *":$folder:"*) ;;
      *) if [ -d "$folder" ]; then printf '%s\n' "$folder"; fi ;;
    esac
  done
}
# The agent that commands find here.
probe_agent() {
  deploy_fact agent_socket "${SSH_AUTH_SOCK-}"
  if [ -z "${SSH_AUTH_SOCK-}" ]; then return 0; fi
  status=0
  said=$(probe_briefly ssh-add -l 2>&1) || status=$?
  deploy_fact agent_status "$status"
  deploy_fact agent_said "$said"
}
# Programs that our scripts call, and what of them is not in every system's.
probe_tools() {
  for tool in awk cat chmod cp date dd env git grep id ln ls mkdir mv readlink rm sed sleep sort tar timeout touch uname; do
    command -v "$tool" >/dev/null 2>&1 || printf '%s\n' "$tool"
  done
  if [ "$(printf abc | dd bs=3 count=1 iflag=fullblock 2>/dev/null)" != abc ]; then echo 'dd iflag=fullblock'; fi
  if command -v timeout >/dev/null 2>&1 && ! timeout 5 true 2>/dev/null; then echo 'timeout SECONDS'; fi
  if [ "$(name=x awk 'BEGIN { print ENVIRON["name"] }' 2>/dev/null)" != x ]; then echo 'awk with ENVIRON'; fi
}
# How programs are installed here.
probe_packages() {
  for packages in 'apt-get install' 'dnf install' 'yum install' 'apk add' 'zypper install' 'pacman -S'; do
    if command -v "${packages%% *}" >/dev/null 2>&1; then
      printf %s "$packages"
      return 0
    fi
  done
}
# probe_tmp FOLDER: whether files can be made and run in it; and, since that needs a folder, whether a link can be replaced.
probe_tmp() {
  if ! folder=$(mktemp -d "$1/deploy-doctor.XXXXXX" 2>/dev/null); then
    if [ ! -d "$1" ]; then deploy_fact tmp missing; elif [ ! -w "$1" ]; then deploy_fact tmp unwritable; fi
    return 0
  fi
  if { printf '#!/bin/sh\n' >"$folder/run" && chmod 700 "$folder/run"; } 2>/dev/null; then
    if "$folder/run" 2>/dev/null; then deploy_fact tmp fine; else deploy_fact tmp noexec; fi
  else
    deploy_fact tmp full
  fi
  # Links to folders, as the one to the live release is: some programs follow them.
  mkdir "$folder/here" "$folder/there" && ln -s "$folder/here" "$folder/old" && ln -s "$folder/there" "$folder/new"
  case $(uname -s) in
    Darwin | *BSD) mv -h -- "$folder/new" "$folder/old" ;;
    *) mv -T -- "$folder/new" "$folder/old" ;;
  esac 2>/dev/null || deploy_fact no_rename yes
  if [ "$(readlink "$folder/old" 2>/dev/null)" != "$folder/there" ]; then deploy_fact no_rename yes; fi
  rm -rf -- "$folder"
}
# How the folder of the deployment, or the nearest one above it that exists, can be used.
probe_place() {
  place=$root
  while [ ! -e "$place" ]; do
    place=${place%/*}
    place=${place:-/}
  done
  deploy_fact place "$place"
  deploy_fact place_owner "$(owner_of "$place")"
  if [ ! -d "$place" ]; then
    deploy_fact place_use file
  elif [ "$place" != "$root" ]; then
    if [ -w "$place" ] && [ -x "$place" ]; then deploy_fact place_use writable; fi
  elif { echo probe >"$root/.deploy-doctor.$$"; } 2>/dev/null; then
    deploy_fact place_use writable
  elif [ -w "$root" ]; then
    deploy_fact place_use full
  fi
  rm -f -- "$root/.deploy-doctor.$$" 2>/dev/null
  deploy_fact space "$(probe_briefly df -Pk "$place" 2>/dev/null | sed -n '$p')"
  deploy_fact inodes "$(probe_briefly df -Pi "$place" 2>/dev/null | sed -n '$p')"
  deploy_fact unusable "$(probe_unusable)"
  if [ -g "$root" ]; then deploy_fact group "$(owner_of "$root")"; fi
  deploy_fact groups "$(id -Gn)"
}
# What of the deployment we can't change: each on a line, with mode, user and group.
probe_unusable() { at_places at_mirror probe_denied; }
probe_denied() {
  for path; do
    if [ "$path" = "$root" ] || [ ! -e "$path" ] || may_write "$path"; then continue; fi
    printf '%s (%s)\n' "${path#"$root"/}" "$(owner_of "$path")"
  done
}
# What is live, by the link.
probe_current() {
  live_release
  deploy_fact live "$live"
  if [ -L "$root/current" ]; then
    if [ -d "$root/current/" ]; then deploy_fact current link; else deploy_fact current dangling; fi
  elif [ -e "$root/current" ]; then
    deploy_fact current other
  else
    deploy_fact current none
  fi
}
# probe_linked FILE...: of each file that can't be linked its path, what is wrong, and whether its folder is there.
probe_linked() {
  for file; do
    if [ -d "$file" ]; then wrong=folder; elif [ ! -e "$file" ]; then wrong=missing; elif [ ! -r "$file" ]; then wrong=unreadable; else continue; fi
    if [ -d "${file%/*}" ]; then above=there; else above=missing; fi
    printf '%s %s %s\n' "$wrong" "$above" "$file"
  done
}
# Who holds the lock, and for how many seconds nothing was heard of them.
probe_lock() {
  lock=$root/.deploy/lock
  if [ ! -e "$lock" ]; then return 0; fi
  holder='' about=''
  { read -r holder && read -r about; } 2>/dev/null <"$lock" || :
  beat=''
  if [ -r "$lock.$holder.beat" ]; then read -r beat <"$lock.$holder.beat" || :; fi
  case $beat in
    '' | *[!0-9]*) beat=0 ;;
  esac
  deploy_fact lock "$about"
  deploy_fact lock_age "$(($(date +%s) - beat))"
}
# Whether there is a mirror of the repository, and the newest commit that was deployed from it.
probe_mirror() {
  if [ ! -e "$repo" ]; then
    deploy_fact mirror none
  elif [ "$(git rev-parse --is-bare-repository 2>/dev/null)" != true ]; then
    deploy_fact mirror damaged
  elif [ -s "$repo/deploy-suspect" ]; then
    deploy_fact mirror suspect
  else
    deploy_fact mirror fine
    deploy_fact mirror_tip "$(git for-each-ref --count=1 --sort=-committerdate --format='%(objectname:short)' refs/deploy 2>/dev/null)"
  fi
}
# probe_repository URL: whether this server may read the repository.
probe_repository() {
  git_quietly
  status=0
  said=$(probe_briefly git ls-remote --quiet -- "$1" HEAD 2>&1 >/dev/null) || status=$?
  deploy_fact repository_status "$status"
  deploy_fact repository_said "$said"
}
