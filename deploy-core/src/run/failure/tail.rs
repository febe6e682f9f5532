//! The end of a task's output, which a failure shows.

use std::collections::VecDeque;

/// How many lines are kept.
const LINES: usize = 20;

/// How many frames of a backtrace are kept. What is wrong stands before them, and a framework's are many.
const FRAMES: usize = 3;

/// The last lines of output, without the inside of backtraces.
#[derive(Default)]
pub(in crate::run) struct Tail {
    lines: VecDeque<String>,
    /// How many frames of a backtrace came in a row.
    frames: usize,
}

impl Tail {
    /// Takes the next line.
    pub(in crate::run) fn push(&mut self, line: String) {
        self.frames = if is_frame(&line) { self.frames + 1 } else { 0 };
        match self.frames.saturating_sub(FRAMES) {
            0 => self.keep(line),
            1 => self.keep("(1 frame more)".to_owned()),
            more => *self.lines.back_mut().expect("the first one was kept") = format!("({more} frames more)"),
        }
    }

    /// The lines, oldest first.
    pub(in crate::run) fn into_lines(self) -> Vec<String> {
        self.lines.into()
    }

    fn keep(&mut self, line: String) {
        self.lines.push_back(line);
        if self.lines.len() > LINES {
            self.lines.pop_front();
        }
    }
}

/// Whether the line is a frame as Ruby (``shop.rb:12:in `open'``) or Node and Java (`    at open (shop.js:12:3)`) write
/// it. Python tells what is wrong last.
fn is_frame(line: &str) -> bool {
    let text = line.trim_start();
    let ruby = text.split_once(":in ").is_some_and(|(place, what)| {
        let number = place.rsplit(':').next().unwrap_or_default();
        what.starts_with(['`', '\'']) && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    });
    ruby || (text.len() < line.len() && text.starts_with("at "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail_of(lines: impl IntoIterator<Item = String>) -> Vec<String> {
        let mut tail = Tail::default();
        lines.into_iter().for_each(|line| tail.push(line));
        tail.into_lines()
    }

    fn frame(number: usize) -> String {
        format!("/srv/gems/rails/engine.rb:{number}:in `block (2 levels) in run'")
    }

    #[test]
    fn the_last_lines_are_kept() {
        let tail = tail_of((0..50).map(|number| format!("line {number}")));
        assert_eq!((tail.len(), tail[0].as_str(), tail[19].as_str()), (20, "line 30", "line 49"));
    }

    #[test]
    fn what_is_wrong_stands_before_the_backtrace_and_stays() {
        let head = ["rake aborted!", "RuntimeError: no coffee"].map(str::to_owned);
        let end = ["Tasks: TOP => db:migrate".to_owned()];
        let tail = tail_of(head.clone().into_iter().chain((1..40).map(frame)).chain(end.clone()));
        let shown = [&head[..], &[frame(1), frame(2), frame(3), "(36 frames more)".to_owned()], &end].concat();
        assert_eq!(tail, shown);
    }

    #[test]
    fn each_backtrace_has_its_beginning() {
        let tail = tail_of((1..=4).map(frame).chain(["Caused by:".to_owned()]).chain((1..=3).map(frame)));
        assert_eq!(tail[3..5], ["(1 frame more)", "Caused by:"]);
        assert_eq!(tail[5..], [frame(1), frame(2), frame(3)]);
    }

    #[test]
    fn frames_are_told_from_other_lines() {
        let frames = [
            "\tfrom a.rb:1:in `x'",
            "a.rb:12:in 'Shop#open'",
            "    at open (shop.js:12:3)",
            "\tat Shop.open(Shop.java:7)",
        ];
        let others = ["at least one", "error in x", "a.rb: in `x'", "log:in 'x'", "  attention", "shop.rb:12: warning"];
        assert_eq!(frames.map(is_frame), [true; 4]);
        assert_eq!(others.map(is_frame), [false; 6]);
    }
}
