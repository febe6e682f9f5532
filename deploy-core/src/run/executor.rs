//! What a run is made of, and what all its parts need: its plan, its servers, what is known so far.

use std::any::Any;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::config::{Config, Server, Stage};
use crate::conversation::{Place, Stop};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, Events, Failure, Outcome, ServerNo, StepNo};
use crate::plan::{Plan, Step};
use crate::script::{Lock, Shell};
use crate::task::{Facts, Options, ServerCx};
use crate::transport::{Connect, Traffic, Transport};
use crate::ui::Ask;

use super::lock::state::LockState;
use super::program::prepare::{Prepared, patience_of, shell_of};
use super::pulse::Pulse;
use super::server::limits::Limits;
use super::server::link::Link;

/// How long after Ctrl-C the failure path may take, and how long it may take at least.
pub(super) const PATIENCE_STOPPED: Duration = Duration::from_secs(11);
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
    pub(super) fn of_panic(server: Option<ServerNo>, step: Option<StepNo>, panic: &(dyn Any + Send)) -> Failed {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text =
            text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a word".to_owned());
        let error = Error::task(format!("a task panicked, which is a mistake in it or in this tool: {text}"));
        Failed { server, step, error }
    }
}

/// A run on its way.
pub(super) struct Executor<'a> {
    pub(super) run: &'a Run<'a>,
    pub(super) servers: Vec<ServerNo>,
    pub(super) links: Vec<Link<'a>>,
    pub(super) facts: Mutex<Facts>,
    /// Which steps began on which servers: what may have to be undone.
    pub(super) began: Mutex<BTreeSet<(StepNo, ServerNo)>>,
    pub(super) printed: Mutex<String>,
    /// The servers that could not be reached, and why, in a run that goes on without them.
    pub(super) lost: Mutex<Vec<Failed>>,
    pub(super) limits: Limits,
    /// Servers that local tasks reached, which are not among the run's own.
    pub(super) others: Mutex<BTreeMap<(String, String), Arc<dyn Transport>>>,
    pub(super) lock: LockState,
    pub(super) pulse: Pulse,
    /// Whether to go on; replaced when the failure path begins, which runs although the run was told to stop.
    pub(super) stop: Mutex<Stop>,
    /// When the failure path has to be over.
    pub(super) until: OnceLock<Instant>,
}

impl Executor<'_> {
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

    /// Why the fact `name` can't be believed, which a server reports in `step`.
    pub(super) fn refusal(&self, step: StepNo, name: &str, value: &str) -> Option<String> {
        self.step(step).task.refusal(self.run.plan.steps.iter().map(|step| &step.task), name, value)
    }

    pub(super) fn lost(&self) -> MutexGuard<'_, Vec<Failed>> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// What all programs of the run share on a server. Where the lock is held, or `steps` take it, they are fenced by it.
    pub(super) fn shell(&self, cx: &ServerCx<'_>, steps: &[StepNo]) -> Shell {
        let locks = |step: &StepNo| self.step(*step).task.takes_lock();
        let fenced = self.lock.held().contains(&cx.number) || steps.iter().any(locks);
        let token = cx.known("token").filter(|_| fenced);
        let lock = token.map(|token| Lock { file: cx.layout().lock(), token: token.to_owned() });
        Shell { lock, ..shell_of(self.run.stage) }
    }

    /// Where the programs of a server run.
    pub(super) fn place<'p>(&self, transport: &'p dyn Transport, prepared: &'p Prepared) -> Place<'p> {
        Place { transport, shell: &prepared.shell, patience: patience_of(self.run.stage), sessions: 1 }
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

/// A failure that a task of ours explains by an error.
pub(super) fn failure_of(error: &Error) -> Failure {
    let causes = error.causes().join("\n");
    let tail =
        error.detail_text().into_iter().chain([causes.as_str()]).flat_map(str::lines).map(str::to_owned).collect();
    Failure { reason: error.message().to_owned(), tail, hints: error.hint_texts().to_vec(), ..Failure::default() }
}
