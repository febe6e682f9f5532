//! The one way out: all that is printed goes through [`pass`], and no other file of the library prints.

use std::io::{self, ErrorKind, Write};

use super::text::{push_visible, turns_direction};
use crate::error::{Error, Result};
use crate::secret;

/// What reads a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goes {
    /// A terminal.
    ToTerminal,
    /// A terminal that gets our colours.
    ToColours,
    /// A file or another program, which may be a CI service's.
    Elsewhere,
    /// A program that reads JSON.
    AsJson,
}

impl Goes {
    /// What is written to a stream that is a terminal or isn't; `colour` is what terminals may get.
    pub(super) fn to(is_terminal: bool, colour: bool) -> Goes {
        if !is_terminal {
            Goes::Elsewhere
        } else if colour {
            Goes::ToColours
        } else {
            Goes::ToTerminal
        }
    }
}

/// One of the two streams that can be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Out,
    Err,
}

/// `text` as it may be printed: no secret in it, nothing that moves a cursor, and no line that a CI service takes for a
/// command. JSON says the same as before.
pub(super) fn pass(text: &str, goes: Goes) -> String {
    let text = secret::mask(text);
    let mut passed = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        match goes {
            Goes::AsJson => escape(&mut passed, line),
            Goes::ToTerminal | Goes::ToColours => plain(&mut passed, line, goes),
            Goes::Elsewhere => {
                let mut visible = String::with_capacity(line.len());
                plain(&mut visible, line, goes);
                passed.push_str(&without_command(&visible));
            }
        }
    }
    passed
}

/// Adds `line` without anything that acts on a terminal. A tab stays, since data may have columns.
fn plain(passed: &mut String, line: &str, goes: Goes) {
    for part in line.split_inclusive(['\t', '\n']) {
        let text = part.trim_end_matches(['\t', '\n']);
        push_visible(passed, text, goes == Goes::ToColours);
        passed.push_str(&part[text.len()..]);
    }
}

/// The line with a sign written as a number where it would be a command: `::add-mask::`, `##[group]`, `##vso[`.
fn without_command(line: &str) -> String {
    let line = with_broken_marks(line, "\\x23");
    let start = line.len() - line.trim_start().len();
    if line[start..].starts_with("::") { format!("{}\\x3a{}", &line[..start], &line[start + 1..]) } else { line }
}

/// The text with `number` for the second sign of each `##name[`.
fn with_broken_marks(text: &str, number: &str) -> String {
    if !text.contains("##") {
        return text.to_owned();
    }
    let is_of_name = |c: char| c.is_ascii_alphanumeric();
    let mut broken = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let opens = || text[at + 1..].trim_start_matches(is_of_name).starts_with('[');
        if c == '#' && text[..at].ends_with('#') && opens() {
            broken.push_str(number);
        } else {
            broken.push(c);
        }
    }
    broken
}

/// Adds a line of JSON, in which all that acts is written as JSON can write it too.
fn escape(passed: &mut String, line: &str) {
    for c in with_broken_marks(line, "\\u0023").chars() {
        if c.is_control() && !matches!(c, '\n' | '\t') || turns_direction(c) {
            passed.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            passed.push(c);
        }
    }
}

/// Prints to standard output. Whoever reads it may stop early.
pub(super) fn print(text: &str, goes: Goes) -> Result<()> {
    let mut stdout = io::stdout();
    match stdout.write_all(pass(text, goes).as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Error::task("failed to write to the standard output").because(error))
        }
        _ => Ok(()),
    }
}

/// Prints to standard error. When even that is closed, the exit code is all that is left to say.
pub(super) fn complain(text: &str, goes: Goes) {
    let _ = io::stderr().write_all(pass(text, goes).as_bytes());
}

/// Standard output and standard error, for a screen that lets everything through [`pass`].
pub(super) fn streams() -> [Box<dyn Write + Send>; 2] {
    [Box::new(io::stdout()), Box::new(io::stderr())]
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Goes; 4] = [Goes::ToTerminal, Goes::ToColours, Goes::Elsewhere, Goes::AsJson];

    #[test]
    fn nothing_that_acts_comes_through() {
        let hostile = "a\x1b[2J\x07\u{9b}2J\u{202e}\r\x7f\tb\n";
        for goes in ALL {
            let passed = pass(hostile, goes);
            assert!(passed.ends_with("\tb\n"), "{passed:?}");
            assert!(passed.trim_end().chars().all(|c| c == '\t' || !c.is_control()) && !passed.contains('\u{202e}'));
        }
        assert_eq!(pass("\x1b[31mred\x1b[0m", Goes::ToColours), "\x1b[31mred\x1b[0m");
        for goes in [Goes::ToTerminal, Goes::Elsewhere] {
            assert_eq!(pass("\x1b[31mred\x1b[0m", goes), "red");
        }
    }

    #[test]
    fn a_line_is_no_command_to_a_ci_service() {
        for (line, passed) in [
            ("::error::x\n", "\\x3a:error::x\n"),
            ("  \u{2003}::stop-commands::x", "  \u{2003}\\x3a:stop-commands::x"),
            ("x ##vso[task.setvariable]y", "x #\\x23vso[task.setvariable]y"),
            ("##[group]x ##[y", "#\\x23[group]x #\\x23[y"),
            ("###[group]", "##\\x23[group]"),
            ("a::b ## c # [d]\nx\n", "a::b ## c # [d]\nx\n"),
        ] {
            assert_eq!(pass(line, Goes::Elsewhere), passed);
            assert_eq!(pass(line, Goes::ToTerminal), line, "a person reads it");
        }
        assert_eq!(pass("a\n::b\n", Goes::Elsewhere), "a\n\\x3a:b\n");
    }

    #[test]
    fn json_says_the_same_as_before() {
        let text = "::x\n ##vso[a] \u{9b} \u{7f} \u{202e} \\\" \x1b[1m ü";
        let line = format!("{}\n", serde_json::to_string(text).unwrap());
        let passed = pass(&line, Goes::AsJson);
        assert!(!passed.contains("##vso["), "{passed}");
        assert_eq!(serde_json::from_str::<String>(&passed).unwrap(), text);
    }

    #[test]
    fn no_secret_comes_through() {
        for goes in ALL {
            assert_eq!(pass("\"https://ann:pw@git/x\"", goes), "\"https://*****@git/x\"");
        }
    }
}
