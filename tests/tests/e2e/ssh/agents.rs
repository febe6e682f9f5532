//! Logging in with an agent's keys, and lending the agent to servers.

use std::time::{Duration, Instant};

use deploy_core::transport::ssh::AttemptOutcome;
use deploy_core::transport::{Exit, Output, Transport};
use e2e::Key;

use super::lab::{Lab, SshAgent, finish, run};

/// A lab whose keys come from an agent alone, which holds `keys`.
fn with_agent(keys: &[&Key]) -> (Lab, SshAgent) {
    let mut lab = Lab::new();
    let agent = lab.agent("agent", keys);
    use_agent(&mut lab, &agent, "");
    (lab, agent)
}

fn use_agent(lab: &mut Lab, agent: &SshAgent, more: &str) {
    let known = lab.sandbox.join("known_hosts").display().to_string();
    let none = lab.sandbox.join("no-such-key").display().to_string();
    let socket = agent.socket.display();
    lab.configure(&format!("IdentityAgent {socket}\nUserKnownHostsFile {known}\nIdentityFile {none}\n{more}"));
}

fn lend(lab: &mut Lab, agent: &SshAgent) {
    use_agent(lab, agent, "ForwardAgent yes\n");
}

/// Logs in with the lab's own key, which `agent` has too, and lends the agent to servers.
pub(crate) fn lend_besides(lab: &mut Lab, agent: &SshAgent) {
    let (key, known) = (lab.key.path().display(), lab.sandbox.join("known_hosts"));
    let files = format!("IdentityFile {key}\nIdentitiesOnly yes\nUserKnownHostsFile {}\n", known.display());
    lab.configure(&format!("{files}IdentityAgent {}\nForwardAgent yes\n", agent.socket.display()));
}

fn ten_keys(lab: &Lab) -> Vec<Key> {
    (0..10).map(|number| Key::ed25519(lab.sandbox.join(format!("key{number}")))).collect()
}

#[test]
fn each_of_the_agents_keys_is_tried() {
    let (mut lab, _empty) = with_agent(&[]);
    let keys = ten_keys(&lab);
    let agent = lab.agent("three", &[&keys[0], &keys[1], &lab.key]);
    use_agent(&mut lab, &agent, "");
    let sshd = lab.sshd("app", &[]);
    let connection = lab.log_in(sshd.port());
    let tried: Vec<_> = connection.login().attempts.iter().filter(|own| own.what.starts_with("agent")).collect();
    assert_eq!(tried.len(), 3);
    assert_eq!(tried[2].outcome, AttemptOutcome::Accepted);
}

#[test]
fn with_ten_keys_in_the_agent_we_stop_before_the_server_hangs_up() {
    let (mut lab, _empty) = with_agent(&[]);
    let keys = ten_keys(&lab);
    let all: Vec<&Key> = keys.iter().chain([&lab.key]).collect();
    let agent = lab.agent("eleven", &all);
    use_agent(&mut lab, &agent, "");
    let sshd = lab.sshd("app", &["MaxAuthTries 6"]);
    let error = lab.refused(sshd.port()).to_string();
    assert_eq!(error.matches(": refused").count(), 5, "{error}");
    assert!(error.contains("identity_files"), "{error}");
    assert!(!sshd.log().contains("Too many authentication failures"), "{}", sshd.log());
    assert_eq!(sshd.connections(), 1, "and nobody tries again");
}

#[test]
fn a_named_key_comes_before_the_agents_ten() {
    let (mut lab, _empty) = with_agent(&[]);
    let keys = ten_keys(&lab);
    let all: Vec<&Key> = keys.iter().chain([&lab.key]).collect();
    let agent = lab.agent("eleven", &all);
    let sshd = lab.sshd("app", &[]);
    for name in [lab.key.path().display().to_string(), format!("{}.pub", lab.key.path().display())] {
        lab.start_over();
        use_agent(&mut lab, &agent, &format!("IdentityFile {name}\n"));
        let connection = lab.log_in(sshd.port());
        let accepted = connection.login().attempts.last().unwrap();
        assert!(accepted.what.starts_with("agent key"), "{accepted}");
        assert_eq!(sshd.log().matches("Failed publickey").count(), 0);
    }
}

#[test]
fn an_agent_that_is_not_there_is_told_and_does_no_harm() {
    let mut lab = Lab::new();
    let sshd = lab.sshd("app", &[]);
    let (key, known) = (lab.key.path().display().to_string(), lab.sandbox.join("known_hosts"));
    lab.configure(&format!("IdentityAgent /nonexistent\nIdentityFile {key}\nUserKnownHostsFile {}\n", known.display()));
    let connection = lab.log_in(sshd.port());
    let agent = connection.login().agent.as_ref().unwrap().to_string();
    assert!(agent.contains("/nonexistent") && agent.contains("No such file"), "{agent}");
}

