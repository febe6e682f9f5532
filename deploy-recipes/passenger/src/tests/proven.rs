//! Whether what runs after the restart is of the release that is live.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

use super::*;

const FIRST: &str = "20250101000000";

/// As Passenger 6.0.17 says it where another registry has the instance.
const UNSEEN: &str = "cat >&2 <<'TEXT'
*** WARNING: Phusion Passenger(R) doesn't seem to be running. If you are sure that it
is running, then the causes of this problem could be one of:
TEXT
";

/// A process that bears the title of an application, and ends with the test.
struct App(Child);

impl App {
    /// One that lives in a folder of the server.
    fn of(site: &Site, folder: &str) -> App {
        let title = format!("Passenger RubyApp: {}/current (production)", site.path("app1", "").display());
        let title = title.replace("deploy//", "deploy/");
        let mut sleep = Command::new("/bin/sleep");
        App(sleep.arg0(title).arg("600").current_dir(site.path("app1", folder)).spawn().unwrap())
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server with two releases, whose Passenger does what `does` says.
fn two(table: &str, does: &str) -> Site {
    let site = site(table, MODERN, does);
    std::fs::create_dir_all(site.path("app1", &format!("releases/{FIRST}"))).unwrap();
    site
}

#[test]
fn a_restart_that_did_not_reach_the_application_is_a_failure() {
    for shell in SHELLS {
        let site = two("", UNSEEN).shell(shell);
        let old = App::of(&site, &format!("releases/{FIRST}"));
        let run = on(&site);
        let process = format!("process {} in release {FIRST}", old.0.id());
        let said = [
            "the restart didn't reach the application, which still runs from an earlier release: ",
            &process,
            "PASSENGER_INSTANCE_REGISTRY_DIR",
            "to go back: cargo xtask deploy rollback production",
        ];
        fails_with(&run, &said);
        assert!(run.notes()[0].starts_with("Passenger warns: Phusion Passenger(R) doesn't seem to be"), "{run:?}");
    }
}

/// The process keeps its folder when that is renamed, and when it is gone.
#[test]
fn a_process_whose_release_is_gone_is_of_an_earlier_one() {
    let site = two("", UNSEEN);
    let _old = App::of(&site, &format!("releases/{FIRST}"));
    std::fs::create_dir_all(site.path("app1", ".deploy/trash")).unwrap();
    let trash = site.path("app1", &format!(".deploy/trash/{FIRST}"));
    std::fs::rename(site.path("app1", &format!("releases/{FIRST}")), &trash).unwrap();
    fails_with(&on(&site), &[&format!("in release {FIRST}")]);
    std::fs::remove_dir(trash).unwrap();
    fails_with(&on(&site), &[&format!("in release {FIRST}")]);
}

#[test]
fn what_finishes_requests_beside_the_new_one_is_told() {
    let site = two("health_timeout = 1", WORKS);
    let (_old, _new) = (App::of(&site, &format!("releases/{FIRST}")), App::of(&site, "current"));
    let run = on(&site);
    run.succeeded();
    assert!(run.notes()[0].starts_with("an earlier release still finishes requests: process "), "{:?}", run.notes());
}

#[test]
fn what_ends_in_time_is_no_news() {
    let site = two("", "kill \"$(cat \"$HOME/deploy/pid\")\"; echo Restarting it");
    let (mut old, _new) = (App::of(&site, &format!("releases/{FIRST}")), App::of(&site, "current"));
    site.write("app1", "pid", &old.0.id().to_string());
    let reaper = std::thread::spawn(move || old.0.wait());
    let run = on(&site);
    reaper.join().unwrap().unwrap();
    run.succeeded();
    assert_eq!(run.notes(), [""; 0]);
}

#[test]
fn a_process_of_this_release_or_of_a_neighbour_is_well() {
    let site = two("", UNSEEN);
    std::fs::create_dir_all(site.path("app1", "current/backend")).unwrap();
    let _new = App::of(&site, "current/backend");
    let _neighbour = App::of(&two("", UNSEEN), &format!("releases/{FIRST}"));
    on(&site).succeeded();
}

#[test]
fn a_touch_that_nobody_follows_with_a_request_proves_nothing_and_says_so_before() {
    let site = two("method = 'touch'", WORKS);
    let _old = App::of(&site, &format!("releases/{FIRST}"));
    on(&site).succeeded();
    let run = site.run("passenger:check");
    let said =
        "whether the new release answers after the restart may not be seen: Passenger restarts it for the next request";
    assert!(run.notes()[0].starts_with(said), "{:?}", run.notes());
    assert!(run.notes()[0].ends_with("health_revision = \"X-Revision\""));
}

#[test]
fn an_answer_of_nobody_that_is_seen_is_told_before_and_after() {
    let site = site("health_url = '/up'", MODERN, WORKS);
    site.program("curl", "printf 200");
    let before = site.run("passenger:check");
    assert!(before.notes()[0].contains("no process of Passenger's below"), "{:?}", before.notes());
    let run = on(&site);
    run.succeeded();
    assert!(run.notes()[0].starts_with("the application answers, and of which release can't be seen"), "{run:?}");
    let _new = App::of(&site, "current");
    assert_eq!((site.run("passenger:check").notes().len(), on(&site).notes().len()), (0, 0));
}
