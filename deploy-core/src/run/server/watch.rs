//! From the reports of a running program to events, facts and failures.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::error::{Error, ErrorKind};
use crate::event::{Event, Failure, Outcome, ServerNo, StepNo, Stream};
use crate::script::Report;

use crate::run::executor::{Executor, Failed, failure_of};
use crate::run::failure::hints;
use crate::run::failure::tail::Tail;
use crate::run::program::prepare::Prepared;
use crate::run::server::link::Link;

/// Turns the reports of one program into events, facts and failures.
pub(in crate::run) struct Watch<'w> {
    executor: &'w Executor<'w>,
    server: ServerNo,
    prepared: &'w Prepared,
    current: Option<Current>,
    /// How many tasks have ended.
    ended: usize,
    pub(in crate::run) failures: Vec<Failed>,
    pub(in crate::run) found: BTreeMap<String, String>,
    /// Whether the task's beginning and end are told by somebody else.
    quiet: bool,
    /// Whether it is certain that the server runs nothing of the program.
    pub(in crate::run) never_began: bool,
}

/// The task that is running.
pub(in crate::run) struct Current {
    task: usize,
    start: Instant,
    tail: Tail,
    pub(in crate::run) skipped: Option<String>,
    failure: Failure,
    failed_at: Option<(usize, i32)>,
    pipe_member: Option<usize>,
    /// Whether the task found that another run has the lock, and did nothing.
    lock_lost: bool,
    /// Why a fact that the task reported isn't believed.
    refused: Option<String>,
}

impl<'w> Watch<'w> {
    pub(in crate::run) fn new(executor: &'w Executor<'w>, link: &Link<'_>, prepared: &'w Prepared) -> Watch<'w> {
        let (server, failures, found) = (link.number, Vec::new(), BTreeMap::new());
        Watch { executor, server, prepared, current: None, ended: 0, failures, found, quiet: false, never_began: false }
    }

    /// For the scripts of an imperative task, whose beginning and end are told by somebody else.
    pub(in crate::run) fn quietly(self) -> Watch<'w> {
        Watch { quiet: true, ..self }
    }

    fn step(&self, task: usize) -> StepNo {
        self.prepared.steps[task]
    }

    fn emit(&self, event: Event) {
        self.executor.run.events.emit(event);
    }

    pub(in crate::run) fn report(&mut self, report: Report) {
        match report {
            Report::Began(task) => self.begin(task),
            Report::Ended(task, status) => self.end(task, status),
            Report::Line { task, stream, line } => self.line(task, stream, line),
            Report::Fact(name, value) => self.fact(name, value),
            Report::Note(text) => {
                let step = self.current.as_ref().map(|current| self.step(current.task));
                self.emit(Event::Note { step, server: Some(self.server), text });
            }
            Report::NeverBegan => self.never_began = true,
            Report::Greeted | Report::Waiting(_) | Report::Finished(_) | Report::Parted(_) | Report::Nonsense(_) => {}
            about_the_end => {
                if let Some(current) = &mut self.current {
                    current.note(about_the_end);
                }
            }
        }
    }

    /// What a server says is a stranger's word: only what it may be is ever read.
    fn fact(&mut self, name: String, value: String) {
        let Some(current) = &mut self.current else { return };
        if let Some(refusal) = self.executor.refusal(self.prepared.steps[current.task], &name, &value) {
            current.refused.get_or_insert(refusal);
            return;
        }
        self.found.insert(name.clone(), value.clone());
        self.executor.facts().servers.entry(self.server).or_default().insert(name, value);
    }

    fn begin(&mut self, task: usize) {
        let step = self.step(task);
        self.executor.began().insert((step, self.server));
        if !self.quiet {
            self.emit(Event::StepStarted { step, server: Some(self.server) });
        }
        self.current = Some(Current::new(task));
    }

    fn line(&mut self, task: Option<usize>, stream: Stream, line: Vec<u8>) {
        let Some(task) = task else {
            let text = String::from_utf8_lossy(&line).into_owned();
            return self.emit(Event::Detail { server: Some(self.server), text });
        };
        if let Some(current) = &mut self.current {
            current.line(&line);
        }
        self.emit(Event::Output { step: self.step(task), server: Some(self.server), stream, line });
    }

    fn end(&mut self, task: usize, status: i32) {
        let Some(current) = self.current.take() else { return };
        self.ended += 1;
        let elapsed = current.start.elapsed();
        let step = self.step(task);
        if self.executor.step(step).task.takes_lock() {
            if status != 0 && self.found.contains_key("lock_held_by") {
                return self.locked_out(step, current.failure);
            }
            if status == 0 {
                self.executor.lock.taken(self.server);
            }
        }
        let is_believed = status == 0 && current.refused.is_none();
        let outcome = match (is_believed, current.skipped.clone()) {
            (true, None) => Outcome::Done,
            (true, Some(reason)) => Outcome::Skipped(reason),
            _ => {
                let kind = if current.lock_lost { ErrorKind::Locked } else { ErrorKind::Task };
                let failure = current.into_failure(status, &self.prepared.program.steps[task]);
                self.fail(step, kind, &failure);
                Outcome::Failed(failure)
            }
        };
        if !self.quiet {
            self.emit(Event::StepFinished { step, server: Some(self.server), elapsed, outcome });
        }
    }

    /// Another run has the lock: whether that is the end is decided when all servers have answered.
    fn locked_out(&mut self, step: StepNo, failure: Failure) {
        self.executor.lock.refused();
        let error = Error::new(ErrorKind::Locked, failure.reason);
        self.failures.push(Failed { server: Some(self.server), step: Some(step), error });
    }

    /// A program that was told not to begin has done nothing, and must be told so.
    pub(in crate::run) fn not_begun(&mut self) {
        if self.failures.is_empty() && self.ended < self.prepared.steps.len() && !self.quiet {
            let error = Error::new(ErrorKind::Locked, "waits for the lock on the other servers");
            self.failures.push(Failed { server: Some(self.server), step: None, error });
        }
    }

    fn fail(&mut self, step: StepNo, kind: ErrorKind, failure: &Failure) {
        let message = match &failure.command {
            Some(command) => format!("{}: {}", failure.reason, first_line(command)),
            None => failure.reason.clone(),
        };
        let error = Error::new(kind, message).hints(failure.hints.clone());
        self.failures.push(Failed { server: Some(self.server), step: Some(step), error });
    }

    /// The program ended in the middle: whatever was running has failed.
    pub(in crate::run) fn broken_off(&mut self, error: Error) {
        if !self.failures.is_empty() && error.kind() == ErrorKind::Task {
            return;
        }
        let step = self.current.as_ref().map(|current| self.step(current.task));
        if let Some(current) = self.current.take() {
            let failure = Failure { tail: current.tail.into_lines(), ..failure_of(&error) };
            let (step, server, elapsed) = (self.step(current.task), Some(self.server), current.start.elapsed());
            self.emit(Event::StepFinished { step, server, elapsed, outcome: Outcome::Failed(failure) });
        }
        self.failures.push(Failed { server: Some(self.server), step, error });
    }
}

