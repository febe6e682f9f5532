//! The executor: legs one after the other, servers side by side.

use std::any::Any;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::config::{Config, Server, Stage};
use crate::conversation::{Errand, Place};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, Events, Outcome, ServerNo, StepNo};
use crate::plan::{Leg, Plan, Step};
use crate::script::{Lock, Report, Script, Shell, TaskScript};
use crate::task::{Body, Facts, Local, LocalBody, Options, Rolling, ServerCx, Task};
use crate::transport::{Connect, Traffic, Transport};
use crate::ui::Ask;

use super::Stop;
use super::gates::{Gates, Visit};
use super::link::Link;
use super::lock_state::LockState;
use super::machine::Reaching;
use super::prepare::{Prepared, patience_of, shell_of, task_script};
use super::pulse::Pulse;
use super::watch::{Watch, failure_of};

/// How long after Ctrl-C the failure path may take, and how long it may take at least.
const PATIENCE_STOPPED: Duration = Duration::from_secs(11);
const LEAST_PATIENCE: Duration = Duration::from_secs(3);

/// How long the failure path of a run may take that nobody stopped.
const PATIENCE_FAILED: Duration = Duration::from_secs(600);

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
    /// How long to wait for another run to free the stage's lock.
    pub lock_wait: Duration,
    /// What is known before anything ran.
    pub facts: Facts,
}

/// How a run ended.
#[derive(Debug)]
pub struct Finished {
    /// What the tasks found out.
    pub facts: Facts,
    /// What tasks want printed.
    pub printed: String,
    /// What went over the wire, by the stage's servers.
    pub traffic: Vec<Traffic>,
    /// Why it failed, if it did: every failure of every server.
    pub error: Option<Error>,
}

/// One failure: where, of what, and the error that says why.
pub(super) struct Failed {
    pub(super) server: Option<ServerNo>,
    pub(super) step: Option<StepNo>,
    pub(super) error: Error,
}

impl Failed {
    /// A mistake in the program.
    fn of_panic(server: Option<ServerNo>, step: Option<StepNo>, panic: &(dyn Any + Send)) -> Failed {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text =
            text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a word".to_owned());
        let error = Error::task(format!("a task panicked, which is a mistake in it or in this tool: {text}"));
        Failed { server, step, error }
    }
}

impl Run<'_> {
    /// Connects, runs every leg until one fails, and then the failure path.
    pub fn execute(self) -> Finished {
        let servers = self.plan.servers();
        let pulse = Pulse::default();
        let link = |server: &ServerNo| Link::new(*server, pulse.slot(), self.stage, self.connect, self.events.clone());
        let links: Vec<_> = servers.iter().map(link).collect();
        let run = Executor {
            run: &self,
            servers,
            links,
            facts: Mutex::new(self.facts.clone()),
            began: Mutex::default(),
            printed: Mutex::default(),
            lock: LockState::default(),
            pulse,
            gates: Gates::default(),
            others: Mutex::default(),
            stop: Mutex::new(self.stop.clone()),
            until: OnceLock::new(),
        };
        let error = std::thread::scope(|scope| {
            for link in &run.links {
                scope.spawn(|| link.connect());
            }
            scope.spawn(|| {
                let mut told = false;
                run.pulse.beat(&mut || told = told || run.tell_of_stop());
            });
            let farewell = Farewell(&run.pulse);
            let error = run.all();
            error.or_else(|| run.parting(farewell.say()))
        });
        let mut traffic = vec![Traffic::default(); self.stage.servers.len()];
        for link in &run.links {
            traffic[link.number] = link.traffic();
        }
        let facts = run.facts().clone();
        let printed = run.printed.into_inner().unwrap_or_else(PoisonError::into_inner);
        Finished { facts, printed, traffic, error }
    }
}

/// Ends all conversations however the run ends, by a panic too: servers then free the lock.
struct Farewell<'p>(&'p Pulse);

impl Farewell<'_> {
    fn say(self) -> Vec<Result<()>> {
        let ends = self.0.end();
        std::mem::forget(self);
        ends
    }
}

impl Drop for Farewell<'_> {
    fn drop(&mut self) {
        drop(self.0.end());
    }
}

