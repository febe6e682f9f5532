//! How many logins to one address may be under way at a time.
//!
//! sshd drops connections at random when more than ten are not logged in (`MaxStartups 10:30:100`), and newer ones then
//! shut out our address for a while.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// One gate per address.
#[derive(Default)]
pub(super) struct Gates {
    gates: Mutex<HashMap<String, Gate>>,
    left: Condvar,
}

#[derive(Default)]
struct Gate {
    inside: usize,
    answered: bool,
}

/// Leave to log in to an address, until it is dropped.
pub(super) struct Permit<'a> {
    gates: &'a Gates,
    address: String,
}

impl Gates {
    /// Waits until fewer than `limit` logins to `address` are under way.
    pub(super) fn enter(&self, address: String, limit: usize) -> Permit<'_> {
        let mut gates = self.lock();
        while gates.get(&address).is_some_and(|gate| gate.inside >= limit.max(1)) {
            gates = self.left.wait(gates).unwrap_or_else(PoisonError::into_inner);
        }
        gates.entry(address.clone()).or_default().inside += 1;
        drop(gates);
        Permit { gates: self, address }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Gate>> {
        self.gates.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit<'_> {
    /// A server there shook hands.
    pub(super) fn note_answer(&self) {
        self.gates.lock().entry(self.address.clone()).or_default().answered = true;
    }

    /// Whether a server there has shaken hands with anybody in this run: then a refused connection is a busy server,
    /// and not an absent one.
    pub(super) fn has_answered(&self) -> bool {
        self.gates.lock().get(&self.address).is_some_and(|gate| gate.answered)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if let Some(gate) = self.gates.lock().get_mut(&self.address) {
            gate.inside -= 1;
        }
        self.gates.left.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    #[test]
    fn no_more_than_the_limit_are_inside_and_all_get_in() {
        let (gates, inside, most) = (Gates::default(), AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| {
                    let _permit = gates.enter("a".into(), 3);
                    most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(1));
                    inside.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        assert_eq!(inside.into_inner(), 0);
        assert!((1..=3).contains(&most.into_inner()));
    }

    #[test]
    fn addresses_do_not_wait_for_each_other() {
        let gates = Gates::default();
        let first = gates.enter("a".into(), 1);
        let second = gates.enter("b".into(), 1);
        first.note_answer();
        assert!(first.has_answered() && !second.has_answered());
    }
}