fn first_line(command: &str) -> String {
    match command.split_once('\n') {
        Some((line, _)) => format!("`{line} …`"),
        None => format!("`{command}`"),
    }
}

impl Current {
    pub(in crate::run) fn new(task: usize) -> Current {
        Current {
            task,
            start: Instant::now(),
            tail: Tail::default(),
            skipped: None,
            failure: Failure::default(),
            failed_at: None,
            pipe_member: None,
            lock_lost: false,
            refused: None,
        }
    }

    /// Keeps a line of output, for the case that the task fails.
    pub(in crate::run) fn line(&mut self, line: &[u8]) {
        let shown = &line[..line.len().min(2000)];
        self.tail.push(String::from_utf8_lossy(shown).into_owned());
    }

    /// Keeps what the task says about its end.
    pub(in crate::run) fn note(&mut self, report: Report) {
        match report {
            Report::Skip(reason) => self.skipped = Some(reason),
            Report::Message(message) if self.failure.reason.is_empty() => self.failure.reason = message,
            Report::Message(message) => self.failure.reason.extend(["; ", &message]),
            Report::Hint(hint) => self.failure.hints.push(hint),
            Report::FailedAt(step, status) => self.failed_at = self.failed_at.or(Some((step, status))),
            Report::PipeMember(member) => self.pipe_member = Some(member),
            Report::LockLost => self.lock_lost = true,
            _ => {}
        }
    }

    /// Why the task failed. A task that gave its own reason needs no command to explain it.
    pub(in crate::run) fn into_failure(self, status: i32, steps: &[String]) -> Failure {
        let (at, status) = self.failed_at.unwrap_or((0, status));
        let command = steps.get(at.wrapping_sub(1)).cloned();
        let tail = self.tail.into_lines();
        if let Some(reason) = self.refused {
            return Failure { reason, tail, ..self.failure };
        }
        if !self.failure.reason.is_empty() {
            return Failure { tail, ..self.failure };
        }
        let member = self.pipe_member.map(|member| format!(" (command {member} of the pipe)")).unwrap_or_default();
        let reason = match (self.failed_at, status) {
            (None, _) => format!("the task's shell {}", describe_status(status)),
            (Some(_), 0) => "the script exited with status 0 before its last step".to_owned(),
            (Some(_), _) => format!("{}{member}", describe_status(status)),
        };
        let hints = hints::for_failure(status, command.as_deref(), &tail);
        let position = (at > 0).then_some((at, steps.len()));
        Failure { command, position, reason, tail, hints }
    }
}

/// What a shell's exit status means. Above 128 it stands for a signal, by the shells' convention.
fn describe_status(status: i32) -> String {
    match status {
        129.. => match signal_name(status - 128) {
            Some(name) => format!("was killed by signal {name} (status {status})"),
            None => format!("ended with status {status}"),
        },
        _ => format!("ended with status {status}"),
    }
}

fn signal_name(number: i32) -> Option<&'static str> {
    let names = [
        (1, "HUP"),
        (2, "INT"),
        (3, "QUIT"),
        (6, "ABRT"),
        (9, "KILL"),
        (11, "SEGV"),
        (13, "PIPE"),
        (14, "ALRM"),
        (15, "TERM"),
    ];
    names.iter().find(|(signal, _)| *signal == number).map(|(_, name)| *name)
}
