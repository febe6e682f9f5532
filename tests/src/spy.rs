//! Looking over every process's shoulder.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::process::{all, command_line};

/// Looks for a text in the command lines of all processes of the machine, again and again.
pub struct Spy {
    is_over: Arc<AtomicBool>,
    watcher: JoinHandle<Seen>,
}

#[derive(Default)]
struct Seen {
    rounds: usize,
    lines: BTreeSet<String>,
}

impl Spy {
    /// Starts to look for `text`.
    pub fn on(text: &str) -> Spy {
        let is_over = Arc::new(AtomicBool::new(false));
        let (flag, text) = (Arc::clone(&is_over), text.to_owned());
        let watcher = thread::spawn(move || {
            let mut seen = Seen::default();
            while !flag.load(Ordering::SeqCst) || seen.rounds == 0 {
                seen.lines.extend(all().into_iter().filter_map(command_line).filter(|line| line.contains(&text)));
                seen.rounds += 1;
                thread::sleep(Duration::from_millis(10));
            }
            seen
        });
        Spy { is_over, watcher }
    }

    /// The command lines in which the text stood.
    pub fn finish(self) -> Vec<String> {
        self.is_over.store(true, Ordering::SeqCst);
        self.watcher.join().expect("it does not panic").lines.into_iter().collect()
    }
}
