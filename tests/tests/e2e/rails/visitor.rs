//! Somebody who never stops looking at the shop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use super::page::Page;

/// Asks for the page and for what it links, again and again, on a thread.
pub(super) struct Visitor {
    leaves: Arc<AtomicBool>,
    thread: JoinHandle<Visits>,
}

/// What a visitor saw.
#[derive(Default)]
pub(super) struct Visits {
    /// Each page that was there.
    pages: Vec<Page>,
    /// What was wrong: no answer, an error, or a page and an asset of different editions.
    problems: Vec<String>,
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
        let visit = Page::try_of(port).and_then(|page| page.is_of_one_piece(port).map(|()| page));
        match visit {
            Ok(page) => self.pages.push(page),
            Err(problem) => self.problems.push(problem),
        }
    }

    /// Fails unless all was well, always.
    #[track_caller]
    pub(super) fn were_undisturbed(&self) {
        assert!(!self.pages.is_empty(), "nobody looked");
        assert!(self.problems.is_empty(), "{} problems, the first: {}", self.problems.len(), self.problems[0]);
    }
}
