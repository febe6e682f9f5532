//! What is live where, and what the user is told when a server is gone.

use e2e::{Project, Server};

fn with_one_down() -> Project {
    let mut project = Project::over_ssh(&[("app1", "app"), ("app2", "app")]);
    project.xtask("deploy staging").success();
    project.xtask("deploy staging").success();
    project.servers[1].sshd.kill();
    project
}

/// How the server is called by `--hosts`.
fn label(server: &Server) -> String {
    format!("{}@{}:{}", server.sshd.user(), server.sshd.address(), server.sshd.port())
}

#[test]
fn what_is_live_is_told_of_the_servers_that_answer() {
    let project = with_one_down();
    let live = project.server("app1").site.current();
    let output = project.xtask("deploy status staging").fails_with(4);
    assert!(output.stdout().contains(&format!("live        {live}")), "{output}");
    output.says("not known   failed to connect").says("failed on 1 of 2 servers");
    let output = project.xtask("deploy status staging --json").fails_with(4);
    let told: serde_json::Value = serde_json::from_str(output.stdout()).unwrap();
    assert_eq!((&told[0]["live"], &told[0]["error"]), (&serde_json::json!(live), &serde_json::Value::Null));
    assert!(told[1]["error"].as_str().unwrap().contains("failed to connect"), "{told}");
}

#[test]
fn a_look_leaves_no_log_behind() {
    let project = Project::over_ssh(&[("app1", "app")]);
    project.xtask("deploy status staging").success();
    assert!(!project.folder().join("target/deploy/log").exists());
}

#[test]
fn a_rollback_that_a_dead_server_stops_says_how_to_go_on_without_it() {
    let project = with_one_down();
    let live = project.server("app1").site.current();
    project
        .xtask("deploy rollback staging")
        .fails_with(4)
        .says("cargo xtask deploy rollback staging --hosts '!deploy@app2'");
    assert_eq!(project.server("app1").site.current(), live);
    let others = format!("!{}", label(&project.servers[1]));
    let output = project.xtask_with(&["deploy", "rollback", "staging", "--hosts", &others]).success();
    output.says("deploy:rollback staging: deploy@app1\n");
    assert_ne!(project.server("app1").site.current(), live);
}

#[test]
fn only_servers_that_take_part_are_named() {
    let project = Project::over_ssh(&[("app1", "app"), ("app2", "app")]);
    let only = label(&project.servers[0]);
    let output = project.xtask_with(&["deploy", "staging", "--hosts", &only]).success();
    output.says("deploy staging: deploy@app1\n").says_not("app2");
    let line = ["deploy", "staging", "--hosts", &only, "--format", "json"];
    let events = project.xtask_with(&line).success().json();
    assert_eq!(events[0]["servers"], serde_json::json!([only]));
    assert_eq!(events.last().unwrap()["traffic"].as_array().unwrap().len(), 1);
}
