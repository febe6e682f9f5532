//! All talk with the user: renderers for [`Event`]s, prompts, and the one place that prints.
//!
//! A [`Ui`] lives as long as a run. Its thread takes the run's events from one channel and hands each to a renderer for
//! the screen ([`Format`]) and to the log file ([`LogFile`]). What goes where:
//!
//! * Standard output has the progress of tasks, as with Capistrano, or with `--format json` one object per event and
//!   nothing else. Data that a command is asked for, such as the task list, goes there too ([`print_data`]); where a
//!   program may want to read it, the run is shown on standard error instead ([`ShownOn`]).
//! * Standard error has warnings, failures in full, and the error that ends the run ([`report()`]).
//! * `/dev/tty` has questions ([`Terminal`]). While one is open the two streams wait.
//! * A program that talks with the user itself gets all of it for as long as it runs ([`Console`]).
//! * The log file has everything, byte for byte, but for the middle of very long output; on the screen what servers
//!   write can't do anything to the terminal, nor to a CI service (`outlet`).
//! * No secret that is known or looks like one is shown or logged.
//!
//! A stream that is closed early (`| head`) ends neither the run nor the log.

mod console;
mod current;
mod ends;
mod json;
mod keyboard;
mod log;
mod masked;
mod outlet;
mod plain;
mod progress;
mod report;
mod screen;
mod settings;
mod summary;
mod terminal;
mod text;
mod tty;

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

pub use self::console::Console;
pub(crate) use self::keyboard::{Keyboard, Typed};
pub use self::log::LogFile;
pub use self::report::{print_data, report};
pub(crate) use self::report::{print_json, print_page, print_usage};
pub use self::settings::{Format, Settings, ShownOn, Surroundings, Verbosity};
pub use self::terminal::Terminal;
pub(crate) use self::text::{Line, Style, harmless_lines, several, size};
pub use self::tty::{Size, Window};
pub(crate) use self::tty::{is_lent, take_back};

use self::masked::masked;
use self::screen::Screen;
use crate::event::{Event, Events};

/// How often renderers may show that time has passed.
const TICK: Duration = Duration::from_millis(100);

/// How long a question waits for what was told before it.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// How many events wait for the renderers at most. While a question is open they are shown all the same, out of sight:
/// that the user is slow to answer keeps nobody waiting. A line of output has up to 64 KiB.
const WAITING: usize = 512;

/// Turns events into output.
pub trait Renderer: Send {
    /// Shows `event`, which happened `at` after the run's start.
    fn event(&mut self, at: Duration, event: &Event);

    /// Called when no event is waiting, several times a second: `at` after the run's start nothing new has happened.
    /// Here buffers are written, and here a live display moves.
    fn tick(&mut self, at: Duration) {
        let _ = at;
    }

    /// No event will follow. Shows what was held back.
    fn end(&mut self) {}
}

/// Questions to the user, answered on the terminal. Without a terminal every answer is `None`.
///
/// Questions of parallel logins are asked one after the other, and so are programs that want the terminal served.
pub trait Ask: Send + Sync {
    /// Asks for a text.
    fn text(&self, question: &str) -> Option<String>;

    /// Asks for a text that is not echoed.
    fn secret(&self, question: &str) -> Option<String>;

    /// Asks a question whose answer is yes or no; an empty answer is no.
    fn confirm(&self, question: &str) -> Option<bool>;

    /// Lends the terminal to a program that talks with the user itself. By default nobody is there to talk with.
    fn console(&self) -> Console<'_> {
        Console::nobodys()
    }
}

/// Nobody, who answers nothing.
#[cfg(test)]
pub(crate) struct Nobody;

#[cfg(test)]
impl Ask for Nobody {
    fn text(&self, _: &str) -> Option<String> {
        None
    }

    fn secret(&self, _: &str) -> Option<String> {
        None
    }

    fn confirm(&self, _: &str) -> Option<bool> {
        None
    }
}

/// Shows one run to the user, on a thread of its own.
pub struct Ui {
    events: Option<Events>,
    screen: Arc<Screen>,
    surroundings: Surroundings,
    over: Arc<AtomicBool>,
    shown: Shown,
    thread: Option<JoinHandle<()>>,
}

/// How far the screen is behind what was told.
#[derive(Clone, Debug, Default)]
struct Shown {
    told: Arc<AtomicU64>,
    shown: Arc<AtomicU64>,
}

