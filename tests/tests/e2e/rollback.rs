//! Going back.

use e2e::{Project, Site};
use insta::assert_snapshot;

/// Deploys releases whose `index.html` says `one`, `two`, …
fn deployed(project: &Project, count: usize) {
    for text in &["one\n", "two\n", "three\n", "four\n"][..count] {
        project.repo.write("index.html", text).commit("Say something else");
        project.xtask("deploy staging").success();
    }
}

fn live(site: &Site) -> String {
    site.read("current/index.html").trim().to_owned()
}

#[test]
fn the_release_before_the_live_one_is_live_again() {
    let project = Project::over_ssh(&[("app1", "app"), ("app2", "app")]);
    deployed(&project, 2);
    project.xtask("deploy rollback staging").success();
    for site in project.sites() {
        assert_eq!(live(site), "one");
        assert_eq!(site.current(), site.releases()[0]);
    }
}

#[test]
fn the_log_of_revisions_tells_of_it_as_capistranos_does() {
    let project = Project::over_ssh(&[("app1", "app")]);
    deployed(&project, 2);
    project.xtask("deploy rollback staging").success();
    let site = &project.server("app1").site;
    let expected = format!("ada rolled back to release {}", site.current());
    assert_eq!(site.revisions().last(), Some(&expected));
}

#[test]
fn a_named_release_is_live_again() {
    let project = Project::over_ssh(&[("app1", "app")]);
    deployed(&project, 3);
    let site = &project.server("app1").site;
    let first = site.releases()[0].clone();
    project.xtask(&format!("deploy rollback staging --release {first}")).success();
    assert_eq!(site.current(), first);
}

