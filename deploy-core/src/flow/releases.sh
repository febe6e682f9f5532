# The name of the live release as `live`, or nothing. Where the link leads to a folder the shell goes there and looks, since
# that starts no program.
live_release() {
  live=''
  [ -L "$root/current" ] || return 0
  here=${PWD:-/}
  if cd -P -- "$root/current" 2>/dev/null; then
    live=$PWD
    cd -- "$here" || cd /
  else
    live=$(readlink "$root/current") || live=''
  fi
  live=${live%/}
  live=${live##*/}
}
# Each release on a line as NAME/CLASS, the newest first. It is live, good, building, failed, rolled_back, or unknown: what
# this tool made has a record; what Capistrano made is good if revisions.log says that it was deployed. With `table` set, the
# rest of the record follows behind tabs: revision, branch, when it was begun and published, by whom. It is the last thing that
# a shell does: call it in one of its own, as $(release_classes).
release_classes() {
  live_release
  export base="$root" live_name="$live" with="${table-}"
  exec awk '
    function class(name) {
      if (name == live) return "live"
      if (state[name] == "published") return "good"
      if (state[name] == "failed") return "failed"
      if (state[name] == "leaving" || state[name] == "rolled_back") return "rolled_back"
      if (state[name] != "") return "building"
      return (name in logged) ? "good" : "unknown"
    }
    BEGIN {
      FS = "\t"
      live = ENVIRON["live_name"]
      records = ENVIRON["base"] "/.deploy/releases"
      while ((getline < records) > 0) {
        state[$1] = $2
        rest[$1] = $3 FS $4 FS $5 FS $6 FS $7
      }
      log_file = ENVIRON["base"] "/revisions.log"
      while ((getline line < log_file) > 0)
        if (match(line, /(deployed as|back to) release [0-9]+/)) {
          words = split(substr(line, RSTART, RLENGTH), word, " ")
          logged[word[words]] = 1
        }
      for (number = ARGC - 1; number > 0; number--) {
        parts = split(ARGV[number], part, "/")
        name = part[parts - 1]
        if (length(name) != 14 || name ~ /[^0-9]/) continue
        print name "/" class(name) (ENVIRON["with"] == "" ? "" : FS ((name in rest) ? rest[name] : FS FS FS FS))
      }
      exit
    }
  ' "$root"/releases/*/
}
# The newest release that is good, and older than BEFORE if that is given, as `release`, or nothing.
newest_good() {
  release=''
  for each in $(release_classes); do
    case $each in */good) ;; *) continue ;; esac
    if [ -n "${1-}" ] && [ "${each%/*}" -ge "$1" ]; then continue; fi
    release=${each%/*}
    return 0
  done
}
# Decides what has become of switches that were begun, and writes nothing else down.
settle_records() { record '' ''; }
# record STAMP STATE [REVISION BRANCH BY]: writes down what a release is. Fields that are known already stay. And decides
# by what is live now what has become of other switches that were begun, since who began one may have been killed before he
# could write that down: what is live has been published; of what isn't, `building` has failed, since nobody else builds while
# we hold the lock, and `leaving` has been left.
record() {
  live_release
  [ -d "$root/.deploy" ] || mkdir -p -- "$root/.deploy"
  records=$root/.deploy/releases now=''
  [ -f "$records" ] || records=/dev/null
  case $2 in
    # The lock's last beat, a few seconds ago, is exact enough for this, and to read it starts nothing.
    building) { read -r now <"$deploy_lock.$deploy_token.beat"; } 2>/dev/null || now=$(date +%s) ;;
    published | failed) now=$(date +%s) ;;
  esac
  live=$live stamp=$1 state=$2 revision=${3-} branch=${4-} by=${5-} now=$now awk -F '\t' '
    BEGIN {
      OFS = "\t"
      live = ENVIRON["live"]; stamp = ENVIRON["stamp"]; state = ENVIRON["state"]; now = ENVIRON["now"]
      revision = ENVIRON["revision"]; branch = ENVIRON["branch"]; by = ENVIRON["by"]
      gsub(/[\t\n]/, " ", branch); gsub(/[\t\n]/, " ", by)
    }
    $1 == stamp { seen = 1; print stamp, state, $3, $4, $5, (state == "published") ? now : $6, $7; next }
    $1 == live && $2 != "published" { $2 = "published"; if ($6 == "") $6 = $5 }
    $1 != live && $2 == "building" { $2 = "failed" }
    $1 != live && $2 == "leaving" { $2 = "rolled_back" }
    { print }
    END { if (stamp != "" && !seen) print stamp, state, revision, branch, now, (state == "published") ? now : "", by }
  ' "$records" >"$root/.deploy/releases.$$"
  mv -f -- "$root/.deploy/releases.$$" "$root/.deploy/releases"
}
# switch_to RELEASE: makes it live in one step, and reads the link back.
switch_to() {
  link=$root/current target=$root/releases/$1
  if [ -d "$link" ] && [ ! -L "$link" ]; then
    deploy_fail "\`$link\` is a directory, not a link to a release" "move it away, then deploy again: mv $link $link.old"
  fi
  [ ! -L "$link.deploy-$$" ] || rm -f -- "$link.deploy-$$"
  ln -s -- "$target" "$link.deploy-$$"
  replace_link "$link.deploy-$$" "$link"
  live_release
  [ "$live" = "$1" ] || deploy_fail "\`$link\` leads to \`$live\`, not to \`$1\`"
}
# replace_link NEW LINK: a rename that doesn't follow LINK. Which flag says so is asked only where GNU's doesn't work.
replace_link() {
  ! mv -T -- "$1" "$2" 2>/dev/null || return 0
  case $(uname -s) in
    Darwin | *BSD) mv -h -- "$1" "$2" ;;
    *) mv -T -- "$1" "$2" ;;
  esac
}
# find_used: where this user's processes are, and what they were started from, as `used`. One program looks at them all.
find_used() {
  used=$(LC_ALL=C ls -nd /proc/[0-9]*/cwd /proc/[0-9]*/exe 2>/dev/null) || :
  here=${PWD:-/} place=$root
  if cd -P -- "$root" 2>/dev/null; then
    place=$PWD
    cd -- "$here" || cd /
  fi
}
# is_used STAMP: whether a process runs from the release, which is kept then, and told with its processes.
is_used() {
  case "$used
" in
    *" -> $place/releases/$1
"* | *" -> $place/releases/$1/"*) ;;
    *) return 1 ;;
  esac
  users=$(printf '%s\n' "$used" | grep -F -e " -> $place/releases/$1" | sed -n 's|^.*/proc/\([0-9]*\)/.* -> .*$|\1|p' | sort -nu | tr '\n' ' ')
  deploy_note "kept release $1, from which processes still run: ${users% }"
}
# put_away DIR...: takes releases out of sight by a rename, so that none is ever half there, and removes them. One alone becomes
# the trash itself.
put_away() {
  [ "$#" -eq 1 ] || [ -d "$root/.deploy/trash" ] || mkdir -p -- "$root/.deploy/trash"
  mv -f -- "$@" "$root/.deploy/trash" 2>/dev/null || :
  empty_trash
  removed=0
  for dir; do
    shift
    if [ -e "$dir" ]; then set -- "$@" "$dir"; else removed=$((removed + 1)); fi
  done
  [ "$#" -eq 0 ] || tell_kept "$@"
}
# tell_kept DIR...: of releases that can't be put away, whose they are.
tell_kept() {
  named=''
  for dir; do named="$named, ${dir##*/} ($(owner_of "$dir"))"; done
  deploy_note "can't remove ${named#, }: sudo chmod -R g+rwX $root/releases, and umask = \"0002\" in deploy.toml"
}
empty_trash() {
  [ -d "$root/.deploy/trash" ] || return 0
  rm -rf -- "$root/.deploy/trash" 2>/dev/null || deploy_note "couldn't remove all of $root/.deploy/trash: the next clean-up tries again"
}
# Keeps some room that a clean-up can free first, when the disk is so full that nothing else can be written.
keep_reserve() {
  [ ! -s "$root/.deploy/reserve" ] || return 0
  { printf '%65536s' '' >"$root/.deploy/reserve"; } 2>/dev/null || rm -f -- "$root/.deploy/reserve"
}
# need_room KILOBYTES: fails where the disk has less. Where nobody can tell, there is enough.
need_room() {
  disk=$(df -Pk -- "$root" 2>/dev/null) || return 0
  # Its second line, up to what is free: the last word before the one with the percent sign.
  disk=${disk#*
} free=''
  disk=${disk%%\%*}
  for free in ${disk% *}; do :; done
  case $free in '' | *[!0-9]*) return 0 ;; esac
  [ "$free" -ge "$1" ] || deploy_fail "the disk of \`$root\` has only $free KB free, and $1 are needed" \
    "make room, then deploy again: see \`df -h\` on the server"
}
