//! What an earlier run left behind, however it ended.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use e2e::{Project, Proxy};
use rustix::process::Signal;

const STRATEGIES: [&str; 2] = ["push", "fetch"];

fn project_with(strategy: &str) -> Project {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    project.tables(&format!("[git]\nstrategy = {strategy:?}"));
    project
}

/// A second deploy, of something new.
fn deploy_anew(project: &Project) {
    project.repo.write("index.html", "two\n").commit("Say two");
    project.xtask("deploy staging --lock-wait 10s").success();
    assert_eq!(project.server("app1").site.read("current/index.html"), "two\n");
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

#[test]
fn a_leftover_link_of_a_crashed_switch_is_no_obstacle() {
    let project = project_with("push");
    project.xtask("deploy staging").success();
    let site = &project.server("app1").site;
    let old = site.current();
    for leftover in ["releases/current", "current.tmp", "releases/current.new"] {
        symlink(site.join("releases").join(&old), site.join(leftover)).unwrap();
    }
    deploy_anew(&project);
    assert_ne!(site.current(), old);
    assert!(!site.exists(&format!("releases/{old}/current")), "no link inside the old release");
}

#[test]
fn a_mirror_with_truncated_objects_is_made_good() {
    for strategy in STRATEGIES {
        let project = project_with(strategy);
        project.xtask("deploy staging").success();
        let objects = files_below(&project.server("app1").site.join("repo/objects"));
        assert!(!objects.is_empty(), "{strategy}: the mirror has objects");
        for object in objects {
            fs::remove_file(&object).unwrap();
            fs::write(&object, "").unwrap();
        }
        deploy_anew(&project);
    }
}

#[test]
fn a_mirror_without_objects_is_made_good() {
    for strategy in STRATEGIES {
        let project = project_with(strategy);
        project.xtask("deploy staging").success();
        fs::remove_dir_all(project.server("app1").site.join("repo/objects")).unwrap();
        deploy_anew(&project);
    }
}

#[test]
fn a_mirror_that_is_no_repository_is_made_good() {
    for strategy in STRATEGIES {
        let project = project_with(strategy);
        project.server("app1").site.make_folder("repo/half");
        deploy_anew(&project);
    }
}

#[test]
fn locks_that_a_killed_git_left_are_no_obstacle() {
    for strategy in STRATEGIES {
        let project = project_with(strategy);
        project.xtask("deploy staging").success();
        for lock in ["packed-refs.lock", "shallow.lock", "HEAD.lock", "refs/heads/main.lock", "config.lock"] {
            project.server("app1").site.write(&format!("repo/{lock}"), "");
        }
        project.server("app1").site.write("repo/objects/pack/tmp_pack_abc", "half");
        deploy_anew(&project);
    }
}

#[test]
fn a_transfer_that_was_cut_is_done_again() {
    let mut project = project_with("push");
    let proxy = Proxy::to(project.server("app1").port);
    project.server_mut("app1").behind(&proxy);
    project.xtask("deploy staging").success();
    let noise: String = (0..40_000_u64).map(|n| format!("{:x}\n", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    project.repo.write("big", &noise).commit("Add something big");
    proxy.cut_after(100_000);
    let output = project.xtask("deploy staging").fails_with(4);
    assert_eq!(project.server("app1").site.read("current/index.html"), "one\n", "{output}");
    deploy_anew(&project);
    assert_eq!(project.server("app1").site.read("current/big"), noise);
}

#[test]
fn a_killed_controller_leaves_the_old_release_live_and_nothing_running() {
    let mut project = project_with("push");
    project.xtask("deploy staging").success();
    project.tables("[tasks.\"take:long\"]\nrun = \"echo sleeping; sleep 602\"\nafter = \"deploy:updated\"");
    let run = project.start("deploy staging --verbose");
    run.wait_for("sleeping");
    run.signal(Signal::KILL);
    let _ = run.wait();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
    while project.sandbox.processes().iter().any(|line| line.contains("602")) {
        assert!(std::time::Instant::now() < deadline, "{:?}", project.sandbox.processes());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(project.server("app1").site.read("current/index.html"), "one\n");
    // The lock is freed as soon as the commands have ended; nobody has to break it, nor to wait for its lease.
    project.no_tables();
    project.xtask("deploy staging --lock-wait 10s").success();
}

#[test]
fn an_interrupted_deploy_ends_its_commands_and_leaves_the_old_release_live() {
    let mut project = project_with("push");
    project.xtask("deploy staging").success();
    project.tables("[tasks.\"take:long\"]\nrun = \"echo sleeping; sleep 603\"\nafter = \"deploy:updated\"");
    let run = project.start("deploy staging --verbose");
    run.wait_for("sleeping");
    run.signal(Signal::INT);
    let output = run.wait().fails_with(130);
    let processes = project.sandbox.processes();
    assert!(!processes.iter().any(|line| line.contains("603")), "{processes:?}\n{output}");
    assert_eq!(project.server("app1").site.read("current/index.html"), "one\n");
}

#[test]
fn a_repository_that_moved_is_followed() {
    for strategy in STRATEGIES {
        let mut project = project_with(strategy);
        project.xtask("deploy staging").success();
        let moved = project.sandbox.join("moved");
        fs::rename(project.repo.path(), &moved).unwrap();
        project.top(&format!("repo_url = {moved:?}"));
        project.xtask("deploy staging").success();
        assert_eq!(project.server("app1").site.releases().len(), 2, "{strategy}");
    }
}

#[test]
fn a_branch_that_was_forced_back_is_followed() {
    for strategy in STRATEGIES {
        let project = project_with(strategy);
        project.repo.write("index.html", "two\n").commit("Say two");
        project.xtask("deploy staging").success();
        project.repo.git(&["reset", "--quiet", "--hard", "HEAD^"]);
        project.repo.write("index.html", "other\n").commit("Say something else");
        project.xtask("deploy staging").success();
        assert_eq!(project.server("app1").site.read("current/index.html"), "other\n", "{strategy}");
    }
}

#[test]
fn a_finished_deploy_leaves_nothing_running_but_what_was_started_on_purpose() {
    let mut project = project_with("push");
    project.xtask("deploy staging").success();
    assert_eq!(project.sandbox.processes(), [""; 0]);
    let daemon = "setsid sleep 606 </dev/null >/dev/null 2>&1 &";
    project.tables(&format!("[tasks.\"start:it\"]\nrun = {daemon:?}\nafter = \"deploy:published\""));
    project.xtask("deploy staging").success();
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert_eq!(project.sandbox.processes(), ["sleep 606"]);
}

#[test]
fn a_daemon_that_holds_the_output_open_does_not_hold_the_deploy_up() {
    let mut project = project_with("push");
    project.tables("[tasks.\"start:it\"]\nrun = \"sleep 607 &\"\nafter = \"deploy:published\"");
    let start = std::time::Instant::now();
    project.xtask("deploy staging").success();
    assert!(start.elapsed() < std::time::Duration::from_secs(20));
}
