//! Which words and flags mean which request.

use super::*;

#[test]
fn a_task_is_spelled_with_spaces_or_colons_dashes_or_underscores() {
    for line in [
        &["deploy", "check", "linked-files", "staging"][..],
        &["deploy", "check", "linked_files", "staging"],
        &["deploy:check:linked_files", "staging"],
        &["deploy:check:linked-files", "staging"],
        &["deploy", "check:linked_files", "staging"],
        &["deploy:check", "linked-files", "staging"],
    ] {
        let request = run(line);
        assert_eq!(
            (request.task.as_str(), request.stage.name().unwrap()),
            ("deploy:check:linked_files", "staging"),
            "{line:?}"
        );
    }
}

#[test]
fn a_word_that_is_a_task_and_a_family_takes_a_stage_or_a_task() {
    assert_eq!(run(&["deploy", "staging"]).task.as_str(), "deploy");
    assert_eq!(run(&["deploy", "rollback", "staging"]).task.as_str(), "deploy:rollback");
    assert_eq!(run(&["deploy", "--", "rollback"]).stage.name(), Some("rollback"));
}

#[test]
fn options_stand_before_and_after_words() {
    for line in [
        &["deploy", "rollback", "staging", "--plan", "-v"][..],
        &["deploy", "rollback", "--plan", "-v", "staging"],
        &["-v", "deploy", "rollback", "--plan", "staging"],
    ] {
        let request = run(line);
        assert_eq!((request.mode, request.verbosity), (Mode::Plan, Verbosity::Verbose), "{line:?}");
    }
}

#[test]
fn values_that_look_like_tasks_are_values() {
    assert_eq!(run(&["deploy", "--branch", "deploy:rollback", "staging"]).set, ["branch=\"deploy:rollback\""]);
    assert_eq!(run(&["deploy", "--revision", "rollback", "staging"]).set, ["branch=\"rollback\""]);
    assert_eq!(run(&["deploy", "--set", "branch=\"a:b\"", "staging"]).set, ["branch=\"a:b\""]);
    assert_eq!(run(&["cache", "clear", "--key", "cache:clear", "staging"]).options["key"], "cache:clear");
    assert_eq!(run(&["deploy", "--lock-wait", "5m", "staging"]).lock_wait.as_secs(), 300);
}

#[test]
fn lists_are_split_at_commas_and_add_up() {
    let request = run(&["deploy", "staging", "--hosts", "a,b", "--hosts=c", "--roles=app"]);
    assert_eq!(
        (request.filter.hosts, request.filter.roles),
        (vec!["a".into(), "b".into(), "c".into()], vec!["app".into()])
    );
}

#[test]
fn a_command_of_the_project_gets_everything_after_it() {
    let Parsed::Request(Request::Command(name, args)) = parsed(&["test", "-x", "--help", "deploy:check", "a b"]) else {
        panic!("a command");
    };
    assert_eq!(
        (name.as_str(), args),
        ("test", vec!["-x".into(), "--help".into(), "deploy:check".into(), "a b".into()])
    );
}

#[test]
fn the_configuration_may_be_named_anywhere_before_two_dashes() {
    let file = |line: &[&str]| config_file(&args(line)).map(|file| file.display().to_string());
    assert_eq!(file(&["deploy", "--config", "x.toml", "staging"]).as_deref(), Some("x.toml"));
    assert_eq!(file(&["--config=x.toml", "deploy", "staging"]).as_deref(), Some("x.toml"));
    assert_eq!(file(&["deploy", "--", "--config=x.toml"]), None);
    assert_eq!(run(&["deploy", "--config", "deploy:check", "staging"]).stage.name(), Some("staging"));
}
