//! Counting what passed and what failed.

use std::fmt;
use std::ops::AddAssign;

/// How many passed, how many failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
}

impl Tally {
    /// One check.
    pub(crate) fn one(success: bool) -> Tally {
        Tally { passed: u32::from(success), failed: u32::from(!success) }
    }

    /// What libtest's closing line says: `test result: ok. 12 passed; 0 failed; …`.
    pub(crate) fn of_line(line: &str) -> Option<Tally> {
        let counts = line.trim().strip_prefix("test result: ")?;
        let number =
            |word: &str| counts.split([';', '.']).find_map(|part| part.trim().strip_suffix(word)?.parse().ok());
        Some(Tally { passed: number(" passed")?, failed: number(" failed")? })
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_closing_line_of_libtest() {
        let line = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 0 filtered out; finished in 1.25s";
        assert_eq!(Tally::of_line(line), Some(Tally { passed: 12, failed: 3 }));
        assert_eq!(Tally::of_line("test harness::x ... ok"), None);
    }
}
