//! Standard output and standard error, shared by the renderer and the prompts.

#[cfg(test)]
use std::io;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::outlet::{self, Goes, Target, pass};
use super::settings::Surroundings;

/// How many bytes wait at most while a question is open. What is beyond that is only in the log file.
const MOST_HELD: usize = 4 * 1024 * 1024;

/// The two streams. While a question is open, what is written waits, so that it does not tear the question. Below what is
/// written there may be one line that is redrawn.
pub(super) struct Screen {
    state: Mutex<State>,
    /// Held by the question that is open.
    turn: Mutex<()>,
}

struct State {
    out: Option<Box<dyn Write + Send>>,
    err: Option<Box<dyn Write + Send>>,
    /// What reads standard output.
    out_goes: Goes,
    /// What reads standard error.
    err_goes: Goes,
    /// Whether what was written last did not end its line.
    unended: bool,
    /// What waits while a question is open.
    held: Option<Waiting>,
    /// The line at the bottom.
    live: Option<(Target, String)>,
    /// Whether it stands there. It doesn't while a question is open, or a line has not ended.
    drawn: bool,
}

impl Screen {
    /// A screen of two streams, which are what `surroundings` say.
    pub(super) fn new(
        out: Box<dyn Write + Send>,
        err: Box<dyn Write + Send>,
        surroundings: Surroundings,
    ) -> Arc<Screen> {
        let state = State {
            out: Some(out),
            err: Some(err),
            out_goes: surroundings.stdout_goes(),
            err_goes: surroundings.stderr_goes(),
            unended: false,
            held: None,
            live: None,
            drawn: false,
        };
        Arc::new(Screen { state: Mutex::new(state), turn: Mutex::new(()) })
    }

    /// This process's own streams.
    pub(super) fn own(surroundings: Surroundings) -> Arc<Screen> {
        let [out, err] = outlet::streams();
        Screen::new(out, err, surroundings)
    }

    /// A screen of two terminals.
    #[cfg(test)]
    pub(super) fn of_terminals(out: Box<dyn Write + Send>, err: Box<dyn Write + Send>) -> Arc<Screen> {
        let surroundings = Surroundings {
            stdout_is_terminal: true,
            stderr_is_terminal: true,
            colour: true,
            ..Surroundings::default()
        };
        Screen::new(out, err, surroundings)
    }

    /// Writes `text` at once and whole.
    ///
    /// A stream that can't be written to (`| head` closes its pipe) is given up quietly: the run goes on.
    pub(super) fn write(&self, target: Target, text: &str) {
        let mut state = self.state();
        let passed = pass(text, state.goes(target));
        state.write(target, &passed);
    }

    /// Writes a line of JSON to standard output.
    pub(super) fn write_json(&self, line: &str) {
        self.state().write(Target::Out, &pass(line, Goes::AsJson));
    }

    /// Shows `text` as the line at the bottom of `target`, which has to be a terminal, until another one or none is shown.
    pub(super) fn show_live(&self, target: Target, text: Option<String>) {
        let mut state = self.state();
        let goes = state.goes(target);
        state.show_live(text.map(|text| (target, pass(&text, goes))));
    }

    /// Whether what was written last did not end its line, and still stands at the end of it.
    pub(super) fn is_in_line(&self) -> bool {
        let state = self.state();
        let held = state.held.as_ref().and_then(|held| held.texts.last());
        held.map_or(state.unended, |(_, text)| !text.ends_with('\n'))
    }

    /// Waits for the question that is open, then makes everything that is written wait until the guard is dropped.
    /// The cursor then stands at a line's start.
    pub(super) fn hold(&self) -> Held<'_> {
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.state();
        if state.unended {
            state.write(Target::Out, "\n");
        }
        state.erase_live();
        state.held = Some(Waiting::default());
        Held { screen: self, _turn: turn }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What waits while a question is open.
#[derive(Default)]
struct Waiting {
    texts: Vec<(Target, String)>,
    bytes: usize,
    left_out: usize,
}

impl Waiting {
    fn push(&mut self, target: Target, text: &str) {
        if self.bytes + text.len() > MOST_HELD {
            self.left_out += text.lines().count();
            return;
        }
        self.bytes += text.len();
        self.texts.push((target, text.to_owned()));
    }
}

impl State {
    fn goes(&self, target: Target) -> Goes {
        match target {
            Target::Out => self.out_goes,
            Target::Err => self.err_goes,
        }
    }

    fn write(&mut self, target: Target, text: &str) {
        if text.is_empty() {
            return;
        }
        if let Some(held) = &mut self.held {
            held.push(target, text);
            return;
        }
        self.erase_live();
        self.unended = !text.ends_with('\n');
        self.put(target, text.as_bytes());
        self.draw_live();
    }

    fn send(&mut self, target: Target, bytes: &[u8]) {
        self.unended = !bytes.ends_with(b"\n");
        self.put(target, bytes);
    }

    fn put(&mut self, target: Target, bytes: &[u8]) {
        let stream = match target {
            Target::Out => &mut self.out,
            Target::Err => &mut self.err,
        };
        let written = stream.as_mut().map(|stream| stream.write_all(bytes).and_then(|()| stream.flush()));
        if let Some(Err(_)) = written {
            *stream = None;
        }
    }

    fn show_live(&mut self, live: Option<(Target, String)>) {
        if live.is_none() {
            self.erase_live();
        }
        self.live = live;
        self.draw_live();
    }

