//! Servers that can't be reached, that lie, or that vanish.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use e2e::{Key, Project, Proxy};
use insta::assert_snapshot;

#[test]
fn a_server_that_is_down_stops_the_deploy_everywhere_and_is_named() {
    let mut project = Project::over_ssh(&[("app1", "app"), ("app2", "app"), ("app3", "app")]);
    project.xtask("deploy staging").success();
    let before = project.server("app1").site.current();
    project.server_mut("app2").sshd.kill();
    let output = project.xtask("deploy staging").fails_with(4);
    assert!(project.sites().iter().all(|site| site.current() == before && site.releases().len() == 1), "{output}");
    output.says("app2").says("refused");
}

#[test]
fn a_server_that_is_down_reads_like_this() {
    let mut project = Project::over_ssh(&[("app1", "app"), ("app2", "app")]);
    project.server_mut("app2").sshd.kill();
    assert_snapshot!(project.xtask("deploy staging").fails().errors(), @r"
    everything is in $SANDBOX/project/target/deploy/log/TIME-staging-deploy.log
    error: `deploy` failed on 1 of 2 servers
      deploy@app2: failed to connect to `127.0.0.1` port PORT (server `deploy@app2`)
          cause: Connection refused (os error 111)
      nothing is live on deploy@app1
      hint: does sshd listen on port PORT there?
    [exit status: 4]
    ");
}

#[test]
fn a_server_that_answers_nothing_times_out() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    let proxy = Proxy::to(project.server("app1").port);
    proxy.black_hole();
    project.server_mut("app1").behind(&proxy);
    project.ssh("connect_timeout = 2");
    let start = Instant::now();
    let output = project.xtask("deploy staging").fails_with(4);
    assert!(start.elapsed() < Duration::from_secs(10), "{output}");
}

#[test]
fn an_unknown_host_key_is_refused() {
    let project = Project::over_ssh(&[("app1", "app")]);
    let mut deploy = project.command(&["deploy", "staging"]);
    fs::write(project.known_hosts(), "").unwrap();
    deploy.stdin(std::process::Stdio::null());
    let output = project.sandbox.run(deploy).fails_with(4);
    assert_eq!(project.server("app1").sshd.execs(), 0);
    output.says("host key").says("app1");
}

#[test]
fn a_changed_host_key_is_refused_under_every_policy() {
    for policy in ["strict", "accept-new", "ask"] {
        let mut project = Project::over_ssh(&[("app1", "app")]);
        project.ssh(&format!("host_key_policy = {policy:?}"));
        let deploy = project.command(&["deploy", "staging"]);
        let other = Key::ed25519(project.sandbox.join("other_key"));
        let line = format!("[127.0.0.1]:{} {}\n", project.server("app1").port, other.public());
        fs::write(project.known_hosts(), &line).unwrap();
        let output = project.sandbox.run(deploy).fails_with(4);
        assert_eq!(project.server("app1").sshd.execs(), 0, "{policy}");
        assert_eq!(fs::read_to_string(project.known_hosts()).unwrap(), line, "{policy}");
        output.says("changed");
    }
}

#[test]
fn a_new_host_key_is_written_down_where_that_is_allowed() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    project.ssh("host_key_policy = \"accept-new\"");
    let deploy = project.command(&["deploy", "staging"]);
    fs::write(project.known_hosts(), "").unwrap();
    let output = project.sandbox.run(deploy).success();
    let known = fs::read_to_string(project.known_hosts()).unwrap();
    let key: Vec<_> = project.server("app1").sshd.host_key().split(' ').take(2).map(str::to_owned).collect();
    assert!(known.contains(&key.join(" ")), "{known}\n{output}");
}

#[test]
fn a_key_that_is_not_accepted_is_named() {
    let project = Project::over_ssh(&[("app1", "app")]);
    fs::write(project.sandbox.join("authorized_keys"), "").unwrap();
    let output = project.xtask("deploy staging").fails_with(4);
    assert_snapshot!(output.errors(), @r"
    everything is in $SANDBOX/project/target/deploy/log/TIME-staging-deploy.log
    error: `deploy` failed on 1 of 1 servers
      deploy@app1: `deploy@app1` does not let `deploy` in
          key file `$SANDBOX/home/.ssh/id_ed25519`: refused
          the server offers: publickey
      hint: see what OpenSSH's own client does
            ssh -v -F none -i $SANDBOX/home/.ssh/id_ed25519 -o IdentitiesOnly=yes -o UserKnownHostsFile=$SANDBOX/known_hosts -o GlobalKnownHostsFile=/dev/null -p PORT deploy@127.0.0.1 true
    [exit status: 4]
    ");
}

#[test]
fn a_server_that_dies_in_a_task_is_named_and_the_others_are_not_left_running() {
    let mut project = Project::over_ssh(&[("app1", "app"), ("app2", "app")]);
    project.xtask("deploy staging").success();
    let before = project.server("app1").site.current();
    let long = "[tasks.\"take:long\"]\nrun = \"echo sleeping; case $PWD in *app2*) sleep 604;; esac\"\nafter = \"deploy:updated\"";
    project.tables(long);
    let run = project.start("deploy staging --verbose");
    run.wait_for("sleeping");
    project.server_mut("app2").sshd.kill();
    let output = run.wait().fails_with(4).says("deploy@app2");
    assert!(project.sites().iter().all(|site| site.current() == before), "{output}");
}

#[test]
fn a_frozen_server_is_noticed() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    project.ssh("keepalive_interval = 1");
    project.tables("[tasks.\"take:long\"]\nrun = \"echo sleeping; sleep 605\"\nafter = \"deploy:updated\"");
    let run = project.start("deploy staging --verbose");
    run.wait_for("sleeping");
    project.server("app1").sshd.freeze();
    let start = Instant::now();
    let output = run.wait().fails_with(4);
    assert!(start.elapsed() < Duration::from_secs(15), "{output}");
}

