//! Servers for tasks that run on the controller: scripts, data that goes through them, and what is held there.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{Server, Stage};
use crate::conversation::{self, Conversation, Place, Sink, Slot};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, Failure, ServerNo, StepNo, Stream};
use crate::script::{Hold, Report, SECRET, Shell, TaskScript};
use crate::task::{Found, Held, Job, Kind, Machine, Reach, talk};
use crate::transport::Transport;

use super::executor::Executor;
use super::program::prepare::{Prepared, patience_of, shell_of};
use super::pulse::part;
use super::server::watch::Current;

/// What the task `step` reaches servers by.
pub(super) struct Reaching<'e> {
    pub(super) executor: &'e Executor<'e>,
    pub(super) step: StepNo,
}

impl Reach for Reaching<'_> {
    fn reach(&self, stage: &Stage, server: &Server) -> Result<Box<dyn Machine + '_>> {
        let executor = self.executor;
        let own = |number: &ServerNo| {
            stage.name == executor.run.stage.name && executor.run.stage.servers[*number].label() == server.label()
        };
        let number = (0..executor.run.stage.servers.len()).find(own);
        let link = executor.links.iter().find(|link| Some(link.number) == number);
        let transport = match link {
            Some(link) => link.transport()?,
            None => executor.connect(stage, server)?,
        };
        let (shell, patience) = (shell_of(stage), patience_of(stage));
        let busy = link.is_some_and(|link| link.slot.is_open());
        let (label, step, sessions) = (server.label(), self.step, 1 + usize::from(busy));
        Ok(Box::new(OnServer { executor, transport, number, label, step, shell, patience, sessions }))
    }
}

struct OnServer<'e> {
    executor: &'e Executor<'e>,
    transport: Arc<dyn Transport>,
    /// Its number, where it is a server of the run's stage.
    number: Option<ServerNo>,
    label: String,
    step: StepNo,
    shell: Shell,
    patience: Duration,
    sessions: usize,
}

impl Machine for OnServer<'_> {
    fn label(&self) -> &str {
        &self.label
    }

    fn run(&self, jobs: Vec<Job>, on_fact: &mut dyn FnMut(&str, &str)) -> Result<Found> {
        let (found, conversation) = self.program(scripts(jobs), Data::None, on_fact)?;
        conversation.map_or(Ok(()), Conversation::end)?;
        Ok(found)
    }

    fn hold(&self, job: Job, hold: Hold, on_fact: &mut dyn FnMut(&str, &str)) -> Result<(Found, Box<dyn Held>)> {
        let mut scripts = scripts(vec![job]);
        scripts[0].hold = Some(hold);
        let (found, conversation) = self.program(scripts, Data::None, on_fact)?;
        let slot = self.executor.pulse.slot();
        slot.put(conversation);
        Ok((found, Box::new(Holding(slot))))
    }

    fn read(&self, job: Job, sink: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<Found> {
        self.program(scripts(vec![job]), Data::Out(sink), &mut |_, _| {}).map(|(found, _)| found)
    }

    fn talk(&self, command: &str) -> Result<i32> {
        talk(self.executor.run.ask, &*self.transport, command)
    }

    fn write(&self, job: Job, source: &mut (dyn Read + Send)) -> Result<Found> {
        let mut scripts = scripts(vec![job]);
        scripts[0].input = true;
        self.program(scripts, Data::In(source), &mut |_, _| {}).map(|(found, _)| found)
    }
}

fn scripts(jobs: Vec<Job>) -> Vec<TaskScript> {
    jobs.into_iter().map(|job| TaskScript { script: job.script, dir: job.dir, ..TaskScript::default() }).collect()
}

impl OnServer<'_> {
    fn program(
        &self,
        scripts: Vec<TaskScript>,
        data: Data<'_>,
        on_fact: &mut dyn FnMut(&str, &str),
    ) -> Result<(Found, Option<Conversation>)> {
        let secrets = scripts.iter().flat_map(|task| task.script.secrets()).map(<[u8]>::to_vec).collect();
        let prepared = Prepared { steps: vec![self.step], scripts, ..Prepared::new(self.shell.clone()) }.compile()?;
        self.write_down(&prepared.program.steps);
        let stop = self.executor.stop();
        let place =
            Place { transport: &*self.transport, shell: &self.shell, patience: self.patience, sessions: self.sessions };
        let errand = prepared.errand(&|_, _| true, &stop);
        let mut listener = Listener {
            machine: self,
            prepared: &prepared,
            on_fact,
            found: Found::new(),
            secrets,
            current: None,
            failed: None,
        };
        let on = &mut |report| listener.hear(report);
        let (conversation, ended) = match data {
            Data::None => conversation::begin(&place, &errand, on),
            Data::Out(sink) => (None, conversation::read(&place, &errand, on, sink)),
            Data::In(source) => (None, conversation::write(&place, &errand, on, source)),
        };
        match (listener.failed.take(), ended) {
            // A program that was told to end fails for that reason, whatever its last task says.
            (_, Err(error)) if error.kind() != ErrorKind::Connection => Err(error),
            (Some(failure), _) => Err(explained(failure)),
            (None, Err(error)) => Err(listener.cut_short(error)),
            (None, Ok(())) => Ok((listener.found, conversation)),
        }
    }

    /// The log file has what runs, without what is secret.
    fn write_down(&self, steps: &[Vec<String>]) {
        let text = format!("on {}:\n{}", self.label, steps.concat().join("\n"));
        self.executor.run.events.emit(Event::Detail { server: self.number, text });
    }
}

