use std::collections::BTreeSet;

use super::super::screen::Captured;
use super::*;
use crate::event::StepOutline;

const DOCUMENT: &str = include_str!("../../../docs/JSON.md");

/// An example of every kind of event. Each names the one that follows it, so that the compiler misses none.
fn after(event: &Event) -> Option<Event> {
    let (step, server) = (1, Some(0));
    Some(match event {
        Event::Started(_) => Event::Connected { server: 0, elapsed: Duration::from_millis(340) },
        Event::Connected { .. } => {
            Event::Disconnected { server: 1, message: "the connection to `deploy@app2` was lost".into() }
        }
        Event::Disconnected { .. } => Event::StepStarted { step, server },
        Event::StepStarted { .. } => {
            Event::Output { step, server, stream: Stream::Stderr, line: b"caf\xe9 migrated".into() }
        }
        Event::Output { .. } => {
            Event::Note { step: None, server, text: "waiting for the lock that alice holds".into() }
        }
        Event::Note { .. } => Event::Warning { step: Some(step), server, text: "the disk is 95 % full".into() },
        Event::Warning { .. } => progress(0),
        Event::Progress { done: 0, .. } => progress(120_000_000),
        Event::Progress { .. } => finished(Outcome::Done),
        Event::StepFinished { .. } => Event::Detail { server, text: "set -eu\n".into() },
        Event::Detail { .. } => Event::Result { text: "backups/20261122-101500.staging.pgdump\n".into() },
        Event::Result { .. } => Event::Finished {
            elapsed: Duration::from_millis(42_100),
            error: None,
            summary: "deployed 20261122101500 (abc1234) to 2 servers".into(),
            traffic: vec![Traffic {
                connections: 1,
                execs: 5,
                sent: 12_345,
                received: 678,
                login: Duration::from_millis(340),
            }],
        },
        Event::Finished { .. } => return None,
    })
}

fn first() -> Event {
    let step = |id: &str, about: &str, servers: &[ServerNo]| StepOutline {
        id: id.into(),
        about: about.into(),
        servers: servers.into(),
    };
    Event::Started(Outline {
        task: "deploy".into(),
        stage: "staging".into(),
        servers: vec!["deploy@app1".into(), "deploy@app2".into()],
        steps: vec![
            step("deploy:ensure_stage", "Ensure that a stage is named", &[]),
            step("deploy:migrate", "Migrate the database", &[0]),
        ],
        log_file: Some("target/deploy/log/20261122101500-staging-deploy.log".into()),
    })
}

fn finished(outcome: Outcome) -> Event {
    Event::StepFinished { step: 1, server: Some(0), elapsed: Duration::from_millis(1234), outcome }
}

fn progress(done: u64) -> Event {
    Event::Progress { step: 1, server: Some(0), what: "dump".into(), done, total: Some(470_000_000) }
}

/// The other outcomes of a task.
fn outcomes() -> [Event; 2] {
    let failure = Failure {
        command: Some("bundle exec rake db:migrate".into()),
        position: Some((2, 5)),
        reason: "exit status 1".into(),
        tail: vec!["rake aborted!".into()],
        hints: vec!["is the database up?".into()],
    };
    [finished(Outcome::Skipped("nothing to migrate".into())), finished(Outcome::Failed(failure))]
}

fn render(verbosity: Verbosity, events: impl IntoIterator<Item = Event>) -> Vec<String> {
    let out = Captured::default();
    let mut json = Json::new(Screen::of_terminals(out.writer(), Box::new(std::io::sink())), verbosity);
    for (number, event) in events.into_iter().enumerate() {
        json.event(Duration::from_micros(1_234_567 * number as u64), &event);
    }
    out.text().lines().map(str::to_owned).collect()
}

fn kind(line: &str) -> String {
    let line = serde_json::from_str::<serde_json::Value>(line).unwrap();
    line["type"].as_str().unwrap().to_owned()
}

#[test]
fn every_kind_of_event_has_its_section_with_an_example_in_the_document() {
    let lines = render(Verbosity::Verbose, std::iter::successors(Some(first()), after).chain(outcomes()));
    for line in &lines {
        assert!(DOCUMENT.contains(&format!("\n{line}\n")), "docs/JSON.md lacks this example:\n{line}");
    }
    let sections = DOCUMENT.lines().filter_map(|line| line.strip_prefix("## `")?.strip_suffix('`'));
    let kinds = lines.iter().map(|line| kind(line)).collect::<BTreeSet<_>>();
    assert_eq!(sections.map(str::to_owned).collect::<BTreeSet<_>>(), kinds);
}

#[test]
fn verbosity_decides_about_output_and_details() {
    let kinds = |verbosity| -> Vec<String> {
        let lines = render(verbosity, std::iter::successors(Some(first()), after));
        lines.iter().map(|line| kind(line)).filter(|kind| kind == "output" || kind == "detail").collect()
    };
    assert!(kinds(Verbosity::Quiet).is_empty());
    assert_eq!(kinds(Verbosity::Normal), ["output"]);
    assert_eq!(kinds(Verbosity::Verbose), ["output", "detail"]);
}

#[test]
fn a_transfer_has_a_line_a_second_and_one_when_it_is_over() {
    let out = Captured::default();
    let mut json = Json::new(Screen::of_terminals(out.writer(), Box::new(std::io::sink())), Verbosity::Normal);
    for percent in 0..=23 {
        json.event(Duration::from_millis(100 * percent), &progress(percent * 4_700_000));
    }
    json.tick(Duration::from_millis(3300));
    json.event(Duration::from_millis(3400), &progress(470_000_000));
    json.event(Duration::from_millis(3500), &finished(Outcome::Done));
    let lines = out.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<serde_json::Value>>();
    let bytes = lines.iter().map(|line| (line["at"].as_f64().unwrap(), line["bytes"].as_u64()));
    assert_eq!(
        bytes.collect::<Vec<_>>(),
        [
            (1.0, Some(47_000_000)),
            (2.0, Some(94_000_000)),
            (3.3, Some(108_100_000)),
            (3.4, Some(470_000_000)),
            (3.5, None)
        ]
    );
    assert!(render(Verbosity::Quiet, [progress(0), progress(1), finished(Outcome::Done)]).len() == 1);
}

#[test]
fn an_event_before_the_start_or_with_an_unknown_number_is_still_written() {
    let line = &render(Verbosity::Normal, [Event::StepStarted { step: 7, server: Some(7) }])[0];
    assert_eq!(line, r#"{"at":0.0,"type":"task_started","task":"?","server":"?"}"#);
}
