//! Files of variables, as the gem dotenv reads them.

use crate::error::{Error, Result};

/// The value of `key` in `text`; the last one, where several lines have it.
///
/// # Errors
///
/// When the value has a form that depends on more than the file: the output of a command, a variable that isn't there, a
/// backslash that versions of the gem take differently. The error names the form, and no part of a value.
pub(super) fn value(text: &str, key: &str) -> Result<Option<String>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n").replace('\r', "\n");
    let entries = entries(&text);
    let Some(last) = entries.iter().rposition(|entry| entry.key == key) else { return Ok(None) };
    resolve(&entries, last).map(Some)
}

/// A line, or several where the value has line ends.
#[derive(Debug)]
struct Entry<'t> {
    key: &'t str,
    /// With its quotes.
    value: &'t str,
}

fn entries(text: &str) -> Vec<Entry<'_>> {
    let mut entries = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let after_line = rest.find('\n').map_or("", |at| &rest[at + 1..]);
        rest = match entry(rest) {
            Some((entry, after)) => {
                entries.push(entry);
                after
            }
            None => after_line,
        };
    }
    entries
}

/// The entry at the beginning of `text`, and what follows its line.
fn entry(text: &str) -> Option<(Entry<'_>, &str)> {
    let text = text.trim_start_matches(space);
    let exported = text.strip_prefix("export").filter(|rest| rest.starts_with(space));
    exported.and_then(|rest| assignment(rest.trim_start_matches(space))).or_else(|| assignment(text))
}

fn assignment(text: &str) -> Option<(Entry<'_>, &str)> {
    let end = text.find(|c: char| !(is_word(c) || c == '.')).filter(|end| *end > 0)?;
    let (key, rest) = text.split_at(end);
    let assigned = rest.trim_start_matches(space).strip_prefix('=');
    let rest = assigned.or_else(|| rest.strip_prefix(':')?.strip_prefix(space))?;
    let (value, after) = quoted(rest.trim_start_matches(space)).unwrap_or_else(|| unquoted(rest));
    Some((Entry { key, value }, after))
}

fn space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\x0b' | '\x0c')
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// A value in quotes: they end at one that no backslash stands before, else at one that has nothing behind it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| *c == '\'' || *c == '"')?;
    let inner = &text[1..];
    let mut ends: Vec<usize> = Vec::new();
    for (at, _) in inner.match_indices(quote) {
        ends.push(at);
        if !inner[..at].ends_with('\\') {
            break;
        }
    }
    let end = ends.into_iter().rev().find(|end| line_ends(&inner[end + 1..]).is_some())?;
    Some((&text[..end + 2], line_ends(&inner[end + 1..])?))
}

/// What follows the line, if nothing but a comment is left of it.
fn line_ends(text: &str) -> Option<&str> {
    let (line, after) = text.split_once('\n').unwrap_or((text, ""));
    let line = line.trim_start_matches(space);
    (line.is_empty() || line.starts_with('#')).then_some(after)
}

fn unquoted(text: &str) -> (&str, &str) {
    let (line, after) = text.split_once('\n').unwrap_or((text, ""));
    (line.split('#').next().unwrap_or_default().trim_matches(space), after)
}

/// What stands between the quotes of `value`, and which they are.
fn stripped(value: &str) -> (Option<char>, &str) {
    let between = |quote: char| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    match (between('\''), between('"')) {
        (Some(inner), _) => (Some('\''), inner),
        (None, Some(inner)) => (Some('"'), inner),
        (None, None) => (None, value),
    }
}

fn resolve(entries: &[Entry<'_>], number: usize) -> Result<String> {
    let key = entries[number].key;
    let (quote, value) = stripped(entries[number].value);
    let value = match quote {
        Some('\'') => return Ok(value.to_owned()),
        Some(_) if value.contains("\\n") || value.contains("\\r") => {
            return Err(unclear(key, "`\\n` or `\\r` in double quotes, which versions of dotenv take differently"));
        }
        Some(_) => unescaped(value),
        None if has_backslash(value) => {
            return Err(unclear(key, "a backslash outside of quotes, which versions of dotenv take differently"));
        }
        None => value.to_owned(),
    };
    let text = substituted(entries, number, &value)?;
    if text.contains("$(") {
        return Err(unclear(key, "the output of a command, `$(…)`"));
    }
    Ok(text)
}

/// Whether a backslash stands before anything but a dollar.
fn has_backslash(value: &str) -> bool {
    value.match_indices('\\').any(|(at, _)| value.get(at + 1..at + 2) != Some("$"))
}

/// Without the backslashes before anything but a dollar.
fn unescaped(value: &str) -> String {
    let mut text = String::new();
    let mut chars = value.chars().peekable();
    while let Some(c) = chars.next() {
        match chars.next_if(|next| c == '\\' && *next != '$') {
            Some(next) => text.push(next),
            None => text.push(c),
        }
    }
    text
}

/// `value`, with what lines above say instead of `$NAME` and `${NAME}`.
fn substituted(entries: &[Entry<'_>], number: usize, value: &str) -> Result<String> {
    let mut text = String::new();
    let mut rest = value;
    while let Some(at) = rest.find('$') {
        let (before, dollar) = rest.split_at(at);
        let (name, after) = variable(dollar);
        let written = &dollar[..dollar.len() - after.len()];
        rest = after;
        match before.strip_suffix('\\').filter(|_| !after.starts_with('(')) {
            Some(before) => text.extend([before, written]),
            None if name.is_empty() => text.extend([before, written]),
            None => text.extend([before, &named(entries, number, name)?]),
        }
    }
    Ok(text + rest)
}

/// The name behind the dollar that `text` begins with, and what follows. The braces need not be a pair.
fn variable(text: &str) -> (&str, &str) {
    let inner = &text[1..];
    if inner.starts_with('(') {
        return ("", inner);
    }
    let inner = inner.strip_prefix('{').unwrap_or(inner);
    let end = inner.find(|c| !is_word(c)).unwrap_or(inner.len());
    let (name, after) = inner.split_at(end);
    (name, after.strip_prefix('}').unwrap_or(after))
}

/// What the last line above says of `name`.
fn named(entries: &[Entry<'_>], number: usize, name: &str) -> Result<String> {
    match entries[..number].iter().rposition(|entry| entry.key == name) {
        Some(earlier) => resolve(entries, earlier),
        None => Err(unclear(entries[number].key, &format!("the variable `{name}`, which no line above sets"))),
    }
}

fn unclear(key: &str, what: &str) -> Error {
    Error::config(format!("the value of `{key}` takes {what}: it can't be read without the application"))
        .hint("write the value out, or give it single quotes if it is meant as it stands")
}

#[cfg(test)]
#[path = "dotenv_tests.rs"]
mod tests;
