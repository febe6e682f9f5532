# Whether the mirror can be used; one that an interrupted transfer damaged is put away.
usable_mirror() {
  [ -e "$repo" ] || return 1
  if [ ! -e "$repo/deploy-transfer" ] && git --git-dir="$repo" rev-parse --is-bare-repository >/dev/null 2>&1; then return 0; fi
  rm -f -- "$repo"/*.lock "$repo"/objects/pack/tmp_*
  if git --git-dir="$repo" fsck --connectivity-only --no-dangling --no-progress >/dev/null 2>&1; then
    rm -f -- "$repo/deploy-transfer"
    return 0
  fi
  deploy_note "the mirror $repo is damaged, and is made anew"
  rm -rf -- "$repo"
  return 1
}
# A bare repository with the remote that `git clone --mirror` makes, so that Capistrano can use it as well.
make_mirror() {
  if [ ! -e "$repo/HEAD" ]; then git init --quiet --bare -- "$repo"; fi
  git --git-dir="$repo" config remote.origin.url "$1"
  git --git-dir="$repo" config remote.origin.fetch '+refs/*:refs/*'
  git --git-dir="$repo" config remote.origin.mirror true
}
# From here to mirror_whole the mirror may be damaged by whatever happens.
mirror_in_transfer() { : >"$repo/deploy-transfer"; }
mirror_whole() { rm -f -- "$repo/deploy-transfer"; }
# Neither git nor ssh may ask anything, since nobody would answer.
git_quietly() {
  GIT_TERMINAL_PROMPT=0
  export GIT_TERMINAL_PROMPT
  if [ -z "${GIT_SSH_COMMAND-}" ] && ! git config core.sshCommand >/dev/null 2>&1; then
    GIT_SSH_COMMAND='ssh -o BatchMode=yes'
    export GIT_SSH_COMMAND
  fi
}
has_commit() { git --git-dir="$repo" cat-file -e "$1^{commit}" 2>/dev/null; }
