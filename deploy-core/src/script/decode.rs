//! From what a server says in a conversation back to what each task did.
//!
//! A server is a stranger: what it says is checked here for whether a program of ours can have said it at all, and in this
//! order. What can't is told as [`Report::Nonsense`], and nothing after it is believed.

use std::collections::VecDeque;

use crate::event::Stream;

/// What is said in a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// The server has begun to run what it was sent.
    Greeted,
    /// The server has run nothing of what it was sent, and won't.
    NeverBegan,
    /// A task begins.
    Began(usize),
    /// A task wants to begin and waits for the controller's word.
    Waiting(usize),
    /// A line of output, without its end; of a very long line, a piece.
    Line {
        /// The task that wrote it; `None` outside of tasks.
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
    /// The program is over, with this status, and all its output has arrived.
    Finished(i32),
    /// The conversation is over, with this status, and what was held is given up.
    Parted(i32),
    /// The run doesn't hold the stage's lock any more: the task that says so has changed nothing.
    LockLost,
    /// The server said what none of our programs says; in which way.
    Nonsense(String),
}

/// The longest piece in which a line is handed out, in bytes.
const LONGEST_LINE: usize = 64 * 1024;

/// The longest text that a task may report, in bytes.
const LONGEST_TEXT: usize = 1024 * 1024;

/// How long the texts of a conversation may be together that are kept, in bytes: facts, and what is said about ends.
const MOST_KEPT: usize = 32 * 1024 * 1024;

/// The longest marker, in bytes.
const LONGEST_MARKER: usize = 512;

/// How far one stream may run ahead of the other one, in bytes.
const LONGEST_LEAD: usize = 16 * 1024 * 1024;

/// Finds the markers in the two streams of a conversation.
///
/// Markers may stand anywhere in a line. What looks like one but lacks the word that the server made up at the beginning is
/// output. A stream that runs ahead waits at the end of each task for the other one, so that reports come task by task.
pub struct Decoder {
    streams: [StreamState; 2],
    /// Whether only one of the streams has markers.
    lone: bool,
    /// Which program is running, and how many tasks it has.
    program: (usize, usize),
    /// Whether something was said that can't be.
    is_lost: bool,
}

struct StreamState {
    /// What a marker begins with: a record separator, the word that only our shell knows, a blank.
    introducer: Vec<u8>,
    /// Whether that word is still to come.
    is_strange: bool,
    /// What the markers of the current task begin with, where another user's shell runs it, which knows no other word.
    inner: Option<Vec<u8>>,
    /// Bytes that may yet turn out to be a marker, or the beginning of a line.
    pending: Vec<u8>,
    /// The task whose output this is.
    task: Option<usize>,
    /// The task that may begin next.
    next: usize,
    /// A text that a marker opened: its kind and where its value is collected.
    open: Option<(String, Vec<u8>)>,
    /// How many bytes of texts were reported that are kept.
    kept: usize,
    /// What was read and not yet handed out, because the other stream is behind; and how many bytes of lines that is.
    items: VecDeque<Item>,
    ahead: usize,
}

/// What a stream holds: reports, and the ends at which it waits for the other stream.
enum Item {
    Report(Report),
    /// What is due when both streams have come to it: [`Report::Greeted`], [`Report::Ended`], [`Report::Finished`],
    /// [`Report::Parted`].
    Meeting(Report),
}

impl Decoder {
    /// A decoder of a conversation that was opened with the word `hello`, for a first program of so many tasks.
    pub fn new(hello: &str, tasks: usize) -> Decoder {
        let state = || StreamState {
            introducer: introducer(hello),
            is_strange: true,
            inner: None,
            pending: Vec::new(),
            task: None,
            next: 0,
            open: None,
            kept: 0,
            items: VecDeque::new(),
            ahead: 0,
        };
        Decoder { streams: [state(), state()], lone: false, program: (0, tasks), is_lost: false }
    }

    /// The same where the standard output is data: all markers are on standard error. Feed it that alone.
    pub fn of_standard_error(hello: &str, tasks: usize) -> Decoder {
        Decoder { lone: true, ..Decoder::new(hello, tasks) }
    }

    /// Whether the standard output is data.
    pub fn is_of_standard_error(&self) -> bool {
        self.lone
    }

    /// The program `number` is sent, which has so many tasks.
    pub fn expect(&mut self, number: usize, tasks: usize) {
        self.program = (number, tasks);
        self.streams.iter_mut().for_each(|state| state.next = 0);
    }

    /// Takes the next bytes of `stream`, and hands out what they complete.
    pub fn feed(&mut self, stream: Stream, bytes: &[u8], sink: &mut impl FnMut(Report)) {
        if self.is_lost {
            return;
        }
        let read = self.read(stream, bytes);
        self.hand_out(sink);
        if let Err(Nonsense(text)) = read {
            self.is_lost = true;
            sink(Report::Nonsense(text));
        }
    }

