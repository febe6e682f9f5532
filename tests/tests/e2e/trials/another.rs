//! Tasks that run as another user, whose processes our own user's signals don't reach.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use e2e::Project;
use rustix::process::Signal;

use super::lost::forge_lock;
use super::scene::{Watched, deploys_again, is_free, revise, shop, shop_of};

/// How soon another user's stubborn commands have ended: they get four seconds to obey.
const ENDED_WITHIN: Duration = Duration::from_secs(9);

/// Who logs in, and whether sudo makes a terminal of its own.
#[derive(Clone, Copy, Debug)]
enum Login {
    Root,
    Ordinary { use_pty: bool },
}

/// How a run ends.
#[derive(Clone, Copy, Debug)]
enum End {
    Killed,
    Interrupted,
}

fn project(login: Login) -> Project {
    let servers = [("app1", "app")];
    let project = match login {
        Login::Root => shop(&servers),
        Login::Ordinary { use_pty } => {
            let project = shop_of(Project::as_ordinary_user(&servers));
            project.user().expect("root makes one").may_sudo(use_pty);
            project
        }
    };
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(project.sandbox.path(), open).expect("the owner may");
    project
}

/// Command lines that have `mark`. Sudo clears the environment, by which a sandbox knows its processes.
fn marked(mark: &str) -> Vec<String> {
    let folders = std::fs::read_dir("/proc").expect("Linux").flatten();
    let lines = folders.filter_map(|folder| std::fs::read(folder.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).filter(|line| line.contains(mark)).collect()
}

/// A task as another user runs, the run ends, and nothing of the task is left when the lock is free.
fn ends(login: Login, end: End, command: &str, number: usize) {
    let mark = format!("0.{}{number}", std::process::id());
    let mut project = project(login);
    project.xtask("deploy staging").success();
    let run = command.replace("MARK", &mark);
    project.tables(&format!("[tasks.\"take:long\"]\nrun = '''{run}'''\nas = \"nobody\"\nafter = \"deploy:updated\""));
    revise(&project, "two");
    let mut run = Watched::start(&project, "deploy staging");
    assert!(run.until_says("\"line\":\"asleep nobody\""), "{login:?}: {}{}", run.text, run.errors(&project));
    match end {
        End::Killed => run.kill(),
        End::Interrupted => {
            rustix::process::kill_process(run.pid(), Signal::INT).unwrap();
            assert_eq!(run.finish(Duration::from_secs(20)).code(), Some(130), "{}", run.errors(&project));
        }
    }
    let freed = is_free(&project, ENDED_WITHIN);
    assert!(freed.is_ok(), "{login:?}, {end:?}, {command}: {freed:?} {:#?}", marked(&mark));
    assert_eq!(marked(&mark), [""; 0], "{login:?}, {end:?}: {command}");
    project.no_tables();
    deploys_again(&project, "three").unwrap();
}

const OBEDIENT: &str = "echo asleep $(id -un); sleep 6MARK; sleep 7MARK";
const STUBBORN: &str = "trap : TERM HUP INT; echo asleep $(id -un); while :; do sleep MARK || :; done";

#[test]
fn another_users_commands_have_ended_before_the_lock_is_free() {
    if !e2e::is_root() {
        return;
    }
    let logins = [Login::Root, Login::Ordinary { use_pty: false }, Login::Ordinary { use_pty: true }];
    let cases = logins.into_iter().flat_map(|login| [(login, OBEDIENT), (login, STUBBORN)]);
    let cases = cases.flat_map(|(login, command)| [End::Killed, End::Interrupted].map(|end| (login, command, end)));
    for (number, (login, command, end)) in cases.enumerate() {
        ends(login, end, command, number);
    }
}

/// What runs as root could reach our own processes; it doesn't.
#[test]
fn roots_commands_end_alone() {
    if !e2e::is_root() {
        return;
    }
    let mut project = project(Login::Ordinary { use_pty: true });
    project.tables("[tasks.\"end:all\"]\nrun = \"kill -s TERM 0\"\nas = \"root\"\nafter = \"deploy:updated\"");
    project.xtask("deploy staging").fails_with(1).says("end:all");
    is_free(&project, Duration::ZERO).unwrap();
    project.no_tables();
    deploys_again(&project, "two").unwrap();
}

#[test]
fn daemons_of_another_user_live_on_after_a_run_that_ends_well() {
    if !e2e::is_root() {
        return;
    }
    for use_pty in [false, true] {
        let mark = format!("6{}{}", std::process::id(), u8::from(use_pty));
        let mut project = project(Login::Ordinary { use_pty });
        let run = format!("nohup sleep {mark} >/dev/null 2>&1 & echo $!");
        project.tables(&format!("[tasks.\"start:it\"]\nrun = \"{run}\"\nas = \"nobody\"\nafter = \"deploy:updated\""));
        let output = project.xtask("deploy staging --format json").success();
        let lives = marked(&mark);
        let said = output.json().iter().filter_map(|event| event["line"].as_str()?.parse().ok()).collect::<Vec<i32>>();
        for pid in said.into_iter().filter_map(rustix::process::Pid::from_raw) {
            rustix::process::kill_process(pid, Signal::KILL).unwrap();
        }
        assert_eq!(lives, [format!("sleep {mark} ")], "{use_pty}");
    }
}

/// What a run left that was killed with its whole server's shells: a group with a process of another user.
#[test]
fn a_lock_is_not_free_while_processes_of_its_holder_live() {
    if !e2e::is_root() {
        return;
    }
    for login in [Login::Ordinary { use_pty: false }, Login::Root] {
        let project = project(login);
        project.xtask("deploy staging").success();
        let mut command = std::process::Command::new("setpriv");
        command.args(["--reuid", "nobody", "--clear-groups", "sh", "-c", "sleep 618; : iflag=fullblock"]);
        let mut left = std::os::unix::process::CommandExt::process_group(&mut command, 0).spawn().unwrap();
        forge_lock(&project, "app1", 31);
        project.server("app1").site.write(".deploy/lock.feedfeed.groups", &format!("+{}\n", left.id()));
        let named = format!("{} of nobody", left.id());
        project.xtask("deploy unlock staging").fails_with(1).says("eve on faraway").says(&named).says("--force");
        match login {
            Login::Root => {
                project.xtask("deploy unlock staging --force").success().says("broke the lock of eve");
                assert!(!left.wait().unwrap().success(), "it was ended");
            }
            Login::Ordinary { .. } => {
                project.xtask("deploy unlock staging --force").fails_with(1).says(&named).says("sudo kill -9");
                project.xtask("deploy staging").fails_with(1).says(&named);
                rustix::process::kill_process_group(rustix::process::Pid::from_child(&left), Signal::KILL).unwrap();
                left.wait().unwrap();
            }
        }
        deploys_again(&project, "two").unwrap();
    }
}
