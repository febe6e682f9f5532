//! Servers for tasks that run on the controller: scripts, data that goes through them, and what is held there.

use std::io::Read;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::config::{Server, Stage};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, Failure, ServerNo, StepNo, Stream};
use crate::script::{Hold, Report, SECRET, Shell, TaskScript, compile, nonce};
use crate::task::{Found, Held, Job, Machine, Reach, talk};
use crate::transport::{Output, Process, Transport};

use super::execute::Executor;
use super::prepare::{Prepared, shell_of};
use super::program::{Data, Running};
use super::watch::Current;

/// How often a program that holds something is told that we are still here.
const BEAT: Duration = Duration::from_secs(10);

/// How long a program may take to give up what it holds.
const FAREWELL: Duration = Duration::from_secs(30);

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
        let shell = shell_of(stage, String::new());
        let holds = link.is_some_and(|link| executor.keepers.holds().contains(&link.number));
        let (label, step) = (server.label(), self.step);
        Ok(Box::new(OnServer { executor, transport, number, label, step, shell, sessions: 1 + usize::from(holds) }))
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
    sessions: usize,
}

impl Machine for OnServer<'_> {
    fn label(&self) -> &str {
        &self.label
    }

    fn run(&self, jobs: Vec<Job>, on_fact: &mut dyn FnMut(&str, &str)) -> Result<Found> {
        let shell = Shell { lifeline: true, ..self.shell.clone() };
        self.program(scripts(jobs), shell, Data::None, on_fact).map(|(found, _)| found)
    }

    fn hold(&self, job: Job, hold: Hold, on_fact: &mut dyn FnMut(&str, &str)) -> Result<(Found, Box<dyn Held>)> {
        let shell = Shell { lifeline: true, ..self.shell.clone() };
        let mut scripts = scripts(vec![job]);
        scripts[0].hold = Some(hold);
        let (found, process) = self.program(scripts, shell, Data::None, on_fact)?;
        Ok((found, Box::new(Keeping::new(process))))
    }

    fn read(&self, job: Job, sink: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<Found> {
        let shell = Shell { lifeline: true, data: true, ..self.shell.clone() };
        self.program(scripts(vec![job]), shell, Data::Out(sink), &mut |_, _| {}).map(|(found, _)| found)
    }

    fn talk(&self, command: &str) -> Result<i32> {
        talk(self.executor.run.ask, &*self.transport, command)
    }

    fn write(&self, job: Job, source: &mut (dyn Read + Send)) -> Result<Found> {
        let shell = Shell { lifeline: false, ..self.shell.clone() };
        let mut scripts = scripts(vec![job]);
        scripts[0].input = true;
        self.program(scripts, shell, Data::In(source), &mut |_, _| {}).map(|(found, _)| found)
    }
}

fn scripts(jobs: Vec<Job>) -> Vec<TaskScript> {
    jobs.into_iter().map(|job| TaskScript { script: job.script, dir: job.dir, ..TaskScript::default() }).collect()
}

impl OnServer<'_> {
    fn program(
        &self,
        scripts: Vec<TaskScript>,
        shell: Shell,
        data: Data<'_>,
        on_fact: &mut dyn FnMut(&str, &str),
    ) -> Result<(Found, Process)> {
        let shell = Shell { nonce: nonce()?, ..shell };
        let secrets = scripts.iter().flat_map(|task| task.script.secrets()).map(<[u8]>::to_vec).collect();
        let program = compile(&scripts, &shell)?;
        self.write_down(&program.steps);
        let prepared = Prepared { steps: vec![self.step], scripts, payloads: Vec::new(), shell, program };
        let stop = self.executor.stop();
        let running = Running {
            transport: &*self.transport,
            program: &prepared.program,
            nonce: &prepared.shell.nonce,
            payloads: &prepared.payloads,
            stop: &stop,
            sessions: self.sessions,
        };
        let mut listener = Listener {
            machine: self,
            prepared: &prepared,
            on_fact,
            found: Found::new(),
            secrets,
            current: None,
            failed: None,
        };
        let ended = running.run_with_data(&|_, _| true, &mut |report| listener.hear(report), data);
        match (listener.failed.take(), ended) {
            // A program that was told to end fails for that reason, whatever its last task says.
            (_, Err(error)) if error.kind() != ErrorKind::Connection => Err(error),
            (Some(failure), _) => Err(explained(failure)),
            (None, Err(error)) => Err(listener.cut_short(error)),
            (None, Ok(process)) => Ok((listener.found, process)),
        }
    }

    /// The log file has what runs, without what is secret.
    fn write_down(&self, steps: &[Vec<String>]) {
        let text = format!("on {}:\n{}", self.label, steps.concat().join("\n"));
        self.executor.run.events.emit(Event::Detail { server: self.number, text });
    }
}

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
            Report::Fact(name, value) => {
                (self.on_fact)(&name, &value);
                self.found.insert(name, value);
            }
            Report::Note(text) => {
                let (step, server) = (Some(self.machine.step), self.machine.number);
                self.machine.executor.run.events.emit(Event::Note { step, server, text });
            }
            Report::Waiting(_) | Report::Finished => {}
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

/// A program that holds something, and the thread that tells it that we are still here.
struct Keeping {
    /// Dropped to give up.
    stay: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeping {
    fn new(mut process: Process) -> Keeping {
        let (stay, left) = channel::<()>();
        let thread = std::thread::spawn(move || {
            while left.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
                if !process.stdin.send(b".".to_vec()) {
                    return;
                }
            }
            process.stdin.close();
            let until = Instant::now() + FAREWELL;
            while let Some(output) = process.next(until) {
                if matches!(output, Output::Exit(_) | Output::Lost(_)) {
                    break;
                }
            }
        });
        Keeping { stay: Some(stay), thread: Some(thread) }
    }
}

impl Held for Keeping {
    fn is_there(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    fn give_up(self: Box<Self>) {}
}

impl Drop for Keeping {
    fn drop(&mut self) {
        self.stay = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
