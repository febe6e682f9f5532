//! Copies that are broken off: programs that die, connections that are lost, somebody's Ctrl-C.

use std::path::Path;
use std::time::Duration;

use e2e::postgres::fill_with_bulk;
use e2e::{Output, Proxy, Running};
use rustix::process::Signal;

use super::moments::{Moment, Pause, sleeps, sleepy};
use super::scene::{Before, NONE, Shop, list, name};

/// What breaks a command off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// PostgreSQL's program that dumps or loads is killed.
    Program,
    /// The server's end of the connection is killed.
    Session,
    /// The whole sshd dies.
    Sshd,
    /// The tool itself is killed.
    Tool,
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// The database server is stopped.
    Database,
}

const FAULTS: [Fault; 7] = [
    Fault::Program,
    // What is half-made then can't be removed: the next restore does it.
    Fault::Database,
    Fault::Session,
    Fault::Sshd,
    Fault::Tool,
    Fault::Interrupt,
    Fault::Terminate,
];

/// Lets `fault` happen to a command that works on `stage` with `program`, and checks how it ends.
fn strike(shop: &mut Shop, fault: Fault, stage: &str, programs: &[&str], run: Running) -> Result<(), String> {
    let server = format!("{stage}1");
    match fault {
        Fault::Program => {
            let killed: usize = programs.iter().map(|name| shop.project.sandbox.signal(name, Signal::KILL)).sum();
            assert!(killed > 0, "none of {programs:?} runs: {:?}", shop.project.sandbox.processes());
        }
        Fault::Session => shop.project.server(&server).kill_sessions(),
        Fault::Sshd => shop.project.server_mut(&server).sshd.kill(),
        Fault::Tool => run.signal(Signal::KILL),
        Fault::Interrupt => run.signal(Signal::INT),
        Fault::Terminate => run.signal(Signal::TERM),
        Fault::Database => shop.cluster_mut(stage).stop(),
    }
    let output = run.wait();
    match fault {
        Fault::Sshd => shop.project.server_mut(&server).sshd.restart(),
        Fault::Database => shop.cluster_mut(stage).restart(),
        _ => {}
    }
    let expected = match fault {
        Fault::Tool => "signal: 9",
        Fault::Interrupt => "exit status: 130",
        Fault::Terminate => "exit status: 143",
        Fault::Session | Fault::Sshd => "exit status: 4",
        Fault::Program | Fault::Database => "exit status: 1",
    };
    says_it_well(shop, fault, stage, &output)?;
    if output.ending() == expected { Ok(()) } else { Err(format!("should end with {expected}:\n{output}")) }
}

/// A failure names the stage's database or its server, and never the password.
fn says_it_well(shop: &Shop, fault: Fault, stage: &str, output: &Output) -> Result<(), String> {
    let text = output.to_string();
    if text.contains(&shop.secret()) {
        return Err(format!("the password is told:\n{text}"));
    }
    let named = [name(stage), format!("{stage}1"), stage.to_owned()].iter().any(|word| text.contains(word));
    if named || fault == Fault::Tool { Ok(()) } else { Err(format!("`{stage}` is not named:\n{text}")) }
}

/// Whether staging is as it was before and can be worked with, and the dump is as good as ever.
fn lives_on(shop: &Shop, fault: Fault, dump: &Path, before: &Before) -> Result<(), String> {
    match fault {
        Fault::Database => shop.lives_as("staging", before)?,
        _ => shop.is_as("staging", before)?,
    }
    shop.own("staging", "insert into old_things values (2, 'new')");
    let written = shop.own("staging", "delete from old_things where id = 2 returning name");
    let verify = shop.project.xtask_with(&["db", "backup", "verify", "--file", dump.to_str().expect("UTF-8")]);
    if verify.ending() == "exit status: 0" && written == "new" { Ok(()) } else { Err(format!("{written}\n{verify}")) }
}

/// Breaks a restore off at `moment` in every way.
fn breaks_a_restore(moment: Moment) {
    let mut shop = sleepy(moment);
    let dump = shop.back_up("production");
    let before = shop.before("staging");
    let every = if e2e::full() { 1 } else { 3 };
    let offset = moment as usize % every;
    for fault in FAULTS.into_iter().skip(offset).step_by(every) {
        let line = format!("db backup restore --file {} --stage staging --yes", dump.display());
        let run = shop.project.start(&line);
        sleeps(&shop, "staging");
        strike(&mut shop, fault, "staging", &["pg_restore", "psql"], run)
            .and_then(|()| lives_on(&shop, fault, &dump, &before))
            .unwrap_or_else(|error| panic!("{fault:?} at {moment:?}: {error}"));
    }
}

#[test]
fn a_restore_is_broken_off_while_rows_are_copied() {
    breaks_a_restore(Moment::Rows);
}

#[test]
fn a_restore_is_broken_off_while_an_index_is_made() {
    breaks_a_restore(Moment::Index);
}

#[test]
fn a_restore_is_broken_off_while_the_stages_own_sql_runs() {
    breaks_a_restore(Moment::Sql);
}

