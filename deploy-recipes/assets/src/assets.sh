# The functions run in a release, `release`; `shared` is the folder that releases share. `backup` is the folder in the release
# with all that is needed to go back to its assets, `home` the folder whose manifests Capistrano keeps there without their
# paths, and `repo` a repository.

# assets_begin_backup, assets_back_up FOLDER PATTERN..., assets_end_backup: keep copies of the manifests, at the paths that
# they have, and a list of the files that they name.
assets_begin_backup() {
  own_files "$backup.new"
  mkdir -- "$backup.new"
  : >"$backup.new/.deploy_files"
  if [ -f "$backup/.deploy_inputs" ]; then cp -- "$backup/.deploy_inputs" "$backup.new/.deploy_inputs"; fi
}
assets_back_up() {
  folder=$1; shift
  for pattern; do
    for manifest in "$folder"/$pattern; do
      if [ -f "$manifest" ]; then
        mkdir -p -- "$backup.new/${manifest%/*}"
        cp -p -- "$manifest" "$backup.new/$manifest"
        assets_named "$manifest" >>"$backup.new/.deploy_files"
      fi
    done
  done
}
assets_end_backup() {
  [ -n "$(assets_copies "$backup.new")" ] ||
    deploy_fail "no manifest of the assets was found in $*" 'say what it is called: manifests in [recipes.assets]'
  own_files "$backup"
  mv -- "$backup.new" "$backup"
}
# assets_named MANIFEST: the files that it names and that are there, below `folder` or, with a leading slash, below
# `public`. Sprockets also lists earlier versions, which this release doesn't need.
assets_named() {
  case $1 in
    *.gz | *.br) return 0 ;;
    */.sprockets-manifest-* | */manifest-*.json) sed 's/.*"assets":{//' <"$1" ;;
    *) cat <"$1" ;;
  esac | tr '"' '\n' | while IFS= read -r name; do
    case $name in
      /*) name=public$name ;;
      *) name=$folder/$name ;;
    esac
    if [ -f "$name" ]; then printf '%s\n' "$name"; fi
  done
}
# Whether the release has such a folder.
assets_has_backup() { [ -d "$backup" ] && [ ! -L "$backup" ]; }
# assets_copies FOLDER: the manifests that are kept there.
assets_copies() { ( cd -- "$1" && find . -type f ! -name '.deploy_*' ) | sed 's,^\./,,'; }
# assets_target COPY: where the manifest belongs, as `target`.
assets_target() {
  case $1 in
    */*) target=$1 ;;
    *) target=$home/$1 ;;
  esac
}
# Whether all that is needed to go back to the release's assets is there; else `missing` is what isn't.
assets_whole() {
  missing=$backup
  assets_has_backup || return 1
  copies=$(assets_copies "$backup")
  [ -n "$copies" ] || return 1
  missing=$( {
    printf '%s\n' "$copies" | while IFS= read -r copy; do
      assets_target "$copy"
      assets_absent "$target"
    done
    assets_kept files | while IFS= read -r name; do assets_absent "$name"; done
  } | head -n 1 )
  [ -z "$missing" ]
}
assets_absent() { if [ ! -f "$1" ]; then printf '%s\n' "$1"; fi; }
# assets_restore FOLDER...: puts the release's manifests back into these folders, each in one step.
assets_restore() {
  assets_copies "$backup" | while IFS= read -r copy; do
    assets_target "$copy"
    if assets_is_in "$target" "$@" && [ -d "${target%/*}" ]; then assets_put "$backup/$copy" "$target"; fi
  done
}
# assets_is_in PATH FOLDER...: whether it lies in one of these folders, and no symlink of the release leads it elsewhere.
assets_is_in() {
  inner=$1; shift
  for outer; do
    case $inner in
      "$outer"/*)
        is_inside "$inner"
        return
        ;;
    esac
  done
  return 1
}
# assets_put FROM TO: whoever reads TO meanwhile sees the old file or the new one.
assets_put() {
  if [ ! -e "$2" ] && [ ! -L "$2" ]; then
    cp -p -- "$1" "$2"
    return
  fi
  if cmp -s -- "$1" "$2"; then return 0; fi
  cp -p -- "$1" "$2.deploy-$$"
  mv -f -- "$2.deploy-$$" "$2"
}
# assets_add FROM FOLDER: adds the files of FROM/FOLDER to what releases share, the manifests last. Sprockets gives its manifest
# a random name, and reads whichever it finds first: so it gets the name of the one that is there.
assets_add() {
  { assets_found "$1/$2" ! -name '*manifest*'; assets_found "$1/$2" -name '*manifest*'; } | while IFS= read -r file; do
    target=$shared/$2/$file
    case ${file##*/} in
      .sprockets-manifest-*.json)
        for there in "${target%/*}"/.sprockets-manifest-*.json; do
          if [ -f "$there" ]; then target=$there; break; fi
        done ;;
    esac
    [ -d "${target%/*}" ] || mkdir -p -- "${target%/*}"
    assets_put "$1/$2/$file" "$target"
  done
}
# assets_is_live CURRENT: whether the release is the live one.
assets_is_live() {
  live=$(cd -P -- "$1" 2>/dev/null && pwd) || return 1
  [ "$live" = "$(pwd -P)" ]
}
# assets_begin_build FOLDER PATTERN..., assets_end_build: in between, the release has a folder of its own in place of the one that
# releases share, since builds may empty it, and fail. It begins with the manifests, which builds add to. Where a folder around it
# is shared, all else in that is still there. `built` is what was put in the place of links, those around others first.
assets_begin_build() {
  folder=$1; shift
  must_be_inside "$folder/"
  while is_inside "$folder/" && [ -n "$link" ]; do
    built="$built$way
"
    rm -f -- "$link"
    mkdir -- "$link"
    if [ "$way" = "$folder" ]; then assets_seed "$@"; else assets_link_all; fi
  done
}
assets_seed() {
  for pattern; do
    for manifest in "$shared/$folder"/$pattern; do
      if [ -f "$manifest" ]; then
        copy=$release/$folder/${manifest#"$shared/$folder/"}
        [ -d "${copy%/*}" ] || mkdir -p -- "${copy%/*}"
        cp -p -- "$manifest" "$copy"
      fi
    done
  done
}
assets_link_all() {
  for entry in "$shared/$way"/* "$shared/$way"/.[!.]*; do
    if [ -e "$entry" ] || [ -L "$entry" ]; then ln -s -- "$entry" "$link/"; fi
  done
}
assets_end_build() {
  top=''
  printf '%s' "$built" | while IFS= read -r own; do
    case $own in "$top"/*) continue ;; esac
    top=$own
    assets_add "$release" "$own"
    own_files "$own"
    ln -s -- "$shared/$own" "$release/$own"
  done
}
assets_found() { ( cd -- "$1" && shift && find . -type f "$@" ) | sed 's,^\./,,'; }
# assets_output FOLDER...: whether each of these has a file.
assets_output() {
  for folder; do
    missing=$folder
    [ -n "$(find -H "$folder" -type f 2>/dev/null | head -n 1)" ] || return 1
  done
}
# assets_hash PATH...: a hash of the names and contents of all files at these paths. Fails where it can't tell.
assets_hash() {
  names=$(for path; do
    if [ -e "$path" ]; then find -L "$path" -type f || exit 1; fi
  done) || return 1
  [ -n "$names" ] || return 1
  names=$(printf '%s\n' "$names" | LC_ALL=C sort -u)
  hashes=$(printf '%s\n' "$names" | assets_git --no-filters --stdin-paths) || return 1
  printf '%s\n' "$names" "$hashes" | assets_git --stdin
}
assets_git() { git ${repo:+"--git-dir=$repo"} hash-object "$@"; }
# assets_inputs SETTINGS PATH...: a hash of all that a build depends on.
assets_inputs() {
  settings=$1; shift
  held=$(assets_hash "$@") || return 1
  printf '%s\n' "$settings" "$held" | assets_git --stdin
}
# assets_kept NAME: a line that was kept in the release's backup.
assets_kept() { cat -- "$backup/.deploy_$1" 2>/dev/null || :; }
# assets_keep NAME VALUE
assets_keep() {
  [ -d "$backup" ] || mkdir -- "$backup"
  own_files "$backup/.deploy_$1"
  printf '%s\n' "$2" >"$backup/.deploy_$1"
}
# assets_same_as RELEASE [OUTPUT...]: whether that release is another one, was built from the same `inputs`, and its
# assets are there. Those in folders of its own must also be as they were built.
assets_same_as() {
  here=$(pwd -P)
  (
    cd -- "$1" 2>/dev/null || exit 1
    [ "$(pwd -P)" != "$here" ] || exit 1
    [ -n "$inputs" ] && [ "$(assets_kept inputs)" = "$inputs" ] || exit 1
    shift
    assets_intact "$@"
  )
}
assets_intact() {
  case $# in
    0) assets_whole ;;
    *) built=$(assets_hash "$@") && [ "$built" = "$(assets_kept output)" ] ;;
  esac
}
# Forgets what the build was made from, since the next one may fail.
assets_forget() {
  if [ -L "$backup" ]; then own_files "$backup"; fi
  own_files "$backup/.deploy_inputs"
}
# assets_move FROM FOLDER...: moves these folders from there.
assets_move() {
  from=$1; shift
  own_files "$@"
  for folder; do
    case $folder in */*) mkdir -p -- "${folder%/*}" ;; esac
    if [ -e "$from/$folder" ]; then mv -- "$from/$folder" "$folder"; fi
  done
}
# assets_take RELEASE FOLDER...: copies these folders from that release.
assets_take() {
  from=$1; shift
  own_files "$@"
  for folder; do
    mkdir -p -- "$folder"
    cp -R -p -- "$from/$folder/." "$folder/"
  done
}
# Writes down what the build was made from, if that can be told.
assets_keep_inputs() { if [ -n "$inputs" ]; then assets_keep inputs "$inputs"; fi; }
# assets_keep_output FOLDER...: writes down what it wrote to folders of the release's own.
assets_keep_output() { assets_keep output "$(assets_hash "$@")"; }
# assets_normalize PATH...: gives all files the time that the release is named after.
assets_normalize() {
  stamp=$(pwd -P)
  stamp=${stamp##*/}
  for path; do
    must_be_inside "$path/"
    if [ -e "$path" ]; then
      find -H "$path" '(' -type f -o -type d ')' -exec env TZ=UTC0 touch -t "${stamp%??}.${stamp#????????????}" {} + ||
        deploy_note "some times below $path could not be set"
    fi
  done
}
# assets_empty FOLDER SHARED: empties the shared folder, and makes the link to it anew if it is gone.
assets_empty() {
  if [ ! -d "$2" ]; then return 0; fi
  find "$2" -mindepth 1 -maxdepth 1 -exec rm -rf -- {} +
  if [ ! -e "$1" ] && [ ! -L "$1" ]; then ln -s -- "$2" "$1"; fi
}
