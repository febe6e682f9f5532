use std::os::unix::fs::PermissionsExt;

use super::super::screen::Captured;
use super::*;
use crate::event::StepOutline;

fn stamp() -> Timestamp {
    "2026-11-22T10:15:00Z".parse().unwrap()
}

fn create(folder: &Path, task: &str) -> LogFile {
    LogFile::create_at(stamp(), folder, "staging", task).unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_log_file_is_private_and_has_a_name_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["deploy:rollback", "deploy", "deploy"].map(|task| {
        let log = create(folder.path(), task);
        assert_eq!(mode(log.path()), 0o600);
        log.path().file_name().unwrap().to_str().unwrap().to_owned()
    });
    let expected = ["deploy-rollback", "deploy", "deploy-2"].map(|name| format!("20261122101500-staging-{name}.log"));
    assert_eq!(names, expected);
    assert_eq!(mode(&folder.path().join("log")), 0o700);
}

#[test]
fn the_oldest_log_files_are_removed_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    fs::create_dir(&log).unwrap();
    fs::write(log.join("00000000-notes.log"), "mine").unwrap();
    for number in 0..60 {
        fs::write(log.join(format!("202610010000{number:02}-staging-deploy.log")), "").unwrap();
    }
    let new = create(folder.path(), "deploy");
    let mut names = fs::read_dir(&log).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
    names.sort();
    assert_eq!(names.len(), KEPT + 1);
    assert_eq!(names[0], "00000000-notes.log");
    assert_eq!(names[1], "20261001000011-staging-deploy.log");
    assert_eq!(names[KEPT], new.path().file_name().unwrap());
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::NamedTempFile::new().unwrap();
    let error = LogFile::create(folder.path(), "staging", "deploy").unwrap_err();
    assert_eq!(error.message(), format!("failed to create a log file in `{}/log`", folder.path().display()));
    assert_eq!(error.causes().len(), 1);
}

/// What a log file has of `events`, which happen a second apart.
fn log(events: &[Event]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let file = create(folder.path(), "deploy");
    let path = file.path().to_owned();
    let mut log = Log::new(file, Screen::of_terminals(Box::new(io::sink()), Box::new(io::sink())));
    for (number, event) in events.iter().enumerate() {
        log.event(Duration::from_secs(number as u64), event);
    }
    log.tick(Duration::from_secs(events.len() as u64));
    fs::read(path).unwrap()
}

fn outline() -> Event {
    Event::Started(Outline {
        task: "deploy".into(),
        stage: "staging".into(),
        servers: vec!["deploy@app1".into(), "app2".into()],
        steps: vec![StepOutline { id: "deploy:migrate".into(), about: String::new(), servers: vec![0] }],
        log_file: None,
    })
}

