//! What goes into commands and what comes out of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use deploy_core::transport::ssh::Connection;
use deploy_core::transport::{Exit, LONGEST_COMMAND, Output, Transport};
use e2e::{Sshd, User, is_root};

use super::lab::{Lab, finish, run};

fn server() -> (Lab, Sshd, Connection) {
    let lab = Lab::new();
    let sshd = lab.sshd("app", &[]);
    let connection = lab.log_in(sshd.port());
    (lab, sshd, connection)
}

#[test]
fn both_streams_and_the_status_arrive() {
    let (_lab, _sshd, connection) = server();
    let done = run(&connection, "echo out; echo err >&2; exit 7");
    assert_eq!((&done.stdout[..], &done.stderr[..]), (&b"out\n"[..], &b"err\n"[..]));
    assert!(matches!(done.end, Output::Exit(Exit::Status(7))));
}

#[test]
fn a_command_that_is_killed_has_no_status_but_a_signal() {
    let (_lab, _sshd, connection) = server();
    for signal in ["KILL", "TERM", "SEGV"] {
        let done = run(&connection, &format!("kill -{signal} $$"));
        assert!(matches!(&done.end, Output::Exit(Exit::Signal(name)) if name == signal), "{:?}", done.end);
    }
}

#[test]
fn a_hundred_megabytes_come_on_both_streams_at_once() {
    let (_lab, _sshd, connection) = server();
    let done = run(&connection, "head -c 100000000 /dev/zero & head -c 100000000 /dev/zero >&2; wait; exit 5");
    assert_eq!((done.stdout.len(), done.stderr.len()), (100_000_000, 100_000_000));
    assert!(matches!(done.end, Output::Exit(Exit::Status(5))));
}

#[test]
fn a_hundred_megabytes_go_in_whole() {
    let (_lab, _sshd, connection) = server();
    let mut process = connection.exec("sha256sum");
    for number in 0..100_u8 {
        assert!(process.stdin.send(vec![number; 1_000_000]));
    }
    process.stdin.close();
    let mut hash = <sha2::Sha256 as sha2::Digest>::new();
    (0..100_u8).for_each(|number| sha2::Digest::update(&mut hash, vec![number; 1_000_000]));
    let expected: String = sha2::Digest::finalize(hash).iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(finish(process).text().starts_with(&expected));
    assert!(connection.traffic().sent >= 100_000_000);
}

#[test]
fn binary_data_comes_back_as_it_went() {
    let (_lab, _sshd, connection) = server();
    let data: Vec<u8> = (0..=255_u8).cycle().take(1 << 20).collect();
    let mut process = connection.exec("cat");
    assert!(process.stdin.send(data.clone()));
    process.stdin.close();
    assert!(finish(process).stdout == data);
}

#[test]
fn a_command_that_ends_without_reading_lets_its_sender_go() {
    let (_lab, _sshd, connection) = server();
    let mut process = connection.exec("exit 9");
    let started = Instant::now();
    while process.stdin.send(vec![0; 1 << 20]) {
        assert!(started.elapsed() < Duration::from_secs(30), "somebody still takes what nobody reads");
    }
    assert!(matches!(finish(process).end, Output::Exit(Exit::Status(9))));
}

#[test]
fn a_reader_that_stops_holds_up_nobody_else_and_loses_nothing() {
    let (_lab, _sshd, connection) = server();
    let mut slow = connection.exec("head -c 50000000 /dev/zero; exit 3");
    slow.stdin.close();
    assert!(slow.next(Instant::now() + Duration::from_secs(10)).is_some());
    for _ in 0..5 {
        assert_eq!(run(&connection, "echo quick").text(), "quick\n");
    }
    let received = connection.traffic().received;
    assert!(received < 20_000_000, "{received} bytes were taken in for a reader that took one piece");
    let done = finish(slow);
    assert!(done.stdout.len() > 49_000_000 && matches!(done.end, Output::Exit(Exit::Status(3))));
}

#[test]
fn more_commands_than_the_server_allows_wait_for_their_turn() {
    let (_lab, _sshd, connection) = server();
    let processes: Vec<_> = (0..25).map(|number| connection.exec(&format!("sleep 0.1; exit {number}"))).collect();
    for (number, process) in processes.into_iter().enumerate() {
        let done = finish(process);
        assert!(matches!(done.end, Output::Exit(Exit::Status(status)) if status == number as i32), "{:?}", done.end);
    }
}

#[test]
fn a_server_that_allows_one_session_runs_one_after_the_other() {
    let lab = Lab::new();
    let sshd = lab.sshd("app", &["MaxSessions 1"]);
    let connection = lab.log_in(sshd.port());
    let processes: Vec<_> = (0..3).map(|number| connection.exec(&format!("exit {number}"))).collect();
    for (number, process) in processes.into_iter().enumerate() {
        assert!(matches!(finish(process).end, Output::Exit(Exit::Status(status)) if status == number as i32));
    }
}

#[test]
fn a_server_that_allows_no_session_says_so_each_time() {
    let lab = Lab::new();
    let mut sshd = lab.sshd("app", &["MaxSessions 0"]);
    let connection = lab.log_in(sshd.port());
    for _ in 0..2 {
        let end = run(&connection, "true").end;
        assert!(matches!(&end, Output::Lost(error) if error.to_string().contains("MaxSessions")), "{end:?}");
    }
    sshd.kill();
    assert!(matches!(run(&connection, "true").end, Output::Lost(_)));
}

