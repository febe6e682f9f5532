//! What happens when something fails.

use e2e::{Output, Project};
use insta::assert_snapshot;

/// A task of deploy.toml that runs `run` after `after`.
fn task(id: &str, run: &str, when: &str) -> String {
    format!("[tasks.{id:?}]\nabout = \"Do what the test needs\"\nrun = '''{run}'''\n{when}\n")
}

/// A task after `deploy:failed` that leaves a mark.
fn marks_failure(project: &mut Project) -> std::path::PathBuf {
    let mark = project.sandbox.join("failed");
    project.tables(&task("mark:failure", &format!("echo failed >> {}", mark.display()), "after = \"deploy:failed\""));
    mark
}

fn broken_deploy(run: &str) -> (Project, Output) {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    project.xtask("deploy staging").success();
    project.tables(&task("break:it", run, "after = \"deploy:updated\""));
    let output = project.xtask("deploy staging").fails_with(1);
    assert_eq!(project.server("app1").site.current(), project.server("app1").site.releases()[0]);
    (project, output)
}

#[test]
fn a_failing_task_names_itself_its_command_and_its_last_lines() {
    let (_project, output) = broken_deploy("echo first; echo second >&2; exit 7");
    assert_snapshot!(output.errors(), @r"

    break:it failed on deploy@app1
      command: echo first; echo second >&2; exit 7
      reason: ended with status 7
      last lines of output:
        | first
        | second
    everything is in $SANDBOX/project/target/deploy/log/TIME-staging-deploy.log
    error: `deploy` failed on 1 of 1 servers
      release RELEASE1 is live on deploy@app1
    [exit status: 1]
    ");
}

#[test]
fn a_command_killed_by_a_signal_has_failed() {
    let (_project, output) = broken_deploy("echo working; kill -KILL $$");
    output.says("KILL");
    let (_project, output) = broken_deploy("sh -c 'kill -SEGV $$'");
    output.says("SEGV");
}

#[test]
fn a_failure_in_a_flow_runs_the_failure_task() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    let mark = marks_failure(&mut project);
    project.tables(&task("break:it", "false", "before = \"deploy:starting\""));
    let output = project.xtask("deploy staging").fails_with(1);
    assert!(mark.exists(), "{output}");
    assert!(!project.server("app1").site.has_current());
}

#[test]
fn a_failure_of_a_task_run_alone_does_not() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    let mark = marks_failure(&mut project);
    project.tables(&task("break:it", "false", "before = \"deploy:starting\""));
    let output = project.xtask("deploy starting staging").fails_with(1);
    assert!(!mark.exists(), "{output}");
}

#[test]
fn a_missing_linked_file_runs_the_failure_task_too() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    project.top("linked_files = [\"config/database.yml\"]");
    let mark = marks_failure(&mut project);
    project.xtask("deploy staging").fails_with(1);
    assert!(mark.exists());
}

#[test]
fn a_rollback_that_is_refused_runs_the_failure_task_too() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    let mark = marks_failure(&mut project);
    project.xtask("deploy rollback staging").fails_with(1);
    assert!(mark.exists());
}

#[test]
fn nothing_is_published_anywhere_when_one_server_fails() {
    let mut project = Project::over_ssh(&[("app1", "app"), ("app2", "app web"), ("app3", "app")]);
    project.xtask("deploy staging").success();
    let before = project.server("app1").site.current();
    project.tables(&task("break:it", "echo 'disk full' >&2; exit 3", "roles = [\"web\"]\nafter = \"deploy:updated\""));
    let output = project.xtask("deploy staging").fails_with(1);
    assert!(project.sites().iter().all(|site| site.current() == before));
    assert_snapshot!(output.errors(), @r"

    break:it failed on deploy@app2
      command: echo 'disk full' >&2; exit 3
      reason: ended with status 3
      last lines of output:
        | disk full
    everything is in $SANDBOX/project/target/deploy/log/TIME-staging-deploy.log
    error: `deploy` failed on 1 of 3 servers
      release RELEASE1 is live on deploy@app1, deploy@app2, deploy@app3
    [exit status: 1]
    ");
}

#[test]
fn failures_of_several_servers_are_reported_together() {
    let mut project = Project::over_ssh(&[("app1", "app"), ("app2", "app"), ("app3", "app")]);
    project.tables(&task("break:it", "echo \"$PWD\" | grep -q app2 || exit 9", "after = \"deploy:updated\""));
    project.xtask("deploy staging").fails_with(1).says("deploy@app1").says("deploy@app3").says("status 9");
    assert!(project.sites().iter().all(|site| !site.has_current()));
}

#[test]
fn a_task_after_publishing_that_fails_fails_the_deploy() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    project.tables(&task("break:it", "exit 4", "after = \"deploy:published\""));
    project.xtask("deploy staging").fails_with(1).says("break:it").says("status 4");
}