impl Shown {
    /// Waits until all is shown that was told before, unless nobody shows it any more. For a question that is about it.
    fn catch_up(&self) {
        let told = self.told.load(Relaxed);
        let until = Instant::now() + LONGEST_WAIT;
        while self.shown.load(Relaxed) < told && Instant::now() < until {
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Ui {
    /// Starts to show a run on standard output and standard error, and in `log`.
    pub fn start(settings: Settings, log: Option<LogFile>) -> Ui {
        let [out, err] = outlet::streams();
        Ui::start_on(settings, log, out, err)
    }

    /// Starts to show a run on `out` and `err`, and in `log`.
    pub fn start_on(
        settings: Settings,
        log: Option<LogFile>,
        out: Box<dyn Write + Send>,
        err: Box<dyn Write + Send>,
    ) -> Ui {
        let screen = Screen::new(out, err, settings.surroundings);
        let mut renderers: Vec<Box<dyn Renderer>> = vec![match settings.format {
            Format::Json => Box::new(json::Json::new(Arc::clone(&screen), settings.verbosity)),
            Format::Pretty | Format::Plain => Box::new(plain::Plain::new(Arc::clone(&screen), settings.look())),
        }];
        if let Some(log) = log {
            renderers.push(Box::new(log::Log::new(log, Arc::clone(&screen))));
        }
        let (sender, events) = sync_channel(WAITING);
        let over = Arc::new(AtomicBool::new(false));
        let told = Events::bounded(sender);
        let shown = Shown { told: told.told(), shown: Arc::default() };
        let start = Instant::now();
        let show =
            Show { renderers, events, start, over: Arc::clone(&over), rendered: 0, shown: Arc::clone(&shown.shown) };
        Ui {
            events: Some(told),
            screen,
            surroundings: settings.surroundings,
            over,
            shown,
            thread: Some(thread::spawn(move || show.run())),
        }
    }

    /// Where the run's events go.
    pub fn events(&self) -> Events {
        self.events.clone().unwrap_or_else(Events::nowhere)
    }

    /// Where the run's questions go. When `interrupted` becomes true (by Ctrl-C, say), open questions end without an
    /// answer.
    pub fn terminal(&self, interrupted: Arc<AtomicBool>) -> Terminal {
        Terminal::new(Arc::clone(&self.screen), self.surroundings, interrupted).after(self.shown.clone())
    }

    /// Waits until everything is shown that was told so far. What is told later is lost.
    pub fn finish(self) {
        drop(self);
    }
}

impl Drop for Ui {
    fn drop(&mut self) {
        self.events = None;
        self.over.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the thread of a [`Ui`] does.
struct Show {
    renderers: Vec<Box<dyn Renderer>>,
    events: Receiver<(Instant, Event)>,
    start: Instant,
    /// Nothing more need be waited for.
    over: Arc<AtomicBool>,
    /// How many events the renderers were handed.
    rendered: u64,
    /// How many of them are written out.
    shown: Arc<AtomicU64>,
}

impl Show {
    /// Shows events until nobody is left to tell any, or until the run is over and all that it told is shown.
    fn run(mut self) {
        loop {
            match self.next() {
                Ok((at, event)) => self.event(at.saturating_duration_since(self.start), masked(event)),
                Err(RecvTimeoutError::Timeout) if self.over.load(Relaxed) => break,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.renderers.iter_mut().for_each(|renderer| renderer.end());
        self.tick();
    }

    /// The next event; before it waits for one, renderers may write out what they have.
    fn next(&mut self) -> Result<(Instant, Event), RecvTimeoutError> {
        match self.events.try_recv() {
            Ok(event) => Ok(event),
            Err(TryRecvError::Disconnected) => Err(RecvTimeoutError::Disconnected),
            Err(TryRecvError::Empty) => {
                self.tick();
                self.events.recv_timeout(TICK)
            }
        }
    }

    fn event(&mut self, at: Duration, event: Event) {
        self.renderers.iter_mut().for_each(|renderer| renderer.event(at, &event));
        self.rendered += 1;
        if matches!(event, Event::Finished { .. }) {
            self.over.store(true, Relaxed);
        }
    }

    fn tick(&mut self) {
        let at = self.start.elapsed();
        self.renderers.iter_mut().for_each(|renderer| renderer.tick(at));
        self.shown.store(self.rendered, Relaxed);
    }
}

#[cfg(test)]
mod tests;
