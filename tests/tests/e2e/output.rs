//! Output for programs, for the impatient, and in large amounts.

use std::fs;

use e2e::Project;

#[test]
fn events_are_json_from_the_first_line_to_the_last() {
    let mut project = Project::over_ssh(&[("app1", "app"), ("app2", "app")]);
    project.tables("[tasks.\"say:it\"]\nrun = 'echo \"said \\\"it\\\"\"'\nafter = \"deploy:updated\"");
    let events = project.xtask("deploy staging --format json").success().json();
    let kind = |name: &str| events.iter().filter(|event| event["type"] == name).count();
    assert_eq!(events.first().unwrap()["type"], "started");
    assert_eq!(events.last().unwrap()["type"], "finished");
    assert_eq!(kind("connected"), 2);
    let said = events.iter().filter(|event| event["type"] == "output" && event["line"] == "said \"it\"").count();
    assert_eq!(said, 2);
}

#[test]
fn a_failure_is_json_too() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    project.tables("[tasks.\"break:it\"]\nrun = \"echo oh >&2; exit 6\"\nafter = \"deploy:updated\"");
    let events = project.xtask("deploy staging --format json").fails_with(1).json();
    let finished = events.last().unwrap();
    assert_eq!(finished["type"], "finished");
    assert!(finished["error"].as_str().unwrap().contains("break:it"), "{finished}");
    let failed = events.iter().find(|event| event["outcome"] == "failed").expect("a step failed");
    assert!(failed.to_string().contains("exit 6") && failed.to_string().contains("oh"), "{failed}");
}

#[test]
fn quiet_shows_nothing_of_what_works_and_all_of_what_fails() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    let output = project.xtask("deploy staging --quiet").success();
    assert_eq!(output.stdout(), "");
    project.tables("[tasks.\"break:it\"]\nrun = \"exit 6\"\nafter = \"deploy:updated\"");
    project.xtask("deploy staging --quiet").fails_with(1).says("break:it").says("status 6");
}

#[test]
fn much_output_is_neither_lost_nor_kept_in_memory() {
    let megabytes = if e2e::full() { 100 } else { 8 };
    let mut project = Project::over_ssh(&[("app1", "app")]);
    let lines = megabytes * 1000;
    project.tables(&format!(
        "[tasks.\"say:much\"]\nrun = \"head -c {megabytes}000000 /dev/zero | tr '\\\\0' x | fold -w 1000; echo; echo end\"\n\
         after = \"deploy:updated\""
    ));
    let deploy = project.command(&["deploy", "staging"]);
    let mut limited = project.sandbox.command("sh");
    limited.current_dir(project.folder()).args(["-c", "ulimit -v 400000; exec \"$@\"", "sh"]);
    limited.arg(deploy.get_program()).args(deploy.get_args());
    project.sandbox.run(limited).success();
    let logs = project.folder().join("target/deploy/log");
    let log = fs::read_dir(logs).unwrap().flatten().next().expect("there is a log").path();
    let text = fs::read_to_string(log).unwrap();
    let whole = "x".repeat(1000);
    assert_eq!(text.lines().filter(|line| line.contains(&whole)).count(), lines);
}
