//! Servers that fall silent, that have no room left, that can't be written to.

use std::time::{Duration, Instant};

use e2e::{Mount, Project, Proxy};
use rustix::process::Signal;

use super::scene::{FREE_WITHIN, Watched, deploys_again, is_free, is_quiet, lives, revise, shop, step};

/// How soon a run must end after a server fell silent.
const GIVES_UP_WITHIN: Duration = Duration::from_secs(90);

/// How soon a server must have ended what a run started, once the run fell silent.
const ENDS_ITSELF_WITHIN: Duration = Duration::from_secs(60);

/// A shop whose second deploy sleeps on app2, which is reached through a proxy.
fn sleepy_shop() -> (Project, Proxy) {
    let mut project = shop(&[("app1", "app"), ("app2", "app web")]);
    project.xtask("deploy staging").success();
    let proxy = Proxy::to(project.server("app2").port);
    project.server_mut("app2").behind(&proxy);
    project.tables(
        "[tasks.\"take:long\"]\nrun = \"echo asleep; sleep 614\"\nroles = [\"web\"]\nafter = \"deploy:updated\"",
    );
    revise(&project, "two");
    (project, proxy)
}

fn ends_and_names_app2(project: &Project, run: &mut Watched) {
    let start = Instant::now();
    let status = run.finish(GIVES_UP_WITHIN);
    let errors = run.errors(project);
    assert_eq!(status.code(), Some(4), "{errors}");
    assert!(errors.contains(&project.server("app2").port.to_string()), "{errors}");
    assert!(errors.contains("take:long"), "after {:?}: {errors}", start.elapsed());
}

#[test]
fn a_network_that_is_gone_ends_the_run_and_what_it_started() {
    let (mut project, proxy) = sleepy_shop();
    let before = lives(&project).unwrap();
    let mut run = Watched::start(&project, "deploy staging");
    assert!(run.until_says("\"line\":\"asleep\""));
    proxy.black_hole();
    let silent = Instant::now();
    ends_and_names_app2(&project, &mut run);
    is_free(&project, ENDS_ITSELF_WITHIN.saturating_sub(silent.elapsed()).max(FREE_WITHIN)).unwrap();
    is_quiet(&project).unwrap();
    assert_eq!(lives(&project).unwrap(), before);
    let direct = Proxy::to(project.server("app2").sshd.port());
    project.server_mut("app2").behind(&direct);
    project.no_tables();
    deploys_again(&project, "three").unwrap();
}

#[test]
fn a_server_that_stands_still_ends_the_run() {
    if !e2e::full() {
        return;
    }
    let (mut project, _proxy) = sleepy_shop();
    let before = lives(&project).unwrap();
    let mut run = Watched::start(&project, "deploy staging");
    assert!(run.until_says("\"line\":\"asleep\""));
    project.server("app2").signal_sessions(Signal::STOP);
    ends_and_names_app2(&project, &mut run);
    project.server("app2").signal_sessions(Signal::CONT);
    is_free(&project, FREE_WITHIN).unwrap();
    is_quiet(&project).unwrap();
    assert_eq!(lives(&project).unwrap(), before);
    project.no_tables();
    deploys_again(&project, "three").unwrap();
}

#[test]
fn a_disk_that_fills_up_in_the_middle_fails_the_deploy_and_nothing_else() {
    for moment in
        ["before = \"git:create_release\"", "before = \"deploy:symlink:release\"", "after = \"deploy:symlink:release\""]
            .into_iter()
            .step_by(step(2))
    {
        let mut project = shop(&[("app1", "app"), ("app2", "app web")]);
        let path = project.server("app2").site.path().to_owned();
        let Some(mount) = Mount::tmpfs(&path, "size=4m") else { return };
        project.xtask("deploy staging").success();
        let before = lives(&project).unwrap();
        let fill = format!("cat /dev/zero >{}/fill || :", path.display());
        project.tables(&format!("[tasks.\"fill:it\"]\nrun = \"{fill}\"\nroles = [\"web\"]\n{moment}"));
        revise(&project, "two");
        let output = project.xtask("deploy staging").fails_with(1).says("app2");
        let after = lives(&project).unwrap();
        assert!(after[0] == after[1], "{moment}: {after:?}\n{output}");
        assert!(after == before || moment.starts_with("after"), "{moment}: {after:?}\n{output}");
        is_free(&project, FREE_WITHIN).unwrap();
        project.no_tables();
        revise(&project, "three");
        let full = project.xtask("deploy staging").fails_with(1).says("app2");
        assert_eq!(lives(&project).unwrap(), after, "{full}");
        std::fs::remove_file(path.join("fill")).unwrap();
        deploys_again(&project, "four").unwrap();
        drop(mount);
    }
}

#[test]
fn old_releases_can_be_removed_from_a_disk_that_is_full() {
    let mut project = shop(&[("app1", "app")]);
    let path = project.server("app1").site.path().to_owned();
    let Some(mount) = Mount::tmpfs(&path, "size=4m") else { return };
    project.xtask("deploy staging").success();
    project.xtask("deploy staging").success();
    let live = project.server("app1").site.current();
    let full = "cat /dev/zero >\"$1\" 2>/dev/null || :";
    std::process::Command::new("sh").args(["-c", full, "fill"]).arg(path.join("fill")).status().unwrap();
    project.top("keep_releases = 1");
    project.xtask("deploy staging").fails_with(1);
    project.xtask("deploy cleanup staging").success().says("removed 1 release");
    assert_eq!(project.server("app1").site.releases(), [live]);
    drop(mount);
}

#[test]
fn a_file_system_that_is_read_only_is_reported_before_anything_changes() {
    let project = shop(&[("app1", "app"), ("app2", "app web")]);
    let path = project.server("app2").site.path().to_owned();
    let Some(mount) = Mount::tmpfs(&path, "size=4m") else { return };
    project.xtask("deploy staging").success();
    let before = lives(&project).unwrap();
    let releases = project.server("app1").site.releases();
    mount.remount("ro");
    revise(&project, "two");
    project.xtask("deploy staging").fails_with(1).says("app2").says("read-only");
    assert_eq!(lives(&project).unwrap(), before);
    assert_eq!(project.server("app1").site.releases(), releases);
    is_free(&project, FREE_WITHIN).unwrap();
    mount.remount("rw");
    deploys_again(&project, "three").unwrap();
}