#[test]
fn what_a_command_leaves_running_does_not_matter_to_who_stops_listening() {
    let (_lab, _sshd, connection) = server();
    // More than the server has sessions: each is given back although something still holds its output open.
    for _ in 0..15 {
        let mut process = connection.exec("sleep 606 & echo started");
        process.stdin.close();
        let first = process.next(Instant::now() + Duration::from_secs(10));
        assert!(matches!(first, Some(Output::Stdout(data)) if data == b"started\n"));
    }
    assert_eq!(run(&connection, "echo on").text(), "on\n");
}

#[test]
fn who_listens_hears_what_a_left_behind_process_says() {
    let (_lab, _sshd, connection) = server();
    let done = run(&connection, "(sleep 0.5; echo late) & exit 4");
    assert_eq!(done.text(), "late\n");
    assert!(matches!(done.end, Output::Exit(Exit::Status(4))));
}

#[test]
fn dropping_a_process_closes_its_input_and_does_not_kill_it() {
    let (lab, _sshd, connection) = server();
    let file = lab.sandbox.join("after-end-of-file");
    drop(connection.exec(&format!("cat >/dev/null; sleep 0.2; echo done > {}", file.display())));
    super::lab::wait_until("the command went on", || file.exists());
}

#[test]
fn a_command_that_is_too_long_says_so_and_the_connection_lives_on() {
    let (_lab, _sshd, connection) = server();
    let of_length = |bytes: usize| format!("echo {}", "x".repeat(bytes - "echo ".len()));
    let longest = run(&connection, &of_length(LONGEST_COMMAND));
    assert_eq!(longest.stdout.len(), LONGEST_COMMAND - "echo ".len() + 1, "{:?}", longest.end);
    let done = run(&connection, &of_length(LONGEST_COMMAND + 1));
    assert!(matches!(&done.end, Output::Lost(error) if error.to_string().contains("too long")), "{:?}", done.end);
    assert_eq!(run(&connection, "echo on").text(), "on\n");
}

#[test]
fn keys_are_renewed_in_the_middle_of_everything() {
    let lab = Lab::new();
    let sshd = lab.sshd("app", &["RekeyLimit 1M"]);
    let connection = lab.log_in(sshd.port());
    let done = run(&connection, "head -c 20000000 /dev/zero");
    assert_eq!(done.stdout.len(), 20_000_000);
    let mut process = connection.exec("wc -c");
    for _ in 0..20 {
        assert!(process.stdin.send(vec![0; 1_000_000]));
    }
    process.stdin.close();
    assert_eq!(finish(process).text().trim(), "20000000");
}

#[test]
fn traffic_is_counted() {
    let (_lab, sshd, connection) = server();
    let before = connection.traffic();
    assert_eq!((before.connections, before.execs), (1, 0));
    assert!(before.login > Duration::ZERO);
    let mut process = connection.exec("cat");
    process.stdin.send(vec![0; 1000]);
    process.stdin.close();
    finish(process);
    let after = connection.traffic();
    assert_eq!((after.execs, after.sent, after.received), (1, "cat".len() as u64 + 1000, 1000));
    assert_eq!((sshd.connections(), sshd.execs()), (1, 1));
}

/// As root, the other tests serve root. An sshd of an ordinary user can't do all that root's can.
#[test]
fn the_server_of_an_ordinary_user_serves_as_well() {
    if !is_root() {
        return;
    }
    let lab = Lab::new();
    let user = Arc::new(User::fresh());
    user.own(lab.sandbox.path());
    let sshd = Sshd::start(&lab.sandbox, "app", &[], Some(Arc::clone(&user)));
    lab.know(sshd.port(), &sshd.host_key());
    let connection = lab.try_to_log_in_as(Some(user.name()), "127.0.0.1", Some(sshd.port())).1.unwrap();
    assert_eq!(run(&connection, "id -un").text().trim(), user.name());
    assert_eq!(run(&connection, "head -c 10000000 /dev/zero").stdout.len(), 10_000_000);
    assert!(matches!(run(&connection, "kill -KILL $$").end, Output::Exit(Exit::Signal(name)) if name == "KILL"));
    for _ in 0..12 {
        drop(connection.exec("sleep 611 & exit 0"));
    }
    assert!(matches!(run(&connection, "exit 6").end, Output::Exit(Exit::Status(6))));
}

#[test]
fn what_one_command_says_is_not_slept_over_while_others_are_silent() {
    let lab = Lab::new();
    let sshd = lab.sshd("app", &["MaxSessions 20"]);
    let connection = lab.log_in(sshd.port());
    let silent: Vec<_> = (0..8).map(|_| connection.exec("cat")).collect();
    let mut echo = connection.exec("cat");
    for round in 0..1000 {
        assert!(echo.stdin.send(b"x".to_vec()));
        // A moment that was missed would be made good by the next probe only, as late as that is.
        let answer = echo.next(Instant::now() + Duration::from_secs(5));
        assert!(matches!(answer, Some(Output::Stdout(ref data)) if data == b"x"), "round {round}: {answer:?}");
    }
    drop(silent);
}
