//! Runs that die: the controller, the server's end of the connection, the whole server.

use std::time::Duration;

use e2e::Project;

use super::scene::{FREE_WITHIN, Sum, Watched, deploys_again, is_free, is_quiet, lives, markers, revise, shop, step};

const SERVERS: [(&str, &str); 2] = [("app1", "app"), ("app2", "app web")];

/// What must hold when a run was broken off: what is live is whole, the lock is free soon, nothing runs.
fn aftermath(project: &Project) -> Result<Vec<String>, String> {
    is_free(project, FREE_WITHIN)?;
    is_quiet(project)?;
    lives(project)
}

/// Kills the controller at each `n`th marker of `line`, on a stage where releases stand.
fn kills_the_controller(line: &str, n: usize) {
    let project = shop(&SERVERS);
    project.xtask("deploy staging").success();
    revise(&project, "two");
    project.xtask("deploy staging").success();
    revise(&project, "three");
    let total = markers(&project, line);
    let mut sum = Sum::default();
    deploys_again(&project, "four").unwrap();
    for marker in (1..=total).step_by(step(n)) {
        revise(&project, &format!("killed at {marker}"));
        let mut run = Watched::start(&project, line);
        run.until(marker);
        run.kill();
        let result = aftermath(&project).and_then(|_| deploys_again(&project, &format!("after {marker}")));
        sum.add(run.last(), result);
    }
    sum.tell(&format!("kill -9 of the controller during `{line}`"));
}

#[test]
fn the_controller_is_killed_during_a_deploy() {
    kills_the_controller("deploy staging", 13);
}

#[test]
fn the_controller_is_killed_during_a_rollback() {
    kills_the_controller("deploy rollback staging", 11);
}

#[test]
fn the_controller_is_killed_during_a_first_deploy() {
    let total = markers(&shop(&SERVERS), "deploy staging");
    let mut sum = Sum::default();
    for marker in (total / 3..=total).step_by(step(25)) {
        let project = shop(&SERVERS);
        let mut run = Watched::start(&project, "deploy staging");
        run.until(marker);
        run.kill();
        let result = aftermath(&project).and_then(|_| deploys_again(&project, &format!("after {marker}")));
        sum.add(run.last(), result);
    }
    sum.tell("kill -9 of the controller during a first deploy");
}

/// The servers must not be left with different releases.
fn same_everywhere(lives: &[String], run: &Watched) -> Result<(), String> {
    if lives.iter().all(|live| *live == lives[0]) {
        Ok(())
    } else {
        Err(format!("the servers differ: {lives:?}\n{}", run.text.lines().last().unwrap_or_default()))
    }
}

/// Kills the server's end of a connection at each `n`th marker of `line`.
fn kills_sessions(line: &str, n: usize) {
    let project = shop(&SERVERS);
    project.xtask("deploy staging").success();
    revise(&project, "two");
    project.xtask("deploy staging").success();
    let total = markers(&project, line);
    let mut sum = Sum::default();
    deploys_again(&project, "three").unwrap();
    for (round, marker) in (1..=total).step_by(step(n)).enumerate() {
        revise(&project, &format!("killed at {marker}"));
        let mut run = Watched::start(&project, line);
        run.until(marker);
        project.servers[round % 2].kill_sessions();
        run.finish(Duration::from_secs(40));
        let result = aftermath(&project)
            .and_then(|lives| same_everywhere(&lives, &run))
            .and_then(|()| deploys_again(&project, &format!("after {marker}")));
        sum.add(run.last(), result);
    }
    sum.tell(&format!("kill -9 of a server's sshd session during `{line}`"));
}

#[test]
fn a_servers_session_is_killed_during_a_deploy() {
    kills_sessions("deploy staging", 17);
}

#[test]
fn a_servers_session_is_killed_during_a_rollback() {
    kills_sessions("deploy rollback staging", 13);
}

#[test]
fn a_server_loses_its_sshd_during_a_deploy() {
    let mut project = shop(&SERVERS);
    project.xtask("deploy staging").success();
    let total = markers(&project, "deploy staging");
    let mut sum = Sum::default();
    for marker in (1..=total).step_by(step(27)) {
        revise(&project, &format!("killed at {marker}"));
        let mut run = Watched::start(&project, "deploy staging");
        let is_over = !run.until(marker);
        project.server_mut("app2").sshd.kill();
        let status = run.finish(Duration::from_secs(40));
        project.server_mut("app2").sshd.restart();
        let named = if is_over || status.success() || run.text.contains(&project.server("app2").port.to_string()) {
            Ok(())
        } else {
            Err(format!("the server is not named: {}", run.text.lines().last().unwrap_or_default()))
        };
        let result =
            named.and_then(|()| aftermath(&project)).and_then(|_| deploys_again(&project, &format!("after {marker}")));
        sum.add(run.last(), result);
    }
    sum.tell("a server's sshd is killed during `deploy staging`");
}
