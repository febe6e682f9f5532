//! The executor: legs one after the other, servers side by side.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::conversation::Errand;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, ServerNo, StepNo};
use crate::flow;
use crate::plan::Leg;
use crate::script::Report;
use crate::task::{Body, Local, LocalBody, Rolling};
use crate::transport::{Traffic, Transport};

use super::executor::{Executor, Failed, Finished, PATIENCE_STOPPED, Run};
use super::lock::state::LockState;
use super::machine::Reaching;
use super::program::masked::masked;
use super::program::prepare::Prepared;
use super::pulse::Pulse;
use super::server::limits::{Limits, Visit};
use super::server::link::Link;
use super::server::watch::Watch;

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
            lost: Mutex::default(),
            lock: LockState::default(),
            pulse,
            limits: Limits::default(),
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

impl Executor<'_> {
    fn all(&self) -> Option<Error> {
        let plan = self.run.plan;
        for leg in &plan.legs {
            if let Some(error) = self.stop().requested() {
                return Some(self.failed(leg, vec![Failed::new(None, None, error)]));
            }
            let failures = if self.takes_lock(leg) { self.locking_leg(leg) } else { self.leg(leg) };
            if self.takes_lock(leg) && failures.iter().any(|failed| failed.error.kind() == ErrorKind::Locked) {
                return Some(self.sum_up(failures, Vec::new()));
            }
            if !failures.is_empty() && !self.goes_on_without(&failures) {
                return Some(self.failed(leg, failures));
            }
            self.lost().extend(failures);
        }
        let lost = std::mem::take(&mut *self.lost());
        if !lost.is_empty() {
            return Some(self.sum_up(lost, Vec::new()));
        }
        flow::must_be_live(self.run.stage, plan, &self.facts()).err()
    }

    /// Whether the run answers for the other servers: where none could be reached there is nothing to answer.
    fn goes_on_without(&self, failures: &[Failed]) -> bool {
        let plan = self.run.plan;
        let asked = plan.steps.iter().map(|step| &step.task).find(|task| *task.id() == plan.root);
        asked.is_some_and(|task| task.command.partial)
            && failures.iter().all(|failed| failed.server.is_some() && failed.error.kind() == ErrorKind::Connection)
            && self.links.iter().any(|link| !link.is_down())
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
                vec![Failed::new(Some(link.number), None, error)]
            }
        }
    }

    pub(super) fn run_program(&self, link: &Link<'_>, transport: &dyn Transport, prepared: &Prepared) -> Vec<Failed> {
        let events = &self.run.events;
        let text = masked(&prepared.scripts, &prepared.shell, &prepared.program).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        events.emit(Event::Detail { server: Some(link.number), text });
        let mut watch = Watch::new(self, link, prepared);
        let stop = self.stop();
        let visit = Visit::new(&self.limits);
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
            let error = self.or_lock_lost(link, transport, error);
            if error.kind() == ErrorKind::Connection {
                link.lost(&error);
            }
            if !watch.never_began {
                // How far it came is not known: its last markers may be lost.
                self.began().extend(prepared.steps.iter().map(|step| (*step, link.number)));
            }
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
        let reason = |failed: &Failed| Some((failed.server?, failed.error.message().to_owned()));
        let lost = self.lost().iter().filter_map(reason).collect();
        let mut local = Local {
            config: self.run.config,
            stage: self.run.stage,
            servers: &self.servers,
            lost: &lost,
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
}

fn call_local(body: &LocalBody, local: &mut Local<'_>) -> Result<()> {
    body(local).map_err(Error::from)
}
