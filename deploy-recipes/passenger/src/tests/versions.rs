//! How each version of Passenger is told to restart.

use super::*;

/// The calls after the version was asked for.
fn calls(version: &str) -> Vec<String> {
    let run = on(&site("app_path = '/srv/shop'", version, WORKS));
    run.succeeded();
    let calls = told(&run);
    assert_eq!(calls[0], "passenger-config --version");
    calls[1..].to_vec()
}

/// Whether a Passenger that says `version` is told by touching a file.
fn touches(version: &str) -> bool {
    let site = site("", version, WORKS);
    let run = on(&site);
    run.succeeded();
    let is_touched = site.read("app1", "current/tmp/restart.txt").is_some();
    assert_eq!(run.calls().len(), if is_touched { 1 } else { 2 }, "{version}");
    is_touched
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
fn each_server_is_asked_for_the_version_of_its_own() {
    for shell in SHELLS {
        let site = site("wait = 0", "", WORKS).servers(&["old app", "new app"]).shell(shell);
        let version = "case $SERVER in old) echo '4.0.32' ;; *) echo '6.0.17' ;; esac";
        site.program("passenger-config", &format!("case $1 in --version) {version} ;; *) {WORKS} ;; esac"));
        site.release("20260101000000");
        let run = on(&site);
        run.succeeded();
        let touched = |host: &str| site.read(host, "current/tmp/restart.txt").is_some();
        assert!(touched("old") && !touched("new"));
        assert_eq!((run.calls_on("old").len(), run.calls_on("new").len()), (1, 2));
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
    let said = [
        "passenger-config tells no version of Passenger, but: command not understood (status 0)",
        "say where it is, in deploy.toml: [recipes.passenger] command = \"/path/to/passenger-config\"",
        "or say how to restart, in deploy.toml: [recipes.passenger] method = \"touch\"",
    ];
    fails_with(&on(&site("", "command not understood", WORKS)), &said);
}

#[test]
fn a_server_without_the_program_is_told_what_to_do() {
    let run = on(&site("command = 'no-such-passenger'", MODERN, WORKS));
    fails_with(&run, &["`passenger:restart`: passenger-config is not on the PATH", "method = \"touch\""]);
}

#[test]
fn a_method_that_is_named_asks_for_no_version() {
    let run = restart("method = 'config'", WORKS);
    assert_eq!(told(&run), ["passenger-config restart-app /srv/shop/ --ignore-app-not-running"]);
    for shell in SHELLS {
        let site = site("method = 'touch'", MODERN, WORKS).shell(shell);
        assert_eq!(told(&on(&site)), [""; 0]);
        assert!(site.read("app1", "current/tmp/restart.txt").is_some());
    }
}
