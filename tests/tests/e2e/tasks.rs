//! Tasks run alone, and tasks that deploy.toml defines.

use e2e::Project;

#[test]
fn the_repository_is_checked_alone() {
    for strategy in ["push", "fetch"] {
        let mut project = Project::over_ssh(&[("app1", "app")]);
        project.tables(&format!("[git]\nstrategy = {strategy:?}"));
        project.xtask("git check staging").success();
        assert!(project.server("app1").site.releases().is_empty());
        project.top(&format!("repo_url = {:?}", project.sandbox.join("gone")));
        project.xtask("git check staging").fails().says("gone");
    }
}

#[test]
fn no_temporary_file_is_left_for_others_to_read() {
    for strategy in ["push", "fetch"] {
        let mut project = Project::over_ssh(&[("app1", "app")]);
        project.tables(&format!("[git]\nstrategy = {strategy:?}"));
        project.top(&format!("tmp_dir = {:?}", project.sandbox.join("tmp")));
        project.xtask("deploy staging").success();
        let left: Vec<_> = std::fs::read_dir(project.sandbox.join("tmp")).unwrap().flatten().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn a_task_answers_to_all_its_spellings() {
    let project = Project::over_ssh(&[("app1", "app")]);
    for line in
        ["deploy check linked-files staging", "deploy check linked_files staging", "deploy:check:linked_files staging"]
    {
        project.xtask(line).success();
    }
}

#[test]
fn what_does_nothing_alone_names_the_flow_that_it_is_a_part_of() {
    let project = Project::over_ssh(&[("app1", "app")]);
    for task in
        ["deploy lock", "deploy ensure-stage", "deploy new-release", "deploy symlink release", "deploy publishing"]
    {
        let output = project.xtask(&format!("{task} staging")).fails_with(2);
        output.says("does nothing alone").says("did you mean `cargo xtask deploy staging`?");
    }
    project.xtask("deploy symlink release staging --dry-run").success().says("switch_to");
    assert_eq!(project.server("app1").sshd.connections(), 0);
}

#[test]
fn what_a_task_that_is_called_by_its_name_writes_is_shown() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    project.tables("[tasks.\"say:hello\"]\nrun = \"echo hello from here\"\nafter = \"deploy:updated\"");
    project.xtask("deploy staging").success().says_not("hello from here");
    project.xtask("say hello staging").success().says("deploy@app1 | hello from here");
    project.xtask("say hello staging -q").success().says_not("hello from here");
}

#[test]
fn a_task_of_a_recipe_that_is_off_says_so() {
    let project = Project::over_ssh(&[("app1", "app")]);
    project
        .xtask("systemd restart staging")
        .fails_with(2)
        .says("the recipe `systemd`, which is off in stage `staging`");
    project.xtask("tasks").success().says("`systemd`").says_not("cargo xtask systemd restart");
}

#[test]
fn a_phase_alone_runs_its_hooks() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    let mark = project.sandbox.join("mark");
    project.tables(&format!("[tasks.\"make:mark\"]\nrun = \"touch {}\"\nafter = \"deploy:starting\"", mark.display()));
    project.xtask("deploy starting staging").success();
    assert!(mark.exists());
    assert!(project.server("app1").site.releases().is_empty());
}

#[test]
fn a_task_of_deploy_toml_runs_in_the_live_release_when_it_is_run_alone() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    project.xtask("deploy staging").success();
    project.tables("[tasks.\"cache:clear\"]\nabout = \"Clear the cache\"\nrun = \"pwd -P > cleared\"");
    project.xtask("cache clear staging").success();
    let site = &project.server("app1").site;
    let place = site.read("current/cleared");
    assert_eq!(place.trim(), site.join("releases").join(site.current()).to_str().unwrap());
}

#[test]
fn a_task_runs_on_the_servers_of_its_roles_only() {
    let mut project = Project::over_ssh(&[("app1", "app web"), ("app2", "app"), ("web1", "web")]);
    project.tables("[tasks.\"mark:web\"]\nrun = \"touch web\"\nroles = [\"web\"]\nafter = \"deploy:updated\"");
    project.tables("[tasks.\"mark:all\"]\nrun = \"touch all\"\nafter = \"deploy:updated\"");
    project.xtask("deploy staging").success();
    let marked = |mark: &str| -> Vec<bool> {
        project.sites().iter().map(|site| site.exists(&format!("current/{mark}"))).collect()
    };
    assert_eq!(marked("web"), [true, false, true]);
    assert_eq!(marked("all"), [true, true, true]);
}

