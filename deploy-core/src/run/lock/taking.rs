//! The leg that takes the stage's lock: what comes after it waits for all servers, and of two runs one goes on.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind};
use crate::event::{Event, ServerNo, StepNo};
use crate::flow::lock::lock_name;
use crate::plan::Leg;

use crate::run::executor::{Executor, Failed};
use crate::run::lock::state::Conflict;
use crate::run::pulse::part;
use crate::run::server::link::Link;

/// How long the run that goes on waits for the other one to give way.
const MEETING: Duration = Duration::from_secs(20);

/// How long to wait before looking again whether a lock is free.
const PATIENCE: Duration = Duration::from_secs(1);

impl Executor<'_> {
    /// Whether the leg is the one that takes the lock.
    pub(in crate::run) fn takes_lock(&self, leg: &Leg) -> bool {
        leg.steps().iter().any(|step| self.step(*step).task.takes_lock())
    }

    /// The servers on which the run takes the lock.
    pub(in crate::run) fn lock_servers(&self) -> Vec<ServerNo> {
        let lock = self.run.plan.steps.iter().find(|step| step.task.takes_lock());
        lock.map(|step| step.servers.clone()).unwrap_or_default()
    }

    /// Whether `step` is the first task in a program of `steps` that must not begin before the lock is held on all servers.
    pub(in crate::run) fn waits_for_lock(&self, step: StepNo, steps: &[StepNo]) -> bool {
        let is_lock = |step: StepNo| self.step(step).task.takes_lock();
        let changes = |step: &&StepNo| self.step(**step).task.waits_for_all_locks();
        self.lock_servers().len() > 1
            && steps.iter().any(|step| is_lock(*step))
            && steps.iter().find(changes) == Some(&step)
    }

    /// Runs the leg that takes the lock, again and again as long as that is sensible.
    pub(in crate::run) fn locking_leg(&self, leg: &Leg) -> Vec<Failed> {
        let start = Instant::now();
        let patience = self.run.lock_wait;
        let Leg::Scripts { steps, .. } = leg else { return self.leg(leg) };
        let mut servers = self.servers.clone();
        let mut told = false;
        loop {
            let failures = self.on_each(&servers, &|link| self.scripts(link, steps));
            if let Some(error) = self.stop().requested() {
                return vec![Failed { server: None, step: None, error }];
            }
            let conflicts = self.conflicts(&failures);
            let Some((_, conflict)) = conflicts.first() else { return without_denied(failures) };
            let ours = conflicts.iter().all(|(_, conflict)| self.goes_on(conflict)) && start.elapsed() < MEETING;
            if !ours {
                self.let_go();
            }
            if !ours && start.elapsed() >= patience {
                return self.locked_out(failures, &conflicts);
            }
            if !ours && !told {
                told = true;
                let text = format!("the stage is locked by {}: waiting up to {patience:?}", conflict.about);
                self.run.events.emit(Event::Note { step: None, server: None, text });
            }
            self.pause(if ours { Duration::from_millis(200) } else { PATIENCE });
            let again: BTreeSet<_> = failures.iter().filter_map(|failed| failed.server).collect();
            servers = if ours { again.into_iter().collect() } else { self.servers.clone() };
            self.forget_conflicts();
        }
    }

    fn conflicts(&self, failures: &[Failed]) -> Vec<(ServerNo, Conflict)> {
        let facts = self.facts();
        let conflict = |server: ServerNo| Some((server, Conflict::of(facts.servers.get(&server)?)?));
        failures.iter().filter_map(|failed| conflict(failed.server?)).collect()
    }

    fn goes_on(&self, conflict: &Conflict) -> bool {
        let name = |server: &ServerNo| lock_name(&self.run.stage.servers[*server]);
        let ours: BTreeSet<_> = self.lock_servers().iter().map(name).collect();
        let held: BTreeSet<_> = self.lock.held().iter().map(name).collect();
        conflict.is_ours(&ours, &held)
    }

    /// The step that takes the lock, where the run had it and has lost its conversation with the server since.
    pub(in crate::run) fn lock_again(&self, link: &Link<'_>) -> Option<StepNo> {
        let lost = self.lock.held().contains(&link.number) && !link.slot.is_open() && !self.lock.is_lost(link.number);
        self.run.plan.steps.iter().find(|step| lost && step.task.takes_lock()).map(|step| step.number)
    }

    /// Frees the lock everywhere, and waits until it is free.
    fn let_go(&self) {
        let slots: Vec<_> = self.links.iter().map(|link| Arc::clone(&link.slot)).collect();
        // What isn't confirmed is found out by the next attempt.
        drop(part(&slots));
        self.lock.given_up();
    }

    fn forget_conflicts(&self) {
        self.lock.try_again();
        for facts in self.facts().servers.values_mut() {
            facts.retain(|name, _| !name.starts_with("lock_"));
        }
    }

    /// The errors of a run that gives way: who holds the lock, and what to do.
    fn locked_out(&self, failures: Vec<Failed>, conflicts: &[(ServerNo, Conflict)]) -> Vec<Failed> {
        let stage = &self.run.stage.name;
        let locked = |failed: Failed| {
            let conflict = conflicts.iter().find(|(server, _)| Some(*server) == failed.server);
            let Some((_, conflict)) = conflict else { return failed };
            let error = Error::new(ErrorKind::Locked, format!("the stage is locked by {}", conflict.about))
                .hint("wait for it to end: add --lock-wait 5m")
                .hint(format!(
                    "or, if it is known to be dead, break the lock: cargo xtask deploy unlock {stage} --force"
                ));
            Failed { error, ..failed }
        };
        without_denied(failures.into_iter().map(locked).collect())
    }
}

/// Without those that were only sent away because of the others.
fn without_denied(mut failures: Vec<Failed>) -> Vec<Failed> {
    let is_denied = |failed: &Failed| failed.error.kind() == ErrorKind::Locked && failed.step.is_none();
    if !failures.iter().all(is_denied) {
        failures.retain(|failed| !is_denied(failed));
    }
    failures
}
