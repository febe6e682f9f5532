# Who may write where. `root` is the folder of the deployment. Nothing is started where all is well.
#
# at_places COMMAND [ARGUMENT...]: the command, with all that a run writes to outside of the mirror.
at_places() { "$@" "$root" "$root/releases" "$root/shared" "$root/.deploy" "$root/.deploy/trash" "$root/revisions.log"; }
# at_mirror COMMAND [ARGUMENT...]: the same with what is written to in the mirror.
at_mirror() { "$@" "$root/repo" "$root/repo/shallow" "$root/repo/deploy-suspect" "$root/repo/refs" "$root"/repo/refs/* "$root/repo/objects" "$root"/repo/objects/*; }
may_write() { [ -w "$1" ] && { [ ! -d "$1" ] || [ -x "$1" ]; }; }
# need_access PATH...: fails where some of these are there and can't be written to by us, with all of them named.
need_access() {
  for path; do
    shift
    if [ -e "$path" ] && ! may_write "$path"; then set -- "$@" "$path"; fi
  done
  [ "$#" -eq 0 ] || deny "$@"
}
# Mode, user and group.
owner_of() {
  owner=$(ls -ldL -- "$1" 2>/dev/null) || return 0
  set -- $owner
  printf '%s %s %s' "$1" "$3" "$4"
}
# deny PATH...: says whose each is, and what lets us in without shutting anybody else out.
deny() {
  me=$(id -un 2>/dev/null) || me=$(id -u)
  about=$(owner_of "$root") group='' named='' tops='' owners='' more=0
  case $about in d????w*) group=${about##* } ;; esac
  for path; do
    owner=$(owner_of "$path")
    if [ "$more" -lt 5 ]; then named="$named, \`$path\` ($owner)"; fi
    more=$((more + 1)) owner=${owner#* }
    owners="$owners ${owner%% *}"
    case $path in "$root/repo"/* | "$root/.deploy"/*) path=${path#"$root"/} path=$root/${path%%/*} ;; esac
    case "$tops " in *" $path "*) ;; *) tops="$tops $path" ;; esac
  done
  if [ "$more" -gt 5 ]; then named="$named and $((more - 5)) more"; fi
  deploy_text m "\`$me\` may not write to ${named#, }"
  case "$owners " in
    *" $me "*) deploy_text h "if that is not a file system mounted read-only: chmod -R u+rwX$tops" ;;
    *)
      if [ -n "$group" ]; then
        case " $(id -Gn) " in *" $group "*) ;; *) deploy_text h "sudo usermod -aG $group $me, and log in anew" ;; esac
        deploy_text h "sudo chgrp -R $group$tops && sudo chmod -R g+rwX$tops"
        warn_of_umask h
      elif [ ! -e "$root" ]; then
        deploy_text h "sudo mkdir -p $root && sudo chown $me $root"
      else
        deploy_text h "if it is nobody's but root's: sudo chown -R $me$tops"
        deploy_text h 'if others deploy there too, share it by a group: see cargo xtask doctor'
      fi ;;
  esac
  exit 1
}
# warn_of_umask KIND: says so where the group shares the deployment, and can't change what is made with our umask.
warn_of_umask() {
  case $(umask) in
    *[2367]?) deploy_text "$1" "others of the group of $root can't change what is made with the umask $(umask): set umask = \"0002\" in deploy.toml" ;;
  esac
}
# make_folders DIR...: those that aren't there.
make_folders() {
  for dir; do
    shift
    [ -d "$dir" ] || set -- "$@" "$dir"
  done
  [ "$#" -eq 0 ] || mkdir -p -- "$@" || explain_folders "$@"
}
# explain_folders DIR...: why they can't be made, where it is for somebody else's folder.
explain_folders() {
  for dir; do
    shift
    while [ ! -e "$dir" ]; do
      dir=${dir%/*}
      dir=${dir:-/}
    done
    set -- "$@" "$dir"
  done
  need_access "$@"
  return 1
}
