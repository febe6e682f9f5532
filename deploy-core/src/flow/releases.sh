# The name of the live release, or nothing.
live_release() {
  live=$(readlink "$root/current" 2>/dev/null) || live=
  live=${live%/}
  live=${live##*/}
}
# Each release on a line with what it is, the newest first: live, good, building, failed, rolled_back, or unknown. What
# this tool made has a record; what Capistrano made is good if revisions.log says that it was deployed.
release_classes() {
  live_release
  records=$root/.deploy/releases
  [ -f "$records" ] || records=/dev/null
  log=$root/revisions.log
  [ -f "$log" ] || log=/dev/null
  for dir in "$root"/releases/*/; do
    dir=${dir%/}
    printf '%s\n' "${dir##*/}"
  done | awk -F '\t' '
    part == "records" { state[$1] = $2; next }
    part == "log" {
      if (match($0, /(deployed as|back to) release [0-9]+/)) {
        words = split(substr($0, RSTART, RLENGTH), word, " ")
        logged[word[words]] = 1
      }
      next
    }
    length($1) != 14 || $1 ~ /[^0-9]/ { next }
    $1 == live { print $1, "live"; next }
    state[$1] == "published" { print $1, "good"; next }
    state[$1] == "publishing" { print $1, "building"; next }
    state[$1] == "leaving" { print $1, "rolled_back"; next }
    state[$1] != "" { print $1, state[$1]; next }
    { print $1, ($1 in logged) ? "good" : "unknown" }
  ' live="$live" part=records "$records" part=log "$log" part=names - | sort -r
}
# record STAMP STATE [REVISION BRANCH BY]: writes down what a release is. Fields that are known already stay.
record() {
  mkdir -p -- "$root/.deploy"
  records=$root/.deploy/releases
  [ -f "$records" ] || records=/dev/null
  now=$(date +%s)
  stamp=$1 state=$2 revision=${3-} branch=${4-} by=${5-} now=$now awk -F '\t' '
    BEGIN {
      OFS = "\t"
      stamp = ENVIRON["stamp"]; state = ENVIRON["state"]; now = ENVIRON["now"]
      revision = ENVIRON["revision"]; branch = ENVIRON["branch"]; by = ENVIRON["by"]
      gsub(/[\t\n]/, " ", branch); gsub(/[\t\n]/, " ", by)
    }
    $1 != stamp { print; next }
    { seen = 1; print stamp, state, $3, $4, $5, (state == "published") ? now : $6, $7 }
    END { if (!seen) print stamp, state, revision, branch, now, (state == "published") ? now : "", by }
  ' "$records" >"$root/.deploy/releases.$$"
  mv -f -- "$root/.deploy/releases.$$" "$root/.deploy/releases"
}
# Decides by what is live now what has become of the switch that was last begun: whoever began it may have been killed
# before it could write that down. What is live has been published; of what isn't, `publishing` has failed, and `leaving`
# has been left.
settle_records() {
  live_release
  [ -f "$root/.deploy/releases" ] || return 0
  live=$live now=$(date +%s) awk -F '\t' '
    BEGIN { OFS = "\t"; live = ENVIRON["live"] }
    $1 == live && $2 != "published" { $2 = "published"; if ($6 == "") $6 = ENVIRON["now"] }
    $1 != live && $2 == "publishing" { $2 = "failed" }
    $1 != live && $2 == "leaving" { $2 = "rolled_back" }
    { print }
  ' "$root/.deploy/releases" >"$root/.deploy/releases.$$"
  mv -f -- "$root/.deploy/releases.$$" "$root/.deploy/releases"
}
# switch_link TARGET LINK: makes LINK point to TARGET in one step, and reads it back.
switch_link() {
  if [ -d "$2" ] && [ ! -L "$2" ]; then
    deploy_fail "\`$2\` is a directory, not a link to a release" "move it away, then deploy again: mv $2 $2.old"
  fi
  temporary=$2.deploy-$$
  rm -f -- "$temporary"
  ln -s -- "$1" "$temporary"
  case $(uname -s) in
    Darwin | *BSD) mv -h -- "$temporary" "$2" ;;
    *) mv -T -- "$temporary" "$2" ;;
  esac
  now_at=$(readlink "$2")
  [ "$now_at" = "$1" ] || deploy_fail "\`$2\` points to \`$now_at\`, not to \`$1\`"
}
# put_away DIR...: takes releases out of sight by a rename, so that none is ever half there, and removes them.
put_away() {
  mkdir -p -- "$root/.deploy/trash"
  for dir; do
    mv -f -- "$dir" "$root/.deploy/trash/${dir##*/}.$$" || deploy_note "can't move away $dir"
  done
  empty_trash
}
empty_trash() {
  rm -rf -- "$root/.deploy/trash" || deploy_note "couldn't remove all of $root/.deploy/trash: the next clean-up tries again"
}
# link_shared SHARED LINK: links to what is shared, in place of whatever the repository ships there.
link_shared() {
  if [ -L "$2" ] && [ "$(readlink "$2")" = "$1" ]; then return 0; fi
  if [ -e "$2" ] || [ -L "$2" ]; then rm -rf -- "$2"; fi
  ln -s -- "$1" "$2"
}
# Each release on a line, the newest first: name, what it is, revision, branch, when it was begun and published, by whom.
release_table() {
  records=$root/.deploy/releases
  [ -f "$records" ] || records=/dev/null
  release_classes | awk -F '\t' '
    part == "records" { known[$1] = $3 "\t" $4 "\t" $5 "\t" $6 "\t" $7; next }
    { split($0, word, " "); print word[1] "\t" word[2] "\t" ((word[1] in known) ? known[word[1]] : "\t\t\t\t") }
  ' part=records "$records" part=list -
}