    /// Hands out what is left when the streams have ended.
    pub fn finish(&mut self, sink: &mut impl FnMut(Report)) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let state = self.state(stream);
            state.open = None;
            let pending = std::mem::take(&mut state.pending);
            let _ = state.text(stream, &pending, true);
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
                while let Some(Item::Report(_)) = state.items.front() {
                    let Some(Item::Report(report)) = state.items.pop_front() else { break };
                    if let Report::Line { line, .. } = &report {
                        state.ahead = state.ahead.saturating_sub(line.len());
                    }
                    sink(report);
                }
            }
            let [out, err] = &mut self.streams;
            let end = match (out.items.front(), err.items.front()) {
                (_, Some(Item::Meeting(end))) if self.lone => end.clone(),
                (Some(Item::Meeting(one)), Some(Item::Meeting(other))) if one == other => one.clone(),
                _ => return,
            };
            out.items.pop_front();
            err.items.pop_front();
            sink(end);
        }
    }

    fn read(&mut self, stream: Stream, bytes: &[u8]) -> Result<(), Nonsense> {
        let (program, lone) = (self.program, self.lone);
        let state = self.state(stream);
        let mut pending = std::mem::take(&mut state.pending);
        pending.extend_from_slice(bytes);
        let mut rest = pending.as_slice();
        loop {
            match state.find(rest) {
                Found::Whole { before, marker, after, by } => {
                    state.text(stream, before, true)?;
                    let marker = Marker::parse(marker)?;
                    match by {
                        By::Shell => state.marker(stream, &marker, program, lone)?,
                        By::Task => state.word_of_task(&marker)?,
                    }
                    rest = after;
                }
                Found::Perhaps { tail, .. } if tail.len() > LONGEST_MARKER => {
                    return Err(Nonsense::of("a marker without an end"));
                }
                Found::Perhaps { before, tail } => {
                    let kept = state.text(stream, before, false)?;
                    state.pending = [kept, tail].concat();
                    break;
                }
            }
        }
        if self.state(stream).ahead > LONGEST_LEAD {
            return Err(Nonsense::of("much on one stream, without the end of a task on the other"));
        }
        Ok(())
    }

    fn state(&mut self, stream: Stream) -> &mut StreamState {
        &mut self.streams[(stream == Stream::Stderr) as usize]
    }
}

/// In which way something can't have been said by a program of ours.
struct Nonsense(String);

impl Nonsense {
    fn of(what: &str) -> Nonsense {
        Nonsense(what.to_owned())
    }
}

/// A marker's words.
struct Marker<'m> {
    text: &'m str,
    kind: &'m str,
    rest: &'m str,
}

impl<'m> Marker<'m> {
    fn parse(marker: &'m [u8]) -> Result<Marker<'m>, Nonsense> {
        let text =
            std::str::from_utf8(marker).ok().filter(|text| text.chars().all(|c| c.is_ascii_graphic() || c == ' '));
        let text = text.ok_or_else(|| Nonsense::of("a marker that is no text"))?;
        let (kind, rest) = text.split_once(' ').unwrap_or((text, ""));
        Ok(Marker { text, kind, rest })
    }

    /// The marker's first number, and its second one.
    fn numbers<A: std::str::FromStr, B: std::str::FromStr>(&self) -> Result<(A, B), Nonsense> {
        let both = self.rest.split_once(' ').and_then(|(one, other)| Some((one.parse().ok()?, other.parse().ok()?)));
        both.ok_or_else(|| self.refuse())
    }

    fn number<A: std::str::FromStr>(&self) -> Result<A, Nonsense> {
        self.rest.parse().map_err(|_| self.refuse())
    }

    fn refuse(&self) -> Nonsense {
        Nonsense(format!("the marker `{}` where it can't stand", self.text))
    }

    /// The marker may stand here.
    fn only_if(&self, allowed: bool) -> Result<(), Nonsense> {
        if allowed { Ok(()) } else { Err(self.refuse()) }
    }
}

impl StreamState {
    fn push(&mut self, report: Report) {
        self.items.push_back(Item::Report(report));
    }