#[test]
fn no_output_of_a_task_can_pass_for_anything_else() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    let noise =
        r"printf 'no end of line'; printf '\001\002\377\n'; head -c 300000 /dev/zero | tr '\0' x; echo; cat; exit 5";
    project.tables(&task("make:noise", noise, "after = \"deploy:updated\""));
    project.xtask("deploy staging").fails_with(1).says("make:noise").says("status 5");
}

#[test]
fn commands_that_read_their_input_get_nothing() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    project.tables(&task("read:all", "cat > everything; wc -c < everything", "after = \"deploy:updated\""));
    project.xtask("deploy staging").success();
    assert_eq!(project.server("app1").site.read("current/everything"), "");
}

#[test]
fn a_real_folder_in_place_of_current_is_refused_with_advice() {
    let project = Project::over_ssh(&[("app1", "app")]);
    let site = &project.server("app1").site;
    site.write("current/index.html", "by hand\n");
    let output = project.xtask("deploy staging").fails_with(1);
    assert_eq!(site.read("current/index.html"), "by hand\n");
    assert!(site.link("current").is_none());
    assert_snapshot!(output.errors(), @r"

    deploy:check:releases failed on deploy@app1
      reason: `$SANDBOX/servers/app1/www/current` is a directory, not a link to a release
      hint: move it away, then deploy again: mv $SANDBOX/servers/app1/www/current $SANDBOX/servers/app1/www/current.old
    everything is in $SANDBOX/project/target/deploy/log/TIME-staging-deploy.log
    error: `deploy` failed on 1 of 1 servers
      nothing is live on deploy@app1
    [exit status: 1]
    ");
}

#[test]
fn a_switch_that_fails_on_one_server_is_undone_on_the_others() {
    for is_first in [true, false] {
        let mut project = Project::as_ordinary_user(&[("app1", "app"), ("app2", "app")]);
        if !is_first {
            project.xtask("deploy staging").success();
        }
        let before: Vec<_> = project.sites().iter().map(|site| site.link("current")).collect();
        let spoil =
            format!("case $PWD in *app2*) chmod 555 '{}' ;; esac", project.server("app2").site.path().display());
        project.tables(&task("spoil:it", &spoil, "before = \"deploy:symlink:release\""));
        let output = project.xtask("deploy staging").fails_with(1);
        let app2 = project.server("app2").site.path();
        std::fs::set_permissions(app2, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let after: Vec<_> = project.sites().iter().map(|site| site.link("current")).collect();
        assert_eq!(after, before, "first: {is_first}\n{output}");
        project.no_tables();
        project.xtask("deploy staging").success();
        assert_eq!(project.server("app1").site.current(), project.server("app2").site.current());
    }
}

#[test]
fn one_machine_under_two_names_is_recognised_before_anything_is_made() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    project.ssh("host_key_policy = \"accept-new\"");
    let (port, folder) = (project.server("app1").sshd.port(), project.server("app1").site.path().to_owned());
    project.tables(&format!(
        "[[stages.staging.servers]]\nhost = \"localhost\"\nport = {port}\nroles = [\"app\"]\ndeploy_to = {folder:?}\n"
    ));
    let output = project.xtask("deploy staging").fails_with(1);
    let errors = output.errors();
    assert!(errors.contains("is the same machine, and has the same folder"), "{errors}");
    assert!(errors.contains("localhost") && errors.contains("app1"), "{errors}");
    assert_eq!(project.server("app1").site.releases().len(), 0, "{errors}");
    let left = std::fs::read_dir(folder.join(".deploy")).unwrap().flatten().map(|entry| entry.file_name());
    let locks: Vec<_> = left.filter(|name| name.to_string_lossy().starts_with("lock")).collect();
    assert!(locks.is_empty(), "{locks:?}");
}
