//! Progress as JSON, one object per line. `docs/JSON.md` describes it to those who read it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::Renderer;
use super::outlet::Target;
use super::progress::{Place, Transfer, Transfers};
use super::screen::Screen;
use super::settings::Verbosity;
use crate::event::{Event, Failure, Outcome, Outline, ServerNo, StepNo, Stream, Traffic};

/// The number of the format. It grows when a program that reads the old form could stumble over the new one.
const FORMAT: u32 = 1;

/// How often a transfer has a line at most, besides its last.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// Writes every event as a line of JSON to standard output, at once and in the order in which they happened. Only of
/// transfers there are too many: they have a line now and then, and one when they are over.
pub(super) struct Json {
    screen: Arc<Screen>,
    verbosity: Verbosity,
    outline: Outline,
    transfers: Transfers,
}

impl Json {
    pub(super) fn new(screen: Arc<Screen>, verbosity: Verbosity) -> Json {
        Json { screen, verbosity, outline: Outline::default(), transfers: Transfers::default() }
    }

    fn is_wanted(&self, event: &Event) -> bool {
        match event {
            Event::Output { .. } => self.verbosity > Verbosity::Quiet,
            Event::Detail { .. } => self.verbosity == Verbosity::Verbose,
            _ => true,
        }
    }
}

impl Renderer for Json {
    fn event(&mut self, at: Duration, event: &Event) {
        if let Event::Started(outline) = event {
            self.outline = outline.clone();
        }
        for (place, transfer) in self.transfers.follow(at, event) {
            if transfer.is_news() && self.verbosity > Verbosity::Quiet {
                write(&self.screen, at, progress(at, place, &transfer, &self.outline));
            }
        }
        self.tick(at);
        if let Some(what) = What::of(event, &self.outline).filter(|_| self.is_wanted(event)) {
            write(&self.screen, at, what);
        }
    }

    fn tick(&mut self, at: Duration) {
        if self.verbosity > Verbosity::Quiet {
            self.transfers.tell(at, TOLD_EVERY, |place, transfer| {
                write(&self.screen, at, progress(at, place, transfer, &self.outline));
            });
        }
    }
}

fn write(screen: &Screen, at: Duration, what: What<'_>) {
    match serde_json::to_string(&Record { at: Seconds(at), what }) {
        Ok(line) => screen.write_json(&format!("{line}\n")),
        Err(error) => screen.write(Target::Err, &format!("error: failed to write an event as JSON: {error}\n")),
    }
}

/// One line.
#[derive(Serialize)]
struct Record<'a> {
    at: Seconds,
    #[serde(flatten)]
    what: What<'a>,
}

/// An event, with servers and tasks by name instead of by number.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum What<'a> {
    Started {
        format: u32,
        task: &'a str,
        stage: &'a str,
        servers: Vec<&'a str>,
        tasks: Vec<Task<'a>>,
        log_file: Option<&'a Path>,
    },
    Connected {
        server: &'a str,
        elapsed: Seconds,
    },
    Disconnected {
        server: &'a str,
        message: &'a str,
    },
    TaskStarted {
        task: &'a str,
        server: Option<&'a str>,
    },
    Output {
        task: &'a str,
        server: Option<&'a str>,
        stream: &'static str,
        line: String,
        lossy: bool,
    },
    Progress {
        task: &'a str,
        server: Option<&'a str>,
        what: &'a str,
        bytes: u64,
        total: Option<u64>,
        rate: Option<u64>,
        left: Option<u64>,
    },
    Note {
        task: Option<&'a str>,
        server: Option<&'a str>,
        text: &'a str,
    },
    Warning {
        task: Option<&'a str>,
        server: Option<&'a str>,
        text: &'a str,
    },
    TaskFinished {
        task: &'a str,
        server: Option<&'a str>,
        elapsed: Seconds,
        outcome: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        failure: Option<JsonFailure<'a>>,
    },
    Detail {
        server: Option<&'a str>,
        text: &'a str,
    },
    Result {
        text: &'a str,
    },
    Finished {
        ok: bool,
        elapsed: Seconds,
        summary: &'a str,
        error: Option<&'a str>,
        traffic: Vec<JsonTraffic<'a>>,
    },
}

#[derive(Serialize)]
struct Task<'a> {
    task: &'a str,
    about: &'a str,
    servers: Vec<&'a str>,
}

#[derive(Serialize)]
struct JsonFailure<'a> {
    command: Option<&'a str>,
    step: Option<usize>,
    steps: Option<usize>,
    reason: &'a str,
    tail: &'a [String],
    hints: &'a [String],
}

