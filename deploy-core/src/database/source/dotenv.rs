//! Files of variables, as the gem dotenv reads them.

use crate::error::{Error, Result};

/// The value of `key` in `text`; the last one, where several lines have it.
///
/// # Errors
///
/// When the value has a form that depends on more than the file: the output of a command, a variable that isn't there.
/// The error names the form, and no part of a value.
pub(super) fn value(text: &str, key: &str) -> Result<Option<String>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let entries = entries(&text);
    let Some(last) = entries.iter().rposition(|entry| entry.key == key) else { return Ok(None) };
    resolve(&entries, last).map(Some)
}

/// A line, or several where the value has line ends.
#[derive(Debug)]
struct Entry<'t> {
    key: &'t str,
    quote: Option<char>,
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
    let text = text.trim_start_matches(blank);
    let exported = text.strip_prefix("export").filter(|rest| rest.starts_with(blank));
    let text = exported.map_or(text, |rest| rest.trim_start_matches(blank));
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.'))?;
    let (key, rest) = text.split_at(end);
    let assigned = rest.trim_start_matches(blank).strip_prefix('=');
    let rest = assigned.or_else(|| rest.strip_prefix(':').filter(|rest| rest.starts_with(blank)))?;
    let (quote, value, after) = quoted(rest.trim_start_matches(blank)).unwrap_or_else(|| unquoted(rest));
    (!key.is_empty()).then_some((Entry { key, quote, value }, after))
}

fn blank(c: char) -> bool {
    c == ' ' || c == '\t'
}

/// A value in quotes: they end at one that no backslash stands before, else at one that has nothing behind it.
fn quoted(text: &str) -> Option<(Option<char>, &str, &str)> {
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
    Some((Some(quote), &inner[..end], line_ends(&inner[end + 1..])?))
}

/// What follows the line, if nothing but a comment is left of it.
fn line_ends(text: &str) -> Option<&str> {
    let (line, after) = text.split_once('\n').unwrap_or((text, ""));
    let line = line.trim_start();
    (line.is_empty() || line.starts_with('#')).then_some(after)
}

fn unquoted(text: &str) -> (Option<char>, &str, &str) {
    let (line, after) = text.split_once('\n').unwrap_or((text, ""));
    (None, line.split('#').next().unwrap_or_default().trim(), after)
}

fn resolve(entries: &[Entry<'_>], number: usize) -> Result<String> {
    let Entry { quote, value, .. } = entries[number];
    if quote == Some('\'') {
        return Ok(value.to_owned());
    }
    let mut text = String::new();
    let mut rest = value;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\\' => rest = escaped(rest, quote, &mut text),
            '$' => rest = variable(entries, number, rest, &mut text)?,
            c => text.push(c),
        }
    }
    Ok(text)
}

/// A character behind a backslash, which goes; what `\n` means is a line's end, in double quotes.
fn escaped<'t>(rest: &'t str, quote: Option<char>, text: &mut String) -> &'t str {
    let Some(c) = rest.chars().next() else {
        text.push('\\');
        return rest;
    };
    text.push(match c {
        'n' if quote == Some('"') => '\n',
        'r' if quote == Some('"') => '\r',
        c => c,
    });
    &rest[c.len_utf8()..]
}

/// `$NAME` and `${NAME}`, of a line above.
fn variable<'t>(entries: &[Entry<'_>], number: usize, rest: &'t str, text: &mut String) -> Result<&'t str> {
    if rest.starts_with('(') {
        return Err(unclear(entries[number].key, "the output of a command, `$(…)`"));
    }
    let inner = rest.strip_prefix('{').unwrap_or(rest);
    let end = inner.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(inner.len());
    let (name, after) = inner.split_at(end);
    if name.is_empty() {
        text.push('$');
        return Ok(rest);
    }
    let Some(earlier) = entries[..number].iter().rposition(|entry| entry.key == name) else {
        return Err(unclear(entries[number].key, &format!("the variable `{name}`, which no line above sets")));
    };
    text.push_str(&resolve(entries, earlier)?);
    Ok(after.strip_prefix('}').filter(|_| inner.len() < rest.len()).unwrap_or(after))
}

fn unclear(key: &str, what: &str) -> Error {
    Error::config(format!("the value of `{key}` takes {what}: it can't be read without the application"))
        .hint("write the value out, or give it single quotes if it is meant as it stands")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        value(text, "URL").unwrap()
    }

    #[test]
    fn values_are_read_as_dotenv_reads_them() {
        for (text, expected) in [
            ("URL=a://b", "a://b"),
            ("URL = a://b  # the shop", "a://b"),
            ("export URL=\"a://b\" # the shop\n", "a://b"),
            ("  URL: a://b\r\n", "a://b"),
            ("\u{feff}URL=a://b", "a://b"),
            ("URL='a://$b\\n#' # x", "a://$b\\n#"),
            ("URL=\"a\\\"b\\$c\\\\d\"", "a\"b$c\\d"),
            ("URL=a\\$b", "a$b"),
            ("HOST=db\nURL=\"a://${HOST}:1/$HOST\"", "a://db:1/db"),
            ("URL=first\nURL=last", "last"),
            ("KEY=\"one\nURL=inside\ntwo\"\nURL=outside", "outside"),
            ("URL=outside\nKEY='one\nURL=inside'\n", "outside"),
            ("URL=\"a\" b", "\"a\" b"),
            ("URL='C:\\'\nNEXT='y'", "C:\\"),
            ("NOT_URL=x\nURL=y", "y"),
            ("URL=a://h1:1,h2:2/x?b=c", "a://h1:1,h2:2/x?b=c"),
            ("URL=", ""),
            ("URL=100$", "100$"),
        ] {
            assert_eq!(read(text).as_deref(), Some(expected), "{text:?}");
        }
        assert_eq!(read("# URL=x\nURL\nCURL=y\n"), None);
    }

    #[test]
    fn what_the_file_alone_does_not_say_is_named_without_the_value() {
        for (text, form) in [("URL=\"s3cret$(cat x)\"", "`$(…)`"), ("URL=s3cret${HOST}", "`HOST`")] {
            let error = value(text, "URL").unwrap_err().to_string();
            assert!(error.contains(form) && !error.contains("s3cret"), "{error}");
        }
    }
}
