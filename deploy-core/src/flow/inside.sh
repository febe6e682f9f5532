# Whatever is written, made or removed below a release goes one of these ways, so that no symlink which the release ships
# leads it elsewhere. `release` is the release's folder, and `shared` the folder that releases share.
#
# is_inside PATH: whether the way from the release to PATH leads through folders only (else through `link`), or through a
# symlink that leads to where `shared` has the same: then `link` is that, and `way` its path in the release. With a slash at
# its end, PATH is a folder that is gone through as well.
is_inside() {
  link='' way='' rest=$1
  while :; do
    case $rest in */*) ;; *) return 0 ;; esac
    way=$way${way:+/}${rest%%/*} rest=${rest#*/}
    if [ -d "$release/$way" ] || [ ! -e "$release/$way" ]; then
      [ -L "$release/$way" ] || continue
    fi
    link=$release/$way
    is_shared "$way" || return 1
    return 0
  done
}
# is_shared PATH: whether it is a symlink to the folder that `shared` has by that name.
is_shared() {
  [ -L "$release/$1" ] || return 1
  there=$(cd -P -- "$shared/$1" 2>/dev/null && pwd) || return 1
  leads=$(cd -P -- "$release/$1" 2>/dev/null && pwd) || return 1
  [ "$leads" = "$there" ]
}
# must_be_inside PATH...: fails before anything has changed.
must_be_inside() {
  for path; do
    is_inside "$path" || leads_out
  done
}
# must_be_own PATH...: the same, and what is shared is not the release's own either: the live release has it too.
must_be_own() {
  for path; do
    if is_inside "$path" && [ -z "$link" ]; then continue; fi
    leads_out
  done
}
# Says how the way to `path` leads out, by `link`.
leads_out() {
  [ -L "$link" ] || deploy_fail "\`$link\` is no folder, and \`$path\` would have to be in it" \
    'nothing was changed; in the repository make it a folder, or take it out'
  deploy_fail "\`$link\` is a symlink to \`$(readlink "$link")\`, and \`$path\` would be changed where it leads to" \
    'nothing was changed there; take the symlink out of the repository, or link the folder: see linked_dirs'
}
# own_files PATH...: makes sure that these will be made anew, since a file that is there may be a link to another.
own_files() {
  must_be_own "$@"
  for path; do
    shift
    if [ -e "$release/$path" ] || [ -L "$release/$path" ]; then set -- "$@" "$release/$path"; fi
  done
  [ "$#" -eq 0 ] || rm -rf -- "$@"
}
# link_shared FOLDER NAME...: links names in a folder of the release to what is shared, in place of what the repository ships
# there. The folder is nothing where the names stand at the top.
link_shared() {
  folder=$1${1:+/}; shift
  must_be_inside "${folder}x"
  if [ -n "$link" ]; then
    deploy_note "what $folder has is shared already: $link leads there"
    return 0
  fi
  for name; do
    shift
    if [ -L "$release/$folder$name" ] && [ "$(readlink "$release/$folder$name")" = "$shared/$folder$name" ]; then continue; fi
    set -- "$@" "$folder$name"
  done
  [ "$#" -gt 0 ] || return 0
  own_files "$@"
  [ -d "$release/$folder" ] || mkdir -p -- "$release/$folder"
  for path; do
    shift
    set -- "$@" "$shared/$path"
  done
  ln -s -- "$@" "$release/$folder"
}
