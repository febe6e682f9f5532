//! Looking before leaping: plans, dry runs, the list of tasks.

use e2e::Project;
use insta::assert_snapshot;

fn fleet() -> Project {
    Project::over_ssh(&[("app1", "app web"), ("web1", "web"), ("db1", "db primary no_release")])
}

fn assert_no_server_was_asked(project: &Project) {
    for server in &project.servers {
        assert_eq!(server.sshd.connections(), 0, "{}:\n{}", server.name, server.sshd.log());
    }
}

#[test]
fn a_plan_names_the_servers_of_each_task_and_asks_none() {
    let project = fleet();
    let output = project.xtask("deploy staging --plan").success();
    assert_no_server_was_asked(&project);
    assert_snapshot!(output, @r"
    `deploy` in stage `staging`

      deploy@app1  app, web  5 commands
      deploy@db1  db        takes no part
      deploy@web1  web       5 commands

      git:resolve                    on this machine

      deploy:ensure_stage            on this machine

      deploy:lock                    on deploy@app1, deploy@web1
      deploy:check:directories
      deploy:check:releases
      deploy:check:linked_dirs
      deploy:check:make_linked_dirs
      deploy:check:linked_files
      git:check

      deploy:new_release             on this machine

      git:update                     on deploy@app1, deploy@web1
      git:create_release
      deploy:set_current_revision
      deploy:symlink:linked_files
      deploy:symlink:linked_dirs
      -- all wait: the phase `update` ends

      deploy:symlink:release         on deploy@app1, deploy@web1
      -- all wait: the phase `switch` ends

      deploy:mark_published          on deploy@app1, deploy@web1
      -- all wait: the phase `activate` ends

      deploy:cleanup                 on deploy@app1, deploy@web1
      deploy:log_revision

    if anything fails

      deploy:discard_release         on deploy@app1, deploy@web1
    ");
}

#[test]
fn a_plan_of_a_rollback_asks_no_server() {
    let project = fleet();
    let output = project.xtask("deploy rollback staging --plan").success();
    assert_no_server_was_asked(&project);
    assert_snapshot!(output, @r"
    `deploy:rollback` in stage `staging`

      deploy@app1  app, web  5 commands
      deploy@db1  db        takes no part
      deploy@web1  web       5 commands

      deploy:ensure_stage            on this machine

      deploy:lock                    on deploy@app1, deploy@web1
      deploy:check:directories
      deploy:check:releases
      deploy:check:linked_dirs
      deploy:check:make_linked_dirs
      deploy:check:linked_files

      deploy:choose_release          on this machine

      deploy:revert_release          on deploy@app1, deploy@web1
      -- all wait: the phase `update` ends

      deploy:symlink:release         on deploy@app1, deploy@web1
      -- all wait: the phase `switch` ends

      deploy:mark_published          on deploy@app1, deploy@web1
      -- all wait: the phase `activate` ends

      deploy:cleanup_rollback        on deploy@app1, deploy@web1
      deploy:log_revision

    if anything fails

      deploy:discard_release         on deploy@app1, deploy@web1
    ");
}

#[test]
fn a_dry_run_asks_no_server() {
    let project = fleet();
    let output = project.xtask("deploy staging --dry-run").success();
    assert_no_server_was_asked(&project);
    output.says("deploy:symlink:release").says("git:create_release");
    project.xtask("deploy rollback staging --dry-run").success();
    assert_no_server_was_asked(&project);
}

#[test]
fn a_dry_run_shows_what_each_task_does_and_equal_servers_once() {
    let mut project = Project::over_ssh(&[("app1", "app"), ("app2", "app"), ("app3", "app")]);
    for server in &mut project.servers {
        server.deploy_to("/srv/shop");
    }
    project.tables("[tasks.\"cache:clear\"]\nrun = \"bin/clear --all\"\nas = \"www\"\nafter = \"deploy:published\"");
    let output = project.xtask("cache clear staging --dry-run").success();
    assert_snapshot!(output, @r"
    ## deploy:lock: deploy@app1, deploy@app2, deploy@app3
    root=/srv/shop
    take_lock '<token>' '<holder>' '<lock_list>' ''
    only_once '<number>' '<server>'

    ## cache:clear: deploy@app1, deploy@app2, deploy@app3
    (in /srv/shop/current)
    (as www)
    bin/clear --all

    With -v: the programs as they would be sent, with the shell functions that these call.
    ");
    let (brief, whole) = ("deploy staging --dry-run", "deploy staging --dry-run -v");
    let lines = |line: &str| project.xtask(line).success().stdout().lines().count();
    assert!(lines(brief) * 3 < lines(whole), "{} and {}", lines(brief), lines(whole));
}

#[test]
fn plans_and_dry_runs_are_json_where_that_is_asked_for() {
    let project = fleet();
    let json =
        |line: &str| -> serde_json::Value { serde_json::from_str(project.xtask(line).success().stdout()).unwrap() };
    let plan = json("deploy staging --plan --format json");
    assert_eq!((&plan["task"], &plan["stage"]), (&serde_json::json!("deploy"), &serde_json::json!("staging")));
    assert_eq!(plan["servers"].as_array().unwrap().len(), 2, "{plan}");
    assert_eq!(plan["legs"][0][0]["task"], "git:resolve");
    assert!(plan["legs"][0][0]["servers"].is_null() && plan["legs"][0][0].get("does").is_none());
    let lock = &json("deploy staging --dry-run --format json")["legs"][2][0];
    assert_eq!(lock["task"], "deploy:lock");
    assert!(lock["does"][0]["text"].as_str().unwrap().contains("take_lock"), "{lock}");
    assert_no_server_was_asked(&project);
}

/// The scripts of a dry run; each stands below a heading that names servers and tasks.
fn scripts(project: &Project, line: &str) -> Vec<String> {
    let output = project.xtask(line).success();
    let sections = output.stdout().split("\n## ").filter_map(|section| section.split_once('\n'));
    sections.map(|(_, script)| script.trim().to_owned()).filter(|script| !script.is_empty()).collect()
}

#[test]
fn shellcheck_and_every_shell_accept_the_scripts_of_a_dry_run() {
    for strategy in ["push", "fetch"] {
        let mut project = Project::over_ssh(&[("app1", "app"), ("app2", "app web")]);
        project
            .top("linked_files = [\"config/database.yml\"]\nlinked_dirs = [\"log\", \"it's $HOME\"]\numask = \"0027\"");
        project.tables(&format!("[git]\nstrategy = {strategy:?}\nverify_commit = true"));
        project.tables(
            "[default_env]\nA = \"b c\"\n[tasks.\"cache:clear\"]\nrun = \"true\"\nafter = \"deploy:published\"",
        );
        let deploy = scripts(&project, "deploy staging --dry-run -v");
        let rollback = scripts(&project, "deploy rollback staging --dry-run -v");
        assert!(deploy.len() >= 5 && rollback.len() >= 4, "{} and {}", deploy.len(), rollback.len());
        for script in deploy.iter().chain(&rollback) {
            let file = project.sandbox.join("script.sh");
            std::fs::write(&file, script).unwrap();
            for checker in ["shellcheck", "dash -n", "bash --posix -n", "busybox sh -n"] {
                let mut words = checker.split(' ');
                let mut check = project.sandbox.command(words.next().unwrap());
                check.args(words).arg(&file);
                project.sandbox.run(check).success();
            }
        }
    }
}

#[test]
fn the_flow_of_a_deploy_prints_as_documented() {
    let project = Project::local();
    let output = project.xtask("tasks --flow deploy").success();
    assert_snapshot!(output, @r"
    deploy
      deploy:starting
        [before]
          deploy:ensure_stage
          deploy:set_shared_assets
        deploy:check
      deploy:started
      deploy:updating
        git:create_release
        deploy:symlink:shared
      deploy:updated
        [before]
          deploy:bundle
        [after]
          deploy:migrate
          deploy:compile_assets
          deploy:normalize_assets
      deploy:publishing
        deploy:symlink:release
      deploy:published
        [after]
          deploy:restart
      deploy:finishing
        deploy:cleanup
      deploy:finished
        deploy:log_revision
    ");
}

#[test]
fn the_flow_of_a_rollback_prints_as_documented() {
    let project = Project::local();
    let output = project.xtask("tasks --flow deploy:rollback").success();
    assert_snapshot!(output, @r"
    deploy
      deploy:starting
        [before]
          deploy:ensure_stage
          deploy:set_shared_assets
        deploy:check
      deploy:started
      deploy:reverting
        deploy:revert_release
      deploy:reverted
        [after]
          deploy:rollback_assets
      deploy:publishing
        deploy:symlink:release
      deploy:published
        [after]
          deploy:restart
      deploy:finishing_rollback
        deploy:cleanup_rollback
      deploy:finished
        deploy:log_revision
    ");
}

#[test]
fn hooks_from_deploy_toml_show_in_the_flow() {
    let mut project = Project::local();
    project.tables("[tasks.\"cache:clear\"]\nrun = \"true\"\nafter = \"deploy:published\"");
    project
        .xtask("tasks --flow deploy")
        .success()
        .says("  deploy:published\n    [after]\n      deploy:restart\n      cache:clear\n");
}

#[test]
fn tasks_are_listed_with_how_to_call_them() {
    let mut project = Project::local();
    project.tables("[tasks.\"cache:clear\"]\nabout = \"Clear the page cache\"\nrun = \"true\"");
    let output = project.xtask("tasks").success();
    assert!(["deploy", "deploy rollback", "cache clear"].iter().all(|task| output.stdout().contains(task)), "{output}");
    output.says("Clear the page cache");
}

#[test]
fn tasks_can_be_searched_and_read_by_programs() {
    let project = Project::local();
    project.xtask("tasks rollback").success().says("rollback").says_not("git check");
    let output = project.xtask("tasks --json").success();
    let tasks: serde_json::Value = serde_json::from_str(output.stdout()).expect("one JSON document");
    assert!(tasks.to_string().contains("deploy:rollback"), "{tasks}");
}

#[test]
fn tasks_are_listed_without_any_configuration() {
    let project = Project::local();
    let nowhere = project.sandbox.join("nowhere");
    std::fs::create_dir(&nowhere).unwrap();
    let mut list = project.sandbox.command(e2e::xtask());
    list.current_dir(nowhere).arg("tasks");
    project.sandbox.run(list).success().says("deploy rollback");
}

#[test]
fn tasks_are_listed_though_the_configuration_is_broken() {
    let mut project = Project::local();
    project.top("no_such_key = 1");
    project.xtask("tasks").success().says("deploy rollback");
}
