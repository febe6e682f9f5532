//! The log file: everything that happened in a run, and of very long output the head and the tail.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::Renderer;
use super::ends::{Outputs, Written};
use super::outlet::Target;
use super::progress::Transfers;
use super::screen::Screen;
use super::text::took;
use crate::error::{Error, Result};
use crate::event::{Event, Failure, Outcome, Outline, ServerNo, StepNo, Stream, Traffic};

/// How often an entry tells how far a transfer is, besides the one when it is over.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// How many log files are kept.
const KEPT: usize = 50;

/// A new log file, and the folder that it stands in with the newest of the older ones.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    file: File,
    started: Timestamp,
}

impl LogFile {
    /// Creates `<work_dir>/log/<UTC stamp>-<stage>-<task>.log`, which only the user can read, and removes the oldest
    /// log files there until 50 are left. A run that starts in the same second gets a name of its own.
    ///
    /// # Errors
    ///
    /// When the folder or the file can't be created.
    pub fn create(work_dir: &Path, stage: &str, task: &str) -> Result<LogFile> {
        LogFile::create_at(Timestamp::now(), work_dir, stage, task)
    }

    fn create_at(started: Timestamp, work_dir: &Path, stage: &str, task: &str) -> Result<LogFile> {
        let folder = work_dir.join("log");
        let name = [started.strftime("%Y%m%d%H%M%S").to_string(), file_name(stage), file_name(task)].join("-");
        let (path, file) = create_new(&folder, &name).map_err(|error| {
            Error::config(format!("failed to create a log file in `{}`", folder.display()))
                .because(error)
                .hint("check that you may write there")
        })?;
        prune(&folder);
        Ok(LogFile { path, file, started })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A name as a part of a file's name.
fn file_name(name: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' };
    name.trim_matches(':').chars().map(plain).collect()
}

fn create_new(folder: &Path, name: &str) -> io::Result<(PathBuf, File)> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut number = 1;
    loop {
        let suffix = if number == 1 { String::new() } else { format!("-{number}") };
        let path = folder.join(format!("{name}{suffix}.log"));
        match OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 1000 => number += 1,
            result => return result.map(|file| (path, file)),
        }
    }
}

/// Removes all but the newest log files, which their names sort. That it fails is no reason not to deploy.
fn prune(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut names = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| is_log(name))
        .collect::<Vec<_>>();
    names.sort();
    for name in &names[..names.len().saturating_sub(KEPT)] {
        let _ = fs::remove_file(folder.join(name));
    }
}

/// Whether a file of this name is one of ours.
fn is_log(name: &str) -> bool {
    let is_stamp = |stamp: &str| stamp.len() == 14 && stamp.bytes().all(|byte| byte.is_ascii_digit());
    name.ends_with(".log") && name.split_once('-').is_some_and(|(stamp, _)| is_stamp(stamp))
}

/// Writes a [`LogFile`]: every event, with the time in UTC, the server and the task. What commands wrote stands
/// there byte for byte, without the middle of what is too long.
pub(super) struct Log {
    file: Option<BufWriter<File>>,
    path: PathBuf,
    started: Timestamp,
    screen: Arc<Screen>,
    outline: Outline,
    transfers: Transfers,
    outputs: Outputs,
    /// What the last entry began with. A command that writes much does so within few milliseconds.
    head: Option<(u128, Place, String)>,
}

/// What an entry is about: a task, a server, both, or the run.
type Place = (Option<StepNo>, Option<ServerNo>);

impl Log {
    pub(super) fn new(file: LogFile, screen: Arc<Screen>) -> Log {
        let LogFile { path, file, started } = file;
        let (outline, transfers, outputs) = <(Outline, Transfers, Outputs)>::default();
        Log { file: Some(BufWriter::new(file)), path, started, screen, outline, transfers, outputs, head: None }
    }

