use std::time::Duration;

use super::super::finding::Severity;
use super::super::testing::{about, assert_mendable, by_hand, stage};
use super::*;
use crate::transport::ssh::HostKeyRecord;

fn login(attempts: &[(&str, AttemptOutcome)]) -> Login {
    let attempt = |(what, outcome): &(&str, AttemptOutcome)| Attempt { what: (*what).into(), outcome: outcome.clone() };
    Login {
        host: "10.0.0.7".into(),
        port: 22,
        user: "deploy".into(),
        config: "ssh -G".into(),
        offered: vec!["publickey".into(), "password".into()],
        attempts: attempts.iter().map(attempt).collect(),
        banner: "SSH-2.0-OpenSSH_9.2p1".into(),
        round_trip: Duration::from_micros(12_340),
        elapsed: Duration::from_millis(321),
        connections: 1,
        ..Login::default()
    }
}

fn told(login: &Login, failure: Option<&Error>) -> Vec<Finding> {
    let stage = stage(&[]);
    let all = findings(login, failure, by_hand(&stage));
    assert_mendable(&all);
    all
}

#[test]
fn a_login_is_told_from_the_configuration_to_the_key() {
    let bastion = Login { jumps: Vec::new(), host: "outer".into(), ..login(&[]) };
    let jump = Login { host: "inner".into(), jumps: vec![bastion], ..login(&[]) };
    let login = Login { jumps: vec![jump], ..login(&[("key file `~/.ssh/id`", AttemptOutcome::Accepted)]) };
    let all = told(&login, None);
    let value = |what| about(what, &all).value.as_str();
    assert_eq!(value("login"), "deploy@10.0.0.7 port 22 in 321 ms, round trip 12.3 ms");
    assert_eq!(value("jump"), "through deploy@outer port 22, then deploy@inner port 22");
    assert_eq!(value("keys"), "key file `~/.ssh/id`: accepted; the server offers publickey, password");
    assert!(all.iter().all(|finding| finding.severity == Severity::Ok), "{all:?}");
}

#[test]
fn a_host_key_that_was_taken_on_trust_is_worth_a_look() {
    let key = HostKeyRecord { kind: "ssh-ed25519".into(), fingerprint: "SHA256:x".into(), known_from: None };
    let all = told(&Login { host_key: Some(key), ..login(&[]) }, None);
    assert_eq!(about("host_key", &all).severity, Severity::Warning);
}

#[test]
fn many_refused_keys_are_told_before_the_server_hangs_up() {
    let refused = |count| vec![("agent key `x`", AttemptOutcome::Refused); count];
    assert_eq!(about("keys", &told(&login(&refused(2)), None)).severity, Severity::Ok);
    assert_eq!(about("keys", &told(&login(&refused(3)), None)).severity, Severity::Warning);
}

#[test]
fn a_private_key_that_others_may_read_is_told() {
    let all = told(&Login { exposed: vec!["/keys/my key".into()], ..login(&[]) }, None);
    let finding = about("key_file", &all);
    assert_eq!((finding.severity, finding.mend[0].as_str()), (Severity::Warning, "chmod 600 '/keys/my key'"));
}

#[test]
fn what_the_configuration_says_in_vain_is_told() {
    let login = Login { warnings: vec!["`Match` is not understood".into()], ..login(&[]) };
    assert_eq!(
        about("configuration", &told(&login, None)).value,
        "SSH's own files (ssh -G)\n`Match` is not understood"
    );
}

#[test]
fn a_login_that_fails_says_why_and_how_to_see_more() {
    let error = Error::connection("refused").detail("tried x").because(anyhow::anyhow!("why")).hint("ssh-add");
    let all = told(&Login { config: String::new(), ..Login::default() }, Some(&error));
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].value, "refused\ntried x\nwhy");
    assert_eq!(all[0].mend, ["ssh-add", "ssh -v -p 2222 deploy@app1 true"]);
}

#[test]
fn forwarding_counts_when_the_agent_answers_there() {
    let stage = stage(&[]);
    let judge = |wanted, granted, facts: &[(&str, &str)]| {
        let finding = forwarding(wanted, granted, &Facts::of(facts), by_hand(&stage));
        assert_mendable(std::slice::from_ref(&finding));
        finding
    };
    let socket = ("agent_socket", "/tmp/agent");
    let works =
        judge(true, Some(true), &[socket, ("agent_status", "0"), ("agent_said", "256 SHA256:a x\n256 SHA256:b y")]);
    assert_eq!((works.severity, works.value.as_str()), (Severity::Ok, "works: the server sees 2 keys"));
    assert_eq!(judge(false, None, &[socket]).value, "off");
    let severity = |granted, facts: &[(&str, &str)]| judge(true, granted, facts).severity;
    assert_eq!(severity(None, &[]), Severity::Problem, "there is no agent to forward");
    assert_eq!(severity(Some(false), &[]), Severity::Problem);
    assert_eq!(severity(Some(true), &[]), Severity::Problem, "the variable got lost");
    let status = ("agent_status", "1");
    let no_keys = ("agent_said", "The agent has no identities.");
    assert_eq!(severity(Some(true), &[socket, status, no_keys]), Severity::Warning);
    let no_answer = ("agent_said", "error fetching identities: communication with agent failed");
    assert_eq!(severity(Some(true), &[socket, status, no_answer]), Severity::Problem);
    assert_eq!(severity(Some(true), &[socket, ("agent_status", "127")]), Severity::Warning, "not proven");
    assert_eq!(severity(Some(true), &[socket, ("agent_status", "2")]), Severity::Problem);
}
