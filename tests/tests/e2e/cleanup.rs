//! Which releases stay.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use e2e::{Project, Site};

fn keeping(count: usize) -> Project {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    project.top(&format!("keep_releases = {count}"));
    project
}

/// Makes releases as Capistrano would have left them.
fn make_releases(site: &Site, stamps: &[&str]) {
    let mut log = site.revisions();
    for stamp in stamps {
        site.make_folder(&format!("releases/{stamp}"));
        log.push(format!(
            "Branch main (at 0123456789abcdef0123456789abcdef01234567) deployed as release {stamp} by ada"
        ));
    }
    site.write("revisions.log", &(log.join("\n") + "\n"));
}

#[test]
fn the_newest_stay_and_other_folders_are_left_alone() {
    let project = keeping(3);
    let site = &project.server("app1").site;
    let stamps = ["20200101000000", "20200102000000", "20200103000000", "20200104000000", "20200105000000"];
    make_releases(site, &stamps);
    site.make_folder("releases/new");
    site.make_folder("releases/2020010100000");
    project.xtask("deploy cleanup staging").success();
    assert_eq!(site.releases(), stamps[2..]);
    assert!(site.exists("releases/new") && site.exists("releases/2020010100000"));
}

#[test]
fn deploys_keep_as_many_as_they_should() {
    let project = keeping(2);
    for _ in 0..4 {
        project.xtask("deploy staging").success();
    }
    let site = &project.server("app1").site;
    assert_eq!(site.releases().len(), 2);
    assert_eq!(Some(site.current()), site.releases().pop());
}

#[test]
fn the_live_release_stays_though_newer_names_push_it_out() {
    let project = keeping(2);
    project.xtask("deploy staging").success();
    project.xtask("deploy staging").success();
    let site = &project.server("app1").site;
    let live = site.current();
    make_releases(site, &["77777777777777", "88888888888888", "99999999999999"]);
    project.xtask("deploy cleanup staging").success();
    assert_eq!(site.releases().len(), 3, "{:?}", site.releases());
    assert_eq!(site.current(), live);
}

#[test]
fn five_thousand_releases_are_too_many_for_no_command() {
    let project = keeping(3);
    let site = &project.server("app1").site;
    let stamps: Vec<String> = (0..5000).map(|number| format!("2019{number:010}")).collect();
    make_releases(site, &stamps.iter().map(String::as_str).collect::<Vec<_>>());
    project.xtask("deploy cleanup staging").success();
    assert_eq!(site.releases(), stamps[4997..]);
    project.xtask("deploy staging").success();
    assert_eq!(site.releases().len(), 3);
}

#[test]
fn failed_releases_never_push_good_ones_out() {
    let mut project = keeping(2);
    project.top("failed_releases = \"keep\"");
    project.xtask("deploy staging").success();
    project.xtask("deploy staging").success();
    let good = project.server("app1").site.releases();
    project.tables("[tasks.\"break:it\"]\nrun = \"false\"\nafter = \"deploy:updated\"");
    for _ in 0..3 {
        project.xtask("deploy staging").fails_with(1);
    }
    project.xtask("deploy cleanup staging").success();
    let site = &project.server("app1").site;
    assert!(good.iter().all(|stamp| site.releases().contains(stamp)), "{good:?} in {:?}", site.releases());
    project.xtask("deploy rollback staging").success();
    assert_eq!(project.server("app1").site.current(), good[0]);
}

#[test]
fn failed_releases_are_removed_when_that_is_asked_for() {
    let mut project = keeping(5);
    project.top("failed_releases = \"remove\"");
    project.xtask("deploy staging").success();
    project.tables("[tasks.\"break:it\"]\nrun = \"false\"\nafter = \"deploy:updated\"");
    project.xtask("deploy staging").fails_with(1);
    assert_eq!(project.server("app1").site.releases().len(), 1);
}

#[test]
fn what_cannot_be_removed_does_not_fail_a_deploy_that_is_live() {
    let mut project = Project::as_ordinary_user(&[("app1", "app")]);
    project.top("keep_releases = 1");
    project.xtask("deploy staging").success();
    let site = &project.server("app1").site;
    let stuck = site.join(format!("releases/{}/stuck", site.current()));
    fs::create_dir(&stuck).unwrap();
    fs::write(stuck.join("file"), "").unwrap();
    // Only root can remove a file from a folder that nobody may write to.
    fs::set_permissions(&stuck, Permissions::from_mode(0o555)).unwrap();
    project.xtask("deploy staging").success().says("couldn't remove");
    assert_eq!(site.releases(), [site.current()]);
}

/// Applications that finish requests, or that nobody restarted, would find nothing of their release any more.
#[test]
fn a_release_that_processes_run_from_stays_until_they_end() {
    let project = keeping(1);
    let site = &project.server("app1").site;
    let stamps = ["20200101000000", "20200102000000", "20200103000000", "20200104000000"];
    make_releases(site, &stamps);
    site.make_folder("releases/20200101000000/bin");
    fs::copy("/bin/sleep", site.join("releases/20200102000000/sleep")).unwrap();
    let sleeps = |program: &std::path::Path, folder: &str| {
        std::process::Command::new(program).arg("600").current_dir(site.join(folder)).spawn().unwrap()
    };
    let mut inside = sleeps("/bin/sleep".as_ref(), "releases/20200101000000/bin");
    let mut from = sleeps(&site.join("releases/20200102000000/sleep"), "");
    let output = project.xtask("deploy cleanup staging").success();
    let kept = |pid: u32| format!(", from which processes still run: {pid}");
    let output = output.says(&kept(inside.id())).says(&kept(from.id()));
    let _ = output.says("removed 1 release");
    assert_eq!(site.releases(), [stamps[0], stamps[1], stamps[3]]);
    for child in [&mut inside, &mut from] {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let _ = project.xtask("deploy cleanup staging").success().says("removed 2 releases");
    assert_eq!(site.releases(), stamps[3..]);
}
