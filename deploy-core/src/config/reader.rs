//! Reads typed values out of a table, and reports what doesn't fit.

use std::ops::{Deref, RangeInclusive};
use std::time::Duration;

use super::diagnostics::{Problem, Problems, list};
use super::keys;
use super::source::Span;
use super::value::{Entry, Node, Table, Value};
use crate::error::nearest;

/// A table that is being read. What is missing or wrong reads as `None`; what is wrong is reported besides.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) table: &'a Table,
    pub(super) problems: &'a Problems,
}

/// A string and its place.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub(super) text: String,
    pub(super) span: Span,
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(table: &'a Table, problems: &'a Problems) -> Reader<'a> {
        Reader { table, problems }
    }

    /// Reports every key that is in none of `known`.
    pub(super) fn check_keys(&self, known: &[&[&str]]) {
        let known = known.concat();
        for entry in self.table.0.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            self.problems.add(match keys::home(&entry.key, &known) {
                Some(home) => {
                    Problem::new(format!("`{}` stands in the wrong place", entry.key)).at(entry.key_span, home)
                }
                None => Problem::unknown("key", &entry.key, entry.key_span, known.iter().copied()),
            });
        }
    }

    pub(super) fn node(&self, key: &str) -> Option<&'a Node> {
        self.table.get(key)
    }

    /// Any string.
    pub(super) fn string(&self, key: &str) -> Option<Text> {
        self.node(key).and_then(|node| self.text(key, node))
    }

    /// A string that is not empty and has no control characters, such as line ends.
    pub(super) fn line(&self, key: &str) -> Option<Text> {
        self.string(key).filter(|text| self.is_line(key, text))
    }

    pub(super) fn boolean(&self, key: &str) -> Option<bool> {
        let node = self.node(key)?;
        match node.value {
            Value::Boolean(yes) => Some(yes),
            _ => self.mismatch(key, node, "`true` or `false`"),
        }
    }

    pub(super) fn integer(&self, key: &str, range: RangeInclusive<i64>) -> Option<i64> {
        let node = self.node(key)?;
        match node.value {
            Value::Integer(Some(number)) if range.contains(&number) => Some(number),
            Value::Integer(_) => {
                self.problems.add(
                    Problem::new(format!("`{key}` is out of range"))
                        .at(node.span, format!("expected {}", words(&range))),
                );
                None
            }
            _ => self.mismatch(key, node, "an integer"),
        }
    }

    /// A number of things of which there must be at least one.
    pub(super) fn count(&self, key: &str) -> Option<usize> {
        self.integer(key, 1..=i64::MAX).and_then(|number| usize::try_from(number).ok())
    }

    pub(super) fn port(&self, key: &str) -> Option<u16> {
        self.integer(key, 1..=65535).and_then(|number| u16::try_from(number).ok())
    }

    /// One of a few words, and what it means.
    pub(super) fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.string(key)?;
        let found = choices.iter().find(|(name, _)| *name == &*text);
        if found.is_none() {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            let label = match nearest(&text, names.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("expected {}", list(&names, "or")),
            };
            self.problems.add(Problem::new(format!("`{key}` can't be `{}`", text.text)).at(text.span, label));
        }
        found.map(|(_, value)| *value)
    }

    /// A time: `"10s"`, `"5m"`, `"1h"`, `"500ms"`, or a number of seconds.
    pub(super) fn duration(&self, key: &str) -> Option<Duration> {
        let node = self.node(key)?;
        let duration = match &node.value {
            Value::Integer(Some(seconds)) => u64::try_from(*seconds).ok().map(Duration::from_secs),
            Value::String(text) => parse_duration(text),
            _ => None,
        };
        if duration.is_none() {
            self.problems.add(
                Problem::new(format!("`{key}` is not a time"))
                    .at(node.span, "expected a number of seconds, or a text such as \"10s\", \"5m\" or \"500ms\""),
            );
        }
        duration
    }

    /// A time that is not zero.
    pub(super) fn some_time(&self, key: &str) -> Option<Duration> {
        let duration = self.duration(key)?;
        if duration.is_zero() {
            let span = self.node(key)?.span;
            self.problems
                .add(Problem::new(format!("`{key}` is zero")).at(span, "expected a time that something takes"));
            return None;
        }
        Some(duration)
    }

    /// An array of strings that are not empty and have no control characters.
    pub(super) fn lines(&self, key: &str) -> Option<Vec<Text>> {
        let node = self.node(key)?;
        match &node.value {
            Value::Array(items) => Some(self.items(key, items)),
            _ => self.mismatch(key, node, "an array of strings"),
        }
    }

    /// The same; a string stands for an array of one.
    pub(super) fn one_or_more(&self, key: &str) -> Option<Vec<Text>> {
        let node = self.node(key)?;
        match &node.value {
            Value::Array(items) => Some(self.items(key, items)),
            Value::String(_) => Some(self.line(key).into_iter().collect()),
            _ => self.mismatch(key, node, "a string or an array of strings"),
        }
    }

    /// A table, for a reader of its own.
    pub(super) fn table(&self, key: &str) -> Option<Reader<'a>> {
        let node = self.node(key)?;
        match &node.value {
            Value::Table(table) => Some(Reader::new(table, self.problems)),
            _ => self.mismatch(key, node, "a table"),
        }
    }

    /// The tables inside of the table `key`, with their names: `[stages.staging]`, `[stages.production]`.
    pub(super) fn named_tables(&self, key: &str) -> Vec<(&'a Entry, Reader<'a>)> {
        let Some(outer) = self.table(key) else { return Vec::new() };
        outer.table.0.iter().filter_map(|entry| Some((entry, outer.table(&entry.key)?))).collect()
    }

    /// The elements of an array of tables: `[[stages.staging.servers]]`.
    pub(super) fn array_of_tables(&self, key: &str) -> Option<Vec<(Span, Reader<'a>)>> {
        let node = self.node(key)?;
        let Value::Array(items) = &node.value else { return self.mismatch(key, node, "an array of tables") };
        let read = |item: &'a Node| match &item.value {
            Value::Table(table) => Some((item.span, Reader::new(table, self.problems))),
            _ => self.mismatch(key, item, "a table"),
        };
        Some(items.iter().filter_map(read).collect())
    }

    /// Reports that `node` should be `expected`.
    pub(super) fn mismatch<T>(&self, key: &str, node: &Node, expected: &str) -> Option<T> {
        let label = format!("expected {expected}, found {}", node.type_name());
        self.problems.add(Problem::new(format!("wrong type of `{key}`")).at(node.span, label));
        None
    }

    fn items(&self, key: &str, items: &[Node]) -> Vec<Text> {
        let texts = items.iter().filter_map(|item| self.text(key, item));
        texts.filter(|text| self.is_line(key, text)).collect()
    }

    /// A string. A number or a date in a variable or flag is taken as it is written: `--set branch=2026` names a branch.
    fn text(&self, key: &str, node: &Node) -> Option<Text> {
        let text = match &node.value {
            Value::String(text) => text.clone(),
            Value::Array(_) | Value::Table(_) => return self.mismatch(key, node, "a string"),
            _ if self.problems.sources().is_override(node.span) => self.problems.sources().text(node.span).to_owned(),
            _ => return self.unquoted(key, node),
        };
        Some(Text { text, span: node.span })
    }

    /// Reports a number, date or boolean where a string should be.
    fn unquoted<T>(&self, key: &str, node: &Node) -> Option<T> {
        let label = format!("expected a string, found {}", node.type_name());
        let written = self.problems.sources().text(node.span);
        let problem = Problem::new(format!("wrong type of `{key}`")).at(node.span, label);
        self.problems.add(problem.help(format!("write it in quotes: `\"{written}\"`")));
        None
    }

    fn is_line(&self, key: &str, text: &Text) -> bool {
        let problem = if text.trim().is_empty() {
            Problem::new(format!("empty value of `{key}`")).at(text.span, "expected a text")
        } else if text.chars().any(char::is_control) {
            Problem::new(format!("control characters in `{key}`")).at(text.span, "expected one line of plain text")
        } else {
            return true;
        };
        self.problems.add(problem);
        false
    }
}

fn words(range: &RangeInclusive<i64>) -> String {
    match *range.end() {
        i64::MAX => format!("{} or more", range.start()),
        end => format!("{} to {end}", range.start()),
    }
}

/// The time that `text` spells: a number with `ms`, `s`, `m` or `h`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    match unit.trim() {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => number.checked_mul(60).map(Duration::from_secs),
        "h" => number.checked_mul(3600).map(Duration::from_secs),
        _ => None,
    }
}
