//! How far transfers are: bytes, how fast they flow, and how long that will still take.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::text::{size, span, took};
use crate::event::{Event, ServerNo, StepNo};

/// Over which time the rate is measured.
const WINDOW: Duration = Duration::from_secs(5);
/// In less time than this nobody can tell how fast it flows.
const SHORTEST: Duration = Duration::from_millis(500);
/// How far apart the marks are that the rate is measured by.
const MARKS: Duration = Duration::from_millis(100);

/// The task whose transfer it is, and where it runs.
pub(super) type Place = (StepNo, Option<ServerNo>);

/// The transfers of a run that go on.
#[derive(Default)]
pub(super) struct Transfers {
    going: BTreeMap<Place, Transfer>,
}

impl Transfers {
    /// Takes note of `event`, and returns the transfers that it ends.
    pub(super) fn follow(&mut self, at: Duration, event: &Event) -> Vec<(Place, Transfer)> {
        match event {
            Event::Progress { step, server, what, done, total } => {
                self.progress(at, (*step, *server), Transfer::new(at, what, *done, *total))
            }
            Event::StepFinished { step, server, .. } => self.end(|place| place == (*step, *server)),
            Event::Disconnected { server, .. } => self.end(|place| place.1 == Some(*server)),
            Event::Finished { .. } => self.end(|_| true),
            _ => Vec::new(),
        }
    }

    /// Takes note of how far a transfer is: `now`, if it is one that wasn't known.
    fn progress(&mut self, at: Duration, place: Place, now: Transfer) -> Vec<(Place, Transfer)> {
        let mut ended = Vec::new();
        match self.going.get_mut(&place) {
            Some(transfer) if transfer.goes_on(&now) => transfer.mark(at, now.done, now.total),
            _ => ended.extend(self.going.insert(place, now).filter(|old| !old.over).map(|old| (place, old))),
        }
        if let Some(transfer) = self.going.get_mut(&place).filter(|transfer| transfer.is_complete() != transfer.over) {
            transfer.over = !transfer.over;
            ended.extend(transfer.over.then(|| (place, transfer.clone())));
        }
        ended
    }

    fn end(&mut self, ends: impl Fn(Place) -> bool) -> Vec<(Place, Transfer)> {
        let (ended, going) = std::mem::take(&mut self.going).into_iter().partition(|(place, _)| ends(*place));
        self.going = going;
        BTreeMap::into_iter(ended).filter(|(_, transfer)| !transfer.over).collect()
    }

    /// Calls `tell` for each that was not told of for as long as `every`.
    pub(super) fn tell(&mut self, at: Duration, every: Duration, mut tell: impl FnMut(Place, &Transfer)) {
        for (place, transfer) in self.going.iter_mut().filter(|(_, transfer)| !transfer.over) {
            if at.saturating_sub(transfer.told_at) >= every {
                transfer.told_at = at;
                transfer.told = Some(transfer.done);
                tell(*place, transfer);
            }
        }
    }

    /// The first that goes on for as long as `after`, and how many others do.
    pub(super) fn first(&self, at: Duration, after: Duration) -> Option<(Place, &Transfer, usize)> {
        let is_long = |transfer: &Transfer| !transfer.over && at.saturating_sub(transfer.began) >= after;
        let mut long = self.going.iter().filter(|(_, transfer)| is_long(transfer));
        let (place, transfer) = long.next()?;
        Some((*place, transfer, long.count()))
    }
}

/// Bytes on their way.
#[derive(Clone)]
pub(super) struct Transfer {
    pub(super) what: String,
    pub(super) done: u64,
    pub(super) total: Option<u64>,
    began: Duration,
    /// When bytes came last.
    moved: Duration,
    /// How much was done when, a while back.
    marks: VecDeque<(Duration, u64)>,
    told_at: Duration,
    told: Option<u64>,
    /// Whether all of it has come.
    over: bool,
}

impl Transfer {
    fn new(at: Duration, what: &str, done: u64, total: Option<u64>) -> Transfer {
        Transfer {
            what: what.to_owned(),
            done,
            total: total.filter(|total| *total > 0),
            began: at,
            moved: at,
            marks: VecDeque::from([(at, done)]),
            told_at: at,
            told: None,
            over: false,
        }
    }

    /// Whether `now` is about this transfer, and not about the next one.
    fn goes_on(&self, now: &Transfer) -> bool {
        self.what == now.what && self.done <= now.done
    }

