//! What `passenger-config restart-app` answers, as Passenger 6.0.17 says it, and what becomes of it.

use super::*;

const SEVERAL: &str = r#"case "$*" in
  *"--instance one"*) echo "There are no Phusion Passenger(R)-served applications running whose paths begin with '/srv/shop/'." >&2 ;;
  *--instance*) echo "Restarting /srv/shop/current (production)" ;;
  *) cat >&2 <<'TEXT'
It appears that multiple Phusion Passenger(R) instances are running. Please select
a specific one by passing:

  --instance <NAME>

The following Phusion Passenger(R) instances are running:

Name                       PID      Description
--------------------------------------------------------------------------
one                        28259    Apache/2.4.71 (Debian) Phusion_Passenger/6.0.17
two                        29434    nginx/1.22.1 Phusion_Passenger/6.0.17
TEXT
  exit 1 ;;
esac"#;

const UNAUTHORIZED: &str =
    "*** ERROR: You are not authorized to query the status for this Phusion Passenger(R) instance.";

/// What comes of a restart by a Passenger that says `text` on standard error and ends with `status`.
fn says(text: &str, status: i32, table: &str) -> Ran {
    restart(table, &saying(text, status))
}

fn saying(text: &str, status: i32) -> String {
    format!("cat >&2 <<'TEXT'\n{text}\nTEXT\nexit {status}")
}

/// The same where `ps` shows `process`.
fn refuses_beside(process: &str, status: i32) -> Ran {
    let site = modern("", &saying(UNAUTHORIZED, status));
    site.program("ps", &format!("echo '{process}'"));
    on(&site)
}

#[test]
fn of_several_instances_each_restarts_the_application() {
    let run = restart("method = 'config'", SEVERAL);
    run.succeeded();
    let call = |more: &str| format!("passenger-config restart-app /srv/shop/ --ignore-app-not-running{more}");
    assert_eq!(told(&run), [call(""), call(" --instance one"), call(" --instance two")]);
    assert_eq!(run.notes(), [""; 0]);
}

#[test]
fn only_the_instances_that_are_named_restart_it() {
    let run = restart("method = 'config'\ninstances = ['two', 'my three']", SEVERAL);
    let call =
        |name: &str| format!("passenger-config restart-app /srv/shop/ --ignore-app-not-running --instance {name}");
    assert_eq!(told(&run), [call("two"), call("'my three'")]);
}

#[test]
fn nothing_to_restart_is_told_and_no_failure() {
    let none = "There are no Phusion Passenger(R)-served applications running whose paths begin with '/srv/shop/'.";
    let stopped = "*** ERROR: Phusion Passenger(R) doesn't seem to be running. If you are sure";
    for (said, status) in [(none, 0), (none, 1), (stopped, 0), (stopped, 1)] {
        let run = says(said, status, "");
        run.succeeded();
        assert_eq!(run.notes(), ["nothing was restarted: Passenger runs no application below /srv/shop/"]);
    }
}

#[test]
fn an_instance_that_does_not_run_is_told() {
    let said = "*** WARNING: there doesn't seem to be a Phusion Passenger(R) instance running with the name 'old'.";
    let run = says(said, 0, "instances = ['old']");
    assert_eq!(
        run.notes(),
        ["no instance of Passenger is called old: passenger-config list-instances names those that run"]
    );
}

#[test]
fn a_failure_is_one_and_tells_what_passenger_said() {
    let run = says("*** An error occured while communicating", 1, "");
    let said = "passenger-config restart-app ended with status 1: *** An error occured while communicating";
    fails_with(&run, &[said]);
}

/// Passenger ends with status 0 where it refuses and applications that don't run are to be ignored.
#[test]
fn a_refusal_is_a_failure_where_the_application_runs() {
    let run = refuses_beside("Passenger RubyApp: /srv/shop/current (production)", 0);
    let hint = "let sudo do it, in deploy.toml: [recipes.passenger] sudo = true";
    fails_with(&run, &["Passenger runs the application as another user than ", hint]);
}

#[test]
fn a_refusal_where_only_a_neighbour_runs_is_told() {
    let neighbour = "Passenger RubyApp: /srv/shop2/current (production)";
    let run = refuses_beside(neighbour, 0);
    run.succeeded();
    assert_eq!(run.notes().len(), 1);
    assert!(run.notes()[0].contains("sudo = true"));
    fails_with(&refuses_beside(neighbour, 1), &["Passenger runs the application as another user than "]);
}

#[test]
fn sudo_stands_before_the_prefixes_of_the_command_and_hands_variables_on() {
    let table = "sudo = true\nenv = { PASSENGER_INSTANCE_REGISTRY_DIR = '/run/p q' }\nflags = ['--rolling-restart']\n[command_prefix]\npassenger-config = 'bundle exec'";
    let site = modern(table, WORKS);
    site.program("bundle", "shift; exec \"$@\"");
    site.program("sudo", "shift; exec env \"$@\"");
    let run = on(&site);
    run.succeeded();
    let config = "restart-app /srv/shop/ --ignore-app-not-running --ignore-passenger-not-running --rolling-restart";
    assert_eq!(
        told(&run),
        [
            "bundle exec passenger-config --version".to_owned(),
            "passenger-config --version".to_owned(),
            format!("sudo -n 'PASSENGER_INSTANCE_REGISTRY_DIR=/run/p q' bundle exec passenger-config {config}"),
            format!("bundle exec passenger-config {config}"),
            format!("passenger-config {config}"),
        ]
    );
}
