//! Finds out that a server is gone although its connection looks alive.

use std::time::{Duration, Instant};

use crate::transport::ssh::libssh2::fault::reason;
use crate::transport::ssh::libssh2::wire::Wire;

/// How many probes may stay without any byte in return.
const PROBES: u32 = 2;

/// Probes a silent server. Any byte from it counts as life: libssh2 doesn't tell which packet was an answer.
pub(crate) struct Keepalive {
    /// Zero: never probe.
    interval: Duration,
    heard: Instant,
    probed: Instant,
    probes: u32,
}

impl Keepalive {
    /// Probes after each `interval` of silence. After three of them, two with a probe each, the connection is lost.
    pub(crate) fn new(interval: Duration, now: Instant) -> Keepalive {
        Keepalive { interval, heard: now, probed: now, probes: 0 }
    }

    /// Something came in.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.heard = now;
        self.probed = now;
        self.probes = 0;
    }

    /// How long nothing has to be done. `None`: for ever.
    pub(crate) fn time_left(&self, now: Instant) -> Option<Duration> {
        (!self.interval.is_zero()).then(|| (self.probed + self.interval).saturating_duration_since(now))
    }

    /// Sends a probe if it is time to. Returns whether it was.
    ///
    /// # Errors
    ///
    /// The reason why the connection counts as lost.
    pub(crate) fn step(&mut self, wire: &Wire, now: Instant) -> Result<bool, String> {
        if self.time_left(now).is_none_or(|left| !left.is_zero()) {
            return Ok(false);
        }
        if self.probes == PROBES {
            return Err(format!("no answer for {} s", now.duration_since(self.heard).as_secs()));
        }
        self.probes += 1;
        self.probed = now;
        // Without room the server has not even taken what was sent before: the silence counts all the same.
        if wire.has_room() {
            wire.session.keepalive_send().map_err(|fault| reason(&fault))?;
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn wire() -> Wire {
        let (ours, _theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        Wire::new(ours.into()).unwrap()
    }

    #[test]
    fn three_silent_intervals_are_a_lost_connection() {
        let (start, wire) = (Instant::now(), wire());
        let mut keepalive = Keepalive::new(SECOND, start);
        assert_eq!(keepalive.step(&wire, start + SECOND / 2), Ok(false));
        // A session that was never shaken hands with can't send; only the silence is judged here.
        keepalive.probes = PROBES;
        keepalive.probed = start + 2 * SECOND;
        assert_eq!(keepalive.step(&wire, start + 3 * SECOND), Err("no answer for 3 s".into()));
    }

    #[test]
    fn any_byte_starts_the_count_anew() {
        let start = Instant::now();
        let mut keepalive = Keepalive::new(SECOND, start);
        keepalive.probes = PROBES;
        keepalive.heard(start + 2 * SECOND);
        assert_eq!(keepalive.time_left(start + 2 * SECOND), Some(SECOND));
        assert_eq!(keepalive.probes, 0);
    }

    #[test]
    fn an_interval_of_zero_never_probes() {
        assert_eq!(Keepalive::new(Duration::ZERO, Instant::now()).time_left(Instant::now()), None);
    }
}
