use std::fs;
use std::io;

use super::screen::Captured;
use super::*;
use crate::event::{Outcome, Outline, StepOutline};

fn tell_a_run(events: &Events) {
    events.emit(Event::Started(Outline {
        task: "deploy".into(),
        stage: "staging".into(),
        servers: vec!["app1".into()],
        steps: vec![StepOutline { id: "deploy:check".into(), about: String::new(), servers: vec![0] }],
        log_file: None,
    }));
    events.emit(Event::StepStarted { step: 0, server: Some(0) });
    let elapsed = Duration::from_millis(120);
    events.emit(Event::StepFinished { step: 0, server: Some(0), elapsed, outcome: Outcome::Done });
}

fn start(format: Format, log: Option<LogFile>) -> (Ui, Captured) {
    let out = Captured::default();
    let settings = Settings { format, ..Settings::default() };
    (Ui::start_on(settings, log, out.writer(), Box::new(io::sink())), out)
}

#[test]
fn what_was_told_is_shown_and_logged_when_it_finishes() {
    let folder = tempfile::tempdir().unwrap();
    let log = LogFile::create(folder.path(), "staging", "deploy").unwrap();
    let path = log.path().to_owned();
    let (ui, out) = start(Format::Plain, Some(log));
    tell_a_run(&ui.events());
    ui.finish();
    assert_eq!(out.text(), "deploy staging: app1\n00:00 deploy:check  app1 0.12s\n");
    let log = fs::read_to_string(path).unwrap();
    assert_eq!(log.lines().count(), 3);
    assert!(log.ends_with("Z app1 deploy:check done after 0.12s\n"), "{log}");
}

#[test]
fn it_finishes_although_somebody_could_still_tell_something() {
    let (ui, out) = start(Format::Json, None);
    let events = ui.events();
    tell_a_run(&events);
    ui.finish();
    assert_eq!(out.text().lines().count(), 3);
    events.emit(Event::Note { step: None, server: None, text: "too late".into() });
    assert_eq!(out.text().lines().count(), 3);
}

#[test]
fn output_waits_while_a_question_is_open_and_the_log_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let log = LogFile::create(folder.path(), "staging", "deploy").unwrap();
    let path = log.path().to_owned();
    let (ui, out) = start(Format::Plain, Some(log));
    let screen = Arc::clone(&ui.screen);
    let held = screen.hold();
    tell_a_run(&ui.events());
    let deadline = Instant::now() + Duration::from_secs(30);
    while fs::read_to_string(&path).unwrap().lines().count() < 3 {
        assert!(Instant::now() < deadline, "the log waits");
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(out.text(), "");
    drop(held);
    ui.finish();
    assert_eq!(out.text().lines().count(), 2);
}
