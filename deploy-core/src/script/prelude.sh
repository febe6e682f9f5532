deploy_mark() { printf '\036%s %s\n' "$deploy_nonce" "$*" >&9; }
deploy_text() { printf '\036%s %s\n%s\036%s .\n' "$deploy_nonce" "$1" "$2" "$deploy_nonce" >&9; }
deploy_fact() { deploy_text "f $1" "$2"; }
deploy_note() { deploy_text n "$1"; }
deploy_skip() { deploy_text s "$1"; deploy_step=end; exit 0; }
deploy_fail() {
  deploy_text m "$1"; shift
  for deploy_hint; do deploy_text h "$deploy_hint"; done
  exit 1
}
deploy_exit() {
  [ "$deploy_step" != end ] || exit "$1"
  deploy_mark x "$deploy_step" "$1"
  [ "$1" -ne 0 ] || exit 1
  exit "$1"
}
# The first command of a pipe that failed, not counting those that only lost their reader (141), decides.
deploy_piped() {
  deploy_bad='' deploy_seen=0
  for deploy_status in $2; do
    deploy_seen=$((deploy_seen + 1))
    case $deploy_status in
      *:0) ;;
      *:141) deploy_bad=${deploy_bad:-$deploy_status} ;;
      *) case $deploy_bad in
           ''|*:141) deploy_bad=$deploy_status ;;
           *) [ "${deploy_status%:*}" -gt "${deploy_bad%:*}" ] || deploy_bad=$deploy_status ;;
         esac ;;
    esac
  done
  [ -n "$deploy_bad" ] || [ "$deploy_seen" -eq "$1" ] || deploy_bad=1:137
  [ -n "$deploy_bad" ] || return 0
  deploy_mark p "${deploy_bad%:*}"
  return "${deploy_bad#*:}"
}
