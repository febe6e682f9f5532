//! The executor: legs one after the other, servers side by side.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::config::{Config, Stage};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, Events, Failure, Outcome, ServerNo, StepNo, Stream};
use crate::plan::{Leg, Plan, Step};
use crate::script::{Program, Report, Script, Shell, TaskScript, compile};
use crate::task::{Body, Dir, HostBody, LocalBody, Payload, Rolling, ScriptBody};
use crate::transport::{Connect, Traffic, Transport};
use crate::ui::Ask;

use super::cx::{Facts, Host, Local, Options, ServerCx};
use super::link::Link;
use super::program::Running;
use super::{Stop, hints};

/// How many lines of output a failure shows.
const TAIL: usize = 20;

/// A plan on its way.
pub struct Run<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The stage, with the settings that recipes added.
    pub stage: &'a Stage,
    /// What to do.
    pub plan: &'a Plan,
    /// The values of the options that tasks added to the command line.
    pub options: Options,
    /// How servers are reached.
    pub connect: &'a dyn Connect,
    /// Where to tell what happens.
    pub events: Events,
    /// Questions to the user.
    pub ask: &'a dyn Ask,
    /// Whether to go on.
    pub stop: Stop,
}

/// How a run ended.
#[derive(Debug)]
pub struct Finished {
    /// What the tasks found out.
    pub facts: Facts,
    /// What went over the wire, by the stage's servers.
    pub traffic: Vec<Traffic>,
    /// Why it failed, if it did: every failure of every server.
    pub error: Option<Error>,
}

/// One failure: where, of what, and the error that says why.
struct Failed {
    server: Option<ServerNo>,
    step: Option<StepNo>,
    error: Error,
}

impl Run<'_> {
    /// Connects, runs every leg until one fails, and then the failure path.
    pub fn execute(self) -> Finished {
        let servers = self.plan.servers();
        let link = |server: &ServerNo| Link::new(*server, self.stage, self.connect, self.events.clone());
        let links: Vec<_> = servers.iter().map(link).collect();
        let run = Executor {
            run: &self,
            servers,
            links,
            facts: Mutex::default(),
            began: Mutex::default(),
            gates: Gates::default(),
        };
        let error = std::thread::scope(|scope| {
            for link in &run.links {
                scope.spawn(|| link.connect());
            }
            run.all()
        });
        let mut traffic = vec![Traffic::default(); self.stage.servers.len()];
        for link in &run.links {
            traffic[link.number] = link.traffic();
        }
        let facts = run.facts().clone();
        Finished { facts, traffic, error }
    }
}

struct Executor<'a> {
    run: &'a Run<'a>,
    servers: Vec<ServerNo>,
    links: Vec<Link<'a>>,
    facts: Mutex<Facts>,
    /// Which steps began on which servers: what may have to be undone.
    began: Mutex<BTreeSet<(StepNo, ServerNo)>>,
    gates: Gates,
}

