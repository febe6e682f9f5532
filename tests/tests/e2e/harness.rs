//! The harness itself: a test that can't fail proves nothing.

use std::time::{Duration, Instant};

use e2e::{Output, Project, Proxy, Server, Spy};
use rustix::process::Signal;

/// What OpenSSH's own client gets from `server`.
fn ssh(project: &Project, server: &Server, command: &str) -> Output {
    project.sandbox.run(project.openssh(server, command))
}

#[test]
fn a_server_runs_commands_and_counts_them() {
    let project = Project::over_ssh(&[("app1", "app")]);
    let app1 = project.server("app1");
    let output = ssh(&project, app1, "echo $HOME; exit 7").fails_with(7);
    assert_eq!(output.to_string(), "$SANDBOX/servers/app1/sshd/home\n[exit status: 7]");
    assert_eq!((app1.sshd.connections(), app1.sshd.execs()), (1, 1));
}

#[test]
fn a_server_runs_as_an_ordinary_user() {
    let project = Project::as_ordinary_user(&[("app1", "app")]);
    let output = ssh(&project, project.server("app1"), "id -u").success();
    assert_ne!(output.stdout(), "0\n");
    assert_eq!(output.stderr(), "");
}

#[test]
fn a_stranger_is_not_let_in() {
    let project = Project::over_ssh(&[("app1", "app")]);
    std::fs::write(project.sandbox.join("authorized_keys"), "").unwrap();
    ssh(&project, project.server("app1"), "true").fails_with(255).says("Permission denied (publickey)");
}

#[test]
fn a_killed_server_drops_its_sessions_and_comes_back() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    let command = project.openssh(project.server("app1"), "echo started; exec sleep 600");
    let session = e2e::Running::start(command, &project.sandbox);
    session.wait_for("started");
    project.server_mut("app1").sshd.kill();
    session.wait().fails_with(255);
    project.server_mut("app1").sshd.restart();
    ssh(&project, project.server("app1"), "true").success();
}

#[test]
fn what_a_test_leaves_running_is_seen_and_ended() {
    let project = Project::over_ssh(&[("app1", "app")]);
    ssh(&project, project.server("app1"), "setsid sleep 601 >/dev/null 2>&1 </dev/null &").success();
    // The shell that forked it may be gone before it has become what it is to be.
    let deadline = Instant::now() + Duration::from_secs(10);
    while !project.sandbox.processes().contains(&"sleep 601".to_owned()) {
        assert!(Instant::now() < deadline, "it was not seen: {:?}", project.sandbox.processes());
        std::thread::sleep(Duration::from_millis(10));
    }
    let folder = project.sandbox.path().to_owned();
    drop(project);
    assert!(!folder.exists());
}

#[test]
fn a_proxy_delays_and_swallows() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    let proxy = Proxy::to(project.server("app1").port);
    project.server_mut("app1").behind(&proxy);
    proxy.delay(Duration::from_millis(20));
    ssh(&project, project.server("app1"), "true").success();
    assert_eq!(proxy.connections(), 1);
    proxy.black_hole();
    let stuck = e2e::Running::start(project.openssh(project.server("app1"), "true"), &project.sandbox);
    std::thread::sleep(Duration::from_millis(300));
    stuck.signal(Signal::TERM);
    let output = stuck.wait();
    assert_eq!(output.ending(), "signal: 15");
}

#[test]
fn commits_have_the_same_ids_in_every_run() {
    let project = Project::local();
    assert_eq!(project.repo.head(), Project::local().repo.head());
}

#[test]
fn programs_are_signalled_by_their_name() {
    let project = Project::over_ssh(&[("app1", "app")]);
    let session = project.openssh(project.server("app1"), "echo started; exec sleep 602");
    let session = e2e::Running::start(session, &project.sandbox);
    session.wait_for("started");
    // The shell says so before it becomes the program.
    e2e::wait_until("it sleeps", || project.sandbox.processes().iter().any(|line| line.starts_with("sleep 602")));
    assert_eq!(project.sandbox.signal("no-sleep", Signal::TERM), 0);
    assert_eq!(project.sandbox.signal("sleep", Signal::TERM), 1);
    session.wait().fails_with(255);
}

#[test]
fn a_spy_sees_what_stands_in_a_command_line() {
    let project = Project::local();
    let (seen, unseen) = (Spy::on("603.1"), Spy::on("never said"));
    let mut sleep = project.sandbox.command("sleep").arg("603.1").spawn().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(project.sandbox.signal("sleep", Signal::TERM), 1);
    sleep.wait().unwrap();
    assert_eq!((seen.finish(), unseen.finish()), (vec!["sleep 603.1".to_owned()], vec![]));
}

#[test]
fn a_project_has_several_stages() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    project.add_server_of("production", "app2", "app");
    project.other_stage("dev", &format!("transport = \"local\"\ndeploy_to = {:?}", project.site.path()));
    project.xtask("deploy production").success();
    project.xtask("deploy dev").success();
    assert_eq!(project.server("app1").site.releases().len(), 0);
    assert_eq!(project.server("app2").site.releases().len(), 1);
    assert_eq!(project.site.releases().len(), 1);
}