#[test]
fn a_slow_network_changes_nothing_but_the_time() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    let proxy = Proxy::to(project.server("app1").port);
    proxy.delay(Duration::from_millis(15));
    project.server_mut("app1").behind(&proxy);
    project.xtask("deploy staging").success();
    assert_eq!(proxy.connections(), 1);
    assert!(project.server("app1").site.has_current());
}

#[test]
fn aliases_of_an_ssh_config_are_followed() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    let server = project.server("app1");
    let config = format!(
        "Host shop-*\n  User {}\nHost shop-one\n  HostName 127.0.0.1\n  Port {}\n  IdentityFile {}\n  \
         UserKnownHostsFile {}\n  IdentitiesOnly yes\n",
        server.sshd.user(),
        server.port,
        project.key().path().display(),
        project.known_hosts().display(),
    );
    let file = project.sandbox.join("ssh_config");
    fs::write(&file, config).unwrap();
    let path = project.write_config();
    let deploy_to = server.site.path().to_owned();
    let stage =
        format!("[[stages.staging.servers]]\nhost = \"shop-one\"\nroles = [\"app\"]\ndeploy_to = {deploy_to:?}\n");
    let top = format!(
        "application = \"shop\"\nbranch = \"main\"\nlocal_user = \"ada\"\nrepo_url = {:?}\n[ssh]\nconfig_file = {file:?}\n",
        project.repo.path()
    );
    let mut deploy = project.command(&["deploy", "staging"]);
    fs::write(path, top + &stage).unwrap();
    deploy.env("E2E", "1");
    project.sandbox.run(deploy).success();
    assert!(project.server_mut("app1").site.has_current());
}

#[test]
fn a_server_that_allows_one_session_is_enough() {
    let mut project = Project::over_ssh(&[]);
    for name in ["app1", "app2"] {
        project.add_server(name, "app", &["MaxSessions 1"]);
    }
    project.xtask("deploy staging").success();
    project.xtask("deploy staging").success();
    project.xtask("deploy rollback staging").success();
    assert!(project.server("app2").site.has_current());
}

#[test]
fn every_common_login_shell_will_do() {
    for shell in ["dash", "bash", "busybox sh", "fish", "tcsh"] {
        let mut project = Project::over_ssh(&[]);
        // What the login shell would do with the command that it is given.
        let forced = format!("ForceCommand exec {shell} -c \"$SSH_ORIGINAL_COMMAND\"");
        project.add_server("app1", "app", &[&forced]);
        project.xtask("deploy staging").success();
        project.xtask("deploy staging").success();
        project.xtask("deploy rollback staging").success();
    }
}

#[test]
fn a_server_without_gzip_gets_everything_as_it_is() {
    let mut project = Project::over_ssh(&[]);
    let bin = project.sandbox.join("without-gzip");
    fs::create_dir_all(&bin).unwrap();
    fs::write(bin.join("gzip"), "#!/bin/sh\nexit 127\n").unwrap();
    fs::set_permissions(bin.join("gzip"), fs::Permissions::from_mode(0o755)).unwrap();
    let forced = format!("ForceCommand PATH={}:$PATH exec sh -c \"$SSH_ORIGINAL_COMMAND\"", bin.display());
    project.add_server("app1", "app", &[&forced]);
    project.xtask("deploy staging").success();
    project.repo.write("index.html", "two\n").commit("Say two");
    project.xtask("deploy staging").success();
    assert_eq!(project.server("app1").site.read("current/index.html"), "two\n");
}

#[test]
fn a_command_that_never_starts_is_a_lost_server_in_every_task() {
    // What ~/.bashrc does with a command there.
    for instead in ["exec fish", "exec cat", "read x"] {
        let mut project = Project::over_ssh(&[]);
        project.add_server("app1", "app", &[&format!("ForceCommand {instead}")]);
        project.ssh("connect_timeout = 1");
        for task in ["deploy staging", "deploy status staging", "deploy rollback staging"] {
            let output = project.xtask(task).fails_with(4);
            output
                .says("within 1 seconds it began to run no command")
                .says("does ~/.bashrc there")
                .says("try it by hand: ssh ");
        }
    }
}

#[test]
fn what_a_server_says_in_place_of_a_command_is_the_reason() {
    for (said, reason) in [
        ("echo This account is currently not available.; exit 1", "This account is currently not available."),
        ("echo 'WARNING: Your password has expired.' >&2; exit 1", "WARNING: Your password has expired."),
    ] {
        let mut project = Project::over_ssh(&[]);
        project.add_server("app1", "app", &[&format!("ForceCommand {said}")]);
        for task in ["deploy staging", "deploy status staging", "deploy rollback staging"] {
            let output = project.xtask(task).fails_with(4);
            output.says(&format!("the server runs no command for this user; it says: {reason}"));
        }
    }
}