#[test]
fn everything_is_logged_with_its_time_server_and_task() {
    let (step, server, elapsed) = (0, Some(0), Duration::from_millis(340));
    let failure = Failure {
        command: Some("bundle exec rake\n  db:migrate".into()),
        position: Some((2, 5)),
        reason: "exit status 1".into(),
        tail: vec!["rake aborted!".into()],
        hints: vec!["is the database up?".into()],
    };
    let events = [
        outline(),
        Event::Connected { server: 0, elapsed },
        Event::Disconnected { server: 1, message: "refused".into() },
        Event::Detail { server, text: "set -eu\ncd /".into() },
        Event::StepStarted { step, server },
        Event::Output { step, server, stream: Stream::Stdout, line: b"migrating".into() },
        Event::Output { step, server, stream: Stream::Stderr, line: b"rake aborted!".into() },
        Event::Note { step: None, server: None, text: "waiting".into() },
        Event::Warning { step: Some(step), server, text: "slow".into() },
        Event::StepFinished { step, server, elapsed, outcome: Outcome::Skipped("done before".into()) },
        Event::StepFinished { step, server: None, elapsed, outcome: Outcome::Done },
        Event::StepFinished { step, server, elapsed, outcome: Outcome::Failed(failure) },
        Event::Finished {
            elapsed,
            error: Some("deploy failed\n  hint: read".into()),
            summary: "nothing was published".into(),
            traffic: vec![Traffic { connections: 1, execs: 5, sent: 1234, received: 5, login: elapsed }],
        },
    ];
    insta::assert_snapshot!(String::from_utf8(log(&events)).unwrap(), @r"
    2026-11-22T10:15:00.000Z started deploy staging: deploy@app1
    2026-11-22T10:15:01.000Z deploy@app1 connected after 0.34s
    2026-11-22T10:15:02.000Z app2 disconnected: refused
    2026-11-22T10:15:03.000Z deploy@app1 set -eu
    2026-11-22T10:15:03.000Z deploy@app1 cd /
    2026-11-22T10:15:04.000Z deploy@app1 deploy:migrate started
    2026-11-22T10:15:05.000Z deploy@app1 deploy:migrate out| migrating
    2026-11-22T10:15:06.000Z deploy@app1 deploy:migrate err| rake aborted!
    2026-11-22T10:15:07.000Z note: waiting
    2026-11-22T10:15:08.000Z deploy@app1 deploy:migrate warning: slow
    2026-11-22T10:15:09.000Z deploy@app1 deploy:migrate skipped: done before
    2026-11-22T10:15:10.000Z deploy:migrate done after 0.34s
    2026-11-22T10:15:11.000Z deploy@app1 deploy:migrate failed after 0.34s: exit status 1
    2026-11-22T10:15:11.000Z deploy@app1 deploy:migrate command: bundle exec rake
    2026-11-22T10:15:11.000Z deploy@app1 deploy:migrate   db:migrate
    2026-11-22T10:15:11.000Z deploy@app1 deploy:migrate step: 2 of 5
    2026-11-22T10:15:11.000Z deploy@app1 deploy:migrate tail| rake aborted!
    2026-11-22T10:15:11.000Z deploy@app1 deploy:migrate hint: is the database up?
    2026-11-22T10:15:12.000Z deploy@app1 connections: 1, execs: 5, bytes sent: 1234, received: 5, login: 0.34s
    2026-11-22T10:15:12.000Z error: deploy failed
    2026-11-22T10:15:12.000Z   hint: read
    2026-11-22T10:15:12.000Z failed after 0.34s: nothing was published
    ");
}

#[test]
fn of_a_transfer_the_log_has_an_entry_now_and_then_and_what_it_came_to() {
    let progress =
        |what: &str, done: u64, total| Event::Progress { step: 0, server: Some(0), what: what.into(), done, total };
    let dump = (0..=24).map(|second| progress("dump", second * 1_000_000, Some(50_000_000)));
    let load = [progress("load", 0, None), progress("load", 5000, None)];
    let ended = Event::StepFinished { step: 0, server: Some(0), elapsed: Duration::ZERO, outcome: Outcome::Done };
    let events: Vec<_> = [outline()].into_iter().chain(dump).chain(load).chain([ended]).collect();
    insta::assert_snapshot!(String::from_utf8(log(&events)).unwrap(), @r"
    2026-11-22T10:15:00.000Z started deploy staging: deploy@app1
    2026-11-22T10:15:11.000Z deploy@app1 deploy:migrate dump: 10.0 MB of 50.0 MB, 20 %, 1.0 MB/s, 40 s left
    2026-11-22T10:15:21.000Z deploy@app1 deploy:migrate dump: 20.0 MB of 50.0 MB, 40 %, 1.0 MB/s, 30 s left
    2026-11-22T10:15:26.000Z deploy@app1 deploy:migrate dump: 24.0 MB in 24.0s, 1.0 MB/s
    2026-11-22T10:15:28.000Z deploy@app1 deploy:migrate load: 5.0 kB in 1.00s, 5.0 kB/s
    2026-11-22T10:15:28.000Z deploy@app1 deploy:migrate done after 0.00s
    ");
}

#[test]
fn output_is_logged_byte_for_byte() {
    let bytes = (0..=255).filter(|byte| *byte != b'\n').collect::<Vec<u8>>();
    let output = Event::Output { step: 0, server: Some(0), stream: Stream::Stdout, line: bytes.clone() };
    let logged = log(&[outline(), output]);
    let expected = [b"2026-11-22T10:15:01.000Z deploy@app1 deploy:migrate out| ", bytes.as_slice(), b"\n"].concat();
    assert!(logged.ends_with(&expected), "{}", logged.escape_ascii());
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_told_once() {
    let err = Captured::default();
    let file = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let file = LogFile { path: "full.log".into(), file, started: stamp() };
    let mut log = Log::new(file, Screen::of_terminals(Box::new(io::sink()), err.writer()));
    for _ in 0..3 {
        log.event(Duration::ZERO, &outline());
        log.tick(Duration::ZERO);
    }
    let expected = "warning: failed to write the log file `full.log`: No space left on device (os error 28)\n";
    assert_eq!(err.text(), expected);
}

#[test]
fn of_a_task_that_writes_much_the_log_has_head_and_tail() {
    let (folder, err) = (tempfile::tempdir().unwrap(), Captured::default());
    let file = create(folder.path(), "deploy");
    let path = file.path().to_owned();
    let mut log = Log::new(file, Screen::of_terminals(Box::new(io::sink()), err.writer()));
    log.event(Duration::ZERO, &outline());
    let output = |number: usize| {
        let line = format!("{number:05} {}", "x".repeat(4089)).into_bytes();
        Event::Output { step: 0, server: Some(0), stream: Stream::Stdout, line }
    };
    (0..12_800).for_each(|number| log.event(Duration::ZERO, &output(number)));
    let elapsed = Duration::from_secs(1);
    log.event(elapsed, &Event::StepFinished { step: 0, server: Some(0), elapsed, outcome: Outcome::Done });
    log.event(elapsed, &Event::Finished { elapsed, error: None, summary: "deployed".into(), traffic: Vec::new() });
    log.tick(elapsed);
    let text = fs::read_to_string(path).unwrap();
    assert!(text.len() < 11 * 1024 * 1024, "{} bytes", text.len());
    assert_eq!(text.matches("left out here: 10240 lines (41.9 MB) of output").count(), 1);
    assert!(text.contains("| 00000 ") && text.contains("| 02047 ") && !text.contains("| 02048 "));
    assert!(!text.contains("| 12287 ") && text.contains("| 12288 ") && text.contains("| 12799 "));
    assert!(text.trim_end().lines().nth_back(1).unwrap().ends_with("done after 1.00s"));
    assert!(err.text().ends_with(": 10240 lines (41.9 MB) are left out\n"), "{}", err.text());
}

#[test]
fn a_run_that_breaks_off_has_its_tail_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let file = create(folder.path(), "deploy");
    let path = file.path().to_owned();
    let mut log = Log::new(file, Screen::of_terminals(Box::new(io::sink()), Box::new(io::sink())));
    let output = |line: &[u8]| Event::Output { step: 0, server: Some(0), stream: Stream::Stderr, line: line.into() };
    log.event(Duration::ZERO, &output(&vec![b'x'; 9 * 1024 * 1024]));
    log.event(Duration::ZERO, &output(b"the end"));
    log.end();
    log.tick(Duration::ZERO);
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains("left out here: 1 line (9.4 MB) of output") && text.ends_with("err| the end\n"));
}
