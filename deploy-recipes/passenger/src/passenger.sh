# passenger_restart METHOD APP [INSTANCE...]: restarts what Passenger runs below the folder APP. `passenger_ask` and
# `passenger_config` run passenger-config, the second with the rights that it needs.
passenger_restart() {
  passenger_method=$1 passenger_app=$2 passenger_flags=--ignore-app-not-running
  shift 2
  if [ "$passenger_method" = auto ]; then passenger_choose; fi
  if [ "$passenger_method" = touch ]; then
    passenger_touch "$passenger_app"
    return 0
  fi
  passenger_restart_in "$@"
  if [ -z "$passenger_done" ]; then
    deploy_note "nothing was restarted: Passenger runs no application below $passenger_app/"
  fi
}
# passenger_touch APP: Passenger looks at the time of this file before it answers a request.
passenger_touch() {
  passenger_method='touch'
  release=$1/current shared=$1/shared
  must_be_inside tmp/restart.txt
  [ -d "$release/tmp" ] || mkdir -p -- "$release/tmp"
  [ ! -L "$release/tmp/restart.txt" ] || rm -f -- "$release/tmp/restart.txt"
  touch -- "$release/tmp/restart.txt"
}
# The method and the flags that this server's Passenger knows: restart-app came with 4.0.31 and works well since 4.0.33.
passenger_choose() {
  passenger_status=0
  passenger_said=$(passenger_ask --version 2>&1) || passenger_status=$?
  passenger_version=$(printf '%s\n' "$passenger_said" | passenger_version)
  passenger_problem="passenger-config tells no version of Passenger, but: $passenger_said (status $passenger_status)"
  if [ "$passenger_status" -eq 127 ]; then passenger_problem='passenger-config is not on the PATH'; fi
  if [ -z "$passenger_version" ]; then
    deploy_fail "$passenger_problem" \
      'say where it is, in deploy.toml: [recipes.passenger] command = "/path/to/passenger-config"' \
      'or say how to restart, in deploy.toml: [recipes.passenger] method = "touch"'
  fi
  passenger_version=$(passenger_number "$passenger_version")
  passenger_method=config
  if [ "$passenger_version" -lt 4000033 ]; then passenger_method='touch'; fi
  # A version that doesn't know a flag ends without restarting anything.
  if [ "$passenger_version" -lt 4000041 ]; then passenger_flags=''; fi
  if [ "$passenger_version" -ge 5000013 ]; then
    passenger_flags="$passenger_flags --ignore-passenger-not-running"
  fi
}
# The version in what Passenger says of itself, whatever stands around it; of several lines the last.
passenger_version() {
  sed -n -e 's/^.*Phusion Passenger[^0-9]* \([0-9][0-9]*\.[0-9.]*[0-9]\).*$/\1/p' \
    -e 's/^\([0-9][0-9]*\.[0-9][0-9]*\.[0-9.]*[0-9]\)$/\1/p' | sed -n '$p'
}
# 5.0.13 as 5000013. To be called in a shell of its own: it changes IFS.
passenger_number() {
  IFS=.
  set -- $1
  echo "$((${1:-0} * 1000000 + ${2:-0} * 1000 + ${3:-0}))"
}
# In the instances that are named, else in every one that runs.
passenger_restart_in() {
  if [ $# -eq 0 ]; then
    passenger_restart_app
    case $passenger_said in
      *"multiple "*"instances are running"*)
        passenger_names=$(printf '%s\n' "$passenger_said" | sed -e '1,/^-----/d' -e 's/ .*//')
        set -- $passenger_names
        ;;
      *) passenger_judge ;;
    esac
  fi
  for passenger_instance; do
    passenger_restart_app --instance "$passenger_instance"
    passenger_judge
  done
}
# passenger-config takes the path for a beginning of paths: with the slash, /srv/app is not /srv/app2.
passenger_restart_app() {
  passenger_status=0
  passenger_said=$(passenger_config restart-app "$passenger_app/" $passenger_flags "$@" 2>&1) || passenger_status=$?
}
passenger_judge() {
  printf '%s\n' "$passenger_said"
  case $passenger_said in
    *"not authorized"*) passenger_refused ;;
    *"There are no "*" applications running"* | *"doesn't seem to be running"*) passenger_warned ;;
    *"doesn't seem to be a "*)
      passenger_done=told
      deploy_note "no instance of Passenger is called $passenger_instance: passenger-config list-instances names those that run"
      ;;
    *"Restarting "*)
      [ "$passenger_status" -eq 0 ] || passenger_failed
      passenger_warned
      passenger_done=yes
      ;;
    *)
      [ "$passenger_status" -eq 0 ] || passenger_failed
      passenger_warned
      ;;
  esac
}
# What Passenger warns of is for everybody to see.
passenger_warned() {
  case $passenger_said in *'*** WARNING: '*) deploy_note "Passenger warns: ${passenger_said#*'*** WARNING: '}" ;; esac
}
passenger_failed() {
  deploy_fail "passenger-config restart-app ended with status $passenger_status: $passenger_said"
}
# Passenger tells a user other than root of that user's applications only, and with --ignore-app-not-running it calls it
# a success. An idle application has no process, and then there is nothing to restart.
passenger_refused() {
  passenger_processes=$(ps -eo args 2>/dev/null || ps -o args 2>/dev/null) || :
  case $passenger_status:$passenger_processes in
    0:*"App: $passenger_app/"* | 0:*"AppPreloader: $passenger_app/"* | [!0]*)
      deploy_fail "Passenger runs the application as another user than $(id -un), who may not restart it" \
        'let sudo do it, in deploy.toml: [recipes.passenger] sudo = true'
      ;;
  esac
  passenger_done=told
  deploy_note "nothing was restarted: if Passenger runs the application as another user than $(id -un), say sudo = true in [recipes.passenger]"
}
