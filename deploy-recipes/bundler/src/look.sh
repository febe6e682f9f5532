# bundler_look LOCKFILE: whether Ruby and Bundler are there, and of the versions that the live release was locked with.
bundler_look() {
  if ! command -v ruby >/dev/null 2>&1; then look_problem 'ruby is not on the PATH'; return 0; fi
  ruby=$(ruby -e 'print RUBY_VERSION' 2>/dev/null) || ruby=''
  if [ -z "$ruby" ]; then look_problem "ruby doesn't run"; return 0; fi
  if ! command -v bundle >/dev/null 2>&1; then look_problem 'bundle is not on the PATH'; return 0; fi
  locked=''
  if [ -r "$1" ]; then
    locked=$(awk '/^RUBY VERSION/ { getline; sub(/^ *ruby /, ""); sub(/p[0-9]*$/, ""); print; exit }' "$1")
  fi
  case $locked in
    '' | "$ruby") look_ok "Ruby $ruby" ;;
    *) look_problem "Ruby $ruby is here, and the live release is locked to $locked" ;;
  esac
}