#[test]
fn a_backup_is_broken_off_in_its_beginning_and_its_middle() {
    let mut shop = Shop::new(&["production"]);
    fill_with_bulk(shop.cluster("production"), &name("production"), shop.role("production"), 8);
    let tools = shop.tools("production");
    let before = shop.before("production");
    let every = if e2e::full() { 1 } else { 3 };
    for (round, bytes) in [0, 5_000_000].into_iter().enumerate() {
        for fault in FAULTS.into_iter().skip(round).step_by(every) {
            let pause = Pause::after(&tools, bytes);
            let run = shop.project.start("db backup create --stage production");
            pause.begun();
            let struck = match fault {
                // The program, or the database, ends before the pipe does, which has to go on to find that out.
                Fault::Program => {
                    assert!(shop.project.sandbox.signal("pg_dump", Signal::KILL) > 0);
                    pause.end();
                    ends_orderly(&shop, run)
                }
                Fault::Database => {
                    shop.cluster_mut("production").stop();
                    pause.end();
                    let ended = ends_orderly(&shop, run);
                    shop.cluster_mut("production").restart();
                    ended
                }
                _ => strike(&mut shop, fault, "production", &[], run),
            };
            struck
                .and_then(|()| shop.is_as("production", &before))
                .unwrap_or_else(|error| panic!("{fault:?} after {bytes} bytes: {error}"));
            assert_eq!(shop.backups(), NONE, "{fault:?} after {bytes} bytes");
            pause.forget();
        }
    }
    let pause = Pause::after(&tools, 1000);
    let run = shop.project.start("db backup create --stage production");
    pause.begun();
    pause.end();
    let _ = run.wait().success();
    let left: Vec<_> = list(&shop.folder()).into_iter().filter(|name| name.ends_with(".part")).collect();
    assert_eq!(left, NONE, "what a killed tool left is swept away");
    assert_eq!(shop.backups().len(), 1);
}

fn ends_orderly(shop: &Shop, run: Running) -> Result<(), String> {
    let output = run.wait().fails();
    if output.to_string().contains("pg_dump") && !output.to_string().contains(&shop.secret()) {
        Ok(())
    } else {
        Err(format!("`pg_dump` is not named:\n{output}"))
    }
}

#[test]
fn a_network_that_is_cut_while_the_dump_travels_leaves_nothing() {
    let mut shop = sleepy(Moment::Sql);
    shop.set("staging", "after_restore = []");
    let dump = shop.back_up("production");
    let before = shop.before("staging");
    let proxy = Proxy::to(shop.project.server("staging1").port);
    shop.project.server_mut("staging1").behind(&proxy);
    for bytes in [100_000, 1_000_000, 3_000_000] {
        proxy.cut_after(bytes);
        shop.restore(&dump, "staging").fails_with(4);
        shop.is_as("staging", &before).unwrap_or_else(|error| panic!("after {bytes} bytes: {error}"));
    }
    let _ = shop.restore(&dump, "staging").success();
}

#[test]
fn a_copy_from_production_that_is_interrupted_leaves_both_stages_as_they_were() {
    let mut shop = sleepy(Moment::Rows);
    let tools = shop.tools("production");
    let (production, staging) = (shop.before("production"), shop.before("staging"));
    let pause = Pause::after(&tools, 1_000_000);
    let run = shop.project.start("db restore-from-prod --stage staging --yes");
    pause.begun();
    run.signal(Signal::INT);
    let _ = run.wait().fails_with(130);
    shop.is_as("production", &production).unwrap();
    shop.is_as("staging", &staging).unwrap();
    assert_eq!(shop.backups(), NONE);
    pause.forget();
    let run = shop.project.start("db restore-from-prod --stage staging --yes");
    pause.begun();
    pause.end();
    sleeps(&shop, "staging");
    run.signal(Signal::INT);
    let _ = run.wait().fails_with(130);
    shop.is_as("production", &production).unwrap();
    shop.is_as("staging", &staging).unwrap();
}

/// Somebody who is not connected to it keeps the database from being renamed, and the tool dies meanwhile: what is live
/// then is one of the two as a whole, and never gone.
#[test]
fn a_swap_that_is_broken_off_leaves_one_of_the_two_live() {
    let faults = [Fault::Tool, Fault::Session, Fault::Interrupt];
    for fault in faults.into_iter().take(if e2e::full() { 3 } else { 1 }) {
        let shop = Shop::new(&["production", "staging"]);
        shop.fill("production", 50);
        shop.mark("staging");
        let (old, new) = (shop.contents("staging"), shop.contents("production"));
        let dump = shop.back_up("production");
        let cluster = shop.cluster("staging");
        let lock = "begin; comment on database shop_staging is 'held'; select pg_sleep(100)";
        let ends = std::thread::scope(|scope| {
            let holder = scope.spawn(move || cluster.try_psql("postgres", lock));
            sleeps(&shop, "staging");
            let run = shop.project.start(&format!("db backup restore --file {} --stage staging --yes", dump.display()));
            let waits = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'";
            super::moments::wait_until("the swap", || cluster.psql("postgres", waits) != "0");
            match fault {
                Fault::Tool => run.signal(Signal::KILL),
                Fault::Session => shop.project.server("staging1").kill_sessions(),
                _ => run.signal(Signal::INT),
            }
            let ending = run.wait().ending();
            std::thread::sleep(Duration::from_millis(500));
            cluster.psql(
                "postgres",
                "select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'PgSleep'",
            );
            let _ = holder.join();
            ending
        });
        shop.is_quiet("staging").unwrap();
        let now = shop.contents("staging");
        let is_old = old.differences(&now).is_empty();
        assert!(is_old || new.differences(&now).is_empty(), "{fault:?}: {:?}", old.differences(&now));
        assert!(is_old || ends != "exit status: 0", "{fault:?} said that nothing came of it");
        let halves = shop.others("staging").into_iter().filter(|name| name.contains("_restore_"));
        assert_eq!(halves.collect::<Vec<_>>(), NONE, "{fault:?}");
        shop.restore(&dump, "staging").success();
    }
}
