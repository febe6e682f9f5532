//! How long somebody waits for a server, and what ends it early.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often it is looked whether the waiting has to end.
const GLANCE: Duration = Duration::from_millis(100);

/// Longer than anybody waits.
const A_YEAR: Duration = Duration::from_secs(365 * 86_400);

/// A flag that an interruption (Ctrl-C, say) sets.
pub(crate) type Interruption = Arc<AtomicBool>;

/// Until when to wait, unless there is an interruption meanwhile. One that came before doesn't count: what is done after it
/// winds the run up, and may have to log in for that.
#[derive(Clone)]
pub(crate) struct Patience {
    deadline: Cell<Instant>,
    interruption: Option<Interruption>,
}

impl Patience {
    /// Waits as long as `timeout` from now on.
    pub(crate) fn new(timeout: Duration, interruption: &Interruption) -> Patience {
        let interruption = Some(Arc::clone(interruption)).filter(|flag| !flag.load(Ordering::SeqCst));
        Patience { deadline: Cell::new(Instant::now() + timeout), interruption }
    }

    /// Waits for what comes in its own time: only an interruption ends that.
    pub(crate) fn endless(interruption: &Interruption) -> Patience {
        Patience::new(A_YEAR, interruption)
    }

    /// Gives the time that `since` has taken back: it was a person's, and not the server's.
    pub(crate) fn give_back(&self, since: Instant) {
        self.deadline.set(self.deadline.get() + since.elapsed());
    }

    /// The same with `time` besides.
    pub(crate) fn and(&self, time: Duration) -> Patience {
        Patience { deadline: Cell::new(self.deadline.get() + time), ..self.clone() }
    }

    /// The time that is left, unless it is up or was cut short.
    pub(crate) fn left(&self) -> Option<Duration> {
        let left = self.deadline.get().saturating_duration_since(Instant::now());
        Some(left).filter(|left| !left.is_zero() && !self.is_interrupted())
    }

    /// How long to wait before looking again, unless the time is up.
    pub(crate) fn glance(&self) -> Option<Duration> {
        self.left().map(|left| left.min(GLANCE))
    }

    /// Whether an interruption ends it.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.interruption.as_ref().is_some_and(|flag| flag.load(Ordering::SeqCst))
    }

    /// Sleeps for `time`, or until the time is up.
    pub(crate) fn sleep(&self, time: Duration) {
        let end = Instant::now() + time;
        while let Some(glance) = self.glance()
            && Instant::now() < end
        {
            std::thread::sleep(glance.min(end.saturating_duration_since(Instant::now())));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interruption_ends_the_waiting_that_had_begun() {
        let flag = Interruption::default();
        let before = Patience::new(Duration::from_secs(60), &flag);
        assert!(before.glance().is_some_and(|glance| glance <= GLANCE));
        flag.store(true, Ordering::SeqCst);
        assert!(before.is_interrupted() && before.left().is_none());
        before.sleep(Duration::from_secs(60));
        let after = Patience::new(Duration::from_secs(60), &flag);
        assert!(!after.is_interrupted() && after.left().is_some());
    }

    #[test]
    fn the_time_is_up_at_the_deadline_and_a_persons_time_is_given_back() {
        let patience = Patience::new(Duration::ZERO, &Interruption::default());
        assert_eq!(patience.left(), None);
        patience.give_back(Instant::now().checked_sub(Duration::from_secs(60)).unwrap());
        assert!(patience.left().is_some());
        assert!(patience.and(Duration::from_secs(600)).left() > patience.left());
    }
}
