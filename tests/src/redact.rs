//! Taking out of a text what differs from run to run.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// Names for the changing parts of one sandbox's output.
#[derive(Default)]
pub(crate) struct Redactions {
    /// Literal texts and what stands for them, in the order in which they are replaced.
    literals: Vec<(String, String)>,
    /// Release stamps in the order in which they first showed.
    stamps: Vec<String>,
}

impl Redactions {
    /// Shows `name` instead of `text`.
    pub(crate) fn name(&mut self, text: impl Into<String>, name: impl Into<String>) {
        self.literals.push((text.into(), name.into()));
        // Long texts first: `/tmp/x/app1` before `/tmp/x`.
        self.literals.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
    }

    /// `text` as it looks in a snapshot.
    pub(crate) fn apply(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        for (literal, name) in &self.literals {
            text = text.replace(literal, name);
        }
        let text = LOG.replace_all(&text, "/TIME-$1.log");
        let text = STAMP.replace_all(&text, |found: &Captures<'_>| self.stamp(&found[0]));
        let text = COMMIT.replace_all(&text, commit);
        let text = CLOCK.replace_all(&text, "MM:SS ");
        let text = SECONDS.replace_all(&text, "N s");
        let text = RATE.replace_all(&text, "N B/s");
        let text = BYTES.replace_all(&text, "N $1");
        PROCESS.replace_all(&text, "process N").into_owned()
    }

    /// `RELEASE1` for the first stamp that ever shows, and so on.
    fn stamp(&mut self, stamp: &str) -> String {
        let known = self.stamps.iter().position(|known| known == stamp);
        let number = known.unwrap_or_else(|| {
            self.stamps.push(stamp.to_owned());
            self.stamps.len() - 1
        });
        format!("RELEASE{}", number + 1)
    }
}

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is valid")
}

/// A log file has a number when there was another one in the same second.
static LOG: LazyLock<Regex> = LazyLock::new(|| regex(r"/20\d{12}-([a-z_-]+?)(?:-\d+)?\.log\b"));
static STAMP: LazyLock<Regex> = LazyLock::new(|| regex(r"\b20\d{12}\b"));
static COMMIT: LazyLock<Regex> = LazyLock::new(|| regex(r"\b[0-9a-f]{7,40}\b"));
static CLOCK: LazyLock<Regex> = LazyLock::new(|| regex(r"(?m)^\d\d:\d\d "));
static SECONDS: LazyLock<Regex> = LazyLock::new(|| regex(r"\b\d+(\.\d+)? ?m?s\b"));
static RATE: LazyLock<Regex> = LazyLock::new(|| regex(r"\b\d+(?:\.\d+)? [kMGT]?B/s\b"));
static BYTES: LazyLock<Regex> = LazyLock::new(|| regex(r"\b\d+(?:\.\d+)? ?(B|bytes|[kKMG]i?B)\b"));
static PROCESS: LazyLock<Regex> = LazyLock::new(|| regex(r"\b(?:process|pid) \d+\b"));

/// A whole commit id is `COMMIT`, an abbreviated one `commit`. Words such as `defaced` have no digit and stay.
fn commit(found: &Captures<'_>) -> String {
    let text = &found[0];
    let mixed = text.contains(|c: char| c.is_ascii_digit()) && text.contains(|c: char| c.is_ascii_alphabetic());
    match text.len() {
        _ if text == "ed25519" => text.to_owned(),
        40 => "COMMIT".to_owned(),
        7..=12 if mixed => "commit".to_owned(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_numbered_in_the_order_in_which_they_show() {
        let mut redactions = Redactions::default();
        assert_eq!(redactions.apply("20261122101501 20261122101500"), "RELEASE1 RELEASE2");
        assert_eq!(redactions.apply("20261122101500"), "RELEASE2");
    }

    #[test]
    fn log_files_are_not_taken_for_releases() {
        let text = "log/20261122101501-staging-deploy-2.log 20261122101500";
        assert_eq!(Redactions::default().apply(text), "log/TIME-staging-deploy.log RELEASE1");
    }

    #[test]
    fn longer_names_win() {
        let mut redactions = Redactions::default();
        redactions.name("/tmp/x", "$SANDBOX");
        redactions.name("/tmp/x/app1", "$APP1");
        assert_eq!(redactions.apply("/tmp/x/app1/y /tmp/x/z"), "$APP1/y $SANDBOX/z");
    }

    #[test]
    fn commits_seconds_bytes_and_rates_are_replaced_and_words_stay() {
        let text = "deployed 0a1b2c3 in 1.25s and 3 ms, sent 2.5 kB, 38.1 MB/s, defaced, 0123456789012345678901234567890123456789";
        let redacted = Redactions::default().apply(text);
        assert_eq!(redacted, "deployed commit in N s and N s, sent N kB, N B/s, defaced, COMMIT");
    }
}
