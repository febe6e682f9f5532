//! Tasks that a project adds in Rust.

use std::fs;

use e2e::Project;
use insta::assert_snapshot;

fn project(servers: &[(&str, &str)]) -> Project {
    let mut project = Project::over_ssh(servers);
    let trace = project.sandbox.join("trace");
    project.tool(e2e::own_tasks()).tables(&format!("[default_env]\nTRACE = {trace:?}"));
    fs::write(project.folder().join("page"), [0, 1, 2, 255].repeat(500_000)).unwrap();
    project
}

#[test]
fn tasks_of_every_kind_take_their_places_in_a_deploy() {
    let project = project(&[("app1", "app web"), ("app2", "app"), ("app3", "app"), ("db1", "db no_release")]);
    project.xtask("deploy staging").success();
    assert_eq!(fs::read_to_string(project.folder().join("asked")).unwrap(), "asked\n", "once, here");
    let uploaded = |name: &str| fs::read(project.server(name).site.join("shared/page")).ok();
    assert_eq!(uploaded("app1"), fs::read(project.folder().join("page")).ok());
    assert_eq!(project.server("app1").site.mode("shared/page"), 0o640);
    assert_eq!(uploaded("app2"), None, "it is no web server");
    let trace = fs::read_to_string(project.sandbox.join("trace")).unwrap();
    assert_eq!(trace, "begin\nend\n".repeat(3), "one server after the other");
}

#[test]
fn a_rolling_task_serves_a_rollback_too() {
    let project = project(&[("app1", "app"), ("app2", "app")]);
    project.xtask("deploy staging").success();
    project.xtask("deploy staging").success();
    project.xtask("deploy rollback staging").success();
    let trace = fs::read_to_string(project.sandbox.join("trace")).unwrap();
    assert_eq!(trace, "begin\nend\n".repeat(6));
}

#[test]
fn no_failure_inside_a_script_is_taken_for_success() {
    let project = project(&[("app1", "app")]);
    project.xtask("deploy staging").success();
    for way in ["first-of-a-pipe", "subshell", "function", "if-body", "when-body", "background", "middle"] {
        let id = format!("broken:{}", way.replace('-', "_"));
        project.xtask(&format!("broken {way} staging")).fails_with(1).says(&id).says("status 3");
    }
    project.xtask("broken early-exit staging").fails_with(1).says("broken:early_exit");
    assert!(!project.server("app1").site.exists("current/after-the-failure"));
}

#[test]
fn the_failing_command_of_a_script_is_the_one_that_is_named() {
    let project = project(&[("app1", "app")]);
    project.xtask("deploy staging").success();
    let output = project.xtask("broken middle staging").fails_with(1);
    output.says("sh -c 'echo oh no; exit 3'").says("oh no").says("2 of 4");
}

#[test]
fn errors_of_rust_bodies_tell_their_causes() {
    let project = project(&[("app1", "app")]);
    project.xtask("deploy staging").success();
    project.xtask("broken on-host staging").fails_with(1).says("the server would not").says("status 3");
    project.xtask("broken local staging").fails_with(1).says("the controller would not");
}

#[test]
fn a_file_that_is_not_there_stops_the_deploy_before_it_is_published() {
    let project = project(&[("app1", "app web")]);
    fs::remove_file(project.folder().join("page")).unwrap();
    project.xtask("deploy staging").fails_with(1).says("the page is not there").says("project/page");
    assert!(!project.server("app1").site.has_current());
}

#[test]
fn a_result_stands_alone_on_standard_output() {
    let project = project(&[("app1", "app web")]);
    let output = project.xtask("page archive").success();
    assert_eq!(output.stdout(), "page.staging\n");
    assert_snapshot!(output, @r"
    page.staging
    ------- stderr -------
    page:archive staging
    MM:SS page:archive
          copy: N MB in N s, N B/s
          a stage was named: false
          N s
    `page:archive` ran in N s
    ");
    assert_eq!(project.server("app1").sshd.connections(), 0, "it runs here alone");
    let output = project.xtask("page archive --stage staging -q").success();
    assert_eq!((output.stdout(), output.stderr()), ("page.staging\n", ""));
}

#[test]
fn with_json_a_result_is_an_object_before_the_last() {
    let project = project(&[("app1", "app web")]);
    let events = project.xtask("page:archive staging --format json").success().json();
    let [.., note, finished, result, end] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((&note["text"], &finished["type"]), (&"a stage was named: true".into(), &"task_finished".into()));
    assert_eq!((&result["type"], &result["text"]), (&"result".into(), &"page.staging\n".into()));
    assert_eq!(end["type"], "finished");
    let mut bytes = events.iter().filter(|event| event["type"] == "progress").map(|event| event["bytes"].as_u64());
    assert_eq!(bytes.next_back().flatten(), Some(2_000_000));
    let events = project.xtask("deploy status staging --format json").success().json();
    assert!(events.iter().any(|event| event["type"] == "result" && event["text"].to_string().contains("nothing")));
}

#[test]
fn a_stage_that_is_an_option_is_checked_before_anything_runs() {
    let project = project(&[("app1", "app web")]);
    project.xtask("page archive --stage stagin").fails_with(2).says("did you mean `staging`?");
    project.xtask("page archive stage=staging").fails_with(2).says("did you mean `--stage staging`?");
    project.xtask("page archive staging --stage staging").fails_with(2).says("takes one stage");
    project.xtask("page archive --plan").success().says("copy `page` to `page.staging`");
    project.xtask("page archive --dry-run").success().says("copy `page` to `page.staging`");
    assert!(!project.folder().join("page.staging").exists());
}
