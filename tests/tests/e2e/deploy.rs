//! A deploy that works, and what it leaves on the servers.

use std::process::Command;

use e2e::{Project, Site};
use insta::assert_snapshot;

/// The time in UTC, as releases are named.
fn now() -> String {
    let output = Command::new("date").args(["-u", "+%Y%m%d%H%M%S"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn assert_live(site: &Site, text: &str) {
    assert_eq!(site.read("current/index.html"), text);
}

#[test]
fn a_first_deploy_lays_everything_out_as_capistrano_does() {
    let project = Project::over_ssh(&[("app1", "app web db")]);
    let before = now();
    project.xtask("deploy staging").success();
    let site = &project.server("app1").site;
    let [release] = &site.releases()[..] else { panic!("one release: {:?}", site.releases()) };
    assert!(before <= *release && *release <= now(), "`{release}` is not the time of the deploy");
    assert_eq!(site.current(), *release);
    assert_snapshot!(project.sandbox.redact(&site.tree()), @r"
    .deploy/
    current -> $SANDBOX/servers/app1/www/releases/RELEASE1
    releases/
    releases/RELEASE1/
    releases/RELEASE1/REVISION
    releases/RELEASE1/REVISION_TIME
    releases/RELEASE1/bin/
    releases/RELEASE1/bin/hello
    releases/RELEASE1/config/
    releases/RELEASE1/config/routes
    releases/RELEASE1/index.html
    repo/
    revisions.log
    shared/
    ");
}

#[test]
fn a_release_tells_its_commit_and_its_time() {
    let project = Project::over_ssh(&[("app1", "app")]);
    project.xtask("deploy staging").success();
    let site = &project.server("app1").site;
    assert_eq!(site.read("current/REVISION").trim(), project.repo.head());
    let time = project.repo.git(&["show", "--no-patch", "--format=%ct"]);
    assert_eq!(site.read("current/REVISION_TIME").trim(), time);
}

#[test]
fn the_log_of_revisions_reads_as_capistranos() {
    let project = Project::over_ssh(&[("app1", "app")]);
    project.xtask("deploy staging").success();
    let site = &project.server("app1").site;
    let head = project.repo.head();
    let expected = format!("Branch main (at {head}) deployed as release {} by ada", site.current());
    assert_eq!(site.revisions(), [expected]);
}

#[test]
fn the_next_deploy_puts_a_release_beside_the_old_one() {
    for strategy in ["push", "fetch"] {
        let mut project = Project::over_ssh(&[("app1", "app")]);
        project.tables(&format!("[git]\nstrategy = {strategy:?}"));
        project.xtask("deploy staging").success();
        project.repo.write("index.html", "two\n").commit("Say two");
        project.xtask("deploy staging").success();
        let site = &project.server("app1").site;
        let [first, second] = &site.releases()[..] else { panic!("{strategy}: two releases") };
        assert_eq!(site.current(), *second);
        assert_live(site, "two\n");
        assert_eq!(site.read(&format!("releases/{first}/index.html")), "one\n");
    }
}

#[test]
fn both_strategies_leave_the_same_layout() {
    let trees = ["push", "fetch"].map(|strategy| {
        let mut project = Project::over_ssh(&[("app1", "app")]);
        project.top("linked_dirs = [\"log\"]");
        project.tables(&format!("[git]\nstrategy = {strategy:?}"));
        project.xtask("deploy staging").success();
        project.sandbox.redact(&project.server("app1").site.tree())
    });
    assert_eq!(trees[0], trees[1]);
}

#[test]
fn a_strategy_can_be_changed_between_two_deploys() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    for (strategy, text) in [("push", "two\n"), ("fetch", "three\n"), ("push", "four\n")] {
        project.repo.write("index.html", text).commit("Say something else");
        project.no_tables().tables(&format!("[git]\nstrategy = {strategy:?}"));
        project.xtask("deploy staging").success();
        assert_live(&project.server("app1").site, text);
    }
}

#[test]
fn servers_of_all_roles_get_the_same_release_and_a_no_release_server_none() {
    let project =
        Project::over_ssh(&[("app1", "app web"), ("app2", "app"), ("web1", "web"), ("db1", "db primary no_release")]);
    project.xtask("deploy staging").success();
    let stamp = project.server("app1").site.current();
    for name in ["app1", "app2", "web1"] {
        let site = &project.server(name).site;
        assert_eq!(site.releases(), [stamp.as_str()], "{name}");
        assert_eq!(site.current(), stamp, "{name}");
        assert_live(site, "one\n");
    }
    let db1 = &project.server("db1").site;
    assert!(!db1.exists("releases") && !db1.has_current(), "{}", db1.tree());
}

#[test]
fn a_local_stage_needs_no_server() {
    let project = Project::local();
    project.xtask("deploy staging").success();
    project.repo.write("index.html", "two\n").commit("Say two");
    project.xtask("deploy staging").success();
    assert_eq!(project.site.releases().len(), 2);
    assert_live(&project.site, "two\n");
    project.xtask("deploy rollback staging").success();
    assert_live(&project.site, "one\n");
}

#[test]
fn a_local_stage_leaves_the_layout_that_a_server_has() {
    let local = Project::local();
    local.xtask("deploy staging").success();
    let remote = Project::over_ssh(&[("app1", "app")]);
    remote.xtask("deploy staging").success();
    let place = |text: String| text.replace("servers/localhost", "servers/app1");
    assert_eq!(
        place(local.sandbox.redact(&local.site.tree())),
        remote.sandbox.redact(&remote.server("app1").site.tree())
    );
}

#[test]
fn an_ordinary_user_deploys_to_servers_of_its_own() {
    let project = Project::as_ordinary_user(&[("app1", "app"), ("app2", "app")]);
    project.xtask("deploy staging").success();
    for site in project.sites() {
        assert_live(site, "one\n");
    }
}

#[test]
fn a_subtree_of_the_repository_is_deployed_alone() {
    for strategy in ["push", "fetch"] {
        let mut project = Project::over_ssh(&[("app1", "app")]);
        project.repo.write("site/page", "hello\n").commit("Add a page");
        project.top("repo_tree = \"site\"").tables(&format!("[git]\nstrategy = {strategy:?}"));
        project.xtask("deploy staging").success();
        let site = &project.server("app1").site;
        assert_eq!(site.list("current"), ["REVISION", "REVISION_TIME", "page"]);
    }
}

#[test]
fn what_the_repository_marks_export_ignore_stays_out_of_releases() {
    let project = Project::over_ssh(&[("app1", "app")]);
    project.repo.write(".gitattributes", "notes export-ignore\n").write("notes", "private\n").commit("Keep notes");
    project.xtask("deploy staging").success();
    let site = &project.server("app1").site;
    assert!(site.exists("current/index.html") && !site.exists("current/notes"));
}

#[test]
fn modes_and_links_of_the_repository_survive() {
    let project = Project::over_ssh(&[("app1", "app")]);
    std::os::unix::fs::symlink("index.html", project.repo.path().join("home")).unwrap();
    project.repo.git(&["add", "--all"]);
    project.repo.git(&["update-index", "--chmod=+x", "bin/hello"]);
    project.repo.git(&["commit", "--quiet", "--message", "Make hello a program"]);
    project.xtask("deploy staging").success();
    let site = &project.server("app1").site;
    assert_eq!(site.mode("current/bin/hello") & 0o111, 0o111);
    assert_eq!(site.mode("current/index.html") & 0o111, 0);
    assert_eq!(site.link("current/home").unwrap().to_str(), Some("index.html"));
}

#[test]
fn servers_need_no_access_to_the_repository_when_the_controller_pushes() {
    let project = Project::over_ssh(&[("app1", "app")]);
    project.xtask("deploy staging").success();
    let moved = project.sandbox.join("moved");
    std::fs::rename(project.repo.path(), &moved).unwrap();
    project.xtask("deploy staging").fails();
    std::fs::rename(moved, project.repo.path()).unwrap();
    // git on the server would need this repository's folder; a wrapper proves that it is never asked for it.
    let origin = project.repo.path().display().to_string();
    assert!(!project.server("app1").sshd.log().contains(&origin));
}

#[test]
fn the_environment_of_tasks_is_what_deploy_toml_says() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    project.tables("[default_env]\nGREETING = \"it's \\\"100%\\\" in $LOGNAME's $$HOME\"");
    project.tables("[tasks.\"say:it\"]\nrun = 'printf \"%s\" \"$GREETING\" > said'\nafter = \"deploy:updated\"");
    project.xtask("deploy staging").success();
    let said = project.server("app1").site.read("current/said");
    assert_eq!(said, format!("it's \"100%\" in {}'s $HOME", e2e::current_user()));
}
