//! The report as a picture.

use std::fmt::Write as _;

use super::{Key, Report, Timing};

const WIDTH: usize = 760;
const LABELS: usize = 250;
const BARS: usize = 380;
const BAR: usize = 16;
const GAP: usize = 14;
const TOP: usize = 58;

impl Report {
    /// Bars for the medians, as SVG: a group for each thing that was measured, each to its own scale.
    pub(crate) fn chart(&self) -> String {
        let mut body = String::new();
        let mut top = TOP;
        let timed: Vec<&Timing> = self.timings.iter().filter(|timing| !timing.samples.is_empty()).collect();
        for group in groups(&timed) {
            top = draw_group(&mut body, top, &group);
        }
        let machine = |what: &str| self.machine.get(what).map_or("", String::as_str);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {top}\" font-family=\"sans-serif\" \
             font-size=\"12\">\n<rect width=\"{WIDTH}\" height=\"{top}\" fill=\"#ffffff\"/>\n\
             <text x=\"12\" y=\"22\" font-size=\"15\" fill=\"#222222\">Seconds, median of {} runs; less is better</text>\n\
             <text x=\"12\" y=\"40\" fill=\"#666666\">Each group to its own scale. Servers and controller share one \
             machine of {} cores.</text>\n{body}</svg>\n",
            escape(machine("rounds")),
            escape(machine("cores")),
        )
    }
}

/// Timings of the same thing, in the order in which it was first measured.
pub(super) fn groups<'a>(timings: &[&'a Timing]) -> Vec<Vec<&'a Timing>> {
    let mut groups: Vec<Vec<&Timing>> = Vec::new();
    for timing in timings {
        let is_same =
            |group: &&mut Vec<&Timing>| group[0].key.what == timing.key.what && group[0].key.point == timing.key.point;
        match groups.iter_mut().find(is_same) {
            Some(group) => group.push(timing),
            None => groups.push(vec![timing]),
        }
    }
    groups
}

/// Draws a group below `top`, and returns where it ends.
fn draw_group(body: &mut String, top: usize, group: &[&Timing]) -> usize {
    let longest = group.iter().map(|timing| timing.wall()).fold(f64::MIN_POSITIVE, f64::max);
    let middle = top + group.len() * BAR / 2 + 4;
    let label = escape(&label(&group[0].key));
    let _ = writeln!(body, "<text x=\"12\" y=\"{middle}\" fill=\"#222222\">{label}</text>");
    for (row, timing) in group.iter().enumerate() {
        let (y, tool) = (top + row * BAR, timing.key.tool);
        let width = (timing.wall() / longest * BARS as f64).max(1.0);
        let (colour, height) = (colour(tool), BAR - 3);
        let text = (LABELS as f64 + width + 6.0, y + BAR - 5);
        let _ = writeln!(
            body,
            "<rect x=\"{LABELS}\" y=\"{y}\" width=\"{width:.1}\" height=\"{height}\" fill=\"{colour}\"/>\n\
             <text x=\"{:.1}\" y=\"{}\" fill=\"#444444\">{} {:.2}</text>",
            text.0,
            text.1,
            escape(tool),
            timing.wall(),
        );
    }
    top + group.len() * BAR + GAP
}

/// What a group is of, in words: `small, next: 10 servers, 50 ms`.
pub(super) fn label(key: &Key) -> String {
    match key.point {
        Some(point) => format!("{}, {} ms", place(key), point.rtt),
        None => key.what.clone(),
    }
}

/// The same without the delay.
pub(super) fn place(key: &Key) -> String {
    match key.point {
        Some(point) if point.servers == 1 => format!("{}: 1 server", key.what),
        Some(point) => format!("{}: {} servers", key.what, point.servers),
        None => key.what.clone(),
    }
}

fn colour(tool: &str) -> &'static str {
    match tool {
        "capistrano" | "cap -T" => "#b0b7c0",
        "ssh" => "#7a93b5",
        _ => "#d9622b",
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
