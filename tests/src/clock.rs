//! How long tests take.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::Instant;

/// The variable with the file in which each test's time is written down.
pub const TIMES: &str = "E2E_TIMES";

/// Runs for as long as a sandbox is there, which is nearly all of a test's time.
pub(crate) struct Clock {
    test: String,
    start: Instant,
}

impl Clock {
    /// Starts, for the test whose thread this is.
    pub(crate) fn start() -> Clock {
        Clock { test: thread::current().name().unwrap_or("main").to_owned(), start: Instant::now() }
    }
}

impl Drop for Clock {
    /// One line, in one write: other tests, and those of other processes, write there too.
    fn drop(&mut self) {
        let Some(file) = std::env::var_os(TIMES) else { return };
        let line = format!("{} {}\n", self.start.elapsed().as_millis(), self.test);
        if let Ok(mut file) = OpenOptions::new().create(true).append(true).open(file) {
            let _ = file.write_all(line.as_bytes());
        }
    }
}

/// The tests that took longest, of what was written to `file`, and how many milliseconds each took.
pub fn slowest(file: &Path, count: usize) -> Vec<(String, u64)> {
    of_lines(&std::fs::read_to_string(file).unwrap_or_default(), count)
}

/// A test with several sandboxes took as long as the one that was there longest.
fn of_lines(text: &str, count: usize) -> Vec<(String, u64)> {
    let mut times = std::collections::BTreeMap::new();
    for (time, test) in text.lines().filter_map(|line| line.split_once(' ')) {
        let time: u64 = time.parse().unwrap_or_default();
        times.entry(test.to_owned()).and_modify(|longest| *longest = time.max(*longest)).or_insert(time);
    }
    let mut times: Vec<(String, u64)> = times.into_iter().collect();
    times.sort_by_key(|(_, time)| std::cmp::Reverse(*time));
    times.truncate(count);
    times
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_come_first_each_with_its_longest_time() {
        let text = "10 a\n700 b\n30 a\n5 c\n";
        assert_eq!(of_lines(text, 2), [("b".to_owned(), 700), ("a".to_owned(), 30)]);
    }

    #[test]
    fn a_file_that_is_not_there_tells_nothing() {
        assert!(slowest(Path::new("/no/such/file"), 10).is_empty());
    }
}
