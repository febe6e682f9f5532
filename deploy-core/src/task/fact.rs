//! What a server may say: each fact is declared with what it may be, and parsed once, where it arrives.

use std::fmt;

use super::Task;
use super::names::{ObjectId, ReleaseName};

/// What a fact may be. A server that reports anything else fails, since a script, an argument or a path may be made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text of at most so many bytes, in lines. It has no control characters but tabs.
    Text(usize),
    /// A line of such text.
    Line(usize),
    /// A number of things.
    Count,
    /// What git calls something, in full: 40 or 64 hexadecimal digits.
    ObjectId,
    /// What a release is called: fourteen digits.
    Release,
    /// Nothing, or this.
    Maybe(&'static Kind),
    /// Any number of lines, each of this kind.
    List(&'static Kind),
}

/// How much of a value an error quotes, in characters.
const QUOTED: usize = 60;

/// How long a number of things may be. It fits into 64 bits.
const LONGEST_COUNT: usize = 18;

impl Kind {
    /// What a fact may be that nobody declared.
    pub(crate) const UNDECLARED: Kind = Kind::Text(64 * 1024);

    /// Whether `value` is of this kind.
    pub(crate) fn admits(self, value: &str) -> bool {
        let is_shown = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
        match self {
            Kind::Text(most) => value.len() <= most && value.chars().all(is_shown),
            Kind::Line(most) => !value.contains('\n') && Kind::Text(most).admits(value),
            Kind::Count => {
                (1..=LONGEST_COUNT).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_digit())
            }
            Kind::ObjectId => ObjectId::parse(value).is_ok(),
            Kind::Release => ReleaseName::parse(value).is_ok(),
            Kind::Maybe(kind) => value.is_empty() || kind.admits(value),
            // Not `lines`, which takes a carriage return for a part of the line's end.
            Kind::List(kind) => value.is_empty() || value.split('\n').all(|line| kind.admits(line)),
        }
    }

    /// What is wrong with a server that reports `value` as the fact `name`.
    pub(crate) fn refusal(self, name: &str, value: &str) -> String {
        format!("reported `{}` as `{}`, which is no {self}", shown(name), shown(value))
    }
}

/// What a server said, as an error quotes it: harmless and brief.
fn shown(text: &str) -> String {
    let quoted: String = text.chars().take(QUOTED).flat_map(char::escape_debug).collect();
    let more = if text.chars().nth(QUOTED).is_some() { "…" } else { "" };
    quoted + more
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Text(most) => write!(f, "text of at most {most} bytes without control characters"),
            Kind::Line(most) => write!(f, "line of at most {most} bytes without control characters"),
            Kind::Count => f.write_str("count"),
            Kind::ObjectId => f.write_str("commit in full"),
            Kind::Release => f.write_str("release name"),
            Kind::Maybe(kind) => kind.fmt(f),
            Kind::List(kind) => write!(f, "list with a {kind} on each line"),
        }
    }
}

impl Task {
    /// Declares what the fact `name` may be, which the task reports with `deploy_fact`. In a run with such a task only those
    /// may report the fact that declare it. What nobody declares may be text of 64 KiB without control characters. A server
    /// that reports something else fails, as if the task had failed there, and nobody gets to read the fact.
    ///
    /// ```
    /// use deploy_core::prelude::*;
    /// use deploy_core::task::{Effect, Kind};
    ///
    /// const COUNT: TaskId = TaskId::new("queue:count");
    /// let task = Task::script(COUNT, "Count the jobs", Servers::role("db"), |_| sh!("deploy_fact jobs \"$(queue size)\""))
    ///     .reports("jobs", Kind::Count)
    ///     .effect(Effect::Looks);
    /// ```
    pub fn reports(mut self, name: &'static str, kind: Kind) -> Task {
        self.reports.insert(name, kind);
        self
    }

    /// Declares that the task, which is one on the controller, makes `name` a fact about the run
    /// ([`Local::set`](crate::task::Local::set)). A server that reports it fails.
    pub fn sets(mut self, name: &'static str) -> Task {
        self.sets.insert(name);
        self
    }

    /// Why a server isn't believed that reports `value` as the fact `name` while it runs this task, one of `all` of a run.
    pub(crate) fn refusal<'t>(&self, all: impl Iterator<Item = &'t Task>, name: &str, value: &str) -> Option<String> {
        let (mut is_runs, mut is_others) = (false, false);
        for task in all {
            is_runs |= task.sets.contains(name);
            is_others |= task.reports.contains_key(name);
        }
        match self.reports.get(name) {
            _ if is_runs => Some(format!("reported `{}`, which is not for a server to say", shown(name))),
            None if is_others => Some(format!("reported `{}`, which another task reports", shown(name))),
            kind => {
                let kind = kind.copied().unwrap_or(Kind::UNDECLARED);
                (!kind.admits(value)).then(|| kind.refusal(name, value))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: &str = "20261122101500";

    #[test]
    fn text_is_bounded_and_has_no_control_characters_but_line_ends_and_tabs() {
        assert!(Kind::Text(6).admits("a\tö\nb") && !Kind::Text(5).admits("a\tö\nb"));
        for text in ["\u{1b}[2J", "a\rb", "\0", "\u{9b}31m", "\u{7f}"] {
            assert!(!Kind::UNDECLARED.admits(text), "{text:?}");
        }
        assert!(
            Kind::UNDECLARED.admits(&"x".repeat(64 * 1024)) && !Kind::UNDECLARED.admits(&"x".repeat(64 * 1024 + 1))
        );
        assert!(Kind::Line(9).admits("a\tb") && !Kind::Line(9).admits("a\n::b"));
    }

    #[test]
    fn names_and_numbers_are_nothing_else() {
        assert!(Kind::Release.admits(STAMP) && Kind::ObjectId.admits(&"0a".repeat(20)) && Kind::Count.admits("0"));
        for text in ["", "-1", "--output=/tmp/x", "../shared", "x", " 1", "1\n", "１"] {
            assert!(![Kind::Release, Kind::ObjectId, Kind::Count].iter().any(|kind| kind.admits(text)), "{text:?}");
        }
        assert!(!Kind::Count.admits("9999999999999999999"));
    }

    #[test]
    fn of_a_list_each_line_is_looked_at() {
        const LIST: Kind = Kind::List(&Kind::Release);
        assert!(LIST.admits("") && LIST.admits(STAMP) && LIST.admits(&format!("{STAMP}\n{STAMP}")));
        for text in ["\n", &format!("{STAMP}\r\n{STAMP}"), &format!("{STAMP}\n../shared"), &format!("{STAMP}\n")] {
            assert!(!LIST.admits(text), "{text:?}");
        }
        const MAYBE: Kind = Kind::Maybe(&Kind::Release);
        assert!(MAYBE.admits("") && MAYBE.admits(STAMP) && !MAYBE.admits("x"));
    }

    #[test]
    fn a_refusal_quotes_what_was_said_harmlessly_and_briefly() {
        let told = Kind::Maybe(&Kind::Release).refusal("live", "\u{1b}[2J\n::stop");
        assert_eq!(told, "reported `live` as `\\u{1b}[2J\\n::stop`, which is no release name");
        let told = Kind::Count.refusal("n", &"ö".repeat(100));
        assert_eq!(told, format!("reported `n` as `{}…`, which is no count", "ö".repeat(60)));
        let told = Kind::List(&Kind::ObjectId).refusal("tips", "x");
        assert!(told.ends_with("which is no list with a commit in full on each line"), "{told}");
    }
}