/// What a program may report: lists of what stands in a database are long.
const REPORTED: Kind = Kind::Text(1 << 20);

/// Turns the reports of a program into facts, output and a failure.
struct Listener<'l> {
    machine: &'l OnServer<'l>,
    prepared: &'l Prepared,
    on_fact: &'l mut dyn FnMut(&str, &str),
    found: Found,
    /// What programs must not make us show, though their environment has it.
    secrets: Vec<Vec<u8>>,
    current: Option<(usize, Current)>,
    failed: Option<Failure>,
}

impl Listener<'_> {
    fn hear(&mut self, report: Report) {
        match report {
            Report::Began(task) => self.current = Some((task, Current::new(task))),
            Report::Ended(task, status) => {
                if let Some((_, current)) = self.current.take()
                    && status != 0
                {
                    self.failed = Some(current.into_failure(status, &self.prepared.program.steps[task]));
                }
            }
            Report::Line { stream, line, .. } => self.line(stream, line),
            Report::Fact(name, value) if !REPORTED.admits(&value) => {
                let reason = REPORTED.refusal(&name, &value);
                self.failed.get_or_insert(Failure { reason, ..Failure::default() });
            }
            Report::Fact(name, value) => {
                (self.on_fact)(&name, &value);
                self.found.insert(name, value);
            }
            Report::Note(text) => {
                let (step, server) = (Some(self.machine.step), self.machine.number);
                self.machine.executor.run.events.emit(Event::Note { step, server, text });
            }
            Report::Greeted
            | Report::NeverBegan
            | Report::Waiting(_)
            | Report::Finished(_)
            | Report::Parted(_)
            | Report::Nonsense(_) => {}
            about_the_end => {
                if let Some((_, current)) = &mut self.current {
                    current.note(about_the_end);
                }
            }
        }
    }

    fn line(&mut self, stream: Stream, line: Vec<u8>) {
        let line = self.secrets.iter().fold(line, |line, secret| hidden(line, secret));
        if let Some((_, current)) = &mut self.current {
            current.line(&line);
        }
        let (step, server) = (self.machine.step, self.machine.number);
        self.machine.executor.run.events.emit(Event::Output { step, server, stream, line });
    }

    /// The program didn't come to its end: its last lines may say why.
    fn cut_short(&mut self, error: Error) -> Error {
        let Some((task, current)) = self.current.take() else { return error };
        let tail = current.into_failure(1, &self.prepared.program.steps[task]).tail;
        if tail.is_empty() { error } else { error.and_detail(&tail.join("\n")) }
    }
}

/// `line` without `secret`.
fn hidden(line: Vec<u8>, secret: &[u8]) -> Vec<u8> {
    let mut shown = Vec::new();
    let mut rest = line.as_slice();
    while let Some(at) = rest.windows(secret.len().max(1)).position(|window| window == secret) {
        shown.extend_from_slice(&rest[..at]);
        shown.extend_from_slice(SECRET.as_bytes());
        rest = &rest[at + secret.len()..];
    }
    shown.extend_from_slice(rest);
    shown
}

fn explained(failure: Failure) -> Error {
    let command =
        failure.command.as_deref().map(|command| format!(": `{}`", command.lines().next().unwrap_or_default()));
    let error = Error::task(failure.reason + &command.unwrap_or_default()).hints(failure.hints);
    if failure.tail.is_empty() { error } else { error.detail(failure.tail.join("\n")) }
}

/// Data that goes through a program.
enum Data<'d> {
    None,
    Out(&'d mut Sink<'d>),
    In(&'d mut (dyn Read + Send)),
}

/// A conversation in which something is held. The run keeps it alive, and ends it at the latest when it is over itself.
struct Holding(Arc<Slot>);

impl Held for Holding {
    fn is_there(&self) -> bool {
        self.0.is_alive()
    }

    fn give_up(self: Box<Self>) {}
}

impl Drop for Holding {
    fn drop(&mut self) {
        drop(part(&[Arc::clone(&self.0)]));
    }
}
