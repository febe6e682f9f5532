//! From a program's output back to what each of its tasks did.

use std::collections::VecDeque;

use crate::event::Stream;

/// What a program says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// A task begins.
    Began(usize),
    /// A task wants to begin and waits for the controller's word.
    Waiting(usize),
    /// A line of output, without its end; of a very long line, a piece.
    Line {
        /// The task that wrote it; `None` before the first and after the last.
        task: Option<usize>,
        /// Where it was written.
        stream: Stream,
        /// Its bytes.
        line: Vec<u8>,
    },
    /// A task reports a fact.
    Fact(String, String),
    /// A task has something to say.
    Note(String),
    /// A task ends early since there is nothing to do.
    Skip(String),
    /// A task fails for this reason.
    Message(String),
    /// What the user could do about it.
    Hint(String),
    /// The step (from 1; 0 is before the first) at which the shell of the task ended, and the status. A status of 0 is
    /// an `exit` before the last step.
    FailedAt(usize, i32),
    /// The command of a pipe (from 1) that is to blame for the failure that follows.
    PipeMember(usize),
    /// A task is over, and all its output has arrived.
    Ended(usize, i32),
    /// The program is over, and all its output has arrived.
    Finished,
}

/// The longest piece in which a line is handed out, in bytes.
const LONGEST_LINE: usize = 64 * 1024;

/// Finds the markers in the two streams of a program.
///
/// Markers may stand anywhere in a line. What looks like one but lacks the program's random nonce is output. A stream that
/// runs ahead waits at the end of each task for the other one, so that reports come task by task.
pub struct Decoder {
    /// What a marker begins with: a record separator, the nonce, a blank.
    introducer: Vec<u8>,
    streams: [StreamState; 2],
    /// Whether only one of the streams has markers.
    lone: bool,
}

#[derive(Default)]
struct StreamState {
    /// Bytes that may yet turn out to be a marker, or the beginning of a line.
    pending: Vec<u8>,
    /// The task whose output this is.
    task: Option<usize>,
    /// A text that a marker opened: its kind and where its value is collected.
    open: Option<(String, Vec<u8>)>,
    /// What was read and not yet handed out, because the other stream is behind.
    items: VecDeque<Item>,
}

/// What a stream holds: reports, and the ends at which it waits for the other stream.
enum Item {
    Report(Report),
    /// [`Report::Ended`] or [`Report::Finished`], which are due when both streams have come to them.
    Meeting(Report),
}

impl Decoder {
    /// A decoder of the output of a program that was compiled with `nonce`.
    pub fn new(nonce: &str) -> Decoder {
        let introducer = format!("\u{1e}{nonce} ").into_bytes();
        Decoder { introducer, streams: Default::default(), lone: false }
    }

    /// A decoder for a program whose standard output is data: all markers are on standard error. Feed it that alone.
    pub fn of_standard_error(nonce: &str) -> Decoder {
        Decoder { lone: true, ..Decoder::new(nonce) }
    }

    /// Takes the next bytes of `stream`, and hands out what they complete.
    pub fn feed(&mut self, stream: Stream, bytes: &[u8], sink: &mut impl FnMut(Report)) {
        self.read(stream, bytes);
        self.hand_out(sink);
    }

