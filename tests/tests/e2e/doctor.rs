//! `cargo xtask doctor`: what it finds on servers that are well, and on others.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use e2e::{Output, Project, Sshd};
use insta::assert_snapshot;
use serde_json::Value;

/// What `--json` says.
#[track_caller]
fn findings(output: &Output) -> Vec<Value> {
    let value: Value = serde_json::from_str(output.stdout()).unwrap_or_else(|error| panic!("{error}:\n{output}"));
    value["findings"].as_array().expect("a list").clone()
}

/// The findings about `what`, as severity and value.
fn about(what: &str, findings: &[Value]) -> Vec<(String, String)> {
    let text = |finding: &Value, key: &str| finding[key].as_str().expect("a text").to_owned();
    let own = findings.iter().filter(|finding| finding["what"] == what && !finding["server"].is_null());
    own.map(|finding| (text(finding, "severity"), text(finding, "value"))).collect()
}

/// The severity of the only finding about `what`.
#[track_caller]
fn severity(what: &str, findings: &[Value]) -> String {
    let own = about(what, findings);
    assert_eq!(own.len(), 1, "{what}: {findings:?}");
    own[0].0.clone()
}

/// What is not as it should be.
fn quiet(project: &Project) -> Output {
    project.xtask("doctor staging -q")
}

/// A real agent; it ends with the test.
struct Agent {
    socket: PathBuf,
    child: Child,
}

impl Agent {
    /// An agent with the key that logs in to the project's servers.
    fn start(project: &Project) -> Agent {
        let socket = project.sandbox.join("agent");
        let mut agent = project.sandbox.command("ssh-agent");
        agent.arg("-D").arg("-a").arg(&socket).stdin(Stdio::null()).stdout(Stdio::null());
        let child = agent.spawn().expect("ssh-agent is installed");
        let deadline = Instant::now() + Duration::from_secs(20);
        while !socket.exists() {
            assert!(Instant::now() < deadline, "the agent doesn't listen");
            std::thread::sleep(Duration::from_millis(5));
        }
        let mut add = project.sandbox.command("ssh-add");
        add.arg("-q").arg(project.key().path()).env("SSH_AUTH_SOCK", &socket);
        project.sandbox.run(add).success();
        Agent { socket, child }
    }