pub(super) struct Executor<'a> {
    pub(super) run: &'a Run<'a>,
    pub(super) servers: Vec<ServerNo>,
    pub(super) links: Vec<Link<'a>>,
    facts: Mutex<Facts>,
    /// Which steps began on which servers: what may have to be undone.
    began: Mutex<BTreeSet<(StepNo, ServerNo)>>,
    printed: Mutex<String>,
    gates: Gates,
    /// Servers that local tasks reached, which are not among the run's own.
    others: Mutex<BTreeMap<(String, String), Arc<dyn Transport>>>,
    pub(super) lock: LockState,
    pub(super) pulse: Pulse,
    /// Whether to go on; replaced when the failure path begins, which runs although the run was told to stop.
    stop: Mutex<Stop>,
    /// When the failure path has to be over.
    until: OnceLock<Instant>,
}

impl Executor<'_> {
    fn all(&self) -> Option<Error> {
        let plan = self.run.plan;
        for leg in &plan.legs {
            if let Some(error) = self.stop().requested() {
                return Some(self.failed(leg, vec![Failed { server: None, step: None, error }]));
            }
            let failures = if self.takes_lock(leg) { self.locking_leg(leg) } else { self.leg(leg) };
            if self.takes_lock(leg) && failures.iter().any(|failed| failed.error.kind() == ErrorKind::Locked) {
                return Some(self.sum_up(failures, Vec::new()));
            }
            if !failures.is_empty() {
                return Some(self.failed(leg, failures));
            }
        }
        None
    }

    /// Runs a leg. A panic in it is a failure like any other: what can be undone is undone, and the lock is freed.
    pub(super) fn leg(&self, leg: &Leg) -> Vec<Failed> {
        let step = leg.steps().first().copied();
        catch_unwind(AssertUnwindSafe(|| self.work(leg)))
            .unwrap_or_else(|panic| vec![Failed::of_panic(None, step, &*panic)])
    }

    fn work(&self, leg: &Leg) -> Vec<Failed> {
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
    pub(super) fn pause(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        while Instant::now() < until {
            if self.stop().requested().is_some() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(50).min(until.saturating_duration_since(Instant::now())));
        }
        false
    }

    /// Runs `work` for each of `servers` at once, and returns every failure.
    pub(super) fn on_each(
        &self,
        servers: &[ServerNo],
        work: &(dyn Fn(&Link<'_>) -> Vec<Failed> + Sync),
    ) -> Vec<Failed> {
        let links: Vec<_> = self.links.iter().filter(|link| servers.contains(&link.number)).collect();
        std::thread::scope(|scope| {
            let threads: Vec<_> = links.iter().map(|link| (link.number, scope.spawn(|| work(link)))).collect();
            let failures = threads.into_iter().flat_map(|(server, thread)| {
                thread.join().unwrap_or_else(|panic| {
                    // Nobody need wait for the lock there.
                    self.lock.refused();
                    vec![Failed::of_panic(Some(server), None, &*panic)]
                })
            });
            failures.collect()
        })
    }

    /// Runs those of `steps` that are for this server, fused.
    pub(super) fn scripts(&self, link: &Link<'_>, steps: &[StepNo]) -> Vec<Failed> {
        let steps: Vec<_> =
            steps.iter().copied().filter(|step| self.step(*step).servers.contains(&link.number)).collect();
        if steps.is_empty() {
            return Vec::new();
        }
        let attempt = link.transport().and_then(|transport| Ok((transport, self.prepare(link, &steps)?)));
        match attempt {
            Ok((transport, prepared)) => self.run_program(link, &*transport, &prepared),
            Err(error) => {
                // Nobody need wait for the lock there.
                self.lock.refused();
                vec![Failed { server: Some(link.number), step: None, error }]
            }
        }
    }

    /// A connection to a server that is not among the run's own; the same each time.
    pub(super) fn connect(&self, stage: &Stage, server: &Server) -> Result<Arc<dyn Transport>> {
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (stage.name.clone(), server.label());
        if let Some(transport) = others.get(&key) {
            return Ok(Arc::clone(transport));
        }
        let transport = self.run.connect.connect(stage, server)?;
        others.insert(key, Arc::clone(&transport));
        Ok(transport)
    }

    pub(super) fn step(&self, step: StepNo) -> &Step {
        &self.run.plan.steps[step]
    }

    pub(super) fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn began(&self) -> MutexGuard<'_, BTreeSet<(StepNo, ServerNo)>> {
        self.began.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn cx<'c>(&'c self, link: &'c Link<'_>, facts: &'c Facts) -> ServerCx<'c> {
        ServerCx {
            stage: self.run.stage,
            server: link.server,
            number: link.number,
            facts,
            options: &self.run.options,
            root: &self.run.config.root,
            work_dir: &self.run.config.work_dir,
            preview: false,
            missing: RefCell::default(),
            payload: None,
            servers: self.servers.len(),
        }
    }

    /// Composes the program of `steps` for a server, feeds included.
    fn prepare(&self, link: &Link<'_>, steps: &[StepNo]) -> Result<Prepared> {
        self.compose(link, steps, &|task, cx| task.script_work().map_or_else(Script::new, |work| (work.run)(cx)))
    }

    /// Composes a program of what `body` makes of each of `steps`. Where the run has lost a server that it had locked, it
    /// takes the lock again first.
    pub(super) fn compose(
        &self,
        link: &Link<'_>,
        steps: &[StepNo],
        body: &dyn Fn(&Task, &ServerCx<'_>) -> Script,
    ) -> Result<Prepared> {
        let facts = self.facts().clone();
        let mut cx = self.cx(link, &facts);
        let again = self.lock_again(link);
        let mut prepared = Prepared::new(self.shell(&cx, steps));
        for step in again.iter().chain(steps) {
            let task = &self.step(*step).task;
            let payload = match task.feed_body() {
                Some(feed) => feed(&cx).map_err(Error::from)?,
                None => None,
            };
            cx.payload = payload.as_ref().map(|payload| payload.bytes);
            let gated = self.waits_for_lock(*step, steps) || self.is_limited(*step);
            prepared.steps.push(*step);
            prepared.scripts.push(TaskScript { gated, ..task_script(task, body(task, &cx), &cx) });
            known(task, &cx)?;
            prepared.payloads.extend(payload);
        }
        prepared.compile()
    }

    /// What all programs of the run share on a server. Where the lock is held, or `steps` take it, they are fenced by it.
    pub(super) fn shell(&self, cx: &ServerCx<'_>, steps: &[StepNo]) -> Shell {
        let locks = |step: &StepNo| self.step(*step).task.takes_lock();
        let fenced = self.lock.held().contains(&cx.number) || steps.iter().any(locks);
        let token = cx.known("token").filter(|_| fenced);
        let lock = token.map(|token| Lock { file: cx.layout().lock(), token: token.to_owned() });
        Shell { lock, ..shell_of(self.run.stage) }
    }

    /// Whether more servers run the step than may do so at a time.
    fn is_limited(&self, step: StepNo) -> bool {
        let step = self.step(step);
        step.task.most_at_once().is_some_and(|limit| step.servers.len() > limit)
    }

    /// Where the programs of a server run.
    pub(super) fn place<'p>(&self, transport: &'p dyn Transport, prepared: &'p Prepared) -> Place<'p> {
        Place { transport, shell: &prepared.shell, patience: patience_of(self.run.stage), sessions: 1 }
    }

    pub(super) fn run_program(&self, link: &Link<'_>, transport: &dyn Transport, prepared: &Prepared) -> Vec<Failed> {
        let events = &self.run.events;
        let text = String::from_utf8_lossy(&prepared.program.text(&prepared.shell)).into_owned();
        events.emit(Event::Detail { server: Some(link.number), text });
        let mut watch = Watch::new(self, link, prepared);
        let stop = self.stop();
        let visit = Visit::new(&self.gates);
        let permit = |task: usize, waiting: &mut dyn FnMut()| {
            let step = prepared.steps[task];
            let waits = self.waits_for_lock(step, &prepared.steps);
            if waits && !self.lock.wait_for(&self.lock_servers(), &stop, waiting) {
                return false;
            }
            if self.is_limited(step) {
                visit.enter(step, self.step(step).task.most_at_once().unwrap_or(usize::MAX), &stop, waiting);
            }
            true
        };
        let errand = Errand { until: self.until.get().copied(), ..prepared.errand(&permit, &stop) };
        let ended = link.slot.run(&self.place(transport, prepared), &errand, &mut |report| {
            if let Report::Ended(..) = report {
                visit.leave();
            }
            watch.report(report);
        });
        if let Err(error) = ended {
            if error.kind() == ErrorKind::Connection {
                link.lost(&error);
            }
            // How far it came is not known: its last markers may be lost.
            self.began().extend(prepared.steps.iter().map(|step| (*step, link.number)));
            watch.broken_off(error);
        }
        if !watch.failures.is_empty() {
            self.lock.refused();
        }
        watch.not_begun();
        watch.failures
    }

    /// Says what a request to stop begins, and how long that may take. True if there was one.
    fn tell_of_stop(&self) -> bool {
        let Some(why) = self.run.stop.requested() else { return false };
        let busy = self.links.iter().filter(|link| !link.is_down()).map(|link| link.server.label()).collect::<Vec<_>>();
        let where_it_is = if busy.is_empty() { String::new() } else { format!(" on {}", busy.join(", ")) };
        let text = format!(
            "{}: ending what runs{where_it_is}, which takes up to {} seconds; once more ends it at once, and what was begun stays",
            why.message(),
            PATIENCE_STOPPED.as_secs() + 1
        );
        self.run.events.emit(Event::Note { step: None, server: None, text });
        true
    }

    /// What the ends of the conversations say of a run in which all went well.
    fn parting(&self, ends: Vec<Result<()>>) -> Option<Error> {
        let (wrong, unknown): (Vec<_>, Vec<_>) =
            ends.into_iter().filter_map(Result::err).partition(|error| error.kind() == ErrorKind::Task);
        for error in unknown {
            self.run.events.emit(Event::Note { step: None, server: None, text: error.message().to_owned() });
        }
        wrong.into_iter().next()
    }

    fn local(&self, step: StepNo) -> Option<Failed> {
        let Body::Local(work) = &self.step(step).task.body else { return None };
        let reach = Reaching { executor: self, step };
        let stop = || self.stop().requested();
        let mut local = Local {
            config: self.run.config,
            stage: self.run.stage,
            servers: &self.servers,
            ask: self.run.ask,
            facts: &self.facts,
            options: &self.run.options,
            events: &self.run.events,
            printed: &self.printed,
            step,
            reach: &reach,
            lock_wait: self.run.lock_wait,
            stop: &stop,
        };
        self.bracket(step, None, || call_local(&work.run, &mut local))
    }

    /// Tells of the beginning and the end of `work`.
    pub(super) fn bracket(
        &self,
        step: StepNo,
        server: Option<ServerNo>,
        work: impl FnOnce() -> Result<()>,
    ) -> Option<Failed> {
        let (events, start) = (&self.run.events, Instant::now());
        events.emit(Event::StepStarted { step, server });
        let result = work().map_err(|error| match error.kind() {
            // Whoever only sees that it has to end doesn't know why.
            ErrorKind::Interrupted => self.stop().requested().unwrap_or(error),
            _ => error,
        });
        let outcome = match &result {
            Ok(()) => Outcome::Done,
            Err(error) => Outcome::Failed(failure_of(error)),
        };
        events.emit(Event::StepFinished { step, server, elapsed: start.elapsed(), outcome });
        result.err().map(|error| Failed { server, step: Some(step), error })
    }

    /// The failure path runs although the run was told to stop.
    pub(super) fn go_on_although_stopped(&self) {
        let now = Instant::now();
        let until = match self.run.stop.since() {
            // Who stops a run doesn't wait for long; what has to be taken back gets a moment all the same.
            Some(since) => (since + PATIENCE_STOPPED).max(now + LEAST_PATIENCE),
            None => now + PATIENCE_FAILED,
        };
        self.until.get_or_init(|| until);
        *self.stop.lock().unwrap_or_else(PoisonError::into_inner) = Stop::default();
    }

    pub(super) fn stop(&self) -> Stop {
        self.stop.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Fails a task that needs what only other tasks find out.
fn known(task: &Task, cx: &ServerCx<'_>) -> Result<()> {
    let missing: Vec<_> = cx.missing.take().into_iter().map(|name| format!("`{name}`")).collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Error::task(format!("`{}` can't run alone: it needs the facts {}", task.id, missing.join(", ")))
            .hint("run the flow that it is a part of: cargo xtask tasks --flow deploy --all")),
    }
}

fn call_local(body: &LocalBody, local: &mut Local<'_>) -> Result<()> {
    body(local).map_err(Error::from)
}
