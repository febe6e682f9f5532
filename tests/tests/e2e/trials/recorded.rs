//! What records say after a run was killed between two of its steps, and what later runs make of it.

use e2e::{Project, Site};

use super::scene::{deploys_again, revise, shop};

/// The state of each release in the records, oldest first.
fn states(site: &Site) -> Vec<(String, String)> {
    let line = |line: &str| {
        let mut fields = line.split('\t').map(str::to_owned);
        (fields.next().unwrap_or_default(), fields.next().unwrap_or_default())
    };
    let mut states: Vec<_> = site.read(".deploy/releases").lines().map(line).collect();
    states.sort();
    states
}

/// Writes the record of `release` as a run that was killed would have left it.
fn forge(site: &Site, release: &str, state: &str) {
    let known = states(site).into_iter().find(|(stamp, _)| stamp == release).expect("there is a record").1;
    let text = site.read(".deploy/releases");
    let forged = text.replace(&format!("{release}\t{known}\t"), &format!("{release}\t{state}\t"));
    assert_ne!(text, forged);
    site.write(".deploy/releases", &forged);
}

fn says(site: &Site) -> String {
    site.read("current/index.html").trim().to_owned()
}

fn deployed(texts: &[&str]) -> Project {
    let project = shop(&[("app1", "app")]);
    for text in texts {
        revise(&project, text);
        project.xtask("deploy staging").success();
    }
    project
}

#[test]
fn a_release_that_was_live_although_its_run_was_killed_can_be_gone_back_to() {
    let project = deployed(&["one", "two"]);
    let site = &project.server("app1").site;
    forge(site, &site.current(), "building");
    deploys_again(&project, "three").unwrap();
    project.xtask("deploy rollback staging").success();
    assert_eq!(says(site), "two");
}

#[test]
fn a_release_that_a_killed_run_never_switched_to_is_not_gone_back_to() {
    let mut project = deployed(&["one", "two"]);
    project.top("failed_releases = \"keep\"");
    project.tables("[tasks.\"break:it\"]\nrun = \"false\"\nafter = \"deploy:updated\"");
    revise(&project, "never live");
    project.xtask("deploy staging").fails_with(1);
    project.no_tables();
    let site = &project.server("app1").site;
    let never = site.releases().pop().unwrap();
    forge(site, &never, "building");
    deploys_again(&project, "three").unwrap();
    assert!(states(site).contains(&(never, "failed".to_owned())), "{:?}", states(site));
    project.xtask("deploy rollback staging").success();
    assert_eq!(says(site), "two");
}

#[test]
fn a_release_that_was_left_by_a_rollback_that_was_killed_is_not_gone_back_to() {
    let project = deployed(&["one", "two"]);
    let site = &project.server("app1").site;
    let left = site.current();
    project.xtask("deploy rollback staging").success();
    forge(site, &left, "leaving");
    deploys_again(&project, "three").unwrap();
    project.xtask("deploy rollback staging").success();
    assert_eq!(says(site), "one");
}

#[test]
fn a_rollback_that_was_killed_before_it_switched_left_nothing() {
    let project = deployed(&["one", "two"]);
    let site = &project.server("app1").site;
    forge(site, &site.current(), "leaving");
    deploys_again(&project, "three").unwrap();
    project.xtask("deploy rollback staging").success();
    assert_eq!(says(site), "two");
}

#[test]
fn a_failed_release_has_the_fate_that_is_set_and_its_record_says_failed() {
    for (fate, is_kept) in [("keep", true), ("remove", false)] {
        let mut project = deployed(&["one", "two"]);
        project.top(&format!("failed_releases = {fate:?}"));
        project.tables("[tasks.\"break:it\"]\nrun = \"false\"\nafter = \"deploy:updated\"");
        revise(&project, "three");
        project.xtask("deploy staging").fails_with(1);
        let site = &project.server("app1").site;
        let (failed, state) = states(site).pop().unwrap();
        assert_eq!(state, "failed", "{fate}");
        assert_eq!(site.releases().contains(&failed), is_kept, "{fate}");
        assert_eq!(says(site), "two", "{fate}");
        project.xtask("deploy rollback staging").success();
        assert_eq!(says(site), "one", "{fate}");
    }
}