impl Executor<'_> {
    fn all(&self) -> Option<Error> {
        let plan = self.run.plan;
        for leg in &plan.legs {
            if let Some(error) = self.run.stop.requested() {
                return Some(self.failed(leg, vec![Failed { server: None, step: None, error }]));
            }
            let failures = self.leg(leg);
            if !failures.is_empty() {
                return Some(self.failed(leg, failures));
            }
        }
        None
    }

    fn leg(&self, leg: &Leg) -> Vec<Failed> {
        match leg {
            Leg::Scripts { steps, .. } => self.on_each(&self.servers, &|link| self.scripts(link, steps)),
            Leg::OnHost(step) => self.on_each(&self.step(*step).servers, &|link| self.on_host(link, *step)),
            Leg::Local(step) => self.local(*step).into_iter().collect(),
            Leg::Rolling(step, rolling) => self.rolling(*step, *rolling),
        }
    }

    fn rolling(&self, step: StepNo, rolling: Rolling) -> Vec<Failed> {
        for (number, group) in self.step(step).servers.chunks(rolling.group).enumerate() {
            if number > 0 && self.pause(rolling.wait) {
                return Vec::new();
            }
            let failures = self.on_each(group, &|link| self.scripts(link, &[step]));
            if !failures.is_empty() {
                return failures;
            }
        }
        Vec::new()
    }

    /// Waits for `time`; true if the run was told to stop meanwhile.
    fn pause(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        while Instant::now() < until {
            if self.run.stop.requested().is_some() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(50).min(until.saturating_duration_since(Instant::now())));
        }
        false
    }

    /// Runs `work` for each of `servers` at once, and returns every failure.
    fn on_each(&self, servers: &[ServerNo], work: &(dyn Fn(&Link<'_>) -> Vec<Failed> + Sync)) -> Vec<Failed> {
        let links: Vec<_> = self.links.iter().filter(|link| servers.contains(&link.number)).collect();
        std::thread::scope(|scope| {
            let threads: Vec<_> = links.iter().map(|link| scope.spawn(|| work(link))).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
        })
    }

    /// Runs those of `steps` that are for this server, fused.
    fn scripts(&self, link: &Link<'_>, steps: &[StepNo]) -> Vec<Failed> {
        let steps: Vec<_> = steps.iter().copied().filter(|step| self.step(*step).servers.contains(&link.number)).collect();
        if steps.is_empty() {
            return Vec::new();
        }
        let attempt = link.transport().and_then(|transport| Ok((transport, self.prepare(link, &steps)?)));
        match attempt {
            Ok((transport, prepared)) => self.run_program(link, &*transport, &prepared),
            Err(error) => vec![Failed { server: Some(link.number), step: None, error }],
        }
    }

    fn step(&self, step: StepNo) -> &Step {
        &self.run.plan.steps[step]
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn began(&self) -> MutexGuard<'_, BTreeSet<(StepNo, ServerNo)>> {
        self.began.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cx<'c>(&'c self, link: &'c Link<'_>, facts: &'c Facts) -> ServerCx<'c> {
        ServerCx {
            stage: self.run.stage,
            server: link.server,
            number: link.number,
            facts,
            options: &self.run.options,
            payload: None,
            servers: self.servers.len(),
        }
    }

    /// Composes the program of `steps` for a server, feeds included.
    fn prepare(&self, link: &Link<'_>, steps: &[StepNo]) -> Result<Prepared> {
        let facts = self.facts().clone();
        let mut cx = self.cx(link, &facts);
        let mut prepared = Prepared { steps: steps.to_vec(), ..Prepared::new(self.run.stage)? };
        for step in steps {
            let task = &self.step(*step).task;
            let payload = match &task.feed {
                Some(feed) => feed(&cx).map_err(Error::from)?,
                None => None,
            };
            let Body::Script(body) = &task.body else { continue };
            cx.payload = payload.as_ref().map(|payload| payload.bytes);
            let gated = task.limit.is_some_and(|limit| self.step(*step).servers.len() > limit);
            prepared.scripts.push(TaskScript { gated, ..task_script(task, body(&cx), &cx) });
            prepared.payloads.extend(payload);
        }
        prepared.compile()
    }

    fn run_program(&self, link: &Link<'_>, transport: &dyn Transport, prepared: &Prepared) -> Vec<Failed> {
        let events = &self.run.events;
        let text = String::from_utf8_lossy(&prepared.program.text).into_owned();
        events.emit(Event::Detail { server: Some(link.number), text });
        let mut watch = Watch::new(self, link, prepared);
        let running = Running {
            transport,
            program: &prepared.program,
            nonce: &prepared.shell.nonce,
            payloads: prepared.payloads.clone(),
            stop: &self.run.stop,
        };
        let permit = |task: usize| {
            let step = prepared.steps[task];
            self.gates.enter(step, self.step(step).task.limit.unwrap_or(usize::MAX), &self.run.stop);
        };
        let ended = running.run(&permit, &mut |report| watch.report(report));
        if let Err(error) = ended {
            if error.kind() == ErrorKind::Connection {
                link.lost(&error);
            }
            watch.broken_off(error);
        }
        watch.failures
    }

    fn on_host(&self, link: &Link<'_>, step: StepNo) -> Vec<Failed> {
        let Body::OnHost(body) = &self.step(step).task.body else { return Vec::new() };
        let transport = match link.transport() {
            Ok(transport) => transport,
            Err(error) => return vec![Failed { server: Some(link.number), step: None, error }],
        };
        let facts = self.facts().clone();
        let run = |script: Script, payload: Option<Payload>| self.host_script(link, &*transport, script, payload, step);
        let host = Host { cx: self.cx(link, &facts), run: &run };
        self.began().insert((step, link.number));
        self.bracket(step, Some(link.number), || call_host(body, &host)).into_iter().collect()
    }

    /// Runs one script of an imperative task; its failure is that task's.
    fn host_script(
        &self,
        link: &Link<'_>,
        transport: &dyn Transport,
        script: Script,
        payload: Option<Payload>,
        step: StepNo,
    ) -> Result<BTreeMap<String, String>> {
        let facts = self.facts().clone();
        let cx = self.cx(link, &facts);
        let task = TaskScript { payload: payload.as_ref().map(|payload| payload.bytes), ..task_script(&self.step(step).task, script, &cx) };
        let mut prepared = Prepared { steps: vec![step], scripts: vec![task], ..Prepared::new(self.run.stage)? };
        prepared.payloads.extend(payload);
        let prepared = prepared.compile()?;
        let mut watch = Watch { quiet: true, ..Watch::new(self, link, &prepared) };
        let running = Running {
            transport,
            program: &prepared.program,
            nonce: &prepared.shell.nonce,
            payloads: prepared.payloads.clone(),
            stop: &self.run.stop,
        };
        running.run(&|_| (), &mut |report| watch.report(report))?;
        match watch.failures.pop() {
            Some(failed) => Err(failed.error),
            None => Ok(watch.found),
        }
    }

    fn local(&self, step: StepNo) -> Option<Failed> {
        let Body::Local(body) = &self.step(step).task.body else { return None };
        let mut local = Local {
            config: self.run.config,
            stage: self.run.stage,
            servers: &self.servers,
            ask: self.run.ask,
            facts: &self.facts,
            options: &self.run.options,
            events: &self.run.events,
            step,
        };
        self.bracket(step, None, || call_local(body, &mut local))
    }

    /// Tells of the beginning and the end of `work`.
    fn bracket(&self, step: StepNo, server: Option<ServerNo>, work: impl FnOnce() -> Result<()>) -> Option<Failed> {
        let (events, start) = (&self.run.events, Instant::now());
        events.emit(Event::StepStarted { step, server });
        let result = work();
        let outcome = match &result {
            Ok(()) => Outcome::Done,
            Err(error) => Outcome::Failed(failure_of(error)),
        };
        events.emit(Event::StepFinished { step, server, elapsed: start.elapsed(), outcome });
        result.err().map(|error| Failed { server, step: Some(step), error })
    }

    /// After a failure: takes back what the unfinished phase did, runs the failure path, and sums up.
    fn failed(&self, leg: &Leg, failures: Vec<Failed>) -> Error {
        let reasons: Vec<_> = failures.iter().map(|failed| failed.error.message().to_owned()).collect();
        self.facts().run.insert("failure".to_owned(), reasons.join("; "));
        let again = self.after_stop();
        let undo = self.to_undo(leg);
        let mut later = Vec::new();
        if !undo.is_empty() || !again.run.plan.failure_legs.is_empty() {
            later = again.failure_path(&undo);
        }
        self.sum_up(failures, later)
    }

    /// The failure path runs although the run was told to stop.
    fn after_stop(&self) -> &Self {
        self
    }

    /// The steps that the failing leg's phase began and that know how to be taken back.
    fn to_undo(&self, leg: &Leg) -> Vec<StepNo> {
        let Some(phase) = leg.steps().first().map(|step| self.step(*step).phase) else { return Vec::new() };
        let failed_phase = |step: &Step| step.phase == phase && step.task.undo.is_some();
        let began = self.began();
        let began = |step: &Step| began.iter().any(|(number, _)| *number == step.number);
        self.run.plan.steps.iter().filter(|step| failed_phase(step) && began(step)).map(|step| step.number).rev().collect()
    }

    fn failure_path(&self, undo: &[StepNo]) -> Vec<Failed> {
        std::thread::scope(|scope| {
            for link in self.links.iter().filter(|link| link.is_down() && !undo.is_empty()) {
                scope.spawn(|| link.connect());
            }
        });
        let mut failures = self.on_each(&self.servers, &|link| self.undo(link, undo));
        for leg in &self.run.plan.failure_legs {
            failures.extend(self.leg(leg));
        }
        failures
    }

    fn undo(&self, link: &Link<'_>, steps: &[StepNo]) -> Vec<Failed> {
        let steps: Vec<_> = steps.iter().copied().filter(|step| self.began().contains(&(*step, link.number))).collect();
        if steps.is_empty() {
            return Vec::new();
        }
        let facts = self.facts().clone();
        let cx = self.cx(link, &facts);
        let prepare = || {
            let mut prepared = Prepared { steps: steps.clone(), ..Prepared::new(self.run.stage)? };
            for step in &steps {
                let task = &self.step(*step).task;
                let script = task.undo.as_ref().map(|undo: &ScriptBody| undo(&cx)).unwrap_or_default();
                prepared.scripts.push(task_script(task, script, &cx));
            }
            prepared.compile()
        };
        match link.transport().and_then(|transport| Ok((transport, prepare()?))) {
            Ok((transport, prepared)) => self.run_program(link, &*transport, &prepared),
            Err(error) => vec![Failed { server: Some(link.number), step: steps.first().copied(), error }],
        }
    }

    /// One error for everything that went wrong, server by server.
    fn sum_up(&self, failures: Vec<Failed>, later: Vec<Failed>) -> Error {
        let kind = failures.iter().map(|failed| failed.error.kind()).min_by_key(severity).unwrap_or(ErrorKind::Task);
        let servers: BTreeSet<_> = failures.iter().filter_map(|failed| failed.server).collect();
        let root = &self.run.plan.root;
        let message = match (kind, servers.len()) {
            (ErrorKind::Interrupted | ErrorKind::Terminated, _) => format!("`{root}` was interrupted"),
            (_, 0) => format!("`{root}` failed"),
            (_, n) => format!("`{root}` failed on {n} of {} servers", self.servers.len()),
        };
        let mut detail = String::new();
        let mut hints: Vec<String> = Vec::new();
        for failed in &failures {
            self.describe(failed, "", &mut detail);
            hints.extend(failed.error.hint_texts().iter().cloned());
        }
        for failed in &later {
            self.describe(failed, "afterwards, ", &mut detail);
        }
        let mut seen = BTreeSet::new();
        hints.retain(|hint| seen.insert(hint.clone()));
        Error::new(kind, message).detail(detail).hints(hints)
    }

    fn describe(&self, failed: &Failed, when: &str, text: &mut String) {
        let place = failed.server.map_or("here".to_owned(), |server| self.run.stage.servers[server].label());
        let what = failed.step.map(|step| format!("`{}`: ", self.step(step).task.id)).unwrap_or_default();
        text.push_str(&format!("  {place}: {when}{what}{}\n", failed.error.message()));
        for line in failed.error.detail_text().into_iter().flat_map(str::lines) {
            text.push_str(&format!("      {line}\n"));
        }
        for cause in failed.error.causes() {
            text.push_str(&format!("      cause: {cause}\n"));
        }
    }
}

/// Which of several failures decides the exit code: an interruption, then a task, then a connection.
fn severity(kind: &ErrorKind) -> u8 {
    match kind {
        ErrorKind::Interrupted | ErrorKind::Terminated => 0,
        ErrorKind::Locked => 1,
        ErrorKind::Config | ErrorKind::Usage => 2,
        ErrorKind::Task => 3,
        ErrorKind::Connection => 4,
    }
}

fn call_host(body: &HostBody, host: &Host<'_>) -> Result<()> {
    body(host).map_err(Error::from)
}

fn call_local(body: &LocalBody, local: &mut Local<'_>) -> Result<()> {
    body(local).map_err(Error::from)
}

/// How `task` runs `script` on the server of `cx`.
pub(super) fn task_script(task: &crate::task::Task, script: Script, cx: &ServerCx<'_>) -> TaskScript {
    let dir = match &task.dir {
        Dir::Home => None,
        Dir::Release => Some(cx.release_dir()),
        Dir::Path(path) => Some(path.clone()),
    };
    TaskScript { script, dir, as_user: task.as_user.clone(), env: task.env.clone(), payload: cx.payload, gated: false }
}

fn failure_of(error: &Error) -> Failure {
    let tail = error.detail_text().into_iter().flat_map(str::lines).map(str::to_owned).chain(error.causes()).collect();
    Failure { reason: error.message().to_owned(), tail, hints: error.hint_texts().to_vec(), ..Failure::default() }
}

/// A program with everything that belongs to it.
struct Prepared {
    steps: Vec<StepNo>,
    scripts: Vec<TaskScript>,
    payloads: Vec<Payload>,
    shell: Shell,
    program: Program,
}

impl Prepared {
    fn new(stage: &Stage) -> Result<Prepared> {
        let shell = shell_of(stage, nonce()?);
        let program = Program { text: Vec::new(), steps: Vec::new(), beats_after: None };
        Ok(Prepared { steps: Vec::new(), scripts: Vec::new(), payloads: Vec::new(), shell, program })
    }

    fn compile(mut self) -> Result<Prepared> {
        self.program = compile(&self.scripts, &self.shell)?;
        Ok(self)
    }
}

/// What all programs of a stage share.
pub(super) fn shell_of(stage: &Stage, nonce: String) -> Shell {
    let settings = &stage.settings;
    Shell {
        nonce,
        env: settings.default_env.clone(),
        umask: settings.umask,
        command_prefix: settings.command_prefix.clone(),
        lifeline: true,
    }
}

fn nonce() -> Result<String> {
    let mut bytes = [0u8; 12];
    getrandom::fill(&mut bytes).map_err(|error| Error::task("the system has no random numbers").because(anyhow::anyhow!(error)))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Turns the reports of one program into events, facts and failures.
struct Watch<'w> {
    executor: &'w Executor<'w>,
    server: ServerNo,
    prepared: &'w Prepared,
    current: Option<Current>,
    failures: Vec<Failed>,
    found: BTreeMap<String, String>,
    /// Whether the task's beginning and end are told by somebody else.
    quiet: bool,
}

/// The task that is running.
struct Current {
    task: usize,
    start: Instant,
    tail: VecDeque<String>,
    skipped: Option<String>,
    failure: Failure,
    failed_at: Option<(usize, i32)>,
    pipe_member: Option<usize>,
}

impl<'w> Watch<'w> {
    fn new(executor: &'w Executor<'w>, link: &Link<'_>, prepared: &'w Prepared) -> Watch<'w> {
        let (server, failures, found) = (link.number, Vec::new(), BTreeMap::new());
        Watch { executor, server, prepared, current: None, failures, found, quiet: false }
    }

    fn step(&self, task: usize) -> StepNo {
        self.prepared.steps[task]
    }

    fn emit(&self, event: Event) {
        self.executor.run.events.emit(event);
    }

    fn report(&mut self, report: Report) {
        match report {
            Report::Began(task) => self.begin(task),
            Report::Ended(task, status) => self.end(task, status),
            Report::Line { task, stream, line } => self.line(task, stream, line),
            Report::Fact(name, value) => {
                self.found.insert(name.clone(), value.clone());
                self.executor.facts().servers.entry(self.server).or_default().insert(name, value);
            }
            Report::Note(text) => {
                let step = self.current.as_ref().map(|current| self.step(current.task));
                self.emit(Event::Note { step, server: Some(self.server), text });
            }
            Report::Waiting(_) | Report::Finished => {}
            about_the_end => self.note_end(about_the_end),
        }
    }

    fn note_end(&mut self, report: Report) {
        let Some(current) = &mut self.current else { return };
        match report {
            Report::Skip(reason) => current.skipped = Some(reason),
            Report::Message(message) => current.failure.reason = message,
            Report::Hint(hint) => current.failure.hints.push(hint),
            Report::FailedAt(step, status) => current.failed_at = current.failed_at.or(Some((step, status))),
            Report::PipeMember(member) => current.pipe_member = Some(member),
            _ => {}
        }
    }

    fn begin(&mut self, task: usize) {
        let step = self.step(task);
        self.executor.began().insert((step, self.server));
        if !self.quiet {
            self.emit(Event::StepStarted { step, server: Some(self.server) });
        }
        self.current = Some(Current {
            task,
            start: Instant::now(),
            tail: VecDeque::new(),
            skipped: None,
            failure: Failure::default(),
            failed_at: None,
            pipe_member: None,
        });
    }

    fn line(&mut self, task: Option<usize>, stream: Stream, line: Vec<u8>) {
        let Some(task) = task else {
            let text = String::from_utf8_lossy(&line).into_owned();
            return self.emit(Event::Detail { server: Some(self.server), text });
        };
        if let Some(current) = &mut self.current {
            let shown = &line[..line.len().min(2000)];
            current.tail.push_back(String::from_utf8_lossy(shown).into_owned());
            if current.tail.len() > TAIL {
                current.tail.pop_front();
            }
        }
        self.emit(Event::Output { step: self.step(task), server: Some(self.server), stream, line });
    }

    fn end(&mut self, task: usize, status: i32) {
        let Some(current) = self.current.take() else { return };
        let elapsed = current.start.elapsed();
        let step = self.step(task);
        let outcome = match (status, current.skipped.clone()) {
            (0, None) => Outcome::Done,
            (0, Some(reason)) => Outcome::Skipped(reason),
            _ => {
                let failure = current.into_failure(status, &self.prepared.program.steps[task]);
                self.fail(step, &failure);
                Outcome::Failed(failure)
            }
        };
        if !self.quiet {
            self.emit(Event::StepFinished { step, server: Some(self.server), elapsed, outcome });
        }
    }

    fn fail(&mut self, step: StepNo, failure: &Failure) {
        let message = match &failure.command {
            Some(command) => format!("{}: {}", failure.reason, first_line(command)),
            None => failure.reason.clone(),
        };
        let error = Error::task(message).hints(failure.hints.clone());
        self.failures.push(Failed { server: Some(self.server), step: Some(step), error });
    }

    /// The program ended in the middle: whatever was running has failed.
    fn broken_off(&mut self, error: Error) {
        if !self.failures.is_empty() && error.kind() == ErrorKind::Task {
            return;
        }
        let step = self.current.as_ref().map(|current| self.step(current.task));
        if let Some(current) = self.current.take() {
            let failure = Failure { tail: current.tail.into_iter().collect(), ..failure_of(&error) };
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
    /// Why the task failed. A task that gave its own reason needs no command to explain it.
    fn into_failure(self, status: i32, steps: &[String]) -> Failure {
        let (at, status) = self.failed_at.unwrap_or((0, status));
        let command = steps.get(at.wrapping_sub(1)).cloned();
        let tail: Vec<_> = self.tail.into_iter().collect();
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
    let names = [(1, "HUP"), (2, "INT"), (3, "QUIT"), (6, "ABRT"), (9, "KILL"), (11, "SEGV"), (13, "PIPE"), (14, "ALRM"), (15, "TERM")];
    names.iter().find(|(signal, _)| *signal == number).map(|(_, name)| *name)
}

/// How many servers are inside of each limited task.
#[derive(Default)]
struct Gates {
    inside: Mutex<BTreeMap<StepNo, usize>>,
    left: Condvar,
}

impl Gates {
    /// Returns when fewer than `limit` servers are inside of `step`, or the run is told to stop.
    fn enter(&self, step: StepNo, limit: usize, stop: &Stop) {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        while inside.get(&step).copied().unwrap_or(0) >= limit && stop.requested().is_none() {
            let waited = self.left.wait_timeout(inside, Duration::from_millis(200));
            inside = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        *inside.entry(step).or_default() += 1;
    }

    fn leave(&self, step: StepNo) {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = inside.get_mut(&step) {
            *count = count.saturating_sub(1);
        }
        self.left.notify_all();
    }
}
