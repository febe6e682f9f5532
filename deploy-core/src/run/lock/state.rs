//! The stage's lock as the controller sees it: on which servers it is held, and who goes on when two runs meet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::conversation::Stop;
use crate::event::ServerNo;

/// What is known about a run's lock on each server.
#[derive(Default)]
pub(in crate::run) struct LockState {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    taken: BTreeSet<ServerNo>,
    /// Where somebody has taken it away.
    lost: BTreeSet<ServerNo>,
    refused: bool,
}

impl LockState {
    /// The lock is taken on `server`.
    pub(in crate::run) fn taken(&self, server: ServerNo) {
        self.state().taken.insert(server);
        self.changed.notify_all();
    }

    /// The lock can't be taken everywhere: who waits for it goes home.
    pub(in crate::run) fn refused(&self) {
        self.state().refused = true;
        self.changed.notify_all();
    }

    /// A new attempt begins.
    pub(in crate::run) fn try_again(&self) {
        self.state().refused = false;
    }

    /// Somebody has taken the lock away on `server`.
    pub(in crate::run) fn lost(&self, server: ServerNo) {
        self.state().lost.insert(server);
    }

    /// Whether somebody has taken it away on `server`: then it isn't ours to take again.
    pub(in crate::run) fn is_lost(&self, server: ServerNo) -> bool {
        self.state().lost.contains(&server)
    }

    /// The lock is given up everywhere.
    pub(in crate::run) fn given_up(&self) {
        self.state().taken.clear();
    }

    /// The servers on which the lock was taken.
    pub(in crate::run) fn held(&self) -> BTreeSet<ServerNo> {
        self.state().taken.clone()
    }

    /// Waits until the lock is taken on all of `servers`; false if it can't be, or the run is told to stop. Calls `waiting`
    /// until then.
    pub(in crate::run) fn wait_for(&self, servers: &[ServerNo], stop: &Stop, waiting: &mut dyn FnMut()) -> bool {
        let mut state = self.state();
        loop {
            if servers.iter().all(|server| state.taken.contains(server)) {
                return stop.requested().is_none();
            }
            if state.refused || stop.requested().is_some() {
                return false;
            }
            waiting();
            let waited = self.changed.wait_timeout(state, Duration::from_millis(200));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a run found where it could not take the lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::run) struct Conflict {
    /// Who holds it, as text.
    pub(in crate::run) about: String,
    /// The servers of that run, as it calls them.
    pub(in crate::run) servers: BTreeSet<String>,
}

impl Conflict {
    /// What the facts of a server say, if its lock was refused.
    pub(in crate::run) fn of(facts: &BTreeMap<String, String>) -> Option<Conflict> {
        let fact = |name: &str| facts.get(name).cloned();
        fact("lock_held_by")?;
        let servers = fact("lock_servers")?.split_whitespace().map(str::to_owned).collect();
        Some(Conflict { about: fact("lock_about")?, servers })
    }

    /// Whether we go on, and the other run gives way: of two that meet, the one that holds the first server that both
    /// want. `ours` are our servers, `held` those on which we have the lock.
    pub(in crate::run) fn is_ours(&self, ours: &BTreeSet<String>, held: &BTreeSet<String>) -> bool {
        let first = ours.intersection(&self.servers).next();
        first.is_some_and(|first| held.contains(first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &str) -> BTreeSet<String> {
        names.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn of_two_runs_exactly_one_goes_on_however_they_share_the_servers() {
        let servers = set("a b c");
        for mask in 1..7u8 {
            let (one, other): (Vec<_>, Vec<_>) =
                servers.iter().enumerate().partition(|(bit, _)| mask & (1 << bit) != 0);
            let names =
                |part: Vec<(usize, &String)>| part.into_iter().map(|(_, name)| name.clone()).collect::<BTreeSet<_>>();
            let conflict = Conflict { about: String::new(), servers: servers.clone() };
            let wins = [names(one), names(other)].map(|held| conflict.is_ours(&servers, &held));
            assert_eq!(wins.iter().filter(|wins| **wins).count(), 1, "{mask}");
        }
    }

    #[test]
    fn a_run_with_no_server_in_common_never_gives_way_to_us() {
        let conflict = Conflict { about: String::new(), servers: set("x") };
        assert!(!conflict.is_ours(&set("a"), &set("a")));
    }

    #[test]
    fn only_a_refused_lock_is_a_conflict() {
        assert_eq!(Conflict::of(&BTreeMap::new()), None);
    }
}