    /// Writes one entry per line of `text`, which is about a task, a server, both, or the run.
    fn entry(&mut self, at: Duration, place: Place, text: impl AsRef<[u8]>) {
        for line in text.as_ref().split(|byte| *byte == b'\n') {
            self.write(at, place, &[line]);
        }
    }

    /// Writes one entry, made of `parts`.
    fn write(&mut self, at: Duration, place: Place, parts: &[&[u8]]) {
        let millis = at.as_millis();
        let head = match self.head.take() {
            Some((last, same, head)) if (last, same) == (millis, place) => head,
            _ => self.describe(at, place),
        };
        let Some(file) = &mut self.file else { return };
        let parts = std::iter::once(head.as_bytes()).chain(parts.iter().copied()).chain([b"\n".as_slice()]);
        let written = parts.into_iter().try_for_each(|part| file.write_all(part));
        self.head = Some((millis, place, head));
        self.check(written);
    }

    /// What an entry begins with.
    fn describe(&self, at: Duration, (step, server): Place) -> String {
        let server = server.map(|server| self.outline.server_label(server));
        let step = step.map(|step| self.outline.task_id(step));
        let place = [server, step].into_iter().flatten().map(|name| format!("{name} ")).collect::<String>();
        format!("{:.3} {place}", self.started + at)
    }

    /// A log that can't be written is given up, and the user told once: the disk may be full.
    fn check(&mut self, written: io::Result<()>) {
        if let Err(error) = written {
            self.file = None;
            let text = format!("warning: failed to write the log file `{}`: {error}\n", self.path.display());
            self.screen.write(Target::Err, &text);
        }
    }

    /// Tells of the transfers that `event` ends, and of those that go on for long.
    fn transfers(&mut self, at: Duration, event: Option<&Event>) {
        let ended = event.map(|event| self.transfers.follow(at, event)).unwrap_or_default();
        let mut due: Vec<_> = ended.into_iter().map(|(place, transfer)| (place, transfer.sum())).collect();
        self.transfers.tell(at, TOLD_EVERY, |place, transfer| due.push((place, transfer.state(at))));
        for ((step, server), text) in due {
            self.entry(at, (Some(step), server), text);
        }
    }

    fn output(&mut self, place: Place, written: &Written) {
        let stream: &[u8] = if written.stream == Stream::Stdout { b"out| " } else { b"err| " };
        self.write(written.at, place, &[stream, &written.line]);
    }

    /// Writes the tails of the output that `event` ends.
    fn outputs(&mut self, at: Duration, event: &Event) {
        let over = match event {
            Event::StepFinished { step, server, .. } => self.outputs.going(|place| place == (*step, *server)),
            Event::Disconnected { server, .. } => self.outputs.going(|place| place.1 == Some(*server)),
            Event::Finished { .. } => self.outputs.going(|_| true),
            _ => return,
        };
        self.end_outputs(at, over);
    }

    fn end_outputs(&mut self, at: Duration, over: Vec<(StepNo, Option<ServerNo>)>) {
        for (step, server) in over {
            let Some(tail) = self.outputs.end((step, server)) else { continue };
            let place = (Some(step), server);
            if let Some(missing) = tail.missing.describe() {
                let at = tail.lines.front().map_or(at, |first| first.at);
                self.entry(at, place, format!("left out here: {missing} of output"));
            }
            tail.lines.iter().for_each(|written| self.output(place, written));
        }
    }

    /// Tells the user of what no log has.
    fn say_what_is_missing(&self) {
        if let Some(missing) = self.outputs.missing().describe() {
            let text = "warning: the log file has the first 8 MiB and the last 2 MiB of what a task writes on a server";
            self.screen.write(Target::Err, &format!("{text}: {missing} are left out\n"));
        }
    }

    fn started(&mut self, at: Duration, outline: &Outline) {
        self.outline = outline.clone();
        self.head = None;
        let Outline { task, stage, .. } = outline;
        self.entry(at, (None, None), format!("started {task} {stage}: {}", outline.taking_part().join(", ")));
    }

