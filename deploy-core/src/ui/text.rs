//! Text for people: bytes from servers made harmless, clocks, sizes, and lines that fit a terminal.

use std::fmt::Write as _;
use std::time::Duration;

use unicode_width::UnicodeWidthChar;

/// What a server wrote, as one line that can do nothing to a terminal.
///
/// Colours are dropped; every other control character, and what turns the direction of writing, is shown by its number,
/// as are bytes that are not UTF-8. Of a progress bar, which overwrites its line again and again, the last state is
/// kept.
pub(super) fn harmless(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in last_state(bytes).utf8_chunks() {
        push_visible(&mut text, chunk.valid(), false);
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// The lines of a text, each as [`harmless`] shows it.
pub(crate) fn harmless_lines(text: &str) -> impl Iterator<Item = String> {
    text.lines().map(|line| harmless(line.as_bytes()))
}

/// A text of our own, which may quote what others wrote: as [`harmless_lines`], but `colour` may stay.
pub(super) fn printable(text: &str, colour: bool) -> String {
    let mut printable = String::with_capacity(text.len());
    for (number, line) in text.lines().enumerate() {
        if number > 0 {
            printable.push('\n');
        }
        push_visible(&mut printable, line, colour);
    }
    printable
}

/// What a terminal would show of a line with carriage returns in it.
fn last_state(bytes: &[u8]) -> &[u8] {
    let states = bytes.split(|byte| *byte == b'\r');
    states.rev().find(|state| !state.is_empty()).unwrap_or_default()
}

/// Adds `valid` to `text` without anything that acts on a terminal; `colour` may stay.
pub(super) fn push_visible(text: &mut String, valid: &str, colour: bool) {
    let mut rest = valid;
    while let Some(next) = rest.chars().next() {
        if let Some(length) = colour_length(rest) {
            text.push_str(if colour { &rest[..length] } else { "" });
            rest = &rest[length..];
            continue;
        }
        match next {
            '\t' => text.push_str("    "),
            next if next.is_ascii_control() => {
                let _ = write!(text, "\\x{:02x}", u32::from(next));
            }
            next if next.is_control() || turns_direction(next) => text.extend(next.escape_unicode()),
            next => text.push(next),
        }
        rest = &rest[next.len_utf8()..];
    }
}

/// The length of the escape sequence for a colour that `text` starts with, if it does.
fn colour_length(text: &str) -> Option<usize> {
    let rest = text.strip_prefix("\x1b[")?;
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';' || c == ':').strip_prefix('m')?;
    Some(text.len() - rest.len())
}

/// Whether it makes text read otherwise than it is stored.
pub(super) fn turns_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Minutes and seconds since the start, as every task's line begins.
pub(super) fn clock(at: Duration) -> String {
    format!("{:02}:{:02}", at.as_secs() / 60, at.as_secs() % 60)
}

/// How long something took: `0.12s`, `12.3s`, `2m05s`.
pub(super) fn took(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64();
    match seconds {
        ..9.995 => format!("{seconds:.2}s"),
        ..59.95 => format!("{seconds:.1}s"),
        _ => {
            let whole = seconds.round() as u64;
            format!("{}m{:02}s", whole / 60, whole % 60)
        }
    }
}

/// How long something will take, roughly: `9 s`, `2 m 10 s`, `1 h 5 m`.
pub(super) fn span(time: Duration) -> String {
    match time.as_secs() {
        seconds @ ..60 => format!("{seconds} s"),
        seconds @ ..3600 => format!("{} m {} s", seconds / 60, seconds % 60),
        seconds => format!("{} h {} m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// A number of bytes, to three digits: `0 B`, `340 B`, `12.3 kB`, `470 MB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut amount = bytes as f64 / 1000.0;
    let mut unit = 0;
    while amount >= 999.5 && unit + 1 < UNITS.len() {
        amount /= 1000.0;
        unit += 1;
    }
    let decimals = usize::from(amount < 99.95);
    format!("{amount:.decimals$} {}", UNITS[unit])
}

/// A number of things: `1 table`, `2 tables`.
pub(crate) fn several(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// How a part of a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Normal,
    Dim,
    Bold,
    Good,
    Bad,
    Attention,
}

impl Style {
    /// `text` in this style, if colours are wanted.
    pub(super) fn paint(self, text: &str, colour: bool) -> String {
        match self.code().filter(|_| colour && !text.is_empty()) {
            Some(code) => format!("{code}{text}\x1b[0m"),
            None => text.to_owned(),
        }
    }

    /// The escape sequence that begins it, in the sixteen colours that every theme defines.
    fn code(self) -> Option<&'static str> {
        match self {
            Style::Normal => None,
            Style::Dim => Some("\x1b[2m"),
            Style::Bold => Some("\x1b[1m"),
            Style::Good => Some("\x1b[32m"),
            Style::Bad => Some("\x1b[1;31m"),
            Style::Attention => Some("\x1b[1;33m"),
        }
    }
}

/// One line of output, or a part of one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line(Vec<(Style, String)>);

impl Line {
    pub(crate) fn new() -> Line {
        Line::default()
    }

    /// Adds `text`.
    pub(crate) fn with(mut self, style: Style, text: impl Into<String>) -> Line {
        self.0.push((style, text.into()));
        self
    }

    /// Adds all of `other`.
    pub(super) fn then(mut self, other: Line) -> Line {
        self.0.extend(other.0);
        self
    }

    /// How many columns it takes.
    pub(super) fn width(&self) -> usize {
        self.0.iter().flat_map(|(_, text)| text.chars()).map(columns).sum()
    }

    /// How many bytes its text has.
    pub(super) fn bytes(&self) -> usize {
        self.0.iter().map(|(_, text)| text.len()).sum()
    }

    /// Shortened to `width` columns, the last of which then says so.
    pub(super) fn cut(mut self, width: usize) -> Line {
        if self.width() <= width {
            return self;
        }
        let mut room = width.saturating_sub(1);
        for (_, text) in &mut self.0 {
            let mut kept = 0;
            for c in text.chars() {
                match room.checked_sub(columns(c)) {
                    Some(less) => room = less,
                    None => {
                        room = 0;
                        break;
                    }
                }
                kept += c.len_utf8();
            }
            text.truncate(kept);
        }
        self.with(Style::Normal, "…")
    }

    /// The text, with or without colours. Its own are the only ones, whoever wrote the text.
    pub(crate) fn render(&self, colour: bool) -> String {
        self.0.iter().map(|(style, text)| style.paint(&printable(text, false), colour)).collect()
    }
}

fn columns(c: char) -> usize {
    c.width().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_move_the_cursor_is_shown_by_its_number() {
        assert_eq!(harmless(b"\x1b]0;title\x07 \x1b[2J \x08"), "\\x1b]0;title\\x07 \\x1b[2J \\x08");
        assert_eq!(harmless("a\u{9b}31m \u{202e}txt".as_bytes()), "a\\u{9b}31m \\u{202e}txt");
        assert_eq!(harmless(b"caf\xe9 \xff\xfe"), "caf\\xe9 \\xff\\xfe");
        assert_eq!(harmless("süß\t日本".as_bytes()), "süß    日本");
    }

    #[test]
    fn colours_are_dropped() {
        assert_eq!(harmless(b"\x1b[1;32mok\x1b[0m \x1b[38:5:1mred\x1b[m"), "ok red");
        assert_eq!(harmless(b"\x1b[31"), "\\x1b[31");
    }

    #[test]
    fn of_a_progress_bar_the_last_state_is_kept() {
        assert_eq!(harmless(b"10%\r20%\r100%\r"), "100%");
        assert_eq!(harmless(b"plain\r"), "plain");
        assert_eq!(harmless(b"\r"), "");
    }

    #[test]
    fn times_and_sizes_are_short() {
        assert_eq!(clock(Duration::from_secs(59)), "00:59");
        assert_eq!(clock(Duration::from_secs(6005)), "100:05");
        assert_eq!(took(Duration::from_millis(123)), "0.12s");
        assert_eq!(took(Duration::from_millis(9_999)), "10.0s");
        assert_eq!(took(Duration::from_millis(59_960)), "1m00s");
        assert_eq!(took(Duration::from_secs(125)), "2m05s");
        assert_eq!(size(999), "999 B");
        assert_eq!(size(12_345), "12.3 kB");
        assert_eq!(size(999_960), "1.0 MB");
        assert_eq!([99_940, 99_960, 470_300_000].map(size), ["99.9 kB", "100 kB", "470 MB"]);
        assert_eq!([9, 130, 3905].map(|time| span(Duration::from_secs(time))), ["9 s", "2 m 10 s", "1 h 5 m"]);
    }

    #[test]
    fn a_long_line_is_cut_by_columns_not_by_bytes() {
        let line = || Line::new().with(Style::Bad, "日本").with(Style::Normal, "語 and more");
        assert_eq!(line().cut(40).render(false), "日本語 and more");
        assert_eq!(line().cut(6).render(false), "日本…");
        assert_eq!(line().cut(7).render(false), "日本語…");
        assert_eq!(line().cut(6).render(true), "\x1b[1;31m日本\x1b[0m…");
        assert_eq!(line().cut(0).render(false), "…");
    }
}
