# health_check URL STATUS TIMEOUT RETRIES WAIT PLACE HINT [HEADER...]: succeeds once URL answers with STATUS, and, unless PLACE
# is empty, tells this release's commit there: in its `body`, or in the header of that name.
health_check() {
  health_url=$1 health_wanted=$2 health_timeout=$3 health_retries=$4 health_wait=$5 health_place=$6 health_hint=$7
  shift 7
  health_tool=$(command -v curl || command -v wget) || deploy_fail 'neither curl nor wget is here to ask the application'
  [ -z "$health_place" ] || health_commit
  for health_header; do
    shift
    set -- "$@" --header "$health_header"
  done
  while :; do
    health_try "$@"
    [ -n "$health_problem" ] || return 0
    echo "$health_url $health_problem"
    [ "$health_retries" -gt 0 ] || break
    health_retries=$((health_retries - 1))
    sleep "$health_wait"
  done
  deploy_fail "$health_url $health_problem" \
    'look into the logs of the application, in shared/log, and of the web server' "$health_hint"
}
# The first seven digits of the commit that this release is of, as `health_commit`.
health_commit() {
  health_commit=''
  { read -r health_commit <REVISION; } 2>/dev/null || :
  health_commit=${health_commit%"${health_commit#???????}"}
  [ -n "$health_commit" ] || deploy_fail 'the release has no REVISION that could be compared with the answer'
}
# Asks once; `health_problem` is what is wrong with the answer.
health_try() {
  health_problem='' health_answer=''
  if [ -z "$health_place" ]; then
    health_status=$(health_ask "$@")
  else
    health_answer=$(health_fetch "$@" | tr -d '\000\r' | head -c 65536) || :
    health_status=$(printf '%s\n' "$health_answer" | health_first)
  fi
  case $health_status in
    '' | 000) health_problem="doesn't answer" ;;
    "$health_wanted") [ -z "$health_place" ] || health_compare ;;
    *) health_problem="answers with status $health_status instead of $health_wanted" ;;
  esac
}
health_compare() {
  if [ "$health_place" = body ]; then
    case $health_answer in *"$health_commit"*) ;; *) health_problem="doesn't tell the commit $health_commit" ;; esac
    return 0
  fi
  health_said=$(printf '%s\n' "$health_answer" | grep -i "^ *$health_place:" | sed -e 's/^[^:]*: *//' -e q)
  case $health_said in
    "$health_commit"*) ;;
    '') health_problem="tells no $health_place" ;;
    *) health_problem="is not of this release: its $health_place is $health_said instead of $health_commit" ;;
  esac
}
# The status of the first answer; redirections are not followed.
health_ask() {
  case $health_tool in
    *curl) curl --silent --output /dev/null --max-time "$health_timeout" --write-out '%{http_code}' "$@" "$health_url" ;;
    # Of the wget of busybox, not every build has a time-out of its own.
    *) timeout "$health_timeout" wget -q -S -O /dev/null "$@" "$health_url" 2>&1 | health_first ;;
  esac || :
}
health_first() { sed -n 's/^ *HTTP[^ ]* \([0-9]*\).*/\1/p' | sed -n 1p; }
# The first answer with its headers.
health_fetch() {
  case $health_tool in
    *curl) curl --silent --include --max-time "$health_timeout" "$@" "$health_url" ;;
    *) timeout "$health_timeout" wget -q -S -O - "$@" "$health_url" 2>&1 ;;
  esac || :
}
