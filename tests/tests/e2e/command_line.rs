//! The command line: where the configuration is found, what is refused, and with which exit code.

use std::fs;

use e2e::Project;
use insta::assert_snapshot;

#[test]
fn it_works_from_any_folder_of_the_workspace() {
    let project = Project::over_ssh(&[("app1", "app")]);
    let config = project.write_config();
    let below = project.folder().join("some/where/below");
    fs::create_dir_all(&below).unwrap();
    fs::write(project.folder().join("Cargo.toml"), "[workspace]\nmembers = []\nresolver = \"3\"\n").unwrap();
    let mut deploy = project.sandbox.command(e2e::xtask());
    deploy.current_dir(&below).args(["deploy", "staging"]);
    project.sandbox.run(deploy).success();
    assert!(config.exists() && project.server("app1").site.has_current());
}

#[test]
fn the_workspace_may_name_another_place_for_the_configuration() {
    let project = Project::over_ssh(&[("app1", "app")]);
    let config = project.write_config();
    let manifest =
        "[workspace]\nmembers = []\nresolver = \"3\"\n[workspace.metadata.deploy]\nconfig = \"ops/here.toml\"\n";
    fs::write(project.folder().join("Cargo.toml"), manifest).unwrap();
    fs::create_dir(project.folder().join("ops")).unwrap();
    fs::rename(config, project.folder().join("ops/here.toml")).unwrap();
    let mut deploy = project.sandbox.command(e2e::xtask());
    deploy.current_dir(project.folder()).args(["deploy", "staging"]);
    project.sandbox.run(deploy).success();
    assert!(project.server("app1").site.has_current());
}

#[test]
fn without_any_configuration_it_says_where_it_looked() {
    let project = Project::local();
    let nowhere = project.sandbox.join("nowhere");
    fs::create_dir(&nowhere).unwrap();
    let mut deploy = project.sandbox.command(e2e::xtask());
    deploy.current_dir(nowhere).args(["deploy", "staging"]);
    project.sandbox.run(deploy).fails_with(3).says("deploy.toml");
}

