//! Commands on terminals of their own, without anybody at ours.

use std::time::{Duration, Instant};

use deploy_core::transport::{Exit, Output, Process, Transport};
use deploy_core::ui::{Size, Window};

use super::lab::{Lab, finish, run};

fn window() -> Window {
    Window { kind: "vt100".into(), size: Size { columns: 101, rows: 37 }, utf8: true }
}

/// Waits until `process` has written `text`.
fn wait_for(process: &mut Process, text: &str) {
    let (mut said, deadline) = (Vec::new(), Instant::now() + Duration::from_secs(60));
    while !String::from_utf8_lossy(&said).contains(text) {
        match process.next(deadline) {
            Some(Output::Stdout(bytes)) => said.extend(bytes),
            other => panic!("{other:?} instead of `{text}` after {}", String::from_utf8_lossy(&said)),
        }
    }
}

#[test]
fn a_command_on_a_terminal_sees_its_kind_size_and_settings() {
    let lab = Lab::new();
    let sshd = lab.sshd("app", &[]);
    let connection = lab.log_in(sshd.port());
    let (process, _resizer) =
        connection.exec_on_terminal("tty -s && echo $TERM; stty size; stty -a; echo oh >&2", &window());
    let done = finish(process);
    assert!(done.text().starts_with("vt100\r\n37 101\r\n"), "{done:?}");
    assert!(done.text().split_whitespace().any(|word| word == "iutf8"), "{}", done.text());
    assert!(done.text().ends_with("oh\r\n"), "{}", done.text());
    assert!(matches!(done.end, Output::Exit(Exit::Status(0))), "{done:?}");
    let plain = Window { utf8: false, ..window() };
    assert!(finish(connection.exec_on_terminal("stty -a", &plain).0).text().contains("-iutf8"));
}

#[test]
fn of_many_new_sizes_the_last_one_counts() {
    let lab = Lab::new();
    let sshd = lab.sshd("app", &[]);
    let connection = lab.log_in(sshd.port());
    let watch = "echo ready; until [ \"$(stty size)\" = '7 200' ]; do sleep 0.02; done; exit 9";
    let (mut process, resizer) = connection.exec_on_terminal(watch, &window());
    wait_for(&mut process, "ready");
    for columns in 1..=200 {
        resizer.resize(Size { columns, rows: 7 });
    }
    assert!(matches!(finish(process).end, Output::Exit(Exit::Status(9))));
    // It may come too late.
    resizer.resize(Size { columns: 80, rows: 24 });
    assert_eq!(run(&connection, "echo on").text(), "on\n");
}

#[test]
fn new_sizes_pass_a_flood_in_both_directions() {
    let lab = Lab::new();
    let sshd = lab.sshd("app", &[]);
    let connection = lab.log_in(sshd.port());
    let echo = "stty raw -echo; echo ready; exec head -c 3000000";
    let (mut process, resizer) = connection.exec_on_terminal(echo, &window());
    wait_for(&mut process, "ready");
    let mut stdin = std::mem::replace(&mut process.stdin, connection.exec("true").stdin);
    let done = std::thread::scope(|scope| {
        scope.spawn(move || (0..30).all(|_| stdin.send(vec![b'x'; 100_000])));
        scope.spawn(|| (1..=300).for_each(|columns| resizer.resize(Size { columns, rows: 7 })));
        finish(process)
    });
    assert_eq!(done.text().matches('x').count(), 3_000_000);
    assert!(matches!(done.end, Output::Exit(Exit::Status(0))), "{:?}", done.end);
}

#[test]
fn a_slow_reader_of_a_terminal_holds_up_its_command_alone() {
    let lab = Lab::new();
    let sshd = lab.sshd("app", &[]);
    let connection = lab.log_in(sshd.port());
    let (mut process, _resizer) = connection.exec_on_terminal("yes", &window());
    wait_for(&mut process, "y");
    assert_eq!(run(&connection, "echo on").text(), "on\n");
    assert!(process.stdin.send(b"\x03".to_vec()));
    assert!(matches!(finish(process).end, Output::Exit(Exit::Signal(signal)) if signal == "INT"));
}

#[test]
fn a_server_that_gives_no_terminal_still_runs_commands() {
    let lab = Lab::new();
    let sshd = lab.sshd("app", &["PermitTTY no"]);
    let connection = lab.log_in(sshd.port());
    let Output::Lost(error) = finish(connection.exec_on_terminal("true", &window()).0).end else { panic!("refused") };
    assert!(error.to_string().contains("gives us no terminal"), "{error}");
    assert_eq!(run(&connection, "echo on").text(), "on\n");
}