    fn finished(&mut self, at: Duration, elapsed: Duration, error: Option<&str>, summary: &str, traffic: &[Traffic]) {
        for (server, traffic) in traffic.iter().enumerate() {
            if self.outline.takes_part(server) {
                self.entry(at, (None, Some(server)), describe_traffic(traffic));
            }
        }
        if let Some(error) = error {
            self.entry(at, (None, None), format!("error: {error}"));
        }
        self.say_what_is_missing();
        let result = if error.is_some() { "failed" } else { "finished" };
        self.entry(at, (None, None), format!("{result} after {}: {summary}", took(elapsed)));
    }
}

impl Renderer for Log {
    fn event(&mut self, at: Duration, event: &Event) {
        self.transfers(at, Some(event));
        self.outputs(at, event);
        match event {
            Event::Progress { .. } => {}
            Event::Started(outline) => self.started(at, outline),
            Event::Connected { server, elapsed } => {
                self.entry(at, (None, Some(*server)), format!("connected after {}", took(*elapsed)));
            }
            Event::Disconnected { server, message } => {
                self.entry(at, (None, Some(*server)), format!("disconnected: {message}"));
            }
            Event::StepStarted { step, server } => self.entry(at, (Some(*step), *server), "started"),
            Event::Output { step, server, stream, line } => {
                let written = Written { at, stream: *stream, line: line.clone() };
                if let Some(written) = self.outputs.take((*step, *server), written) {
                    self.output((Some(*step), *server), &written);
                }
            }
            Event::Note { step, server, text } => self.entry(at, (*step, *server), format!("note: {text}")),
            Event::Warning { step, server, text } => {
                self.entry(at, (*step, *server), format!("warning: {text}"));
            }
            Event::StepFinished { step, server, elapsed, outcome } => {
                self.entry(at, (Some(*step), *server), describe_outcome(*elapsed, outcome));
            }
            Event::Detail { server, text } => self.entry(at, (None, *server), text),
            Event::Result { text } => self.entry(at, (None, None), format!("result: {}", text.trim_end())),
            Event::Finished { elapsed, error, summary, traffic } => {
                self.finished(at, *elapsed, error.as_deref(), summary, traffic);
            }
        }
    }

    /// What a run that broke off has written stands there too.
    fn end(&mut self) {
        let going = self.outputs.going(|_| true);
        self.end_outputs(Duration::ZERO, going);
    }

    fn tick(&mut self, at: Duration) {
        self.transfers(at, None);
        if let Some(file) = &mut self.file {
            let flushed = file.flush();
            self.check(flushed);
        }
    }
}

fn describe_outcome(elapsed: Duration, outcome: &Outcome) -> String {
    let elapsed = took(elapsed);
    match outcome {
        Outcome::Done => format!("done after {elapsed}"),
        Outcome::Skipped(reason) => format!("skipped: {reason}"),
        Outcome::Failed(failure) => format!("failed after {elapsed}: {}", describe_failure(failure)),
    }
}

fn describe_failure(failure: &Failure) -> String {
    let command = failure.command.as_ref().map(|command| format!("\ncommand: {command}"));
    let position = failure.position.map(|(number, of)| format!("\nstep: {number} of {of}"));
    let tail = failure.tail.iter().map(|line| format!("\ntail| {line}"));
    let hints = failure.hints.iter().map(|hint| format!("\nhint: {hint}"));
    let details = command.into_iter().chain(position).chain(tail).chain(hints).collect::<String>();
    format!("{}{details}", failure.reason)
}

fn describe_traffic(traffic: &Traffic) -> String {
    let Traffic { connections, execs, sent, received, login } = *traffic;
    let login = took(login);
    format!("connections: {connections}, execs: {execs}, bytes sent: {sent}, received: {received}, login: {login}")
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