#[derive(Serialize)]
struct JsonTraffic<'a> {
    server: &'a str,
    connections: u64,
    execs: u64,
    sent: u64,
    received: u64,
    login: Seconds,
}

/// Seconds, to the millisecond.
struct Seconds(Duration);

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0.as_millis() as f64 / 1000.0)
    }
}

impl<'a> What<'a> {
    /// `None` for what is told by and by.
    fn of(event: &'a Event, outline: &'a Outline) -> Option<What<'a>> {
        let task = |step: &StepNo| outline.task_id(*step);
        let server = |server: &Option<ServerNo>| server.map(|server| outline.server_label(server));
        Some(match event {
            Event::Progress { .. } => return None,
            Event::Started(outline) => started(outline),
            Event::Connected { server, elapsed } => {
                What::Connected { server: outline.server_label(*server), elapsed: Seconds(*elapsed) }
            }
            Event::Disconnected { server, message } => {
                What::Disconnected { server: outline.server_label(*server), message }
            }
            Event::StepStarted { step, server: on } => What::TaskStarted { task: task(step), server: server(on) },
            Event::Output { step, server: on, stream, line } => output(task(step), server(on), *stream, line),
            Event::Note { step, server: on, text } => {
                What::Note { task: step.as_ref().map(task), server: server(on), text }
            }
            Event::Warning { step, server: on, text } => {
                What::Warning { task: step.as_ref().map(task), server: server(on), text }
            }
            Event::StepFinished { step, server: on, elapsed, outcome } => {
                finished_task(task(step), server(on), *elapsed, outcome)
            }
            Event::Detail { server: on, text } => What::Detail { server: server(on), text },
            Event::Result { text } => What::Result { text },
            Event::Finished { elapsed, error, summary, traffic } => What::Finished {
                ok: error.is_none(),
                elapsed: Seconds(*elapsed),
                summary,
                error: error.as_deref(),
                traffic: all_traffic(traffic, outline),
            },
        })
    }
}

fn started(outline: &Outline) -> What<'_> {
    let tasks = outline.steps.iter().map(|step| Task {
        task: &step.id,
        about: &step.about,
        servers: step.servers.iter().map(|server| outline.server_label(*server)).collect(),
    });
    What::Started {
        format: FORMAT,
        task: &outline.task,
        stage: &outline.stage,
        servers: outline.taking_part(),
        tasks: tasks.collect(),
        log_file: outline.log_file.as_deref(),
    }
}

fn progress<'a>(at: Duration, (step, server): Place, transfer: &'a Transfer, outline: &'a Outline) -> What<'a> {
    What::Progress {
        task: outline.task_id(step),
        server: server.map(|server| outline.server_label(server)),
        what: &transfer.what,
        bytes: transfer.done,
        total: transfer.total,
        rate: transfer.rate(at),
        left: transfer.left(at).map(|left| left.as_secs()),
    }
}

fn output<'a>(task: &'a str, server: Option<&'a str>, stream: Stream, line: &[u8]) -> What<'a> {
    let stream = match stream {
        Stream::Stdout => "stdout",
        Stream::Stderr => "stderr",
    };
    let lossy = std::str::from_utf8(line).is_err();
    What::Output { task, server, stream, line: String::from_utf8_lossy(line).into_owned(), lossy }
}

fn finished_task<'a>(task: &'a str, server: Option<&'a str>, elapsed: Duration, outcome: &'a Outcome) -> What<'a> {
    let elapsed = Seconds(elapsed);
    let (outcome, reason, failure) = match outcome {
        Outcome::Done => ("done", None, None),
        Outcome::Skipped(reason) => ("skipped", Some(reason.as_str()), None),
        Outcome::Failed(failure) => ("failed", None, Some(JsonFailure::of(failure))),
    };
    What::TaskFinished { task, server, elapsed, outcome, reason, failure }
}

impl JsonFailure<'_> {
    fn of(failure: &Failure) -> JsonFailure<'_> {
        JsonFailure {
            command: failure.command.as_deref(),
            step: failure.position.map(|(step, _)| step),
            steps: failure.position.map(|(_, steps)| steps),
            reason: &failure.reason,
            tail: &failure.tail,
            hints: &failure.hints,
        }
    }
}

fn all_traffic<'a>(traffic: &[Traffic], outline: &'a Outline) -> Vec<JsonTraffic<'a>> {
    let own = traffic.iter().enumerate().filter(|(server, _)| outline.takes_part(*server));
    let per_server = own.map(|(server, traffic)| JsonTraffic {
        server: outline.server_label(server),
        connections: traffic.connections,
        execs: traffic.execs,
        sent: traffic.sent,
        received: traffic.received,
        login: Seconds(traffic.login),
    });
    per_server.collect()
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
