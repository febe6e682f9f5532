//! Servers that show the right key, a wrong one, or one that nobody knows.

use std::fs;

use deploy_core::config::HostKeyPolicy;
use e2e::{Key, Sshd};

use super::lab::Lab;

/// A server with an Ed25519 and an ECDSA host key, and nothing known about it yet.
fn two_keyed_server(lab: &Lab) -> (Sshd, Key) {
    let other = Key::generate(lab.sandbox.join("ecdsa_host_key"), "ecdsa", "");
    let sshd = Sshd::start(&lab.sandbox, "app", &[&format!("HostKey {}", other.path().display())], None);
    (sshd, other)
}

fn known_hosts(lab: &Lab) -> String {
    fs::read_to_string(lab.sandbox.join("known_hosts")).unwrap()
}

#[test]
fn a_hashed_name_is_recognised() {
    let lab = Lab::new();
    let sshd = lab.sshd("app", &[]);
    let mut hash = lab.sandbox.command("ssh-keygen");
    hash.arg("-q").arg("-H").arg("-f").arg(lab.sandbox.join("known_hosts"));
    lab.sandbox.run(hash).success();
    assert!(known_hosts(&lab).starts_with("|1|"));
    let connection = lab.log_in(sshd.port());
    let key = connection.login().host_key.clone().unwrap();
    assert_eq!(key.known_from.unwrap().line, 1);
}

#[test]
fn the_key_type_that_is_known_is_the_one_that_is_asked_for() {
    for kind in ["ed25519", "ecdsa"] {
        let lab = Lab::new();
        let (sshd, ecdsa) = two_keyed_server(&lab);
        lab.know(sshd.port(), &if kind == "ecdsa" { ecdsa.public() } else { sshd.host_key() });
        let connection = lab.log_in(sshd.port());
        assert!(connection.login().host_key.as_ref().unwrap().kind.contains(kind));
    }
}

#[test]
fn a_revoked_key_is_refused_although_it_is_known() {
    let lab = Lab::new();
    let sshd = lab.sshd("app", &[]);
    lab.append("known_hosts", &format!("@revoked * {}\n", sshd.host_key()));
    let error = lab.refused(sshd.port()).to_string();
    assert!(error.contains("is revoked") && error.contains("known_hosts:2"), "{error}");
    assert!(!sshd.log().contains("Accepted"), "nobody logged in");
}

#[test]
fn a_changed_key_is_refused_under_every_policy_and_nothing_is_written() {
    let mut lab = Lab::new();
    let sshd = Sshd::start(&lab.sandbox, "app", &[], None);
    lab.know(sshd.port(), &Key::ed25519(lab.sandbox.join("other")).public());
    let before = known_hosts(&lab);
    for policy in [HostKeyPolicy::Strict, HostKeyPolicy::AcceptNew, HostKeyPolicy::Ask] {
        lab.settings.host_key_policy = policy;
        lab.ask.expect(&["yes"]);
        let error = lab.refused(sshd.port()).to_string();
        assert!(error.contains("has changed") && error.contains("ssh-keygen -f"), "{error}");
    }
    assert_eq!(known_hosts(&lab), before);
    assert!(lab.ask.asked().is_empty());
    assert!(!sshd.log().contains("Accepted"));
}

#[test]
fn a_server_that_shows_none_of_its_known_keys_is_no_new_server() {
    let mut lab = Lab::new();
    let sshd = Sshd::start(&lab.sandbox, "app", &[], None);
    lab.know(sshd.port(), &Key::generate(lab.sandbox.join("other"), "ecdsa", "").public());
    lab.settings.host_key_policy = HostKeyPolicy::AcceptNew;
    let error = lab.refused(sshd.port()).to_string();
    assert!(error.contains("only a key of another type is known"), "{error}");
}

#[test]
fn an_unknown_key_is_refused_with_the_command_that_makes_it_known() {
    let lab = Lab::new();
    let sshd = Sshd::start(&lab.sandbox, "app", &[], None);
    let error = lab.refused(sshd.port()).to_string();
    let command = error.lines().map(str::trim).find(|line| line.starts_with("echo ")).expect("a command to type");
    let mut shell = lab.sandbox.command("sh");
    shell.args(["-c", command]);
    lab.sandbox.run(shell).success();
    drop(lab.log_in(sshd.port()));
}

/// What OpenSSH's own client says when the line of `error` that begins with `program` is typed.
fn typed(lab: &Lab, error: &str, program: &str) -> e2e::Output {
    let command = error.lines().map(str::trim).find(|line| line.starts_with(program)).expect("a command to type");
    let mut shell = lab.sandbox.command("sh");
    shell.args(["-c", command]).stdin(std::process::Stdio::null());
    lab.sandbox.run(shell)
}