    /// Whether all of it has come. An estimate of the total may be too low, and then it goes on.
    fn is_complete(&self) -> bool {
        self.total == Some(self.done)
    }

    fn mark(&mut self, at: Duration, done: u64, total: Option<u64>) {
        if done > self.done {
            self.moved = at;
        }
        (self.done, self.total) = (done, total.filter(|total| *total > 0));
        if self.marks.back().is_none_or(|(last, _)| at.saturating_sub(*last) >= MARKS) {
            self.marks.push_back((at, done));
        }
        while self.marks.get(1).is_some_and(|(second, _)| *second + WINDOW <= at) {
            self.marks.pop_front();
        }
    }

    /// Bytes in a second, over the last few.
    pub(super) fn rate(&self, at: Duration) -> Option<u64> {
        let old = self.marks.iter().rev().find(|(mark, _)| *mark + WINDOW <= at);
        let (since, before) = *old.or(self.marks.front())?;
        Some(at.saturating_sub(since)).filter(|time| *time >= SHORTEST).map(|time| per_second(self.done - before, time))
    }

    /// How long it will still take, where that can be told.
    pub(super) fn left(&self, at: Duration) -> Option<Duration> {
        let rate = self.rate(at).filter(|rate| *rate > 0)?;
        Some(Duration::from_secs(self.total?.saturating_sub(self.done).div_ceil(rate)))
    }

    /// Whether there is more to tell of it than was told.
    pub(super) fn is_news(&self) -> bool {
        self.told != Some(self.done)
    }

    /// How far it is: `dump: 120 MB of 470 MB, 25 %, 38.1 MB/s, 9 s left`.
    pub(super) fn state(&self, at: Duration) -> String {
        let amount = match self.total {
            Some(total) => format!("{} of {}, {} %", size(self.done), size(total), self.percent(total)),
            None => size(self.done),
        };
        let rate = self.rate(at).map(|rate| format!(", {}/s", size(rate))).unwrap_or_default();
        let left = self.left(at).map(|left| format!(", {} left", span(left))).unwrap_or_default();
        format!("{}: {amount}{rate}{left}", self.what)
    }

    /// What it came to: `dump: 470 MB in 12.3s, 38.1 MB/s`.
    pub(super) fn sum(&self) -> String {
        let elapsed = self.moved.saturating_sub(self.began);
        let rate = size(per_second(self.done, elapsed));
        format!("{}: {} in {}, {rate}/s", self.what, size(self.done), took(elapsed))
    }

    /// How much of `total` is done: 100 when all is, and no sooner.
    fn percent(&self, total: u64) -> u128 {
        (u128::from(self.done) * 100 / u128::from(total)).min(100)
    }
}