    fn draw_live(&mut self) {
        if let Some((target, text)) = self.live.clone().filter(|_| self.held.is_none() && !self.unended) {
            // Without wrapping it stays one line on a terminal that has become narrower.
            self.put(target, format!("\r\x1b[?7l{text}\x1b[K\x1b[?7h").as_bytes());
            self.drawn = true;
        }
    }

    fn erase_live(&mut self) {
        if let Some((target, _)) = self.live.clone().filter(|_| self.drawn) {
            self.put(target, b"\r\x1b[K");
        }
        self.drawn = false;
    }
}

/// Holds a [`Screen`] back until it is dropped.
pub(super) struct Held<'a> {
    screen: &'a Screen,
    _turn: MutexGuard<'a, ()>,
}

impl Held<'_> {
    /// Writes `bytes` past what waits: they are of the one who holds the screen.
    pub(super) fn write(&self, target: Target, bytes: &[u8]) {
        self.screen.state().send(target, bytes);
    }

    /// Ends the line that was written last, unless it is ended.
    pub(super) fn end_line(&self) {
        let mut state = self.screen.state();
        if state.unended {
            state.send(Target::Out, b"\n");
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut state = self.screen.state();
        let held = state.held.take().unwrap_or_default();
        for (target, text) in held.texts {
            state.write(target, &text);
        }
        if held.left_out > 0 {
            let text = format!("({} lines are left out here: a question was open)\n", held.left_out);
            state.write(Target::Err, &text);
        }
        if !state.drawn {
            state.draw_live();
        }
    }
}

/// A writer whose text a test can look at.
#[cfg(test)]
#[derive(Clone, Default)]
pub(super) struct Captured(Arc<Mutex<Vec<u8>>>);

#[cfg(test)]
impl Captured {
    pub(super) fn writer(&self) -> Box<dyn Write + Send> {
        Box::new(self.clone())
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8(self.bytes()).unwrap()
    }
}

#[cfg(test)]
impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_starts_on_a_line_of_its_own_and_is_not_torn() {
        let out = Captured::default();
        let screen = Screen::of_terminals(out.writer(), Box::new(io::sink()));
        screen.write(Target::Out, "00:01 deploy:updating");
        {
            let _held = screen.hold();
            assert!(!screen.is_in_line());
            screen.write(Target::Out, "      done\n");
            screen.write(Target::Out, "00:02 deploy:updated");
            assert!(screen.is_in_line());
            assert_eq!(out.text(), "00:01 deploy:updating\n");
        }
        assert!(screen.is_in_line());
        assert_eq!(out.text(), "00:01 deploy:updating\n      done\n00:02 deploy:updated");
    }

    #[test]
    fn the_line_at_the_bottom_makes_room_for_what_is_written() {
        let out = Captured::default();
        let screen = Screen::of_terminals(out.writer(), out.writer());
        let drawn = |text: &str| format!("\r\x1b[?7l{text}\x1b[K\x1b[?7h");
        let mut expected = String::new();
        let mut now = |more: &[&str]| {
            expected += &more.concat();
            assert_eq!(out.text(), expected);
        };
        screen.show_live(Target::Out, Some("10 %".into()));
        now(&[&drawn("10 %")]);
        screen.write(Target::Err, "warning: slow\n");
        now(&["\r\x1b[K", "warning: slow\n", &drawn("10 %")]);
        screen.write(Target::Out, "00:01 deploy:check");
        screen.show_live(Target::Out, Some("20 %".into()));
        now(&["\r\x1b[K", "00:01 deploy:check"]);
        screen.write(Target::Out, " done\n");
        now(&[" done\n", &drawn("20 %")]);
        {
            let _held = screen.hold();
            screen.show_live(Target::Out, Some("30 %".into()));
            screen.write(Target::Out, "later\n");
            now(&["\r\x1b[K"]);
        }
        now(&["later\n", &drawn("30 %")]);
        screen.show_live(Target::Out, None);
        screen.show_live(Target::Out, None);
        now(&["\r\x1b[K"]);
    }

    #[test]
    fn what_waits_for_an_answer_is_bounded() {
        let out = Captured::default();
        let screen = Screen::of_terminals(out.writer(), out.writer());
        let held = screen.hold();
        let line = format!("{}\n", "x".repeat(1023));
        for _ in 0..6 * 1024 {
            screen.write(Target::Out, &line);
        }
        drop(held);
        let text = out.text();
        assert!(text.len() < MOST_HELD + 100, "{} bytes", text.len());
        assert!(text.ends_with("x\n(2048 lines are left out here: a question was open)\n"));
    }

    #[test]
    fn what_is_written_acts_on_nothing() {
        let (out, err) = (Captured::default(), Captured::default());
        let screen = Screen::new(out.writer(), err.writer(), Surroundings::default());
        screen.write(Target::Out, "::error::\x1b[2J\n");
        screen.write(Target::Err, "ssh://a:b@c \x1b[1m\n");
        screen.write_json("\"\u{9b} ##[x]\"\n");
        assert_eq!(out.text(), "\\x3a:error::\\x1b[2J\n\"\\u009b #\\u0023[x]\"\n");
        assert_eq!(err.text(), "ssh://*****@c \n");
    }

    #[test]
    fn a_closed_pipe_ends_that_stream_alone() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let err = Captured::default();
        let screen = Screen::of_terminals(Box::new(Closed), err.writer());
        screen.write(Target::Out, "progress\n");
        screen.write(Target::Err, "error\n");
        assert_eq!(err.text(), "error\n");
    }
}