#[test]
fn a_primary_task_runs_on_one_server() {
    let mut project = Project::over_ssh(&[("app1", "app"), ("app2", "app primary"), ("app3", "app")]);
    project.tables(
        "[tasks.\"mark:it\"]\nrun = \"touch mark\"\nroles = [\"app\"]\nprimary = true\nafter = \"deploy:updated\"",
    );
    project.xtask("deploy staging").success();
    let marked: Vec<bool> = project.sites().iter().map(|site| site.exists("current/mark")).collect();
    assert_eq!(marked, [false, true, false]);
}

#[test]
fn the_primary_is_not_moved_by_a_filter() {
    let mut project = Project::over_ssh(&[("app1", "app web"), ("app2", "app primary")]);
    project.tables(
        "[tasks.\"mark:it\"]\nrun = \"touch mark\"\nroles = [\"app\"]\nprimary = true\nafter = \"deploy:updated\"",
    );
    project.xtask("deploy staging --roles web").success();
    let marked: Vec<bool> = project.sites().iter().map(|site| site.exists("current/mark")).collect();
    assert_eq!(marked, [false, false]);
}

#[test]
fn hooks_run_in_order_and_once() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    let trace = project.sandbox.join("trace");
    let hooks = [
        ("a", "before = \"deploy:updated\""),
        ("b", "after = \"deploy:updated\""),
        ("c", "after = \"deploy:updated\""),
        ("d", "after = [\"deploy:published\", \"deploy:finished\"]"),
        ("e", "before = \"deploy:symlink:release\""),
    ];
    for (name, when) in hooks {
        project.tables(&format!("[tasks.\"trace:{name}\"]\nrun = \"echo {name} >> {}\"\n{when}", trace.display()));
    }
    project.xtask("deploy staging").success();
    assert_eq!(std::fs::read_to_string(trace).unwrap(), "a\nb\nc\ne\nd\n");
}

#[test]
fn a_hook_on_a_task_that_does_not_exist_is_an_error() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    project.tables("[tasks.\"mark:it\"]\nrun = \"true\"\nafter = \"deploy:publishd\"");
    project.xtask("deploy staging").fails_with(3).says("`deploy:publishd`").says("`deploy:published`");
    assert_eq!(project.server("app1").sshd.connections(), 0);
}

#[test]
fn hooks_in_a_circle_are_an_error() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    project
        .tables("[tasks.\"x:a\"]\nrun = \"true\"\nafter = \"x:b\"\n[tasks.\"x:b\"]\nrun = \"true\"\nafter = \"x:a\"");
    project.xtask("x a staging").fails_with(3).says("x:a").says("x:b");
}

#[test]
fn a_task_runs_as_another_user() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    project.tables("[tasks.\"who:am_i\"]\nrun = \"id -un\"\nas = \"nobody\"");
    project.xtask("deploy staging").success();
    open_to_all(&project);
    let output = project.xtask("who am-i staging --verbose");
    // Without a right to it, and nobody there to type a password, it fails.
    let output = if e2e::is_root() { output.success() } else { output.fails_with(1) };
    output.says("nobody");
}

/// The folder of a sandbox is private to whoever runs the tests.
fn open_to_all(project: &Project) {
    let all = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(project.sandbox.path(), all).unwrap();
}

#[test]
fn a_user_that_does_not_exist_is_named() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    project.xtask("deploy staging").success();
    project.tables("[tasks.\"who:am_i\"]\nrun = \"id -un\"\nas = \"no-such-user\"");
    project.xtask("who am-i staging").fails_with(1).says("no-such-user");
}

#[test]
fn restarting_with_nothing_to_restart_is_an_error_that_says_what_to_do() {
    let project = Project::over_ssh(&[("app1", "app")]);
    project.xtask("deploy staging").success();
    project.xtask("deploy restart staging").fails().says("deploy:restart");
}

#[test]
fn deploy_toml_may_say_how_to_restart() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    project.tables("[tasks.\"deploy:restart\"]\nrun = \"echo x >> restarts\"");
    project.xtask("deploy staging").success();
    project.xtask("deploy restart staging").success();
    assert!(!project.server("app1").site.read("current/restarts").is_empty());
}
