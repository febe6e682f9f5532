//! The two ends of what tasks write: a log keeps the head and the tail of it, and says what is missing between.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::progress::Place;
use super::text::{several, size};
use crate::event::Stream;

/// How much of a task's output on a server is kept as it comes.
const HEAD: usize = 8 * 1024 * 1024;
/// How much of the rest is kept, the newest.
const TAIL: usize = 2 * 1024 * 1024;
/// How much that may be for all tasks and servers together, since it waits in memory.
const TAILS: usize = 64 * 1024 * 1024;

/// A line of output, and when it came.
pub(super) struct Written {
    pub(super) at: Duration,
    pub(super) stream: Stream,
    pub(super) line: Vec<u8>,
}

/// The output of the tasks that run.
#[derive(Default)]
pub(super) struct Outputs {
    going: BTreeMap<Place, Output>,
    missing: Missing,
}

/// What was left out.
#[derive(Clone, Copy, Default)]
pub(super) struct Missing {
    lines: u64,
    bytes: u64,
}

/// The end of a task's output.
#[derive(Default)]
pub(super) struct Tail {
    pub(super) missing: Missing,
    pub(super) lines: VecDeque<Written>,
    bytes: usize,
}

#[derive(Default)]
struct Output {
    head: usize,
    tail: Tail,
}

impl Outputs {
    /// Gives the line back if it belongs to the head of its task's output; else it waits as a part of the tail.
    pub(super) fn take(&mut self, place: Place, written: Written) -> Option<Written> {
        let room = TAIL.min(TAILS / self.going.len().max(1));
        let output = self.going.entry(place).or_default();
        if output.head + written.line.len() < HEAD && !output.tail.has_begun() {
            output.head += written.line.len() + 1;
            return Some(written);
        }
        output.tail.push(written, room);
        None
    }

    /// The tail of the task's output that is over.
    pub(super) fn end(&mut self, place: Place) -> Option<Tail> {
        let tail = self.going.remove(&place)?.tail;
        self.missing.add(tail.missing);
        tail.has_begun().then_some(tail)
    }

    /// Where output goes on, in order.
    pub(super) fn going(&self, ends: impl Fn(Place) -> bool) -> Vec<Place> {
        self.going.keys().copied().filter(|place| ends(*place)).collect()
    }

    /// What was left out of all output that is over.
    pub(super) fn missing(&self) -> Missing {
        self.missing
    }
}

impl Tail {
    fn has_begun(&self) -> bool {
        !self.lines.is_empty() || self.missing.lines > 0
    }

    fn push(&mut self, written: Written, room: usize) {
        self.bytes += written.line.len() + 1;
        self.lines.push_back(written);
        while self.bytes > room
            && let Some(oldest) = self.lines.pop_front()
        {
            let bytes = oldest.line.len() + 1;
            self.bytes -= bytes;
            self.missing.add(Missing { lines: 1, bytes: bytes as u64 });
        }
    }
}

impl Missing {
    fn add(&mut self, more: Missing) {
        self.lines += more.lines;
        self.bytes += more.bytes;
    }

    /// How much it is, if anything: `2 lines (340 B)`.
    pub(super) fn describe(self) -> Option<String> {
        (self.lines > 0).then(|| format!("{} ({})", several(self.lines, "line"), size(self.bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(length: usize) -> Written {
        Written { at: Duration::ZERO, stream: Stream::Stdout, line: vec![b'x'; length] }
    }

    #[test]
    fn what_fits_is_given_back_at_once() {
        let mut outputs = Outputs::default();
        assert!((0..1000).all(|_| outputs.take((0, None), line(100)).is_some()));
        assert!(outputs.end((0, None)).is_none() && outputs.missing().describe().is_none());
    }

    #[test]
    fn the_tails_of_many_servers_are_bounded_together() {
        let mut outputs = Outputs::default();
        for server in 0..300 {
            for _ in 0..12 {
                outputs.take((0, Some(server)), line(1024 * 1024));
            }
        }
        // Those that came first had more room, and give it back with their next line.
        for server in 0..300 {
            outputs.take((0, Some(server)), line(1000));
        }
        let kept: usize = outputs.going.values().map(|output| output.tail.bytes).sum();
        assert!(kept <= TAILS, "{kept} bytes");
        assert_eq!(outputs.going(|(_, server)| server == Some(7)), [(0, Some(7))]);
    }
}
