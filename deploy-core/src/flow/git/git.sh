# in_mirror DIR: the mirror that git and the other functions are about. What the environment says of a repository is not.
in_mirror() {
  repo=$1
  unset GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_NAMESPACE
  export GIT_DIR="$repo"
}
# The commits that were deployed last, and those before them, as `commits`: nothing where there are none. Fails where the
# mirror can't be used: it has to have every file of the newest ones. After a release couldn't be made from it, everything in
# it is looked at.
is_whole() {
  commits=''
  if [ -s "$repo/deploy-suspect" ]; then
    git fsck --no-dangling --no-progress >/dev/null 2>&1 || return 1
    rm -f -- "$repo/deploy-suspect"
  fi
  recent=$(git rev-list --max-count=64 --glob=refs/deploy --glob=refs/heads 2>/dev/null) || return 1
  [ -z "$recent" ] || git rev-list --objects --quiet --no-walk --stdin >/dev/null 2>&1 <<COMMITS || return 1
$recent
COMMITS
  commits=$recent
}
has_commit() {
  git rev-list --objects --quiet --no-walk --stdin >/dev/null 2>&1 <<COMMIT
$1
COMMIT
}
# take_commit COMMIT: makes it `commit`. It stands where git has no way to say that it is no option, so it has to be an id.
take_commit() {
  case $1 in
    '' | *[!0-9a-f]*) deploy_fail "\`$1\` is no commit's id" ;;
  esac
  commit=$1
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
# well. A mirror that is damaged is made anew.
make_mirror() {
  if [ -d "$repo" ] && ! is_whole; then remove_mirror 'is damaged'; fi
  keep_mirror "$1"
}
# fits_commit: whether the mirror names objects as `commit` is named; what a new one has to be told for that, as init.
fits_commit() {
  found=sha1 wanted=sha1 init=''
  case ${#commit} in 64) wanted=sha256 init=--object-format=sha256 ;; esac
  [ -e "$repo/config" ] || return 0
  while read -r key _ value; do
    case $key in [oO]bject[fF]ormat) found=$value ;; esac
  done <"$repo/config"
  [ "$found" = "$wanted" ]
}
# keep_mirror URL: the same with a mirror that was found whole. What a git that was killed left behind goes.
keep_mirror() {
  if ! fits_commit; then remove_mirror 'names its objects otherwise than the repository'; fi
  # Where the folder around it is shared, by its group, so is the mirror.
  if [ -e "$repo/HEAD" ]; then
    find "$repo/" -type f \( -name '*.lock' -o -name 'tmp_*' \) -exec rm -f -- {} +
  elif [ -g "${repo%/*}" ]; then
    git init --quiet --bare --shared=group $init -- "$repo"
  else
    git init --quiet --bare $init -- "$repo"
  fi
  share_mirror
  ! has_origin "$1" || return 0
  git config remote.origin.url "$1"
  git config remote.origin.fetch '+refs/*:refs/*'
  git config remote.origin.mirror true
}
share_mirror() {
  [ -g "${repo%/*}" ] || return 0
  while read -r key _; do
    if [ "$key" = sharedRepository ] || [ "$key" = sharedrepository ]; then return 0; fi
  done <"$repo/config"
  git config core.sharedRepository group
}
# begin_pack, unpack_pack, end_pack: take a pack and its index. The index comes last, since only with it is the pack in use.
begin_pack() {
  rm -rf -- "$repo/incoming"
  mkdir -p -- "$repo/incoming" "$repo/objects/pack"
}
unpack_pack() { tar -x -o -f - -C "$repo/incoming"; }
end_pack() {
  mv -f -- "$repo"/incoming/pack-*.pack "$repo/objects/pack/"
  mv -f -- "$repo"/incoming/pack-*.idx "$repo/objects/pack/"
  rm -rf -- "$repo/incoming"
}
# has_origin URL: whether the remote is as make_mirror makes it. A URL that git writes otherwise is set again.
has_origin() {
  found=''
  while read -r key _ value; do
    case "$key $value" in "url $1" | 'fetch +refs/*:refs/*' | 'mirror true') found=$found. ;; esac
  done <"$repo/config"
  [ "$found" = ... ]
}
# keep_commit COMMIT: points to it, so that it stays, and to those that were kept last.
keep_commit() {
  git update-ref -- "refs/deploy/$1" "$1"
  set -- "$1" "$repo"/refs/deploy/*
  [ "$#" -gt 17 ] || return 0
  git for-each-ref --sort=-committerdate --format='delete %(refname)' refs/deploy |
    awk -v kept="delete refs/deploy/$1" 'NR > 16 && $0 != kept' | git update-ref --stdin
}
# Tidies the mirror where git might find it worth the while. It counts as git does, which starts nothing.
tidy_mirror() {
  set -- "$repo"/objects/pack/*.pack
  packs=$#
  set -- "$repo"/objects/17/*
  if [ "$packs" -le 50 ] && [ "$#" -le 27 ]; then return 0; fi
  git -c gc.autoDetach=false gc --auto --quiet || deploy_note 'the mirror could not be tidied'
}
# What `git archive` would silently leave out. For LFS every file is looked into, but only where attributes speak of it.
refuse_submodules() {
  [ "$held" != "${held#*submodule }" ] || return 0
  named=$(printf '%s\n' "$held" | sed -n 's/^submodule //p')
  deploy_fail "the commit has submodules, whose files would be missing: $(printf '%s' "$named" | tr '\n' ' ')" \
    'commit their files, without a .git of their own' 'or set git.ignore_submodules = true to deploy empty folders'
}
refuse_lfs() {
  [ "$held" != "${held#*attributes}" ] || return 0
  if git grep -q -e filter=lfs "$commit" -- .gitattributes '*/.gitattributes' &&
    git grep -q -e '^version https://git-lfs.github.com/spec/v1$' "$tree"; then
    deploy_fail 'the commit has files in Git LFS, of which only the pointers would be deployed' \
      'set git.ignore_lfs = true to deploy the pointers'
  fi
}
# Names of tags and branches in files, which `git archive` would leave empty or make another each time.
refuse_describe() {
  [ "$held" != "${held#*attributes}" ] || return 0
  if git grep -q -e export-subst "$commit" -- .gitattributes '*/.gitattributes' &&
    git grep -q -e '\$Format:[^$]*%(describe' "$tree"; then
    deploy_fail 'a file of the commit is to name a tag (export-subst, %(describe)), and the mirror has none' \
      'set git.strategy = "fetch", without git.shallow, or have it name the commit: $Format:%H$'
  fi
}
# What the tree has that needs a second look, as `held`. Attributes of the folders above it hold as well.
look_at_tree() {
  held=$(git ls-tree -r "$tree" | awk '
    $1 == "160000" && submodules++ < 3 { sub(/^[^\t]*\t/, ""); print "submodule " $0 }
    /[\t\/]\.gitattributes"?$/ && !attributes++ { print "attributes" }
  ')
  [ "$tree" = "$commit" ] || held="$held attributes"
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
  if [ -z "$found" ] && printf '%s\n' "$2" | grep -Eqx '[0-9a-f]{40}([0-9a-f]{24})?'; then found=$2; fi
  [ -n "$found" ] || deploy_fail "the repository has no branch or tag \`$2\`"
}
# What git writes down about each fetch, and would write over: another user's can only be removed.
forget_fetch() {
  if [ -e "$repo/FETCH_HEAD" ] && [ ! -w "$repo/FETCH_HEAD" ]; then rm -f -- "$repo/FETCH_HEAD"; fi
}
# fetch_commit COMMIT: has the repository's branches and tags, and the commit though none of them may lead to it.
fetch_commit() {
  forget_fetch
  if [ -e "$repo/shallow" ]; then unshallow=--unshallow; else unshallow=; fi
  git -c gc.auto=0 fetch --quiet --prune --no-tags $unshallow -- origin '+refs/*:refs/*' || return
  has_commit "$1" || git -c gc.auto=0 fetch --quiet --no-tags -- origin "$1" 2>/dev/null || :
}
# must_be_of NAME OWN SERVER: fails where the commit, which SERVER found to be NAME, isn't a part of what NAME is here. We found
# OWN.
must_be_of() {
  for ref in "refs/heads/$1" "refs/tags/$1" "$2" "$1"; do
    case $ref in "$2" | refs/*) ;; *) continue ;; esac
    if git merge-base --is-ancestor -- "$commit" "$ref" 2>/dev/null; then return 0; fi
  done
  deploy_fail "$3 says that \`$1\` is $commit, which it isn't and wasn't as this server sees it" \
    "if \`$1\` was just rewritten, deploy again; else look at $3"
}
fetch_shallow() { forget_fetch; git -c gc.auto=0 fetch --quiet --no-tags --depth=1 -- origin "$1"; }
