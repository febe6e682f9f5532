//! What stands at the end of a run: failures in full, how it went, and what went over the wire.

use std::time::Duration;

use super::settings::Look;
use super::text::{Line, Style, harmless, harmless_lines, size, took};
use crate::event::{Failure, Outline, Traffic};

/// How many of a failed task's last lines of output are shown.
const TAIL: usize = 20;

/// A failure, whole: nothing is cut, since every character may be needed to understand it.
pub(super) fn failure(look: Look, task: &str, server: Option<&str>, failure: &Failure) -> Vec<Line> {
    let place = server.map(|server| format!(" on {server}")).unwrap_or_default();
    let sign = if look.signs { "✘ " } else { "" };
    let mut lines = vec![Line::new(), Line::new().with(Style::Bad, format!("{sign}{task} failed{place}"))];
    if let Some(command) = &failure.command {
        lines.extend(field("command", command));
    }
    if let Some((number, of)) = failure.position.filter(|(_, of)| *of > 1) {
        lines.extend(field("step", &format!("{number} of {of}")));
    }
    lines.extend(field("reason", &failure.reason));
    lines.extend(tail(&failure.tail));
    lines.extend(failure.hints.iter().flat_map(|hint| headed(Style::Attention, "  hint", hint)));
    lines
}

/// `  name: text`, where further lines of the text stand below its first.
fn field(name: &str, text: &str) -> Vec<Line> {
    headed(Style::Dim, &format!("  {name}"), text)
}

/// `head: text`, where further lines of the text stand below its first.
pub(super) fn headed(style: Style, head: &str, text: &str) -> Vec<Line> {
    let indent = " ".repeat(head.len() + 2);
    let lines = harmless_lines(text).enumerate().map(|(number, text)| match number {
        0 => Line::new().with(style, format!("{head}:")).with(Style::Normal, format!(" {text}")),
        _ => Line::new().with(Style::Normal, format!("{indent}{text}")),
    });
    lines.collect()
}

fn tail(tail: &[String]) -> Vec<Line> {
    let Some(heading) = (match tail.len() {
        0 => None,
        count if count > TAIL => Some(format!("  last {TAIL} lines of output:")),
        _ => Some("  last lines of output:".to_owned()),
    }) else {
        return Vec::new();
    };
    let shown = &tail[tail.len().saturating_sub(TAIL)..];
    let lines =
        shown.iter().map(|line| Line::new().with(Style::Dim, "    | ").with(Style::Normal, harmless(line.as_bytes())));
    std::iter::once(Line::new().with(Style::Dim, heading)).chain(lines).collect()
}

/// The line that says how it went.
pub(super) fn end(look: Look, failed: bool, elapsed: Duration, summary: &str) -> Line {
    let (style, sign, otherwise, joint) =
        if failed { (Style::Bad, "✘ ", "failed", "after") } else { (Style::Good, "✔ ", "done", "in") };
    let summary = if summary.is_empty() { otherwise } else { summary };
    let line = Line::new().with(style, if look.signs { sign } else { "" });
    line.with(Style::Bold, harmless(summary.as_bytes())).with(Style::Dim, format!(" {joint} {}", took(elapsed)))
}

/// The table of what went over the wire, one line per server.
pub(super) fn traffic(outline: &Outline, traffic: &[Traffic]) -> Vec<Line> {
    if traffic.is_empty() {
        return Vec::new();
    }
    let heads = ["server", "connections", "execs", "sent", "received", "login"].map(str::to_owned);
    let own = traffic.iter().enumerate().filter(|(server, _)| outline.takes_part(*server));
    let rows = own.map(|(server, traffic)| {
        [
            outline.server_label(server).to_owned(),
            traffic.connections.to_string(),
            traffic.execs.to_string(),
            size(traffic.sent),
            size(traffic.received),
            took(traffic.login),
        ]
    });
    let rows = std::iter::once(heads).chain(rows).collect::<Vec<_>>();
    let widths = [0, 1, 2, 3, 4, 5].map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0));
    rows.iter().map(|row| table_row(row, widths)).collect()
}

/// The first column leans to the left, the numbers to the right.
fn table_row(row: &[String; 6], widths: [usize; 6]) -> Line {
    let numbers = row.iter().zip(widths).skip(1).map(|(cell, width)| format!("  {cell:>width$}"));
    Line::new().with(Style::Dim, format!("{:1$}{2}", row[0], widths[0], numbers.collect::<String>()))
}
