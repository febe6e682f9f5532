//! Runs that are stopped, lose their lock meanwhile, and wake up: a sleeping laptop.

use std::time::Duration;

use e2e::Project;
use rustix::process::{Signal, kill_process};

use super::scene::{Sum, Watched, deploys_again, is_free, lives, markers, revise, shop, step};

const SERVERS: [(&str, &str); 2] = [("app1", "app"), ("app2", "app web")];

/// All that a deploy changes on the servers.
fn state(project: &Project) -> String {
    let one = |site: &&e2e::Site| [site.tree(), site.read("revisions.log"), site.read(".deploy/releases")].concat();
    project.sites().iter().map(one).collect()
}

/// Whether a server said, in what the run told so far, that the run has its lock.
fn has_lock(run: &Watched) -> bool {
    run.text.lines().any(|line| line.contains("\"type\":\"task_finished\"") && line.contains("\"deploy:lock\""))
}

/// How many lines each server has of what was deployed.
fn deployed(project: &Project) -> Vec<usize> {
    project.sites().iter().map(|site| site.revisions().len()).collect()
}

/// A deploy of something new as a colleague does it, on another machine: the cache of this one is the stopped run's.
fn deploys_elsewhere(project: &Project, text: &str) -> Result<(), String> {
    revise(project, text);
    let mut command = project.command(&["deploy", "staging"]);
    command.env("CARGO_TARGET_DIR", project.sandbox.join("elsewhere"));
    let output = project.sandbox.run(command);
    let is_new = |site: &&e2e::Site| site.read("current/index.html").trim() == text;
    if output.ending() == "exit status: 0" && project.sites().iter().all(is_new) {
        Ok(())
    } else {
        Err(format!("the other run failed:\n{output}"))
    }
}

/// Another run breaks the lock and deploys while `run` is stopped. When that wakes, it changes nothing, says why, and exits
/// with 5; one that didn't have the lock yet, or was done, may go on.
fn sleeps(project: &Project, run: &mut Watched, began: &[usize], text: &str) -> Result<(), String> {
    kill_process(run.pid(), Signal::STOP).expect("a running process can be stopped");
    let locked = has_lock(run);
    let unlocked = project.xtask("deploy unlock staging --force");
    let took = unlocked.stdout().contains("broke the lock") || unlocked.stderr().contains("broke the lock");
    let is_done = deployed(project).iter().zip(began).all(|(now, began)| now > began);
    let other = deploys_elsewhere(project, text);
    let before = state(project);
    kill_process(run.pid(), Signal::CONT).expect("a stopped process can go on");
    let status = run.finish(Duration::from_secs(60));
    other?;
    is_free(project, Duration::from_secs(2))?;
    lives(project)?;
    if !took {
        // Then the run ends as if nothing had been: well, unless it was about to take the lock.
        return if locked && !status.success() {
            Err(format!("nobody had its lock, and it ended with {status}"))
        } else {
            Ok(())
        };
    }
    let errors = run.errors(project);
    if state(project) != before {
        return Err(format!("it changed something: {}\n{before}\n{}", state(project), errors));
    }
    // Whoever was done in time has nothing to lose.
    if is_done && status.success() {
        return Ok(());
    }
    if status.code() != Some(5) || !errors.contains("no longer holds the stage's lock") {
        return Err(format!("it ended with {status}: {errors}"));
    }
    if errors.contains("broke it by") || errors.contains("now it is locked by") {
        Ok(())
    } else {
        Err(format!("nobody is named: {errors}"))
    }
}

/// Stops the controller at each `n`th marker of `line`.
fn stops(line: &str, n: usize) {
    let project = shop(&SERVERS);
    project.xtask("deploy staging").success();
    deploys_again(&project, "two").unwrap();
    revise(&project, "three");
    let total = markers(&project, line);
    let mut sum = Sum::default();
    deploys_again(&project, "four").unwrap();
    for marker in (n.min(3)..=total).step_by(step(n)) {
        revise(&project, &format!("stopped at {marker}"));
        let began = deployed(&project);
        let mut run = Watched::start(&project, line);
        if !run.until(marker) {
            continue;
        }
        let result = sleeps(&project, &mut run, &began, &format!("beside {marker}"));
        sum.add(&format!("{marker}: {}", run.last()), result);
    }
    sum.tell(&format!("stopped and woken during `{line}`"));
}

#[test]
fn a_deploy_that_lost_its_lock_while_it_was_stopped_changes_nothing() {
    stops("deploy staging", 25);
}

#[test]
fn a_rollback_that_lost_its_lock_while_it_was_stopped_changes_nothing() {
    if e2e::full() {
        stops("deploy rollback staging", 1);
    }
}