#[test]
fn a_forwarded_agent_opens_a_second_server_for_a_key_that_is_nowhere_else() {
    let mut lab = Lab::new();
    let agent = lab.agent("agent", &[&lab.key]);
    let (first, second) = (lab.sshd("first", &[]), lab.sshd("second", &[]));
    lend(&mut lab, &agent);
    let connection = lab.log_in(first.port());
    let known = lab.sandbox.join("known_hosts");
    let hop = format!(
        "ssh -o BatchMode=yes -o UserKnownHostsFile={} -o IdentityFile=none -p {} 127.0.0.1 'echo arrived'",
        known.display(),
        second.port()
    );
    let done = run(&connection, &hop);
    assert_eq!(done.text(), "arrived\n", "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(connection.forwards_agent(), Some(true));

    lab.start_over();
    use_agent(&mut lab, &agent, "");
    let connection = lab.log_in(first.port());
    assert!(String::from_utf8_lossy(&run(&connection, &hop).stderr).contains("Permission denied"));
    assert_eq!(connection.forwards_agent(), None);
}

#[test]
fn deploy_toml_decides_about_forwarding_before_the_configuration_does() {
    let mut lab = Lab::new();
    let agent = lab.agent("agent", &[&lab.key]);
    let sshd = lab.sshd("app", &[]);
    for (configured, own, expected) in [("yes", Some(false), None), ("no", Some(true), Some(true))] {
        lab.start_over();
        use_agent(&mut lab, &agent, &format!("ForwardAgent {configured}\n"));
        lab.settings.forward_agent = own;
        assert_eq!(lab.log_in(sshd.port()).forwards_agent(), expected);
    }
}

#[test]
fn a_server_that_does_not_take_the_agent_still_runs_commands() {
    let mut lab = Lab::new();
    let agent = lab.agent("agent", &[&lab.key]);
    let sshd = lab.sshd("app", &["AllowAgentForwarding no"]);
    lend(&mut lab, &agent);
    let connection = lab.log_in(sshd.port());
    // As many as there are at once: the first one asks.
    let commands: Vec<_> = (0..4).map(|_| connection.exec("echo \"agent ${SSH_AUTH_SOCK:-none}\"; exit 7")).collect();
    for command in commands {
        let done = finish(command);
        assert_eq!(done.text(), "agent none\n");
        assert!(matches!(done.end, Output::Exit(Exit::Status(7))), "{:?}", done.end);
    }
    assert_eq!(connection.forwards_agent(), Some(false));
}

#[test]
fn commands_that_come_at_once_all_have_the_agent() {
    let mut lab = Lab::new();
    let agent = lab.agent("agent", &[&lab.key]);
    let sshd = lab.sshd("app", &[]);
    lend(&mut lab, &agent);
    for _ in 0..5 {
        let connection = lab.log_in(sshd.port());
        let commands: Vec<_> = (0..4).map(|_| connection.exec("ssh-add -l >/dev/null; exit $?")).collect();
        for command in commands {
            let done = finish(command);
            assert!(matches!(done.end, Output::Exit(Exit::Status(0))), "{done:?}");
        }
        assert_eq!(connection.forwards_agent(), Some(true));
    }
}

#[test]
fn the_agent_serves_many_while_data_flows_both_ways_and_keys_are_renewed() {
    let mut lab = Lab::new();
    let agent = lab.agent("agent", &[&lab.key]);
    let sshd = lab.sshd("app", &["RekeyLimit 4M", "MaxSessions 20"]);
    lend(&mut lab, &agent);
    let connection = lab.log_in(sshd.port());
    let list = "for i in 1 2 3 4 5 6 7 8 9 10; do ssh-add -l >/dev/null || exit 9; done";
    let lists: Vec<_> = (0..6).map(|_| connection.exec(list)).collect();
    let down = connection.exec("head -c 30000000 /dev/zero");
    let mut up = connection.exec("wc -c");
    std::thread::scope(|scope| {
        let uploaded = scope.spawn(|| {
            for _ in 0..30 {
                assert!(up.stdin.send(vec![0; 1_000_000]));
            }
            up.stdin.close();
            finish(up)
        });
        let downloaded = scope.spawn(|| finish(down));
        for process in lists {
            assert!(matches!(finish(process).end, Output::Exit(Exit::Status(0))));
        }
        assert_eq!(uploaded.join().unwrap().text().trim(), "30000000");
        assert_eq!(downloaded.join().unwrap().stdout.len(), 30_000_000);
    });
}

#[test]
fn a_forwarded_agent_answers_however_busy_the_machine_is() {
    let mut lab = Lab::new();
    let agent = lab.agent("agent", &[&lab.key]);
    let sshd = lab.sshd("app", &[]);
    use_agent(&mut lab, &agent, "ForwardAgent yes\n");
    let connection = lab.log_in(sshd.port());
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let list = "for i in $(seq 40); do timeout 20 ssh-add -l >/dev/null || echo unanswered; done";
        let done = run(&connection, list);
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(done.text(), "", "{:?}", done.end);
    });
}

#[test]
fn an_agent_that_hangs_does_not_hang_the_login_for_ever() {
    let mut lab = Lab::new();
    let sshd = lab.sshd("app", &[]);
    let socket = lab.sandbox.join("deaf");
    let _deaf = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let (key, known) = (lab.key.path().display().to_string(), lab.sandbox.join("known_hosts"));
    let config =
        format!("IdentityAgent {}\nIdentityFile {key}\nUserKnownHostsFile {}\n", socket.display(), known.display());
    lab.configure(&config);
    let started = Instant::now();
    let connection = lab.log_in(sshd.port());
    assert!(started.elapsed() < Duration::from_secs(90));
    assert!(connection.login().agent.as_ref().unwrap().to_string().contains("doesn't answer"));
}