#[test]
fn the_old_key_is_forgotten_by_the_line_that_is_shown() {
    let lab = Lab::new();
    let sshd = Sshd::start(&lab.sandbox, "app", &[], None);
    lab.know(sshd.port(), &Key::ed25519(lab.sandbox.join("other")).public());
    typed(&lab, &lab.refused(sshd.port()).to_string(), "ssh-keygen ").success();
    let unknown = lab.refused(sshd.port()).to_string();
    assert!(unknown.contains("is not known"), "{unknown}");
}

#[test]
fn a_file_that_keeps_nothing_accepts_nothing() {
    let mut lab = Lab::new();
    let sshd = Sshd::start(&lab.sandbox, "app", &[], None);
    let file = lab.configure("UserKnownHostsFile /dev/null\nStrictHostKeyChecking no\n");
    for policy in [HostKeyPolicy::Strict, HostKeyPolicy::AcceptNew] {
        lab.settings.host_key_policy = policy;
        let error = lab.refused(sshd.port()).to_string();
        assert!(error.contains("`UserKnownHostsFile /dev/null` in SSH's configuration"), "{error}");
        assert!(error.contains("known_hosts_files = ") && !error.contains(">> /dev/null"), "{error}");
    }
    assert!(file.exists() && !sshd.log().contains("Accepted"));
}

#[test]
fn a_new_key_is_accepted_and_appended_where_that_is_allowed() {
    let mut lab = Lab::new();
    lab.append("known_hosts", "# my hosts\n\nother.example.com ssh-ed25519 AAAA");
    let before = known_hosts(&lab);
    let sshd = Sshd::start(&lab.sandbox, "app", &[], None);
    lab.settings.host_key_policy = HostKeyPolicy::AcceptNew;
    let connection = lab.log_in(sshd.port());
    assert_eq!(connection.login().host_key.as_ref().unwrap().known_from, None);
    let after = known_hosts(&lab);
    let key: Vec<_> = sshd.host_key().split(' ').take(2).map(str::to_owned).collect();
    assert_eq!(after, format!("{before}\n[127.0.0.1]:{} {}\n", sshd.port(), key.join(" ")));
    lab.settings.host_key_policy = HostKeyPolicy::Strict;
    drop(lab.log_in(sshd.port()));
}

#[test]
fn many_logins_to_a_new_server_write_its_key_once_and_ask_once() {
    let mut lab = Lab::new();
    let sshd = Sshd::start(&lab.sandbox, "app", &[], None);
    lab.settings.host_key_policy = HostKeyPolicy::Ask;
    lab.ask.expect(&["yes"]);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| drop(lab.log_in(sshd.port())));
        }
    });
    assert_eq!(known_hosts(&lab).lines().count(), 1);
    assert_eq!(lab.ask.asked().len(), 1);
    assert!(lab.ask.asked()[0].contains("SHA256:"));
}

#[test]
fn who_is_asked_may_say_no_and_without_a_terminal_it_is_no() {
    let mut lab = Lab::new();
    let sshd = Sshd::start(&lab.sandbox, "app", &[], None);
    lab.settings.host_key_policy = HostKeyPolicy::Ask;
    lab.ask.expect(&["no"]);
    assert!(lab.refused(sshd.port()).to_string().contains("is not known"));
    assert!(lab.refused(sshd.port()).to_string().contains("is not known"));
    assert_eq!(lab.ask.asked().len(), 2);
    assert_eq!(known_hosts(&lab), "");
}

#[test]
fn a_server_with_a_host_certificate_is_known_by_its_plain_key() {
    let lab = Lab::new();
    let authority = Key::ed25519(lab.sandbox.join("authority"));
    let key = Key::ed25519(lab.sandbox.join("certified_host_key"));
    let mut sign = lab.sandbox.command("ssh-keygen");
    sign.args(["-q", "-h", "-I", "host", "-s"]).arg(authority.path()).arg(key.path().with_extension("pub"));
    lab.sandbox.run(sign).success();
    let certificate = lab.sandbox.join("certified_host_key-cert.pub");
    let options = [format!("HostKey {}", key.path().display()), format!("HostCertificate {}", certificate.display())];
    let sshd = Sshd::start(&lab.sandbox, "app", &[&options[0], &options[1]], None);
    lab.know(sshd.port(), &key.public());
    let connection = lab.log_in(sshd.port());
    assert_eq!(connection.login().host_key.as_ref().unwrap().kind, "ssh-ed25519");
}