    /// The doctor, with this agent at hand.
    fn doctor(&self, project: &Project) -> Output {
        let mut doctor: Command = project.command(&["doctor", "staging", "--json"]);
        doctor.env("SSH_AUTH_SOCK", &self.socket);
        project.sandbox.run(doctor)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn healthy_servers_are_asked_once_and_left_as_they_were() {
    let project = Project::as_ordinary_user(&[("app1", "app"), ("db1", "db no_release")]);
    project.xtask("deploy staging").success();
    let (before, execs) = (project.server("app1").site.tree(), project.server("app1").sshd.execs());
    let connections = project.server("app1").sshd.connections();
    let output = project.xtask("doctor staging --json").success();
    let all = findings(&output);
    for what in ["login", "host_key", "keys", "ciphers", "clock", "shell", "tools", "tmp_dir"] {
        let own = about(what, &all);
        assert!(own.len() == 2 && own.iter().all(|(severity, _)| severity == "ok"), "{what}: {own:?}");
    }
    for what in ["git", "deploy_to", "space", "current", "lock", "mirror"] {
        let own = about(what, &all);
        assert!(own.len() == 1 && own[0].0 == "ok", "{what}: {own:?}");
    }
    assert!(about("host_key", &all)[0].1.contains("known_hosts:1"), "{all:?}");
    assert!(about("keys", &all)[0].1.contains("id_ed25519"), "{all:?}");
    assert!(about("current", &all)[0].1.contains(&project.server("app1").site.current()), "{all:?}");
    assert_eq!(about("lock", &all)[0].1, "free");
    let app1 = project.server("app1");
    assert_eq!((app1.site.tree(), app1.sshd.execs() - execs), (before, 1));
    assert_eq!(app1.sshd.connections() - connections, 1);
    assert_eq!(app1.site.list(".deploy"), ["releases", "reserve"], "no probe stays");
}

#[test]
fn the_controllers_own_side_is_told() {
    let project = Project::over_ssh(&[("app1", "app")]);
    let all = findings(&project.xtask("doctor staging --json").success());
    let own: Vec<_> = all.iter().filter(|finding| finding["server"].is_null()).collect();
    let whats: Vec<_> = own.iter().map(|finding| finding["what"].as_str().unwrap()).collect();
    assert_eq!(whats, ["git", "ssh", "repository"]);
    assert!(own[2]["value"].as_str().unwrap().contains(&project.repo.head()[..10]), "{own:?}");
    let output = project.xtask("doctor staging --branch nope -q").fails_with(1);
    output.says("no branch, tag or commit `nope`").says("git ls-remote");
}

#[test]
fn a_folder_that_is_not_there_yet_is_not_made() {
    let project = Project::over_ssh(&[("app1", "app")]);
    let all = findings(&project.xtask("doctor staging --json").success());
    assert!(about("deploy_to", &all)[0].1.contains("isn't there yet"), "{all:?}");
    assert!(!project.server("app1").site.path().exists());
}

#[test]
fn servers_that_let_nobody_in_are_findings_and_the_others_are_examined() {
    let mut project = Project::over_ssh(&[("app1", "app"), ("app2", "app"), ("app3", "app")]);
    project.server_mut("app1").sshd.kill();
    let doctor = project.command(&["doctor", "staging", "-q"]);
    let known = fs::read_to_string(project.known_hosts()).unwrap();
    let but_app2: Vec<_> =
        known.lines().filter(|line| !line.contains(&project.server("app2").port.to_string())).collect();
    fs::write(project.known_hosts(), but_app2.join("\n") + "\n").unwrap();
    let output = project.sandbox.run(doctor).fails_with(4);
    let text = output.to_string().split("SHA256:").next().unwrap().to_owned();
    assert_snapshot!(text, @r"
    deploy@app1
      problem  login  failed to connect to `127.0.0.1` port PORT (server `deploy@app1`)
                      Connection refused (os error 111)
                      mend: does sshd listen on port PORT there?
                      mend: ssh -v -F none -i $SANDBOX/home/.ssh/id_ed25519 -o IdentitiesOnly=yes -o UserKnownHostsFile=$SANDBOX/known_hosts -o GlobalKnownHostsFile=/dev/null -p PORT deploy@127.0.0.1 true

    deploy@app2
      problem  login  the host key of `deploy@app2` is not known
                      it shows ssh-ed25519
    ");
    output.says("make it known with").says("echo 'app2 ssh-ed25519 ").says("2 problems").says_not("app3");
    assert_eq!(project.server("app3").sshd.execs(), 1);
    assert_eq!(project.server("app2").sshd.execs(), 0);
}

#[test]
fn a_refused_key_is_named_with_what_the_server_offers() {
    let project = Project::over_ssh(&[("app1", "app")]);
    fs::write(project.sandbox.join("authorized_keys"), "").unwrap();
    let output = quiet(&project).fails_with(4);
    output.says("id_ed25519").says("refused").says("the server offers: publickey").says("ssh -v -F none -i $SANDBOX");
}

#[test]
fn linked_files_that_are_missing_come_with_their_upload() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    project.top("linked_files = [\"config/database.yml\", \"config/master.key\"]");
    project.server("app1").site.write("shared/config/master.key", "secret\n");
    let output = quiet(&project).fails_with(1);
    assert_snapshot!(output, @r"
    deploy@app1
      problem  linked files  $SANDBOX/servers/app1/www/shared/config/database.yml doesn't exist
                             mend: scp -F none -i $SANDBOX/home/.ssh/id_ed25519 -o IdentitiesOnly=yes -o UserKnownHostsFile=$SANDBOX/known_hosts -o GlobalKnownHostsFile=/dev/null -P PORT config/database.yml deploy@127.0.0.1:$SANDBOX/servers/app1/www/shared/config/database.yml

    staging: 1 problem on 1 server
    [exit status: 1]
    ");
}

#[test]
fn a_folder_that_cannot_be_written_to_is_a_problem() {
    let project = Project::as_ordinary_user(&[("app1", "app")]);
    project.server("app1").site.make_folder("releases");
    let doctor = project.command(&["doctor", "staging", "--json"]);
    let site = project.server("app1").site.path().to_owned();
    fs::set_permissions(&site, fs::Permissions::from_mode(0o555)).unwrap();
    let output = project.sandbox.run(doctor).fails_with(1);
    fs::set_permissions(&site, fs::Permissions::from_mode(0o755)).unwrap();
    let all = findings(&output);
    assert_eq!(severity("deploy_to", &all), "problem", "{output}");
    let mend = all.iter().find(|finding| finding["what"] == "deploy_to").unwrap()["mend"][0].as_str().unwrap();
    assert!(mend.contains("chmod u+rwx"), "it is one's own: {mend}");
}

#[test]
fn a_forwarded_agent_is_proven_on_the_server() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    project.add_server("app2", "app", &["AllowAgentForwarding no"]);
    let agent = Agent::start(&project);
    let all = findings(&agent.doctor(&project).success());
    assert!(about("agent_forwarding", &all).iter().all(|(severity, value)| severity == "ok" && value == "off"));
    project.ssh("forward_agent = true");
    let all = findings(&agent.doctor(&project).fails_with(1));
    let forwarding = about("agent_forwarding", &all);
    assert_eq!(forwarding[0], ("ok".into(), "works: the server sees 1 key".into()));
    assert_eq!(forwarding[1], ("problem".into(), "the server refuses it".into()));
    let own = all.iter().find(|finding| finding["what"] == "agent").expect("the agent is told");
    assert!(own["value"].as_str().unwrap().ends_with("agent holds 1 key"), "{own}");
    quiet(&project).fails_with(1).says("there is no agent here to forward").says("ssh-add");
}

#[test]
fn a_server_that_fetches_by_itself_is_asked_whether_it_may() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    project.top("git.strategy = \"fetch\"");
    let all = findings(&project.xtask("doctor staging --json").success());
    assert_eq!(severity("repository", &all), "ok", "{all:?}");
    project.top("repo_url = \"https://ada:hunter2@127.0.0.1:1/shop.git\"");
    let output = project.xtask("doctor staging").fails_with(1);
    assert!(!output.stdout().contains("hunter2") && !output.stderr().contains("hunter2"), "{output}");
}

#[test]
fn what_a_login_shell_has_besides_is_told() {
    let project = Project::over_ssh(&[("app1", "app")]);
    let home = project.server("app1").sshd.home();
    fs::create_dir_all(home.join(".rbenv/shims")).unwrap();
    for profile in [".profile", ".zprofile"] {
        fs::write(home.join(profile), "echo Welcome\nPATH=$HOME/.rbenv/shims:$PATH\n").unwrap();
    }
    let all = findings(&project.xtask("doctor staging --json").success());
    let path = &about("path", &all)[0];
    assert!(path.0 == "warning" && path.1.ends_with("/.rbenv/shims"), "{path:?}");
    let path = format!("{}/.rbenv/shims:$PATH", home.display());
    let mut project = project;
    project.top(&format!("default_env = {{ PATH = {path:?} }}"));
    let all = findings(&project.xtask("doctor staging --json").success());
    assert_eq!(severity("path", &all), "ok", "{all:?}");
}

#[test]
fn what_a_login_prints_by_itself_is_told_and_does_no_harm() {
    let mut project = Project::over_ssh(&[]);
    project.add_server("app1", "app", &["ForceCommand echo Welcome; eval \"$SSH_ORIGINAL_COMMAND\""]);
    let all = findings(&project.xtask("doctor staging --json").success());
    let strays = &about("startup_files", &all)[0];
    assert!(strays.0 == "warning" && strays.1.ends_with("\nWelcome"), "{strays:?}");
    assert_eq!(severity("deploy_to", &all), "ok", "{all:?}");
}

#[test]
fn a_server_that_runs_no_scripts_is_logged_in_to_and_has_a_problem() {
    let mut project = Project::over_ssh(&[]);
    project.add_server("app1", "app", &["ForceCommand /bin/false"]);
    let all = findings(&project.xtask("doctor staging --json").fails_with(1));
    assert_eq!(severity("login", &all), "ok");
    assert_eq!(about("scripts", &all)[0].1, "the server's shell ended with status 1, and ran nothing");
}

#[test]
fn the_way_through_a_jump_host_is_told() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    let bastion = Sshd::start(&project.sandbox, "bastion", &[], None);
    let jump = format!("{}@127.0.0.1:{}", bastion.user(), bastion.port());
    project.ssh(&format!("proxy_jump = {jump:?}"));
    let doctor = project.command(&["doctor", "staging", "--json"]);
    let known = fs::read_to_string(project.known_hosts()).unwrap();
    let line = format!("[127.0.0.1]:{} {}\n", bastion.port(), bastion.host_key());
    fs::write(project.known_hosts(), known + &line).unwrap();
    let all = findings(&project.sandbox.run(doctor).success());
    let through = format!("through {}@127.0.0.1 port {}", bastion.user(), bastion.port());
    assert_eq!(about("jump", &all)[0].1, through);
}

