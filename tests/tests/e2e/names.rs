//! Names that a shell would trip over.

use e2e::Project;

/// Everything that a careless tool forgets to quote.
const HOSTILE: &str = "it's \"my\" $(touch pwned) shop; %s `id` &";

#[test]
fn a_hostile_path_is_deployed_to() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    let path = project.sandbox.join(HOSTILE);
    project.server_mut("app1").deploy_to(&path);
    project.top("linked_dirs = [\"log\"]");
    project.xtask("deploy staging").success();
    project.repo.write("index.html", "two\n").commit("Say two");
    project.xtask("deploy staging").success();
    project.xtask("deploy rollback staging").success();
    let site = &project.server("app1").site;
    assert_eq!(site.read("current/index.html"), "one\n");
    assert_eq!(site.current(), site.releases()[0]);
    assert!(!project.sandbox.join("pwned").exists());
}

#[test]
fn a_hostile_path_is_deployed_to_on_this_machine() {
    let mut project = Project::local();
    let path = project.sandbox.join(HOSTILE);
    project.stage(&format!("deploy_to = {path:?}"));
    project.xtask("deploy staging").success();
    assert_eq!(std::fs::read_to_string(path.join("current/index.html")).unwrap(), "one\n");
}

#[test]
fn a_hostile_repository_path_is_deployed_from() {
    for strategy in ["push", "fetch"] {
        let mut project = Project::over_ssh(&[("app1", "app")]);
        let path = project.sandbox.join(HOSTILE);
        std::fs::rename(project.repo.path(), &path).unwrap();
        project.top(&format!("repo_url = {path:?}")).tables(&format!("[git]\nstrategy = {strategy:?}"));
        project.xtask("deploy staging").success();
        assert_eq!(project.server("app1").site.read("current/index.html"), "one\n");
    }
}

#[test]
fn hostile_names_in_the_repository_arrive_as_they_are() {
    let project = Project::over_ssh(&[("app1", "app")]);
    let names = [HOSTILE, "-rf", "two\nlines", "spaces  and\ttab", "ünïcode"];
    for name in names {
        project.repo.write(name, name);
    }
    project.repo.commit("Add odd names");
    project.xtask("deploy staging").success();
    let site = &project.server("app1").site;
    assert!(names.iter().all(|name| site.read(&format!("current/{name}")) == *name));
}

#[test]
fn hostile_names_are_linked() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    let file = format!("config/{HOSTILE}.yml");
    project.top(&format!("linked_files = [{file:?}]\nlinked_dirs = [{HOSTILE:?}]"));
    let site = &project.server("app1").site;
    project.xtask("deploy staging").fails_with(1).says(&file);
    site.write(&format!("shared/{file}"), "shared\n");
    project.xtask("deploy staging").success();
    assert_eq!(site.read(&format!("current/{file}")), "shared\n");
    assert!(site.link(&format!("current/{HOSTILE}")).is_some());
}

#[test]
fn who_deploys_is_written_down_as_it_is() {
    for name in ["(GitHub Web Flow) via ShipIt", HOSTILE, "-n", "a\\tb\\c"] {
        let mut project = Project::over_ssh(&[("app1", "app")]);
        project.top(&format!("local_user = {name:?}"));
        project.xtask("deploy staging").success();
        let last = project.server("app1").site.revisions().pop().unwrap();
        assert!(last.ends_with(&format!(" by {name}")), "{last}");
    }
}

#[test]
fn hostile_values_of_the_environment_arrive_as_they_are() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    project.tables(&format!("[default_env]\nVALUE = {HOSTILE:?}"));
    project.tables("[tasks.\"say:it\"]\nrun = 'printf %s \"$VALUE\" > said'\nafter = \"deploy:updated\"");
    project.xtask("deploy staging").success();
    assert_eq!(project.server("app1").site.read("current/said"), HOSTILE);
}

#[test]
fn an_application_name_that_no_shell_should_see_is_refused() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    project.top("application = \"shop; rm -rf\"");
    project.xtask("deploy staging").fails_with(3).says("shop; rm -rf");
    assert_eq!(project.server("app1").sshd.connections(), 0);
}
