# in_mirror DIR: the mirror that the other functions are about. What the environment says of a repository is not.
in_mirror() {
  repo=$1
  unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_NAMESPACE
}
mirror() { git --git-dir="$repo" "$@"; }
# The newest commits that something in the mirror points to.
mirror_tips() { mirror for-each-ref --count=16 --sort=-committerdate --format='%(objectname)' refs/deploy refs/heads; }
# Whether the mirror has every file of the commits that it is read from standard input.
has_files() { mirror rev-list --objects --quiet --no-walk --stdin >/dev/null 2>&1; }
has_commit() { printf '%s\n' "$1" | has_files; }
# Whether the mirror can be used. After a release couldn't be made from it, everything in it is looked at.
is_whole() {
  [ "$(mirror rev-parse --is-bare-repository 2>/dev/null)" = true ] || return 1
  if [ -e "$repo/deploy-suspect" ]; then
    mirror fsck --no-dangling --no-progress >/dev/null 2>&1 || return 1
    rm -f -- "$repo/deploy-suspect"
  fi
  tips=$(mirror_tips 2>/dev/null) || return 1
  [ -z "$tips" ] || printf '%s\n' "$tips" | has_files
}
# Removes the mirror, but nothing else that may stand in its place.
remove_mirror() {
  for part in HEAD objects refs; do
    [ -e "$repo/$part" ] || continue
    deploy_note "the mirror $repo $1, and is made anew"
    rm -rf -- "$repo"
    return 0
  done
}
# make_mirror URL: a bare repository with the remote that `git clone --mirror` makes, so that Capistrano can use it as
# well. What a git that was killed left behind goes; a mirror that is damaged is made anew.
make_mirror() {
  if [ -d "$repo" ]; then
    find "$repo/" -type f \( -name '*.lock' -o -name 'tmp_*' \) -exec rm -f -- {} +
    is_whole || remove_mirror 'is damaged'
  fi
  if [ ! -e "$repo/HEAD" ]; then git init --quiet --bare -- "$repo"; fi
  mirror config remote.origin.url "$1"
  mirror config remote.origin.fetch '+refs/*:refs/*'
  mirror config remote.origin.mirror true
}
# keep_commit COMMIT: points to it, so that it stays, and to those that were kept last.
keep_commit() {
  mirror update-ref "refs/deploy/$1" "$1"
  mirror for-each-ref --sort=-committerdate --format='delete %(refname)' refs/deploy |
    awk -v kept="delete refs/deploy/$1" 'NR > 16 && $0 != kept' | mirror update-ref --stdin
}
# Neither git nor ssh may ask anything, since nobody would answer; and a silent web server is given up.
git_quietly() {
  GIT_TERMINAL_PROMPT=0 GIT_HTTP_LOW_SPEED_LIMIT=1 GIT_HTTP_LOW_SPEED_TIME=60
  export GIT_TERMINAL_PROMPT GIT_HTTP_LOW_SPEED_LIMIT GIT_HTTP_LOW_SPEED_TIME
  if [ -z "${GIT_SSH_COMMAND-}${GIT_SSH-}" ] && ! git config core.sshCommand >/dev/null 2>&1; then
    GIT_SSH_COMMAND='ssh -o BatchMode=yes -o ConnectTimeout=30'
    export GIT_SSH_COMMAND
  fi
}
# ask_repository URL REF...: the refs and their commits.
ask_repository() {
  git ls-remote --quiet -- "$@" || deploy_fail "this server can't read the repository $1" \
    'let it log in, with a deploy key or a credential helper: nothing is asked during a run' \
    'or set git.strategy = "push": then servers need no access'
}
# find_commit URL NAME: what a branch, a tag (the commit that it points to), a full ref or a commit is, as `found`.
find_commit() {
  git check-ref-format "refs/heads/$2" || deploy_fail "\`$2\` can't be a branch or tag"
  refs=$(ask_repository "$1" "$2" "$2^{}" "refs/heads/$2" "refs/tags/$2" "refs/tags/$2^{}")
  found=$(printf '%s\n' "$refs" | name=$2 awk '
    BEGIN { name = ENVIRON["name"]; is_full = name == "HEAD" || name ~ /^refs\// }
    is_full && $2 == name { full = $1 }
    is_full && $2 == name "^{}" { full_peeled = $1 }
    $2 == "refs/heads/" name { head = $1 }
    $2 == "refs/tags/" name { tag = $1 }
    $2 == "refs/tags/" name "^{}" { peeled = $1 }
    END { print full_peeled != "" ? full_peeled : full != "" ? full : head != "" ? head : peeled != "" ? peeled : tag }
  ')
  if [ -z "$found" ] && printf '%s\n' "$2" | grep -Eqx '[0-9a-f]{40}'; then found=$2; fi
  [ -n "$found" ] || deploy_fail "the repository has no branch or tag \`$2\`"
}
# fetch_commit COMMIT: has the repository's branches and tags, and the commit though none of them may lead to it.
fetch_commit() {
  if [ -e "$repo/shallow" ]; then unshallow=--unshallow; else unshallow=; fi
  mirror -c gc.auto=0 fetch --quiet --prune --no-tags $unshallow origin '+refs/*:refs/*' || return
  has_commit "$1" || mirror -c gc.auto=0 fetch --quiet --no-tags origin "$1" 2>/dev/null || :
}
fetch_shallow() { mirror -c gc.auto=0 fetch --quiet --no-tags --depth=1 origin "$1"; }
