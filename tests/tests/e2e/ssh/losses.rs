//! Servers and networks that go away.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use deploy_core::error::ErrorKind;
use deploy_core::event::Events;
use deploy_core::transport::ssh::Ssh;
use deploy_core::transport::{Output, Transport};
use e2e::Proxy;

use super::lab::{Lab, finish, run};

#[test]
fn a_killed_server_is_noticed_at_once_and_named() {
    let lab = Lab::new();
    let mut sshd = lab.sshd("app", &[]);
    let connection = lab.log_in(sshd.port());
    let mut process = connection.exec("echo started; sleep 607");
    assert!(process.next(Instant::now() + Duration::from_secs(10)).is_some());
    let started = Instant::now();
    sshd.kill();
    let Output::Lost(error) = finish(process).end else { panic!("a lost command is not an ended one") };
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(error.to_string().contains(&format!("127.0.0.1:{}", sshd.port())), "{error}");
    assert!(matches!(run(&connection, "true").end, Output::Lost(_)), "and later commands know it too");
}

#[test]
fn an_idle_connection_notices_its_end_too() {
    let lab = Lab::new();
    let mut sshd = lab.sshd("app", &[]);
    let connection = lab.log_in(sshd.port());
    assert_eq!(run(&connection, "echo on").text(), "on\n");
    sshd.kill();
    assert!(matches!(run(&connection, "true").end, Output::Lost(_)));
}

#[test]
fn a_frozen_server_is_given_up_after_three_silent_intervals() {
    let mut lab = Lab::new();
    let sshd = lab.sshd("app", &[]);
    lab.settings.keepalive_interval = Some(Duration::from_secs(1));
    let connection = lab.log_in(sshd.port());
    let mut process = connection.exec("echo started; sleep 608");
    assert!(process.next(Instant::now() + Duration::from_secs(10)).is_some());
    sshd.freeze();
    let started = Instant::now();
    let Output::Lost(error) = finish(process).end else { panic!("a lost command is not an ended one") };
    assert!((2..10).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
    assert!(error.to_string().contains("no answer for"), "{error}");
}

#[test]
fn a_silent_command_on_a_live_server_is_not_given_up() {
    let mut lab = Lab::new();
    let sshd = lab.sshd("app", &[]);
    lab.settings.keepalive_interval = Some(Duration::from_secs(1));
    let connection = lab.log_in(sshd.port());
    assert_eq!(run(&connection, "sleep 6; echo still").text(), "still\n");
}

#[test]
fn a_network_that_swallows_everything_is_given_up_while_data_flows() {
    let mut lab = Lab::new();
    let sshd = lab.sshd("app", &[]);
    let proxy = Proxy::to(sshd.port());
    lab.know(proxy.port(), &sshd.host_key());
    lab.settings.keepalive_interval = Some(Duration::from_secs(1));
    let connection = lab.log_in(proxy.port());
    let mut process = connection.exec("cat >/dev/null");
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            while process.stdin.send(vec![0; 1 << 16]) {}
            finish(process)
        });
        std::thread::sleep(Duration::from_millis(200));
        proxy.black_hole();
        let started = Instant::now();
        assert!(matches!(sender.join().unwrap().end, Output::Lost(_)));
        assert!(started.elapsed() < Duration::from_secs(10));
    });
}

#[test]
fn a_server_that_never_says_a_word_is_given_up_in_time() {
    let mut lab = Lab::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    lab.settings.connect_timeout = Some(Duration::from_secs(1));
    let started = Instant::now();
    let error = lab.refused(listener.local_addr().unwrap().port()).to_string();
    assert!((1..5).contains(&started.elapsed().as_secs()));
    assert!(error.contains("failed to shake hands") && error.contains("no answer in time"), "{error}");
}

#[test]
fn a_port_where_nobody_listens_is_named_at_once() {
    let lab = Lab::new();
    let mut sshd = lab.sshd("app", &[]);
    sshd.kill();
    let started = Instant::now();
    let error = lab.refused(sshd.port()).to_string();
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(error.contains("refused") && error.contains("does sshd listen"), "{error}");
}

#[test]
fn a_name_that_nobody_knows_is_named() {
    let lab = Lab::new();
    let (_, result) = lab.try_to_log_in("no-such-host.invalid", None);
    let error = result.err().unwrap().to_string();
    assert!(error.contains("failed to find the address of `no-such-host.invalid`"), "{error}");
}

#[test]
fn something_that_is_no_ssh_server_is_told_apart() {
    let mut lab = Lab::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || listener.incoming().flatten().for_each(drop));
    lab.settings.connect_timeout = Some(Duration::from_secs(2));
    let error = lab.refused(port).to_string();
    assert!(error.contains("is it an SSH server?"), "{error}");
}

/// Listens, and says `text` to everybody again and again, with a pause between.
fn talker(text: &'static [u8], pause: Duration) -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            while client.write_all(text).is_ok() {
                std::thread::sleep(pause);
            }
        }
    });
    port
}

#[test]
fn a_server_that_talks_without_end_is_given_up() {
    let mut lab = Lab::new();
    let error = lab.refused(talker(&[b'x'; 100_000], Duration::ZERO)).to_string();
    assert!(error.contains("it talks a lot, and nothing of it is SSH"), "{error}");

    lab.settings.connect_timeout = Some(Duration::from_secs(1));
    let error = lab.refused(talker(b"welcome\n", Duration::from_millis(50))).to_string();
    assert!(error.contains("no answer in time"), "{error}");
}

#[test]
fn an_interruption_ends_a_login_that_waits() {
    let mut lab = Lab::new();
    let interrupted = Arc::new(AtomicBool::new(false));
    lab.ssh = Ssh::new(lab.ask.clone(), Events::nowhere()).interrupted_by(Arc::clone(&interrupted));
    lab.settings.connect_timeout = Some(Duration::from_secs(600));
    let port = talker(b"welcome\n", Duration::from_millis(50));
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        interrupted.store(true, Ordering::SeqCst);
    });
    let error = lab.refused(port);
    assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}");

    let sshd = lab.sshd("app", &[]);
    assert_eq!(run(&lab.log_in(sshd.port()), "echo hello").text(), "hello\n", "what winds up may log in");
}

#[test]
fn a_server_without_a_common_algorithm_says_what_we_offer() {
    let lab = Lab::new();
    let sshd = lab.sshd("app", &["Ciphers aes128-cbc", "KexAlgorithms diffie-hellman-group14-sha1"]);
    let error = lab.refused(sshd.port()).to_string();
    assert!(error.contains("curve25519-sha256") && error.contains("no algorithm in common"), "{error}");
}

#[test]
fn logging_out_is_quick_whatever_still_runs() {
    let lab = Lab::new();
    let sshd = lab.sshd("app", &[]);
    let connection = lab.log_in(sshd.port());
    let mut process = connection.exec("echo started; sleep 609");
    assert!(process.next(Instant::now() + Duration::from_secs(10)).is_some());
    let started = Instant::now();
    drop(connection);
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(matches!(finish(process).end, Output::Lost(_)));
}
