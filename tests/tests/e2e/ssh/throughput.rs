//! How fast it is, beside OpenSSH's own client. Prints ratios; asserts that all arrived, and nothing about time.

#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use std::io::{Read, Write};
use std::process::Stdio;
use std::time::{Duration, Instant};

use deploy_core::transport::ssh::Connection;
use deploy_core::transport::{Output, Transport};

use super::agents::lend_besides;
use super::lab::{Lab, finish, openssh, run};
use super::line::Line;

const MEGABYTES: usize = 200;

#[test]
fn two_hundred_megabytes_each_way_beside_openssh() {
    if !e2e::full() {
        return;
    }
    let lab = Lab::new();
    let sshd = lab.sshd("app", &[]);
    for (name, one_way) in [("loopback", 0), ("50 ms round trip", 25)] {
        let line = Line::to(sshd.port(), Duration::from_millis(one_way));
        let port = if one_way == 0 { sshd.port() } else { line.port() };
        lab.know(line.port(), &sshd.host_key());
        let connection = lab.log_in(port);
        report(name, "down", timed(|| download(&connection)), timed(|| download_by_openssh(&lab, port)));
        report(name, "up", timed(|| upload(&connection)), timed(|| upload_by_openssh(&lab, port)));
    }
}

#[test]
fn a_command_over_a_long_line_costs_one_round_trip() {
    let lab = Lab::new();
    let sshd = lab.sshd("app", &[]);
    let line = Line::to(sshd.port(), Duration::from_millis(50));
    lab.know(line.port(), &sshd.host_key());
    let connection = lab.log_in(line.port());
    run(&connection, "true");
    let times: Vec<f64> = (0..5).map(|_| timed(|| drop(run(&connection, "true")))).collect();
    let round_trips = times.iter().copied().fold(f64::MAX, f64::min) / 0.1;
    println!("one command takes {round_trips:.2} round trips");
    assert_eq!(connection.traffic().connections, 1);
}

/// How many round trips it takes from the beginning to the first line of a command's output. (TCP's own is not among them:
/// the line accepts by itself.)
fn round_trips_to_the_first_line(lab: &Lab, options: &[&str]) -> usize {
    let sshd = lab.sshd("app", options);
    let line = Line::to(sshd.port(), Duration::from_millis(100));
    lab.know(line.port(), &sshd.host_key());
    let connection = lab.log_in(line.port());
    let mut process = connection.exec("echo hello; exec cat");
    let first = process.next(Instant::now() + Duration::from_secs(30));
    assert!(matches!(&first, Some(Output::Stdout(line)) if line == b"hello\n"), "{first:?}");
    line.turns()
}

#[test]
fn a_login_and_a_first_command_take_no_more_round_trips_than_they_must() {
    let lab = Lab::new();
    // Banners and offers, key exchange, service and key, signature and channel, command.
    assert_eq!(round_trips_to_the_first_line(&lab, &[]), 5);
}

#[test]
fn the_agent_is_asked_for_with_the_command() {
    let mut lab = Lab::new();
    let agent = lab.agent("agent", &[&lab.key]);
    lend_besides(&mut lab, &agent);
    assert_eq!(round_trips_to_the_first_line(&lab, &[]), 5);
}

#[test]
fn a_server_that_refuses_the_agent_costs_one_round_trip_more() {
    let mut lab = Lab::new();
    let agent = lab.agent("agent", &[&lab.key]);
    lend_besides(&mut lab, &agent);
    // libssh2 asks for it by its older name too.
    assert_eq!(round_trips_to_the_first_line(&lab, &["AllowAgentForwarding no"]), 6);
}

fn report(network: &str, direction: &str, ours: f64, theirs: f64) {
    let (rate, ratio) = (MEGABYTES as f64 / ours, theirs / ours);
    println!("{network}, {direction}: {rate:.0} MB/s, {ratio:.2} times as fast as OpenSSH");
}

fn timed(work: impl FnOnce()) -> f64 {
    let started = Instant::now();
    work();
    started.elapsed().as_secs_f64()
}

fn download(connection: &Connection) {
    let mut process = connection.exec(&format!("head -c {} /dev/zero", MEGABYTES * 1_000_000));
    let mut received = 0;
    while let Some(Output::Stdout(data)) = process.next(Instant::now() + Duration::from_secs(60)) {
        received += data.len();
    }
    assert_eq!(received, MEGABYTES * 1_000_000);
}

fn upload(connection: &Connection) {
    let mut process = connection.exec("cat > /dev/null");
    for _ in 0..MEGABYTES {
        assert!(process.stdin.send(vec![0; 1_000_000]));
    }
    process.stdin.close();
    assert!(matches!(finish(process).end, Output::Exit(_)));
}

fn ssh(lab: &Lab, port: u16, command: &str) -> std::process::Command {
    let (key, known) = (lab.key.path().display().to_string(), lab.sandbox.join("known_hosts"));
    let known = format!("UserKnownHostsFile={}", known.display());
    openssh(lab, &["-F", "none", "-i", &key, "-o", &known, "-p", &port.to_string(), "127.0.0.1", command])
}

fn download_by_openssh(lab: &Lab, port: u16) {
    let mut command = ssh(lab, port, &format!("head -c {} /dev/zero", MEGABYTES * 1_000_000));
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let (mut buffer, mut received) = (vec![0; 256 << 10], 0);
    let mut stdout = child.stdout.take().unwrap();
    while let Ok(bytes @ 1..) = stdout.read(&mut buffer) {
        received += bytes;
    }
    assert!(child.wait().unwrap().success());
    assert_eq!(received, MEGABYTES * 1_000_000);
}

fn upload_by_openssh(lab: &Lab, port: u16) {
    let mut child = ssh(lab, port, "cat > /dev/null").stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for _ in 0..MEGABYTES {
        stdin.write_all(&vec![0; 1_000_000]).unwrap();
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
}
