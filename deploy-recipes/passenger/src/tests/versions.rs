//! How each version of Passenger is told to restart.

use super::*;

/// The calls after the version was asked for.
fn calls(version: &str) -> Vec<String> {
    let outcome = restart(&Site::new(version, "echo Restarting /srv/shop/current"), "app_path = '/srv/shop'");
    assert_eq!((outcome.status, outcome.calls[0].as_str()), (Some(0), "passenger-config --version"), "{outcome:?}");
    outcome.calls[1..].to_vec()
}

/// Whether a Passenger that says `version` is told by touching a file.
fn touches(version: &str) -> bool {
    let site = Site::new(version, "echo Restarting it");
    let outcome = site.run(|root| recipe("").script(root, &[]).then(sh!("ls {}", format!("{root}/current"))));
    assert_eq!(outcome.status, Some(0), "{version}: {outcome:?}");
    outcome.calls.len() == 1
}

#[test]
fn every_way_to_tell_a_version_is_understood() {
    for text in [
        "Phusion Passenger version 4.0.32",
        "Phusion Passenger Enterprise version 4.0.32",
        "Phusion Passenger 4.0.32",
        "Phusion Passenger(R) 4.0.32",
        "Phusion Passenger(R) Enterprise 4.0.32",
        "Phusion Passenger(R) Enterprise version 4.0.32",
        "4.0.32",
        "rbenv: version 2.1.5 is not installed\nPhusion Passenger version 4.0.32",
        "/usr/lib/ruby/3.0.0/x.rb:10: warning: obsolete 9.9.9\nPhusion Passenger version 4.0.32",
        "Phusion Passenger version 4.0.32\n\n\"Phusion Passenger\" is a trademark of Phusion.",
    ] {
        assert!(touches(text), "{text}");
        assert!(!touches(&text.replace("4.0.32", "4.0.33")), "{text}");
    }
}

#[test]
fn versions_are_compared_as_numbers() {
    for old in ["3.0.21", "4.0.5", "4.0.32", "2.2.15"] {
        assert!(touches(&format!("Phusion Passenger version {old}")), "{old}");
    }
    for new in ["4.0.33", "4.0.100", "4.1", "5.0.0.rc1", "5.0.0.beta1", "10.0.0"] {
        assert!(!touches(&format!("Phusion Passenger version {new}")), "{new}");
    }
}

#[test]
fn a_version_gets_only_flags_that_it_knows() {
    let with = |flags: &str| vec![format!("passenger-config restart-app /srv/shop/{flags}")];
    assert_eq!(calls("Phusion Passenger version 4.0.33"), with(""));
    assert_eq!(calls("Phusion Passenger version 4.0.41"), with(" --ignore-app-not-running"));
    assert_eq!(calls("Phusion Passenger version 5.0.12"), with(" --ignore-app-not-running"));
    let both = with(" --ignore-app-not-running --ignore-passenger-not-running");
    assert_eq!(calls("Phusion Passenger 5.0.13"), both);
    assert_eq!(calls(MODERN), both);
}

#[test]
fn an_answer_without_a_version_is_told_with_what_to_do() {
    let outcome = restart(&Site::new("command not understood", ":"), "");
    assert_eq!(outcome.status, Some(1));
    assert_eq!(
        outcome.failure,
        [
            "passenger-config tells no version of Passenger, but: command not understood (status 0)",
            "say where it is, in deploy.toml: [recipes.passenger] command = \"/path/to/passenger-config\"",
            "or say how to restart, in deploy.toml: [recipes.passenger] method = \"touch\"",
        ]
    );
}

#[test]
fn a_server_without_the_program_is_told_what_to_do() {
    let outcome = restart(&Site::default(), "command = 'no-such-passenger'");
    assert_eq!(outcome.status, Some(1));
    assert_eq!(outcome.failure[0], "passenger-config is not on the PATH");
}

#[test]
fn a_method_that_is_named_asks_for_no_version() {
    let outcome = restart(&Site::modern(), "method = 'config'");
    assert_eq!(outcome.calls, ["passenger-config restart-app /srv/shop/ --ignore-app-not-running"]);
    let outcome = Site::modern().run(|root| {
        let touched = format!("{root}/current/tmp/restart.txt");
        recipe("method = 'touch'").script(root, &[]).then(sh!("[ -f {} ] && deploy_note touched", touched))
    });
    assert_eq!((outcome.calls.len(), outcome.notes), (0, vec!["touched".to_owned()]));
}
