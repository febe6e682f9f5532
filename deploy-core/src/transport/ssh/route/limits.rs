//! How many logins to one address may be under way at a time.
//!
//! sshd drops connections at random when more than ten are not logged in (`MaxStartups 10:30:100`), and newer ones then
//! shut out our address for a while.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::transport::ssh::libssh2::patience::Patience;

/// How many logins there are, by address.
#[derive(Default)]
pub(crate) struct Limits {
    addresses: Mutex<HashMap<String, Address>>,
    left: Condvar,
}

#[derive(Default)]
struct Address {
    inside: usize,
    answered: bool,
}

/// Leave to log in to an address, until it is dropped.
pub(crate) struct Permit<'a> {
    limits: &'a Limits,
    address: String,
}

impl Limits {
    /// Waits until fewer than `limit` logins to `address` are under way; `None` when `patience` is at its end before.
    pub(crate) fn enter(&self, address: String, limit: usize, patience: &Patience) -> Option<Permit<'_>> {
        let mut addresses = self.lock();
        while addresses.get(&address).is_some_and(|own| own.inside >= limit.max(1)) {
            addresses = self.left.wait_timeout(addresses, patience.glance()?).unwrap_or_else(PoisonError::into_inner).0;
        }
        addresses.entry(address.clone()).or_default().inside += 1;
        drop(addresses);
        Some(Permit { limits: self, address })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Address>> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit<'_> {
    /// A server there shook hands.
    pub(crate) fn note_answer(&self) {
        self.limits.lock().entry(self.address.clone()).or_default().answered = true;
    }

    /// Whether a server there has shaken hands with anybody in this run: then a refused connection is a busy server,
    /// and not an absent one.
    pub(crate) fn has_answered(&self) -> bool {
        self.limits.lock().get(&self.address).is_some_and(|own| own.answered)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if let Some(own) = self.limits.lock().get_mut(&self.address) {
            own.inside -= 1;
        }
        self.limits.left.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::ssh::libssh2::patience::Interruption;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    fn patience() -> Patience {
        Patience::new(Duration::from_secs(60), &Interruption::default())
    }

    #[test]
    fn who_waits_is_let_go_by_an_interruption() {
        let (limits, flag) = (Limits::default(), Interruption::default());
        let _first = limits.enter("a".into(), 1, &patience()).unwrap();
        let patience = Patience::new(Duration::from_secs(60), &flag);
        flag.store(true, Ordering::SeqCst);
        assert!(limits.enter("a".into(), 1, &patience).is_none());
    }

    #[test]
    fn no_more_than_the_limit_are_inside_and_all_get_in() {
        let (limits, inside, most) = (Limits::default(), AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| {
                    let _permit = limits.enter("a".into(), 3, &patience());
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
        let limits = Limits::default();
        let first = limits.enter("a".into(), 1, &patience()).unwrap();
        let second = limits.enter("b".into(), 1, &patience()).unwrap();
        first.note_answer();
        assert!(first.has_answered() && !second.has_answered());
    }
}