    /// Hands out what is left when the streams have ended.
    pub fn finish(&mut self, sink: &mut impl FnMut(Report)) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let state = self.state(stream);
            state.open = None;
            let pending = std::mem::take(&mut state.pending);
            self.text(stream, &pending, true);
        }
        self.hand_out(sink);
        for item in self.streams.iter_mut().flat_map(|state| state.items.drain(..)) {
            if let Item::Report(report) = item {
                sink(report);
            }
        }
    }

    fn hand_out(&mut self, sink: &mut impl FnMut(Report)) {
        loop {
            for state in &mut self.streams {
                while let Some(item) = state.items.pop_front() {
                    match item {
                        Item::Report(report) => sink(report),
                        meeting => {
                            state.items.push_front(meeting);
                            break;
                        }
                    }
                }
            }
            let [out, err] = &mut self.streams;
            if let Some(Item::Meeting(end)) = err.items.front()
                && self.lone
            {
                sink(end.clone());
                err.items.pop_front();
                continue;
            }
            match (out.items.front(), err.items.front()) {
                (Some(Item::Meeting(one)), Some(Item::Meeting(other))) if one == other => {
                    sink(one.clone());
                    out.items.pop_front();
                    err.items.pop_front();
                }
                _ => return,
            }
        }
    }

    fn read(&mut self, stream: Stream, bytes: &[u8]) {
        let mut pending = std::mem::take(&mut self.state(stream).pending);
        pending.extend_from_slice(bytes);
        let mut rest = pending.as_slice();
        loop {
            match find(rest, &self.introducer) {
                Found::Whole { before, marker, after } => {
                    self.text(stream, before, true);
                    self.marker(stream, marker);
                    rest = after;
                }
                Found::Perhaps { before, tail } => {
                    let kept = self.text(stream, before, false);
                    self.state(stream).pending = [kept, tail].concat();
                    return;
                }
            }
        }
    }

    fn state(&mut self, stream: Stream) -> &mut StreamState {
        &mut self.streams[(stream == Stream::Stderr) as usize]
    }

    fn push(&mut self, stream: Stream, report: Report) {
        self.state(stream).items.push_back(Item::Report(report));
    }

    /// Cuts `text` into lines; the beginning of a line is given back unless the line is `complete`.
    fn text<'a>(&mut self, stream: Stream, text: &'a [u8], complete: bool) -> &'a [u8] {
        let state = self.state(stream);
        if let Some((_, value)) = &mut state.open {
            value.extend_from_slice(text);
            return &[];
        }
        let task = state.task;
        let line = |line: &[u8]| Item::Report(Report::Line { task, stream, line: line.to_vec() });
        let mut rest = text;
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            state.items.push_back(line(&rest[..end]));
            rest = &rest[end + 1..];
        }
        while rest.len() >= LONGEST_LINE || complete && !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.len().min(LONGEST_LINE));
            state.items.push_back(line(piece));
            rest = after;
        }
        rest
    }

    fn marker(&mut self, stream: Stream, marker: &[u8]) {
        let marker = String::from_utf8_lossy(marker).into_owned();
        let (kind, rest) = marker.split_once(' ').unwrap_or((&marker, ""));
        let mut numbers = rest.split(' ').map(|number| number.parse::<i32>().unwrap_or(-1));
        let mut number = || numbers.next().unwrap_or(-1);
        match kind {
            "b" => {
                let task = number() as usize;
                self.state(stream).task = Some(task);
                if stream == Stream::Stdout || self.lone {
                    self.push(stream, Report::Began(task));
                }
            }
            "e" => {
                let state = self.state(stream);
                state.task = None;
                state.items.push_back(Item::Meeting(Report::Ended(number() as usize, number())));
            }
            "z" => self.state(stream).items.push_back(Item::Meeting(Report::Finished)),
            "x" => self.push(stream, Report::FailedAt(number() as usize, number())),
            "p" => self.push(stream, Report::PipeMember(number() as usize)),
            "g" => self.push(stream, Report::Waiting(number() as usize)),
            "." => {
                if let Some((kind, value)) = self.state(stream).open.take() {
                    self.push(stream, text_report(&kind, value));
                }
            }
            _ => self.state(stream).open = Some((marker, Vec::new())),
        }
    }
}

fn text_report(kind: &str, value: Vec<u8>) -> Report {
    let value = String::from_utf8_lossy(&value).into_owned();
    match kind {
        "n" => Report::Note(value),
        "s" => Report::Skip(value),
        "m" => Report::Message(value),
        "h" => Report::Hint(value),
        fact => Report::Fact(fact.strip_prefix("f ").unwrap_or(fact).to_owned(), value),
    }
}

enum Found<'a> {
    /// A marker, without its introducer and newline.
    Whole { before: &'a [u8], marker: &'a [u8], after: &'a [u8] },
    /// No whole marker; `tail` may be the beginning of one.
    Perhaps { before: &'a [u8], tail: &'a [u8] },
}

fn find<'a>(text: &'a [u8], introducer: &[u8]) -> Found<'a> {
    let mut from = 0;
    while let Some(at) = text[from..].iter().position(|&byte| byte == introducer[0]).map(|at| from + at) {
        let candidate = &text[at..];
        if let Some(after) = candidate.strip_prefix(introducer) {
            return match after.iter().position(|&byte| byte == b'\n') {
                Some(end) => Found::Whole { before: &text[..at], marker: &after[..end], after: &after[end + 1..] },
                None => Found::Perhaps { before: &text[..at], tail: candidate },
            };
        }
        if introducer.starts_with(candidate) {
            return Found::Perhaps { before: &text[..at], tail: candidate };
        }
        from = at + 1;
    }
    Found::Perhaps { before: text, tail: &[] }
}