/// The rate at which `bytes` came in `time`, which counts as a millisecond at least.
fn per_second(bytes: u64, time: Duration) -> u64 {
    (bytes as f64 / time.as_secs_f64().max(0.001)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Outcome;

    const MB: u64 = 1_000_000;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn progress(what: &str, done: u64, total: Option<u64>) -> Event {
        Event::Progress { step: 0, server: None, what: what.into(), done, total }
    }

    /// A dump of 470 MB, of which 40 MB come in each second of `until`.
    fn dump(until: u64) -> Transfers {
        let mut transfers = Transfers::default();
        for tenth in 0..=until * 10 {
            transfers.follow(seconds(tenth as f64 / 10.0), &progress("dump", tenth * 4 * MB, Some(470 * MB)));
        }
        transfers
    }

    fn state(transfers: &Transfers, at: f64) -> String {
        transfers.first(seconds(at), Duration::ZERO).unwrap().1.state(seconds(at))
    }

    #[test]
    fn it_says_how_much_how_fast_and_how_long() {
        assert_eq!(state(&dump(3), 3.0), "dump: 120 MB of 470 MB, 25 %, 40.0 MB/s, 9 s left");
        let mut unknown = Transfers::default();
        unknown.follow(seconds(0.0), &progress("dump", 0, None));
        assert_eq!(state(&unknown, 0.1), "dump: 0 B");
        unknown.follow(seconds(1.0), &progress("dump", 5 * MB, Some(0)));
        assert_eq!(state(&unknown, 1.0), "dump: 5.0 MB, 5.0 MB/s");
    }

    #[test]
    fn the_rate_is_that_of_the_last_seconds_and_falls_when_nothing_comes() {
        let mut transfers = dump(8);
        for second in 9..=14 {
            transfers.follow(seconds(second as f64), &progress("dump", (320 + (second - 8)) * MB, Some(470 * MB)));
        }
        let rate = |at: f64| transfers.first(seconds(at), Duration::ZERO).unwrap().1.rate(seconds(at));
        assert_eq!(rate(14.0), Some(MB));
        assert!(rate(16.0) < Some(MB));
        assert_eq!(rate(30.0), Some(0));
        assert_eq!(state(&transfers, 30.0), "dump: 326 MB of 470 MB, 69 %, 0 B/s");
    }

    #[test]
    fn a_hundred_percent_are_all_of_it_and_no_more() {
        let transfer = |done, total| Transfer::new(Duration::ZERO, "load", done, Some(total));
        assert_eq!(transfer(469 * MB, 470 * MB).percent(470 * MB), 99);
        assert_eq!(transfer(u64::MAX, u64::MAX).percent(u64::MAX), 100);
        assert_eq!(transfer(3, 2).percent(2), 100);
    }

    #[test]
    fn another_name_or_fewer_bytes_begin_the_next_one() {
        let mut transfers = dump(3);
        let ended = transfers.follow(seconds(4.0), &progress("load", 0, None));
        assert_eq!(ended[0].1.sum(), "dump: 120 MB in 3.00s, 40.0 MB/s");
        assert!(transfers.follow(seconds(5.0), &progress("load", 7, None)).is_empty());
        let ended = transfers.follow(seconds(6.0), &progress("load", 3, None));
        assert_eq!(ended[0].1.sum(), "load: 7 B in 1.00s, 7 B/s");
        let elapsed = Duration::ZERO;
        let finished = Event::StepFinished { step: 0, server: None, elapsed, outcome: Outcome::Done };
        assert_eq!(transfers.follow(seconds(6.1), &finished)[0].1.sum(), "load: 3 B in 0.00s, 3.0 kB/s");
        assert!(transfers.first(seconds(9.0), Duration::ZERO).is_none());
    }

    #[test]
    fn when_all_has_come_it_is_over_and_told_once() {
        let mut transfers = dump(3);
        let whole = progress("dump", 470 * MB, Some(470 * MB));
        assert_eq!(transfers.follow(seconds(4.0), &whole)[0].1.sum(), "dump: 470 MB in 4.00s, 118 MB/s");
        assert!(transfers.first(seconds(5.0), Duration::ZERO).is_none());
        transfers.tell(seconds(60.0), Duration::ZERO, |_, transfer| panic!("{}", transfer.sum()));
        assert!(transfers.follow(seconds(5.0), &whole).is_empty());
        assert!(transfers.follow(seconds(6.0), &progress("load", 0, None)).is_empty());
        assert!(transfers.follow(seconds(7.0), &progress("load", 5, Some(5))).len() == 1);
        assert!(transfers.follow(seconds(8.0), &progress("load", 6, Some(5))).is_empty(), "it was an estimate");
        let elapsed = Duration::ZERO;
        let finished = Event::StepFinished { step: 0, server: None, elapsed, outcome: Outcome::Done };
        assert_eq!(transfers.follow(seconds(9.0), &finished)[0].1.done, 6);
    }

    #[test]
    fn a_lost_server_ends_its_transfers_alone() {
        let mut transfers = Transfers::default();
        for server in [0, 1] {
            let (what, total) = ("send".to_owned(), None);
            transfers.follow(Duration::ZERO, &Event::Progress { step: 3, server: Some(server), what, done: 1, total });
        }
        assert_eq!(transfers.first(seconds(1.0), seconds(1.0)).unwrap().2, 1);
        let ended = transfers.follow(Duration::ZERO, &Event::Disconnected { server: 0, message: String::new() });
        assert_eq!(ended.into_iter().map(|(place, _)| place).collect::<Vec<_>>(), [(3, Some(0))]);
        assert_eq!(transfers.first(seconds(1.0), seconds(1.0)).unwrap().0, (3, Some(1)));
    }

    #[test]
    fn it_is_told_no_more_often_than_wanted() {
        let mut transfers = dump(3);
        let mut times = Vec::new();
        for tenth in 0..50 {
            let at = seconds(3.0 + f64::from(tenth) / 10.0);
            transfers.tell(at, seconds(2.0), |_, transfer| times.push((at.as_secs_f64(), transfer.done)));
        }
        assert_eq!(times, [(3.0, 120 * MB), (5.0, 120 * MB), (7.0, 120 * MB)]);
        let ended = transfers.follow(seconds(9.0), &progress("load", 0, None));
        assert!(!ended[0].1.is_news());
    }
}
