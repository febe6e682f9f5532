# health_check URL STATUS TIMEOUT RETRIES WAIT HINT [HEADER...]: succeeds once URL answers with STATUS.
health_check() {
  health_url=$1 health_wanted=$2 health_timeout=$3 health_retries=$4 health_wait=$5 health_hint=$6
  shift 6
  health_tool=$(command -v curl || command -v wget) || deploy_fail 'neither curl nor wget is here to ask the application'
  for health_header; do
    shift
    set -- "$@" --header "$health_header"
  done
  while :; do
    health_status=$(health_ask "$@")
    [ "$health_status" != "$health_wanted" ] || return 0
    echo "$health_url: status ${health_status:-000}"
    [ "$health_retries" -gt 0 ] || break
    health_retries=$((health_retries - 1))
    sleep "$health_wait"
  done
  case $health_status in
    '' | 000) health_status="doesn't answer" ;;
    *) health_status="answers with status $health_status instead of $health_wanted" ;;
  esac
  deploy_fail "$health_url $health_status" \
    'look into the logs of the application, in shared/log, and of the web server' "$health_hint"
}
# The status of the first answer; redirections are not followed.
health_ask() {
  case $health_tool in
    *curl) curl --silent --output /dev/null --max-time "$health_timeout" --write-out '%{http_code}' "$@" "$health_url" ;;
    # Of the wget of busybox, not every build has a time-out of its own.
    *)
      timeout "$health_timeout" wget -q -S -O /dev/null "$@" "$health_url" 2>&1 |
        sed -n 's/^ *HTTP[^ ]* \([0-9]*\).*/\1/p' | sed -n 1p
      ;;
  esac || :
}