#[test]
fn a_release_that_is_not_there_is_refused() {
    let project = Project::over_ssh(&[("app1", "app"), ("app2", "app")]);
    deployed(&project, 2);
    let output = project.xtask("deploy rollback staging --release 20010101000000").fails_with(1);
    assert_snapshot!(output.errors(), @r"

    deploy:choose_release failed
      reason: can't go back to release `RELEASE1`: deploy@app1 doesn't have it, deploy@app2 doesn't have it
      hint: nothing was changed; `ls` the `releases` folder for what there is
    everything is in $SANDBOX/project/target/deploy/log/TIME-staging-deploy-rollback.log
    error: `deploy:rollback` failed
      release RELEASE2 is live on deploy@app1, deploy@app2
    [exit status: 1]
    ");
    assert!(project.sites().iter().all(|site| live(site) == "two"));
}

#[test]
fn a_release_is_named_by_fourteen_digits() {
    let project = Project::over_ssh(&[("app1", "app")]);
    deployed(&project, 1);
    for name in ["yesterday", "../../etc", "2026"] {
        project.xtask_with(&["deploy", "rollback", "staging", "--release", name]).fails().says(name);
    }
    assert_eq!(live(&project.server("app1").site), "one");
}

#[test]
fn with_nothing_to_go_back_to_nothing_changes() {
    let project = Project::over_ssh(&[("app1", "app")]);
    deployed(&project, 1);
    let output = project.xtask("deploy rollback staging").fails_with(1);
    assert_snapshot!(output.errors(), @r"

    deploy:choose_release failed
      reason: there is nothing to go back to: no good release before RELEASE1 is on every server
      last lines of output:
        | good releases before it
        | deploy@app1: none
      hint: deploy an earlier revision instead: cargo xtask deploy STAGE --revision SHA
    everything is in $SANDBOX/project/target/deploy/log/TIME-staging-deploy-rollback.log
    error: `deploy:rollback` failed
      release RELEASE1 is live on deploy@app1
    [exit status: 1]
    ");
    assert_eq!(live(&project.server("app1").site), "one");
}

#[test]
fn with_no_release_at_all_nothing_changes() {
    let project = Project::over_ssh(&[("app1", "app")]);
    project.xtask("deploy rollback staging").fails_with(1);
    assert!(!project.server("app1").site.has_current());
}

#[test]
fn going_back_twice_goes_back_two_releases() {
    let project = Project::over_ssh(&[("app1", "app")]);
    deployed(&project, 3);
    project.xtask("deploy rollback staging").success();
    project.xtask("deploy rollback staging").success();
    assert_eq!(live(&project.server("app1").site), "one");
    project.xtask("deploy rollback staging").fails_with(1);
}

#[test]
fn a_release_that_was_left_is_not_gone_back_to_after_a_new_deploy() {
    let project = Project::over_ssh(&[("app1", "app")]);
    deployed(&project, 2);
    project.xtask("deploy rollback staging").success();
    project.repo.write("index.html", "three\n").commit("Say three");
    project.xtask("deploy staging").success();
    project.xtask("deploy rollback staging").success();
    assert_eq!(live(&project.server("app1").site), "one");
}

#[test]
fn a_release_whose_deploy_failed_is_not_gone_back_to() {
    for fate in ["keep", "remove", "archive"] {
        let mut project = Project::over_ssh(&[("app1", "app")]);
        project.top(&format!("failed_releases = {fate:?}"));
        deployed(&project, 2);
        project.tables("[tasks.\"break:it\"]\nrun = \"false\"\nafter = \"deploy:updated\"");
        project.xtask("deploy staging").fails_with(1);
        assert_eq!(live(&project.server("app1").site), "two", "{fate}");
        project.xtask("deploy rollback staging").success();
        assert_eq!(live(&project.server("app1").site), "one", "{fate}");
    }
}

#[test]
fn times_of_folders_decide_nothing() {
    let project = Project::over_ssh(&[("app1", "app")]);
    deployed(&project, 3);
    let site = &project.server("app1").site;
    let oldest = site.releases()[0].clone();
    site.write(&format!("releases/{oldest}/touched"), "");
    project.xtask("deploy rollback staging").success();
    assert_eq!(live(site), "two");
}

#[test]
fn the_release_that_is_left_has_the_fate_that_is_set() {
    let outcomes = ["keep", "archive", "remove"].map(|fate| {
        let mut project = Project::over_ssh(&[("app1", "app")]);
        project.top(&format!("rolled_back_releases = {fate:?}"));
        deployed(&project, 2);
        let site = &project.server("app1").site;
        let left = site.current();
        project.xtask("deploy rollback staging").success();
        let archive = format!("rolled-back-release-{left}.tar.gz");
        (site.releases().contains(&left), site.exists(&archive))
    });
    assert_eq!(outcomes, [(true, false), (false, true), (false, false)]);
}

#[test]
fn servers_with_different_releases_end_the_same_or_nothing_changes() {
    let project = Project::over_ssh(&[("app1", "app"), ("app2", "app")]);
    deployed(&project, 3);
    let [app1, app2] = [&project.server("app1").site, &project.server("app2").site];
    let middle = app1.releases()[1].clone();
    std::fs::remove_dir_all(app2.join("releases").join(&middle)).unwrap();
    let output = project.xtask("deploy rollback staging");
    assert_eq!(app1.current(), app2.current(), "{output}");
    assert_ne!(app1.current(), middle, "{output}");
    output.says("app2").says("RELEASE2");
}

#[test]
fn a_new_server_among_old_ones_stops_a_rollback_everywhere() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    deployed(&project, 2);
    project.add_server("app2", "app", &[]);
    project.xtask("deploy staging").success();
    project.xtask("deploy staging --hosts 127.0.0.1").success();
    let both_have: Vec<String> = project.server("app2").site.releases();
    project.xtask("deploy rollback staging").success();
    assert!(project.sites().iter().all(|site| both_have.contains(&site.current())));
}

#[test]
fn a_dry_run_of_a_rollback_shows_what_would_run() {
    let project = Project::over_ssh(&[("app1", "app")]);
    deployed(&project, 2);
    let connections = project.server("app1").sshd.connections();
    project.xtask("deploy rollback staging --dry-run").success().says("deploy:revert_release");
    assert_eq!(project.server("app1").sshd.connections(), connections);
    assert_eq!(live(&project.server("app1").site), "two");
}
