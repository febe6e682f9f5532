//! Runs that are told to stop, by Ctrl-C or by SIGTERM.

use std::time::Duration;

use e2e::Project;
use rustix::process::Signal;

use super::scene::{FREE_WITHIN, Sum, Watched, deploys_again, is_free, is_quiet, lives, revise, shop, step};

/// The moments of a deploy, and whether the new release stays live when the run stops there.
const MOMENTS: [(&str, bool); 5] = [
    ("before = \"deploy:starting\"", false),
    ("after = \"deploy:updated\"", false),
    ("after = \"deploy:symlink:release\"", false),
    ("after = \"deploy:published\"", true),
    ("after = \"deploy:finishing\"", true),
];

/// A shop where one release is live, a task sleeps at `moment`, and a failure leaves a mark on each server.
fn slow_shop(moment: &str) -> Project {
    let mut project = shop(&[("app1", "app"), ("app2", "app web")]);
    project.xtask("deploy staging").success();
    project.tables(&format!("[tasks.\"take:long\"]\nrun = \"echo asleep; sleep 611\"\n{moment}"));
    project.tables("[tasks.\"mark:failure\"]\nrun = \"touch ../failed ../../failed\"\nafter = \"deploy:failed\"");
    revise(&project, "two");
    project
}

fn interrupt(moment: &str, stays: bool, signal: Signal, status: i32) -> Result<(), String> {
    let mut project = slow_shop(moment);
    let before = lives(&project)?;
    let mut run = Watched::start(&project, "deploy staging");
    run.until_says("\"line\":\"asleep\"");
    run.until_says("\"line\":\"asleep\"");
    rustix::process::kill_process(run.pid(), signal).map_err(|error| error.to_string())?;
    let ended = run.finish(Duration::from_secs(20));
    if ended.code() != Some(status) {
        return Err(format!("ended with {ended}:\n{}", run.errors(&project)));
    }
    is_free(&project, FREE_WITHIN)?;
    is_quiet(&project)?;
    let after = lives(&project)?;
    let errors = run.errors(&project);
    for (live, server) in after.iter().zip(&project.servers) {
        let line = errors.lines().find(|line| line.contains(&format!("release {live} is live on")));
        if !line.is_some_and(|line| line.contains(&server.port.to_string())) {
            return Err(format!("does not say that {live} is live on {}:\n{errors}", server.name));
        }
    }
    if (after != before) != stays || after[0] != after[1] {
        return Err(format!("live before: {before:?}, after: {after:?}"));
    }
    let marks = project.sites().iter().filter(|site| site.exists("failed") || site.exists("releases/failed")).count();
    if marks != 2 {
        return Err(format!("`deploy:failed` ran on {marks} servers:\n{errors}"));
    }
    project.no_tables();
    deploys_again(&project, "three")
}

#[test]
fn told_to_stop_a_run_ends_what_it_started_and_says_what_is_live() {
    let mut sum = Sum::default();
    let cases = MOMENTS.iter().flat_map(|moment| [(moment, Signal::INT, 130), (moment, Signal::TERM, 143)]);
    for ((moment, stays), signal, status) in cases.step_by(step(3)) {
        sum.add(&format!("{moment}, {status}"), interrupt(moment, *stays, signal, status));
    }
    sum.tell("interrupted deploys");
}

#[test]
fn a_first_deploy_that_is_interrupted_leaves_nothing_live() {
    let mut project = shop(&[("app1", "app"), ("app2", "app")]);
    project.tables(
        "[tasks.\"take:long\"]\nrun = \"echo asleep; sleep 611\"\nroles = [\"app\"]\nafter = \"deploy:symlink:release\"",
    );
    let mut run = Watched::start(&project, "deploy staging");
    run.until_says("\"line\":\"asleep\"");
    rustix::process::kill_process(run.pid(), Signal::INT).unwrap();
    assert_eq!(run.finish(Duration::from_secs(20)).code(), Some(130));
    assert_eq!(lives(&project).unwrap(), ["nothing", "nothing"]);
    assert!(run.errors(&project).contains("nothing is live on"), "{}", run.errors(&project));
    project.no_tables();
    deploys_again(&project, "two").unwrap();
}

/// A run that waits for a slow server has the lock on the others.
#[test]
fn a_run_that_is_interrupted_while_it_waits_for_the_lock_frees_it_and_says_interrupted() {
    let mut project = shop(&[("app1", "app"), ("app2", "app")]);
    project.xtask("deploy staging").success();
    project.tables("[tasks.\"first:change\"]\nrun = \"true\"\nbefore = \"deploy:starting\"");
    let proxy = e2e::Proxy::to(project.server("app2").port);
    project.server_mut("app2").behind(&proxy);
    proxy.delay(Duration::from_millis(400));
    let mut run = Watched::start(&project, "deploy staging");
    assert!(run.until_says("\"task_finished\",\"task\":\"deploy:lock\""), "{}", run.text);
    rustix::process::kill_process(run.pid(), Signal::INT).unwrap();
    let ended = run.finish(Duration::from_secs(20));
    assert_eq!(ended.code(), Some(130), "{}", run.errors(&project));
    is_free(&project, FREE_WITHIN).unwrap();
    proxy.delay(Duration::ZERO);
    deploys_again(&project, "two").unwrap();
}
