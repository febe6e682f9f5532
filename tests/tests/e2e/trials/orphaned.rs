//! What a run started and what becomes of it: commands end with the run that is gone, daemons live on when it ends well.

use std::time::{Duration, Instant};

use e2e::Project;
use rustix::process::Signal;

use super::scene::{FREE_WITHIN, Watched, deploys_again, is_free, is_quiet, shop};

fn has_process(project: &Project, mark: &str) -> bool {
    project.sandbox.processes().iter().any(|line| line.contains(mark))
}

/// A command that doesn't obey must not go on beside the next deploy: it has ended before the lock is free.
#[test]
fn commands_of_a_killed_run_have_ended_before_the_lock_is_free() {
    for moment in ["before = \"deploy:starting\"", "after = \"deploy:updated\""] {
        let mut project = shop(&[("app1", "app"), ("app2", "app")]);
        project.xtask("deploy staging").success();
        let stubborn = "trap : TERM HUP; echo asleep; while :; do sleep 0.1616 || :; done";
        project.tables(&format!("[tasks.\"take:long\"]\nrun = '''{stubborn}'''\n{moment}"));
        let mut run = Watched::start(&project, "deploy staging");
        assert!(run.until_says("\"line\":\"asleep\""));
        assert!(run.until_says("\"line\":\"asleep\""));
        run.kill();
        is_free(&project, FREE_WITHIN + Duration::from_millis(500)).unwrap();
        assert!(!has_process(&project, "0.1616"), "{moment}: {:#?}", project.sandbox.processes());
        is_quiet(&project).unwrap();
        project.no_tables();
        deploys_again(&project, "two").unwrap();
    }
}

#[test]
fn daemons_that_tasks_started_live_on_after_a_run_that_ends_well() {
    for moment in ["before = \"deploy:starting\"", "after = \"deploy:published\""] {
        let mut project = shop(&[("app1", "app"), ("app2", "app")]);
        project.xtask("deploy staging").success();
        project.tables(&format!("[tasks.\"start:it\"]\nrun = \"nohup sleep 617 >/dev/null 2>&1 &\"\n{moment}"));
        let start = Instant::now();
        project.xtask("deploy staging").success();
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
        is_free(&project, Duration::ZERO).unwrap();
        std::thread::sleep(Duration::from_secs(2));
        assert_eq!(project.sandbox.processes(), ["sleep 617", "sleep 617"], "{moment}");
    }
}

/// The lock is held where it could be taken; nobody waits for a server that can't be reached.
#[test]
fn a_server_that_is_down_fails_the_run_at_once_and_leaves_no_lock_on_the_others() {
    let mut project = shop(&[("app1", "app"), ("app2", "app")]);
    project.xtask("deploy staging").success();
    project.tables("[tasks.\"first:change\"]\nrun = \"true\"\nbefore = \"deploy:starting\"");
    project.server_mut("app2").sshd.kill();
    let start = Instant::now();
    project.xtask("deploy staging").fails_with(4).says("app2");
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    is_free(&project, Duration::ZERO).unwrap();
    project.server_mut("app2").sshd.restart();
    deploys_again(&project, "two").unwrap();
}

/// A second Ctrl-C doesn't wait for anybody.
#[test]
fn told_twice_a_run_ends_at_once_and_the_servers_end_by_themselves() {
    let mut project = shop(&[("app1", "app")]);
    project.xtask("deploy staging").success();
    project.tables("[tasks.\"take:long\"]\nrun = \"trap : TERM; echo asleep; while :; do sleep 0.1919 || :; done\"\nafter = \"deploy:updated\"");
    let mut run = Watched::start(&project, "deploy staging");
    assert!(run.until_says("\"line\":\"asleep\""));
    for _ in 0..2 {
        rustix::process::kill_process(run.pid(), Signal::INT).unwrap();
        std::thread::sleep(Duration::from_millis(300));
    }
    assert_eq!(run.finish(Duration::from_secs(2)).code(), Some(130));
    is_free(&project, FREE_WITHIN + Duration::from_millis(500)).unwrap();
    is_quiet(&project).unwrap();
    project.no_tables();
    deploys_again(&project, "two").unwrap();
}