    /// Cuts `text` into lines; the beginning of a line is given back unless the line is `complete`.
    fn text<'a>(&mut self, stream: Stream, text: &'a [u8], complete: bool) -> Result<&'a [u8], Nonsense> {
        if let Some((kind, value)) = &mut self.open {
            value.extend_from_slice(text);
            return if value.len() > LONGEST_TEXT {
                Err(Nonsense(format!("a text `{kind}` of more than {LONGEST_TEXT} bytes")))
            } else {
                Ok(&[])
            };
        }
        let mut rest = text;
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            self.line(stream, &rest[..end]);
            rest = &rest[end + 1..];
        }
        while rest.len() >= LONGEST_LINE || complete && !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.len().min(LONGEST_LINE));
            self.line(stream, piece);
            rest = after;
        }
        Ok(rest)
    }

    fn line(&mut self, stream: Stream, line: &[u8]) {
        self.ahead += line.len();
        self.push(Report::Line { task: self.task, stream, line: line.to_vec() });
    }

    /// What our own shell says.
    fn marker(
        &mut self,
        stream: Stream,
        marker: &Marker<'_>,
        program: (usize, usize),
        lone: bool,
    ) -> Result<(), Nonsense> {
        if self.is_strange {
            return self.greeting(marker);
        }
        let (number, tasks) = program;
        match marker.kind {
            "b" => {
                let task = marker.number()?;
                marker.only_if(self.task.is_none() && self.open.is_none() && task == self.next && task < tasks)?;
                (self.task, self.next) = (Some(task), task + 1);
                if stream == Stream::Stdout || lone {
                    self.push(Report::Began(task));
                }
            }
            "e" => {
                let (task, status) = marker.numbers()?;
                marker.only_if(self.task == Some(task))?;
                (self.task, self.open, self.inner) = (None, None, None);
                self.items.push_back(Item::Meeting(Report::Ended(task, status)));
            }
            "z" => {
                let (which, status) = marker.numbers::<usize, i32>()?;
                marker.only_if(which == number)?;
                // Where the program itself was ended, its task has no end of its own.
                (self.task, self.open, self.inner, self.next) = (None, None, None, tasks);
                self.items.push_back(Item::Meeting(Report::Finished(status)));
            }
            "q" => {
                let status = marker.number()?;
                self.items.push_back(Item::Meeting(Report::Parted(status)));
            }
            "l" => {
                marker.only_if(self.task.is_some())?;
                self.push(Report::LockLost);
            }
            "g" => {
                let task = marker.number()?;
                marker.only_if(self.task.is_none() && task == self.next && task < tasks)?;
                self.push(Report::Waiting(task));
            }
            "i" => {
                marker.only_if(self.task.is_some() && is_word(marker.rest))?;
                self.inner = Some(introducer(marker.rest));
            }
            _ => self.word_of_task(marker)?,
        }
        Ok(())
    }

    /// The word by which our shell is known from now on.
    fn greeting(&mut self, marker: &Marker<'_>) -> Result<(), Nonsense> {
        marker.only_if(is_word(marker.text))?;
        (self.introducer, self.is_strange) = (introducer(marker.text), false);
        self.items.push_back(Item::Meeting(Report::Greeted));
        Ok(())
    }

    /// What the shell of a task says, which may be another user's.
    fn word_of_task(&mut self, marker: &Marker<'_>) -> Result<(), Nonsense> {
        marker.only_if(self.task.is_some())?;
        match marker.kind {
            "x" => {
                let (step, status) = marker.numbers()?;
                self.push(Report::FailedAt(step, status));
            }
            "p" => {
                let member = marker.number()?;
                self.push(Report::PipeMember(member));
            }
            "." => {
                let (kind, value) = self.open.take().ok_or_else(|| marker.refuse())?;
                if kind != "n" {
                    // What a short one costs to keep is more than its bytes.
                    self.kept += value.len() + LONGEST_MARKER;
                }
                if self.kept > MOST_KEPT {
                    return Err(Nonsense(format!("more than {MOST_KEPT} bytes of facts and reasons")));
                }
                self.push(text_report(&kind, value));
            }
            "n" | "s" | "m" | "h" | "f" => {
                marker.only_if(self.open.is_none() && (marker.kind == "f") == is_name(marker.rest))?;
                self.open = Some((marker.text.to_owned(), Vec::new()));
            }
            _ => return Err(marker.refuse()),
        }
        Ok(())
    }

    fn find<'a>(&self, text: &'a [u8]) -> Found<'a> {
        let introducers = [(Some(&self.introducer), By::Shell), (self.inner.as_ref(), By::Task)];
        let mut from = 0;
        while let Some(at) = text[from..].iter().position(|&byte| byte == SEPARATOR).map(|at| from + at) {
            let candidate = &text[at..];
            for (introducer, by) in introducers.iter().filter_map(|(introducer, by)| Some(((*introducer)?, *by))) {
                if let Some(after) = candidate.strip_prefix(introducer.as_slice()) {
                    return match after.iter().position(|&byte| byte == b'\n') {
                        Some(end) => {
                            Found::Whole { before: &text[..at], marker: &after[..end], after: &after[end + 1..], by }
                        }
                        None => Found::Perhaps { before: &text[..at], tail: candidate },
                    };
                }
                if introducer.starts_with(candidate) {
                    return Found::Perhaps { before: &text[..at], tail: candidate };
                }
            }
            from = at + 1;
        }
        Found::Perhaps { before: text, tail: &[] }
    }
}

const SEPARATOR: u8 = 0x1e;

/// What markers begin with that `word` introduces.
fn introducer(word: &str) -> Vec<u8> {
    [&[SEPARATOR], word.as_bytes(), b" "].concat()
}

/// Whether `word` is one that nobody guesses.
fn is_word(word: &str) -> bool {
    (16..=64).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Whether `name` is the name of a fact.
fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
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

/// Who said something.
#[derive(Clone, Copy)]
enum By {
    /// Our own shell.
    Shell,
    /// The shell of a task, as another user.
    Task,
}

enum Found<'a> {
    /// A marker, without its introducer and newline.
    Whole { before: &'a [u8], marker: &'a [u8], after: &'a [u8], by: By },
    /// No whole marker; `tail` may be the beginning of one.
    Perhaps { before: &'a [u8], tail: &'a [u8] },
}
