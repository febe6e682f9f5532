//! Values from outside the file: environment variables and `--set` flags.

use std::ffi::OsStr;
use std::ops::Range;

use toml::de::DeValue;

use super::request::LoadRequest;
use super::source::{Source, Span};
use super::value::{Convert, Entry, Node, Table, Value};
use crate::error::{Error, Result};

/// What the names of the environment variables that set values begin with; `__` separates levels.
pub const VARIABLE_PREFIX: &str = "DEPLOY__";

const FLAG: &str = "--set ";

/// A value from a variable or a flag, not yet parsed: `DEPLOY__GIT__SHALLOW=true`, `--set git.shallow=true`.
#[derive(Debug)]
pub(super) struct Override {
    /// The whole, as it is shown when it is wrong.
    text: String,
    /// The tables that lead to the key, and the key, with the place of each in the text.
    path: Vec<(String, Range<usize>)>,
    /// Where the value begins in the text.
    value_at: usize,
}

impl Override {
    /// The variables in the order of their names, then the flags in the order in which they were given: later ones win.
    pub(super) fn collect(request: &LoadRequest) -> Result<Vec<Override>> {
        let mut variables: Vec<_> = request.env.iter().filter(|(name, _)| is_ours(name)).collect();
        variables.sort();
        let variables = variables.into_iter().map(|(name, value)| Override::from_variable(name, value));
        let flags = request.set.iter().map(|text| Override::from_flag(text));
        variables.chain(flags).collect()
    }

    fn from_variable(name: &OsStr, value: &OsStr) -> Result<Override> {
        let (Some(name), Some(value)) = (name.to_str(), value.to_str()) else {
            return Err(Error::config(format!("the environment variable `{}` is not UTF-8", name.display())));
        };
        let mut path = segments(&name[VARIABLE_PREFIX.len()..], "__", VARIABLE_PREFIX.len());
        // Variables are upper case by custom and keys lower case. The names of a task's own variables stay as they are.
        let is_env = |(segment, _): &(String, _)| ["default_env", "env"].contains(&segment.to_lowercase().as_str());
        let own = path.split_off(path.iter().position(is_env).map_or(path.len(), |position| position + 1));
        path.iter_mut().for_each(|(segment, _)| segment.make_ascii_lowercase());
        if let Some((_, range)) = own.first() {
            path.push((name[range.start..].to_owned(), range.start..name.len()));
        }
        Ok(Override { text: format!("{name}={value}"), path, value_at: name.len() + 1 })
    }

    fn from_flag(text: &str) -> Result<Override> {
        let Some((key, _)) = text.split_once('=') else {
            return Err(Error::usage(format!("no `=` in `{FLAG}{text}`"))
                .hint(format!("write `{FLAG}KEY=VALUE`, such as `{FLAG}git.shallow=true`")));
        };
        let value_at = FLAG.len() + key.len() + 1;
        Ok(Override { text: format!("{FLAG}{text}"), path: segments(key, ".", FLAG.len()), value_at })
    }

    /// The text to show it from.
    pub(super) fn source(&self) -> Source {
        Source { file: None, text: self.text.clone() }
    }

    /// What it sets, as a table like the file's own. `source` is the number of its [`source`](Override::source).
    pub(super) fn table(&self, source: usize) -> Table {
        let mut node = self.value(source);
        let mut table = Table::default();
        for (key, range) in self.path.iter().rev() {
            let key_span = Span { source, start: range.start, end: range.end };
            table = Table(vec![Entry { key: key.clone(), key_span, node }]);
            node = Node { span: key_span, value: Value::Table(table.clone()) };
        }
        table
    }

    /// The value as TOML, or as a string where it is none: `--set branch=topic/x` needs no quotes.
    fn value(&self, source: usize) -> Node {
        let raw = &self.text[self.value_at..];
        match DeValue::parse(raw) {
            Ok(value) => Convert { source, offset: self.value_at }.node(&value),
            Err(_) => Node {
                span: Span { source, start: self.value_at, end: self.text.len() },
                value: Value::String(raw.to_owned()),
            },
        }
    }
}

fn is_ours(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(VARIABLE_PREFIX.as_bytes())
}

/// The parts of `key` between separators, with their places when `key` begins at `offset`.
fn segments(key: &str, separator: &str, offset: usize) -> Vec<(String, Range<usize>)> {
    let mut at = offset;
    key.split(separator)
        .map(|segment| {
            let range = at..at + segment.len();
            at = range.end + separator.len();
            (segment.to_owned(), range)
        })
        .collect()
}
