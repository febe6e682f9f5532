//! Somebody who never stops looking at the shop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::page::Page;

/// Asks for the page and for what it links, again and again, on a thread.
pub(super) struct Visitor {
    leaves: Arc<AtomicBool>,
    thread: JoinHandle<Visits>,
}

/// What a visitor saw.
#[derive(Default)]
pub(super) struct Visits {
    /// Each page, and when it was there.
    pub(super) pages: Vec<(Instant, Page)>,
    /// What was wrong: no answer, an error, or a page and an asset of different editions.
    pub(super) problems: Vec<String>,
    /// How long it took at most until a page and what it links were there.
    pub(super) longest: Duration,
}

impl Visitor {
    /// Starts with the web server on `port`.
    pub(super) fn of(port: u16) -> Visitor {
        let leaves = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&leaves);
        let thread = std::thread::spawn(move || {
            let mut visits = Visits::default();
            while !told.load(Ordering::Relaxed) {
                visits.visit(port);
            }
            visits
        });
        Visitor { leaves, thread }
    }

    /// Ends the visit.
    pub(super) fn leave(self) -> Visits {
        self.leaves.store(true, Ordering::Relaxed);
        self.thread.join().expect("a visitor doesn't panic")
    }
}

impl Visits {
    fn visit(&mut self, port: u16) {
        let start = Instant::now();
        let visit = Page::try_of(port).and_then(|page| page.is_of_one_piece(port).map(|()| page));
        match visit {
            Ok(page) => self.pages.push((Instant::now(), page)),
            Err(problem) => self.problems.push(problem),
        }
        self.longest = self.longest.max(start.elapsed());
    }

    /// Fails unless all was well, always.
    #[track_caller]
    pub(super) fn were_undisturbed(&self) {
        assert!(!self.pages.is_empty(), "nobody looked");
        assert!(self.problems.is_empty(), "{} problems, the first: {}", self.problems.len(), self.problems[0]);
    }

    /// The editions that were seen, in order, each once where it came several times in a row.
    pub(super) fn editions(&self) -> Vec<&str> {
        let mut editions: Vec<_> = self.pages.iter().map(|(_, page)| page.edition.as_str()).collect();
        editions.dedup();
        editions
    }

    /// When `revision` was first seen.
    pub(super) fn first_of(&self, revision: &str) -> Option<Instant> {
        self.pages.iter().find(|(_, page)| page.revision == revision).map(|(when, _)| *when)
    }

    /// When `revision` was last seen.
    pub(super) fn last_of(&self, revision: &str) -> Option<Instant> {
        self.pages.iter().rfind(|(_, page)| page.revision == revision).map(|(when, _)| *when)
    }
}
