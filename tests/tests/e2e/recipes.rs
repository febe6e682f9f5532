//! Recipes of the stock tool, and the bundle that turns several on.

use e2e::Project;
use insta::assert_snapshot;

fn rails(more: &str) -> Project {
    let mut project = Project::over_ssh(&[("app1", "app db"), ("app2", "app"), ("job1", "job")]);
    project.tables("[recipes.rails]").tables(more);
    project
}

/// The tasks of the plan of a deploy that `names` has, with their servers where these differ from those of the task
/// before.
fn planned(project: &Project, names: &[&str]) -> Vec<String> {
    let plan = project.sandbox.redact(project.xtask("deploy staging --plan").success().stdout());
    let lines = plan.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|line| names.iter().any(|name| line.split(' ').next() == Some(name))).collect()
}

#[test]
fn one_table_turns_the_recipes_of_a_rails_application_on() {
    let project = rails("");
    assert_eq!(
        planned(&project, &["deploy:bundle", "passenger:restart"]),
        ["deploy:bundle", "passenger:restart on deploy@app1, deploy@app2"]
    );
    let scripts = project.xtask("deploy staging --dry-run").success().stdout().to_owned();
    assert!(scripts.contains("\nRAILS_ENV=staging\n"), "{scripts}");
    for path in ["tmp/pids", "storage", "config/master.key", "config/credentials/staging.key"] {
        assert!(scripts.contains(path), "{path}");
    }
}

#[test]
fn a_recipe_of_the_bundle_is_turned_off_and_tuned_by_its_own_table() {
    let project = rails("[recipes.bundler]\nenabled = false\n[recipes.passenger]\nroles = [\"job\"]");
    assert_eq!(planned(&project, &["deploy:bundle", "passenger:restart"]), ["passenger:restart on deploy@job1"]);
}

#[test]
fn a_mistake_in_a_recipe_of_the_bundle_is_shown_in_its_table() {
    let project = rails("[recipes.passenger]\nhealth_uri = \"/up\"");
    let output = project.xtask("deploy staging").fails_with(3);
    let _ = output.says("unknown key `health_uri`").says("did you mean `health_url`?");
}

#[test]
fn mistakes_in_several_tables_are_shown_together() {
    let project = rails("[recipes.passenger]\nhealth_url = \"http://{host}:{port}/up\"\n[recipes.bundler]\njbs = 4");
    let output = project.xtask("deploy staging --plan").fails_with(3);
    output.says("2 errors").says("`{port}` stands for nothing here").says("unknown key `jbs`");
}

#[test]
fn a_stage_without_the_role_that_a_recipe_needs_has_no_plan() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    project.tables("[recipes.migrations]");
    let output = project.xtask("deploy staging --plan").fails_with(3);
    output.says("needs a server with the role `db`, and stage `staging` has none");
    project.xtask("deploy status staging --plan").success();
}

#[test]
fn default_env_wins_over_what_the_bundle_sets() {
    let mut project = rails("");
    project.top("default_env = { RAILS_ENV = \"qa\" }\nlinked_dirs = [\"tmp\"]");
    let scripts = project.xtask("deploy staging --dry-run").success().stdout().to_owned();
    assert!(scripts.contains("\nRAILS_ENV=qa\n") && !scripts.contains("\nRAILS_ENV=staging\n"));
    assert!(!scripts.contains("/shared/tmp/pids"), "`tmp` is linked as a whole");
}

#[test]
fn servers_under_passenger_and_servers_under_systemd_restart_in_one_deploy() {
    let project = rails("[recipes.systemd]\nroles = [\"job\"]\nunits = [\"shop-job@{1,2}\"]");
    assert_eq!(
        planned(&project, &["passenger:restart", "systemd:restart"]),
        ["passenger:restart on deploy@app1, deploy@app2", "systemd:restart on deploy@job1"]
    );
    let restart = project.xtask("deploy restart staging --dry-run").success().stdout().to_owned();
    assert!(restart.contains("systemd_restart restart 2 10 20 ") && restart.contains("shop-job@1 shop-job@2"));
}

#[test]
fn deploys_and_rollbacks_restart_server_after_server() {
    let mut project = Project::over_ssh(&[("app1", "app"), ("app2", "app")]);
    project.tables("[recipes.passenger]\nmethod = \"touch\"\nwait = 0");
    project.tables("[tasks.\"deploy:restart\"]\nrun = \"echo mine >>../../mine\"");
    project.xtask("deploy staging").success();
    let first = project.server("app1").site.current();
    project.xtask("deploy staging").success();
    for site in project.sites() {
        assert!(site.exists("current/tmp/restart.txt"));
        std::fs::remove_file(site.join(format!("releases/{first}/tmp/restart.txt"))).unwrap();
    }
    project.xtask("deploy rollback staging").success();
    for site in project.sites() {
        assert_eq!(site.current(), first);
        assert!(site.exists("current/tmp/restart.txt"));
        assert_eq!(site.read("mine"), "mine\nmine\nmine\n");
    }
}

#[test]
fn a_server_without_passenger_is_told_and_named() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    project.tables("[recipes.passenger]\ncommand = \"no-such-passenger\"");
    let _ = project.xtask("deploy staging").fails_with(1);
    let output = project.xtask("passenger restart staging").fails_with(1);
    assert_snapshot!(output.errors(), @r#"

    passenger:restart failed on deploy@app1
      reason: passenger-config is not on the PATH
      hint: say where it is, in deploy.toml: [recipes.passenger] command = "/path/to/passenger-config"
      hint: or say how to restart, in deploy.toml: [recipes.passenger] method = "touch"
    everything is in $SANDBOX/project/target/deploy/log/TIME-staging-passenger-restart.log
    error: `passenger:restart` failed on 1 of 1 servers
    [exit status: 1]
    "#);
}

#[test]
fn an_application_that_does_not_answer_stops_the_restart_of_the_other_servers() {
    let mut project = Project::over_ssh(&[("app1", "app"), ("app2", "app")]);
    project
        .tables("[recipes.passenger]\nmethod = \"touch\"\nhealth_url = \"http://127.0.0.1:1/up\"\nhealth_retries = 0");
    let output = project.xtask("deploy staging").fails_with(1);
    let output = output.says("passenger:restart failed on deploy@app1").says("http://127.0.0.1:1/up doesn't answer");
    let _ = output.says("cargo xtask deploy rollback staging");
    assert!(!project.server("app2").site.exists("current/tmp/restart.txt"));
}