#[test]
fn no_task_may_be_called_like_the_doctor() {
    let mut project = Project::local();
    project.tables("[tasks.\"doctor:who\"]\nrun = \"true\"");
    project.xtask("deploy staging").fails_with(3).says("`doctor:who`");
    project.xtask("doctor staging").fails_with(3).says("`doctor:who`");
    project.xtask("--help").success();
}

#[test]
fn a_lock_that_is_held_is_told_with_its_holder() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    project.tables("[tasks.nap]\nrun = \"sleep 30\"\nafter = \"deploy:updated\"");
    let deploy = project.start("deploy staging");
    let lock = project.server("app1").site.join(".deploy/lock");
    let deadline = Instant::now() + Duration::from_secs(30);
    while !lock.exists() {
        assert!(Instant::now() < deadline, "the deploy takes the lock");
        std::thread::sleep(Duration::from_millis(10));
    }
    let all = findings(&project.xtask("doctor staging --json").success());
    let lock = &about("lock", &all)[0];
    assert!(lock.0 == "warning" && lock.1.starts_with("held by ada"), "{lock:?}");
    drop(deploy);
}

#[test]
fn a_local_stage_is_examined_without_logging_in() {
    let mut project = Project::local();
    project.top("linked_files = [\"config/database.yml\"]");
    let output = project.xtask("doctor staging -q").fails_with(1);
    assert_snapshot!(output, @r"
    localhost
      problem  linked files  $SANDBOX/servers/localhost/www/shared/config/database.yml doesn't exist
                             mend: mkdir -p $SANDBOX/servers/localhost/www/shared/config && cp config/database.yml $SANDBOX/servers/localhost/www/shared/config/database.yml

    staging: 1 problem on 1 server
    [exit status: 1]
    ");
    assert!(!project.site.path().exists());
}

#[test]
fn an_unknown_stage_or_server_is_a_mistake_of_the_command_line() {
    let project = Project::over_ssh(&[("app1", "app")]);
    project.xtask("doctor stagin").fails_with(2).says("did you mean `staging`?");
    project.xtask("doctor staging --hosts nobody").fails_with(2).says("nobody");
    project.xtask("doctor").fails_with(2).says("`doctor` needs a stage");
    assert_eq!(project.server("app1").sshd.connections(), 0);
}
