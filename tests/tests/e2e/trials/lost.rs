//! Locks whose holder is gone, or is thought to be.

use std::time::{Duration, Instant};

use e2e::Project;
use rustix::process::{Pid, Signal};

use super::scene::{Watched, deploys_again, is_free, is_quiet, lives, revise, shop};

/// A shop whose deploys sleep once the new release is there.
fn slow_shop(servers: &[(&str, &str)], seconds: u32) -> Project {
    let mut project = shop(servers);
    project.xtask("deploy staging").success();
    project
        .tables(&format!("[tasks.\"take:long\"]\nrun = \"echo asleep; sleep {seconds}\"\nafter = \"deploy:updated\""));
    revise(&project, "two");
    project
}

fn now() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs().cast_signed()
}

/// A lock that a run left on a server, whose last beat was so many seconds ago.
pub(super) fn forge_lock(project: &Project, server: &str, age: i64) {
    let site = &project.server(server).site;
    site.write(".deploy/lock", "feedfeed\neve on faraway since 2026-01-01 00:00:00 UTC: deploy (process 7)\nhost:22\n");
    site.write(".deploy/lock.feedfeed.beat", &format!("{}\n", now() - age));
}

/// Ends every program of ours on the servers, and the connections, as when a machine dies. Nobody frees the lock.
fn vanish(project: &Project) {
    let mut find = project.sandbox.command("sh");
    find.args([
        "-c",
        r#"for dir in /proc/[0-9]*; do
  if tr '\0' '\n' <"$dir/environ" 2>/dev/null | grep -qx "E2E_SANDBOX=$E2E_SANDBOX"; then echo "${dir#/proc/}"; fi
done"#,
    ]);
    let output = find.output().expect("sh runs");
    for pid in String::from_utf8_lossy(&output.stdout).lines().filter_map(|line| Pid::from_raw(line.parse().ok()?)) {
        let _ = rustix::process::kill_process(pid, Signal::KILL);
    }
    project.servers.iter().for_each(e2e::Server::kill_sessions);
}

#[test]
fn a_lock_without_a_beat_is_taken_over_on_whichever_servers_it_was_left() {
    let project = shop(&[("app1", "app"), ("app2", "app")]);
    project.xtask("deploy staging").success();
    forge_lock(&project, "app2", 31);
    project.xtask("deploy staging").success().says("took over a lock whose holder is gone: eve on faraway");
    assert_eq!(lock_files(&project), [""; 0]);
    forge_lock(&project, "app1", 3);
    project.xtask("deploy staging").fails_with(5).says("the stage is locked by eve on faraway");
    assert!(!project.server("app2").site.exists(".deploy/lock"));
}

#[test]
fn a_lock_whose_holder_vanished_is_waited_out_and_taken_over() {
    let project = slow_shop(&[("app1", "app")], 612);
    let mut run = Watched::start(&project, "deploy staging");
    assert!(run.until_says("\"line\":\"asleep\""));
    let gone = Instant::now();
    vanish(&project);
    run.finish(Duration::from_secs(40));
    assert!(project.server("app1").site.exists(".deploy/lock"), "nobody was there to free the lock");
    let mut project = project;
    project.no_tables();
    revise(&project, "three");
    project.xtask("deploy staging --lock-wait 90s").success().says("took over a lock whose holder is gone");
    assert!(gone.elapsed() < Duration::from_secs(45), "{:?}", gone.elapsed());
    deploys_again(&project, "four").unwrap();
    is_quiet(&project).unwrap();
}

#[test]
fn a_beat_from_the_future_is_no_life() {
    if !e2e::full() {
        return;
    }
    let project = shop(&[("app1", "app")]);
    project.xtask("deploy staging").success();
    forge_lock(&project, "app1", -86_400);
    project.xtask("deploy staging").success().says("took over a lock whose holder is gone");
}

/// The controller is stopped, not killed: it comes back when its lock is somebody else's.
#[test]
fn a_run_that_comes_back_after_its_lock_was_taken_over_publishes_nothing() {
    if !e2e::full() {
        return;
    }
    let mut project = slow_shop(&[("app1", "app"), ("app2", "app")], 613);
    let mut run = Watched::start(&project, "deploy staging");
    assert!(run.until_says("\"line\":\"asleep\""));
    rustix::process::kill_process(run.pid(), Signal::STOP).unwrap();
    project.no_tables();
    revise(&project, "three");
    project.xtask("deploy staging --lock-wait 90s").success();
    let after = lives(&project).unwrap();
    rustix::process::kill_process(run.pid(), Signal::CONT).unwrap();
    assert_eq!(run.finish(Duration::from_secs(60)).code(), Some(5), "{}", run.errors(&project));
    assert_eq!(lives(&project).unwrap(), after);
    is_free(&project, Duration::ZERO).unwrap();
    is_quiet(&project).unwrap();
}

#[test]
fn a_run_whose_lock_was_broken_is_ended_and_publishes_nothing() {
    let mut project = slow_shop(&[("app1", "app"), ("app2", "app")], 614);
    let before = lives(&project).unwrap();
    let run = project.start("deploy staging --verbose");
    run.wait_for("asleep");
    project
        .xtask("deploy staging")
        .fails_with(5)
        .says("locked by ada on")
        .says("since")
        .says("--lock-wait 5m")
        .says("deploy unlock staging --force");
    project.xtask("deploy unlock staging").fails_with(1).says("that run is alive").says("--force");
    project.xtask("deploy status staging").success().says("locked      by ada on");
    let json = project.xtask("deploy status staging --json").success();
    let status: serde_json::Value = serde_json::from_str(json.stdout()).unwrap();
    assert!(status.to_string().contains("ada on"), "{status}");
    project.xtask("deploy unlock staging --force").success().says("broke the lock of ada on");
    run.wait()
        .fails_with(5)
        .says("this run no longer holds the stage's lock")
        .says("ada broke it by `deploy unlock --force`");
    assert_eq!(lives(&project).unwrap(), before);
    project.no_tables();
    project.xtask("deploy unlock staging").success().says("there is no lock");
    deploys_again(&project, "three").unwrap();
    assert_eq!(lock_files(&project), [""; 0]);
}

#[test]
fn servers_that_differ_stand_out() {
    let project = shop(&[("app1", "app"), ("app2", "app web")]);
    project.xtask("deploy staging").success();
    project.xtask("deploy status staging").success().says_not("the same release");
    revise(&project, "two");
    project.xtask("deploy staging --roles web").success();
    project.xtask("deploy status staging").success().says("the servers don't have the same release live");
}

fn lock_files(project: &Project) -> Vec<String> {
    let names = project.sites().into_iter().flat_map(|site| site.list(".deploy"));
    // A word for a run that may come back stays for a day.
    names.filter(|name| name.starts_with("lock") && !name.ends_with(".lost")).collect()
}
