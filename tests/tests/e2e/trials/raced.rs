//! Two runs at once.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use e2e::{Project, Running};

use super::scene::{Sum, Watched, deploys_again, is_free, lives, revise, rounds, shop, tell};

const SERVERS: [(&str, &str); 3] = [("app1", "app"), ("app2", "app web"), ("app3", "app")];

/// A shop whose deploys take long enough to meet.
fn unhurried_shop() -> Project {
    let mut project = shop(&SERVERS);
    project.tables("[tasks.\"take:long\"]\nrun = \"sleep 1.5\"\nroles = [\"web\"]\nafter = \"deploy:updated\"");
    project
}

/// What locks leave in the records' folder.
fn lock_files(project: &Project) -> Vec<String> {
    let names = project.sites().into_iter().flat_map(|site| site.list(".deploy"));
    names.filter(|name| name.starts_with("lock")).collect()
}

/// Starts two runs in the same instant; how each ended, and what it said.
fn pair(project: &Project, line: &str) -> [(String, String); 2] {
    let words: Vec<_> = line.split_whitespace().collect();
    let commands = [project.command(&words), project.command(&words)];
    commands.map(|command| Running::start(command, &project.sandbox)).map(|run| {
        let output = run.wait();
        (output.ending(), output.stderr().to_owned())
    })
}

fn exactly_one_wins(project: &Project) -> Result<(), String> {
    let ends = pair(project, "deploy staging");
    let winners = ends.iter().filter(|(ending, _)| ending == "exit status: 0").count();
    let told = |(ending, said): &(String, String)| {
        ending == "exit status: 5" && said.contains("is locked by ada on ") && said.contains("--lock-wait 5m")
    };
    if winners != 1 || !ends.iter().any(told) {
        return Err(format!("{winners} winners: {ends:#?}"));
    }
    nothing_is_left(project)
}

fn both_get_their_turn(project: &Project) -> Result<(), String> {
    let ends = pair(project, "deploy staging --lock-wait 90s");
    if ends.iter().all(|(ending, _)| ending == "exit status: 0") {
        nothing_is_left(project)
    } else {
        Err(format!("not both deployed: {ends:#?}"))
    }
}

fn nothing_is_left(project: &Project) -> Result<(), String> {
    let lives = lives(project)?;
    let left = lock_files(project);
    if left.is_empty() && lives.iter().all(|live| *live == lives[0]) {
        Ok(())
    } else {
        Err(format!("left behind: {left:?}, live: {lives:?}"))
    }
}

#[test]
fn of_two_deployers_in_the_same_instant_exactly_one_wins() {
    let project = unhurried_shop();
    project.xtask("deploy staging").success();
    let mut sum = Sum::default();
    for round in 0..rounds(4, 24) {
        sum.add(&format!("pair {round}"), exactly_one_wins(&project));
    }
    for round in 0..rounds(1, 6) {
        sum.add(&format!("waiting pair {round}"), both_get_their_turn(&project));
    }
    sum.tell("pairs of deployers, of which one wins and the other waits or is told who has the lock");
}

#[test]
fn a_run_on_some_servers_excludes_one_on_all_and_leaves_nothing_half_locked() {
    let mut project = unhurried_shop();
    project.xtask("deploy staging").success();
    project.no_tables();
    project
        .tables("[tasks.\"take:long\"]\nrun = \"echo asleep; sleep 4\"\nroles = [\"web\"]\nafter = \"deploy:updated\"");
    let part = project.start("deploy staging --roles web --verbose");
    part.wait_for("asleep");
    let output = project.xtask("deploy staging").fails_with(5).says("is locked by ada on ");
    let [app1, app2] = ["app1", "app2"].map(|name| project.server(name).site.exists(".deploy/lock"));
    assert!(!app1 && app2, "app1: {app1}, app2: {app2}\n{output}");
    part.wait().success();
    project.no_tables();
    deploys_again(&project, "two").unwrap();
    assert_eq!(lock_files(&project), [""; 0]);
}

#[test]
fn patience_ends_when_it_was_said_to() {
    let mut project = shop(&SERVERS);
    project.tables("[tasks.\"take:long\"]\nrun = \"echo asleep; sleep 8\"\nafter = \"deploy:updated\"");
    let first = project.start("deploy staging --verbose");
    first.wait_for("asleep");
    let start = Instant::now();
    project.xtask("deploy staging --lock-wait 2s").fails_with(5).says("waiting up to").says("is locked by");
    assert!((2..7).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    first.wait().success();
    is_free(&project, Duration::ZERO).unwrap();
}

/// Reads through `current` until told to stop: how many reads there were, and how many found nothing.
fn read_on(files: &[std::path::PathBuf], over: &AtomicBool, reads: &AtomicUsize, misses: &AtomicUsize) {
    while !over.load(Ordering::Relaxed) {
        for file in files {
            reads.fetch_add(1, Ordering::Relaxed);
            if std::fs::read(file).is_err() {
                misses.fetch_add(1, Ordering::Relaxed);
            }
        }
        std::thread::yield_now();
    }
}

#[test]
fn readers_never_find_nothing_while_releases_change() {
    let project = shop(&[("app1", "app")]);
    project.xtask("deploy staging").success();
    revise(&project, "two");
    project.xtask("deploy staging").success();
    let files =
        ["index.html", "MANIFEST", "pages/7.html"].map(|name| project.server("app1").site.join("current").join(name));
    let (over, reads, misses) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let mut done = 0;
    let total = rounds(10, 100);
    std::thread::scope(|scope| {
        scope.spawn(|| read_on(&files, &over, &reads, &misses));
        for round in 0..total {
            if round % 2 == 0 {
                revise(&project, &format!("round {round}"));
            }
            let line = if round % 2 == 0 { "deploy staging" } else { "deploy rollback staging" };
            done += usize::from(project.xtask(line).ending() == "exit status: 0");
        }
        over.store(true, Ordering::Relaxed);
    });
    let (reads, misses) = (reads.into_inner(), misses.into_inner());
    tell("deploys and rollbacks under readers", done, total);
    tell("reads through `current` that found the file", reads - misses, reads);
}

#[test]
fn a_long_first_task_does_not_lose_the_lock() {
    if !e2e::full() {
        return;
    }
    let mut project = shop(&[("app1", "app"), ("app2", "app")]);
    project.xtask("deploy staging").success();
    let seconds = 50;
    project.tables(&format!(
        "[tasks.\"take:long\"]\nrun = \"echo asleep; sleep {seconds}\"\nbefore = \"deploy:starting\""
    ));
    let mut first = Watched::start(&project, "deploy staging");
    assert!(first.until_says("\"line\":\"asleep\""));
    std::thread::sleep(Duration::from_secs(seconds - 2));
    let output = project.xtask("deploy staging").fails_with(5).says("is locked by ada on ");
    let status = first.finish(Duration::from_secs(60));
    assert!(status.success(), "{}\n{output}", first.errors(&project));
}
