# Whatever is written, made or removed below a release goes one of these ways, so that no symlink which the release ships
# leads it elsewhere. `release` is the release's folder, and `shared` the folder that releases share.
#
# is_inside PATH: whether the way from the release to PATH leads through no symlink (else through `link`), or through one that
# leads to where `shared` has the same: then `link` is that.
is_inside() {
  link='' way='' rest=$1
  while :; do
    case $rest in */*) ;; *) return 0 ;; esac
    way=$way${way:+/}${rest%%/*} rest=${rest#*/}
    [ -L "$release/$way" ] || continue
    link=$release/$way
    is_shared "$way" || return 1
    return 0
  done
}
# is_shared PATH: whether the folder is the one that `shared` has by that name.
is_shared() {
  there=$(cd -P -- "$shared/$1" 2>/dev/null && pwd) || return 1
  leads=$(cd -P -- "$release/$1" 2>/dev/null && pwd) || return 1
  [ "$leads" = "$there" ]
}
# must_be_inside PATH...: fails before anything has changed.
must_be_inside() {
  for path; do
    is_inside "$path" || deploy_fail "\`$link\` is a symlink, and \`$path\` would be changed where it leads to" \
      'nothing was changed there; take the symlink out of the repository, or link the folder: see linked_dirs'
  done
}
# own_files PATH...: makes sure that these will be made anew, since a file that is there may be a link to another.
own_files() {
  must_be_inside "$@"
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
  is_inside "${folder}x" || must_be_inside "${folder}x"
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