#[test]
fn all_mistakes_of_the_configuration_are_shown_at_once() {
    let mut project = Project::local();
    project.top("keep_release = 5\nlinked_dirs = \"log\"\nlinked_files = [\"/etc/passwd\"]");
    let output = project.xtask("deploy staging").fails_with(3);
    assert_snapshot!(output, @r#"
    ------- stderr -------
    error: 3 errors in `deploy.toml`
    error: unknown key `keep_release`
     --> deploy.toml:5:1
      |
    5 | keep_release = 5
      | ^^^^^^^^^^^^ did you mean `keep_releases`?

    error: wrong type of `linked_dirs`
     --> deploy.toml:6:15
      |
    6 | linked_dirs = "log"
      |               ^^^^^ expected an array of strings, found a string

    error: absolute path in `linked_files`
     --> deploy.toml:7:17
      |
    7 | linked_files = ["/etc/passwd"]
      |                 ^^^^^^^^^^^^^ expected a relative path
    [exit status: 3]
    "#);
}

#[test]
fn a_stage_named_like_a_task_is_refused() {
    for name in ["rollback", "check", "restart"] {
        let mut project = Project::local();
        project.tables(&format!("[stages.{name}]\ntransport = \"local\"\ndeploy_to = \"/tmp/nowhere\""));
        project.xtask("deploy staging").fails_with(3).says(name);
    }
}

#[test]
fn an_unknown_stage_is_answered_with_the_known_ones() {
    let project = Project::local();
    let output = project.xtask("deploy stagin");
    assert_snapshot!(output, @r"
    ------- stderr -------
    error: unknown stage `stagin`
      hint: did you mean `staging`?
    [exit status: 2]
    ");
}

#[test]
fn an_unknown_task_is_answered_with_a_near_one() {
    let project = Project::local();
    let output = project.xtask("deploy rolback staging").fails_with(2);
    assert_snapshot!(output, @r"
    ------- stderr -------
    error: there is no task `deploy:rolback`
      hint: did you mean `cargo xtask deploy rollback staging`?
      hint: `cargo xtask tasks deploy` lists what there is
    [exit status: 2]
    ");
}

#[test]
fn a_filter_that_matches_nothing_is_an_error() {
    let project = Project::over_ssh(&[("app1", "app"), ("web1", "web")]);
    for filter in ["--hosts=nobody.example.com", "--roles=database"] {
        project.xtask(&format!("deploy staging {filter}")).fails_with(2).says(filter.split('=').nth(1).unwrap());
    }
    assert!(project.servers.iter().all(|server| server.sshd.connections() == 0));
}

#[test]
fn a_filter_picks_servers() {
    let project = Project::over_ssh(&[("app1", "app"), ("web1", "web")]);
    project.xtask("deploy staging --roles web").success();
    assert!(!project.server("app1").site.has_current() && project.server("web1").site.has_current());
    assert_eq!(project.server("app1").sshd.connections(), 0);
}

#[test]
fn settings_can_be_set_for_one_run() {
    let project = Project::over_ssh(&[("app1", "app")]);
    project.repo.branch("next");
    project.repo.write("index.html", "two\n").commit("Say two");
    project.xtask("deploy staging --set branch=next").success();
    assert_eq!(project.server("app1").site.read("current/index.html"), "two\n");
    project.xtask("deploy staging --set brunch=next").fails_with(3).says("brunch");
}

#[test]
fn help_names_what_there_is() {
    let project = Project::local();
    project.xtask("--help").success().says("deploy").says("tasks");
    project.xtask("deploy --help").success().says("rollback").says("--dry-run");
}

#[test]
fn without_a_terminal_there_are_no_colours() {
    let project = Project::over_ssh(&[("app1", "app")]);
    let mut deploy = project.command(&["deploy", "staging"]);
    deploy.env_remove("NO_COLOR").env("TERM", "xterm-256color");
    let output = project.sandbox.run(deploy).success();
    assert!(!output.stdout().contains('\x1b') && !output.stderr().contains('\x1b'), "{output}");
}

#[test]
fn an_unknown_format_is_an_error_at_once() {
    let project = Project::over_ssh(&[("app1", "app")]);
    project.xtask("deploy staging --format fancy").fails_with(2).says("fancy");
    assert_eq!(project.server("app1").sshd.connections(), 0);
}

#[test]
fn a_deploy_reads_like_this() {
    let mut project = Project::over_ssh(&[("app1", "app"), ("app2", "app web")]);
    project.top("linked_dirs = [\"log\"]");
    project.tables("[tasks.\"say:hello\"]\nabout = \"Say hello\"\nrun = \"sh bin/hello\"\nafter = \"deploy:updated\"");
    assert_snapshot!(project.xtask("deploy staging"), @r"
    deploy staging: deploy@app1, deploy@app2
    MM:SS git:resolve                    N s
    MM:SS deploy:ensure_stage            N s
    MM:SS deploy:lock
          deploy@app1 N s
          deploy@app2 N s
    MM:SS deploy:check:directories
          deploy@app1 N s
          deploy@app2 N s
    MM:SS deploy:check:releases
          deploy@app1 N s
          deploy@app2 N s
    MM:SS deploy:check:linked_dirs
          deploy@app1 N s
          deploy@app2 N s
    MM:SS deploy:check:make_linked_dirs
          deploy@app1 N s
          deploy@app2 N s
    MM:SS deploy:check:linked_files
          deploy@app1 N s
          deploy@app2 N s
    MM:SS git:check
          deploy@app1 N s
          deploy@app2 N s
    MM:SS deploy:new_release             N s
    MM:SS git:update
          deploy@app1 N s
          deploy@app2 N s
    MM:SS git:create_release
          deploy@app1 N s
          deploy@app2 N s
    MM:SS deploy:set_current_revision
          deploy@app1 N s
          deploy@app2 N s
    MM:SS deploy:symlink:linked_files
          deploy@app1 N s
          deploy@app2 N s
    MM:SS deploy:symlink:linked_dirs
          deploy@app1 N s
          deploy@app2 N s
    MM:SS say:hello
          deploy@app1 N s
          deploy@app2 N s
    MM:SS deploy:symlink:release
          deploy@app1 N s
          deploy@app2 N s
    MM:SS deploy:mark_published
          deploy@app1 N s
          deploy@app2 N s
    MM:SS deploy:cleanup
          deploy@app1 skipped: nothing to remove
          deploy@app2 skipped: nothing to remove
    MM:SS deploy:log_revision
          deploy@app1 N s
          deploy@app2 N s
    deployed RELEASE1 (main at commit) to 2 servers in N s
    ");
}

#[test]
fn a_rollback_reads_like_this() {
    let project = Project::over_ssh(&[("app1", "app")]);
    project.xtask("deploy staging").success();
    project.xtask("deploy staging").success();
    assert_snapshot!(project.xtask("deploy rollback staging"), @r"
    deploy:rollback staging: deploy@app1
    MM:SS deploy:ensure_stage            N s
    MM:SS deploy:lock                    deploy@app1 N s
    MM:SS deploy:check:directories       deploy@app1 N s
    MM:SS deploy:check:releases          deploy@app1 N s
    MM:SS deploy:check:linked_dirs       deploy@app1 N s
    MM:SS deploy:check:make_linked_dirs  deploy@app1 N s
    MM:SS deploy:check:linked_files      deploy@app1 N s
    MM:SS deploy:choose_release          N s
    MM:SS deploy:revert_release          deploy@app1 N s
    MM:SS deploy:symlink:release         deploy@app1 N s
    MM:SS deploy:mark_published          deploy@app1 N s
    MM:SS deploy:cleanup_rollback        deploy@app1 skipped: the release that was left is kept
    MM:SS deploy:log_revision            deploy@app1 N s
    rolled back to RELEASE1 on 1 server in N s
    ");
}

#[test]
fn a_command_of_the_project_gets_its_arguments() {
    let mut project = Project::local();
    project.tables("[commands.echo]\nabout = \"Say it\"\nrun = \"printf [%s]\"");
    let output = project.xtask_with(&["echo", "a b", "--flag", "c"]);
    // Everything after the name is the command's own, `--config` of the harness too.
    assert!(output.stdout().starts_with("[a b][--flag][c]"), "{output}");
}

#[test]
fn everything_is_written_to_a_log_file() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    project.tables("[tasks.\"say:much\"]\nrun = \"echo from-the-task\"\nafter = \"deploy:updated\"");
    let output = project.xtask("deploy staging").success();
    let logs = find_logs(&project.folder());
    let text: String = logs.iter().map(|log| fs::read_to_string(log).unwrap()).collect();
    assert!(text.contains("from-the-task") && text.contains("say:much"), "{logs:?}\n{output}");
}

fn find_logs(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let nested = entries.map(|path| if path.is_dir() { find_logs(&path) } else { vec![path] });
    nested.flatten().filter(|path| path.extension().is_some_and(|extension| extension == "log")).collect()
}
