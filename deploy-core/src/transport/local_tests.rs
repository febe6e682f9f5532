use std::fs;
use std::time::{Duration, Instant};

use super::*;

/// Longer than any test takes; reached only when something hangs.
const PATIENCE: Duration = Duration::from_secs(60);

fn machine() -> Machine {
    Machine { dir: std::env::temp_dir(), counters: Arc::default() }
}

/// Everything that `process` writes, and how it ends.
fn finish(mut process: Process) -> (Vec<u8>, Vec<u8>, Exit) {
    let deadline = Instant::now() + PATIENCE;
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    loop {
        match process.next(deadline) {
            Some(Output::Stdout(bytes)) => stdout.extend(bytes),
            Some(Output::Stderr(bytes)) => stderr.extend(bytes),
            Some(Output::Exit(exit)) => return (stdout, stderr, exit),
            Some(Output::Lost(error)) => panic!("{error}"),
            None => panic!("no exit within {PATIENCE:?}"),
        }
    }
}

/// Runs `command` without input.
fn run(command: &str) -> (Vec<u8>, Vec<u8>, Exit) {
    let mut process = machine().exec(command);
    process.stdin.close();
    finish(process)
}

#[test]
fn the_exit_status_is_told() {
    assert_eq!(run("exit 0"), (vec![], vec![], Exit::Status(0)));
    assert_eq!(run("exit 7"), (vec![], vec![], Exit::Status(7)));
}

#[test]
fn a_signal_is_told_by_name() {
    assert_eq!(run("kill -KILL $$").2, Exit::Signal("KILL".into()));
    assert_eq!(run("kill -TERM $$").2, Exit::Signal("TERM".into()));
}

#[test]
fn both_streams_arrive_whole() {
    const SIZE: usize = 10 * 1024 * 1024;
    let (stdout, stderr, exit) =
        run(&format!("head -c {SIZE} /dev/zero | tr '\\0' o & head -c {SIZE} /dev/zero | tr '\\0' e >&2; wait"));
    assert_eq!(exit, Exit::Status(0));
    assert!(stdout.len() == SIZE && stdout.iter().all(|byte| *byte == b'o'));
    assert!(stderr.len() == SIZE && stderr.iter().all(|byte| *byte == b'e'));
}

#[test]
fn input_is_echoed_and_counted() {
    let machine = machine();
    let command = "cat; echo done >&2";
    let mut process = machine.exec(command);
    assert!(process.stdin.send(b"one\n".to_vec()));
    assert!(process.stdin.send(vec![0xff, 0x00]));
    process.stdin.close();
    assert!(!process.stdin.send(b"late".to_vec()));
    assert_eq!(finish(process), (b"one\n\xff\x00".to_vec(), b"done\n".to_vec(), Exit::Status(0)));
    assert_eq!(
        machine.traffic(),
        Traffic { execs: 1, sent: command.len() as u64 + 6, received: 11, ..Traffic::default() }
    );
}

#[test]
fn input_that_nobody_reads_is_refused_once_the_process_is_gone() {
    let mut process = machine().exec("exit 3");
    let deadline = Instant::now() + PATIENCE;
    while process.stdin.send(vec![0; PIECE]) {
        assert!(Instant::now() < deadline, "the input of a process that is gone was taken");
    }
    assert_eq!(finish(process).2, Exit::Status(3));
}

#[test]
fn dropping_a_process_closes_its_input_and_lets_it_finish() {
    let folder = tempfile::tempdir().unwrap();
    let proof = folder.path().join("proof");
    // It writes more than a pipe holds after its input closed: nobody listens, yet it must not be killed for it.
    let script = format!("cat; head -c 1000000 /dev/zero; echo ended > {}", proof.display());
    drop(machine().exec(&script));
    let deadline = Instant::now() + PATIENCE;
    while fs::read_to_string(&proof).unwrap_or_default() != "ended\n" {
        assert!(Instant::now() < deadline, "the process did not end");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_daemon_that_keeps_the_output_open_does_not_keep_the_caller() {
    let mut process = machine().exec("sleep 30 & echo $!");
    let Some(Output::Stdout(pid)) = process.next(Instant::now() + PATIENCE) else { panic!("no process id") };
    assert!(process.next(Instant::now() + Duration::from_millis(200)).is_none());
    run(&format!("kill {}", String::from_utf8(pid).unwrap().trim()));
    assert_eq!(finish(process).2, Exit::Status(0));
}

#[test]
fn commands_run_in_the_folder_and_in_a_process_group_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine { dir: folder.path().canonicalize().unwrap(), counters: Arc::default() };
    let (stdout, _, _) = finish(machine.exec("pwd -P; ps -o pgid= -p $$; echo $$"));
    let stdout = String::from_utf8(stdout).unwrap();
    let lines = stdout.lines().map(str::trim).collect::<Vec<_>>();
    assert_eq!(lines[0], machine.dir.to_str().unwrap());
    assert_eq!(lines[1], lines[2]);
}

#[test]
fn a_command_that_cannot_start_is_lost() {
    let machine = Machine { dir: "/nonexistent".into(), counters: Arc::default() };
    let mut process = machine.exec("true");
    let Some(Output::Lost(error)) = process.next(Instant::now() + PATIENCE) else { panic!("it started") };
    assert_eq!(error.message(), "failed to start `sh` in `/nonexistent`");
    assert!(!process.stdin.send(vec![1]));
}
