//! The user's terminal in the hands of a program, on a server or here.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::termios::{InputModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

use super::keyboard::Keyboard;
use super::screen::{Held, Target};
use super::settings::{Surroundings, terminal_kind};
use crate::event::Stream;

/// The user's standard streams, lent to a program. Until it is dropped the run's own output waits.
///
/// Where standard input and output are a terminal, the program gets a [`Window`] and every key, Ctrl-C included, and
/// the terminal's settings are put back afterwards. Elsewhere it gets what comes down the pipe.
pub struct Console<'a> {
    window: Option<Window>,
    /// Standard input, and the screen; nothing where nobody is there.
    streams: Option<(OwnedFd, Held<'a>)>,
    interrupted: Arc<AtomicBool>,
}

/// What a program should know of the user's terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its kind, as `TERM` says.
    pub kind: String,
    /// Its size at first.
    pub size: Size,
    /// Whether it erases whole characters of UTF-8.
    pub utf8: bool,
}

/// The size of a terminal, in characters. Zeros where it doesn't know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// How many stand side by side.
    pub columns: u16,
    /// How many lines there are.
    pub rows: u16,
}

impl<'a> Console<'a> {
    /// Lends this process's streams, whose screen is `held` back.
    pub(super) fn lend(held: Held<'a>, surroundings: Surroundings, interrupted: Arc<AtomicBool>) -> Console<'a> {
        let is_terminal = surroundings.stdin_is_terminal && surroundings.stdout_is_terminal;
        match io::stdin().as_fd().try_clone_to_owned() {
            Ok(input) => Console::new(input, is_terminal, held, interrupted),
            Err(_) => Console::nobodys(),
        }
    }

    pub(super) fn new(input: OwnedFd, is_terminal: bool, held: Held<'a>, interrupted: Arc<AtomicBool>) -> Console<'a> {
        let settings = tcgetattr(&input).ok().filter(|_| is_terminal);
        let window = settings.as_ref().map(|settings| Window {
            kind: terminal_kind(),
            size: size(input.as_fd()),
            utf8: settings.input_modes.contains(InputModes::IUTF8),
        });
        if let Some(settings) = settings
            && let Ok(terminal) = input.try_clone()
        {
            *lent() = Some(Lent { terminal, settings });
        }
        Console { window, streams: Some((input, held)), interrupted }
    }

    /// A console at which nobody sits: no key is ever typed, and what is shown is lost.
    pub fn nobodys() -> Console<'a> {
        Console { window: None, streams: None, interrupted: Arc::default() }
    }

    /// Whether it is this process's own streams, which a program may inherit.
    pub(crate) fn is_ours(&self) -> bool {
        self.streams.is_some()
    }

    /// The terminal; nothing where the streams are none.
    pub fn window(&self) -> Option<&Window> {
        self.window.as_ref()
    }

    /// Whether the program has to end, since the run was interrupted.
    pub fn is_wanted_back(&self) -> bool {
        self.interrupted.load(Relaxed)
    }

    /// Shows what the program wrote, byte for byte.
    pub fn show(&self, stream: Stream, bytes: &[u8]) {
        let target = match stream {
            Stream::Stdout => Target::Out,
            Stream::Stderr => Target::Err,
        };
        if let Some((_, held)) = &self.streams {
            held.write(target, bytes);
        }
    }

    /// Begins to read what is typed: on a terminal, key by key from now on.
    pub(crate) fn keyboard(&self) -> io::Result<Keyboard<'_>> {
        let input = self.streams.as_ref().map(|(input, _)| input.as_fd());
        Keyboard::new(input, self.window.is_some())
    }
}

impl Drop for Console<'_> {
    fn drop(&mut self) {
        if let (Some(_), Some((_, held))) = (&self.window, &self.streams) {
            take_back();
            held.end_line();
        }
    }
}

/// The size of `terminal`.
pub(super) fn size(terminal: BorrowedFd<'_>) -> Size {
    tcgetwinsize(terminal).map_or_else(|_| Size::default(), |size| Size { columns: size.ws_col, rows: size.ws_row })
}

/// Hands every key over as it is typed, and shows everything as it is written.
pub(super) fn make_raw(terminal: BorrowedFd<'_>) -> io::Result<()> {
    let mut settings = tcgetattr(terminal)?;
    settings.make_raw();
    Ok(tcsetattr(terminal, OptionalActions::Now, &settings)?)
}

/// A terminal that a program has, and its settings from before.
struct Lent {
    terminal: OwnedFd,
    settings: Termios,
}

/// The one terminal that a process has. Whoever ends the process at once has to be able to put it in order.
static LENT: Mutex<Option<Lent>> = Mutex::new(None);

fn lent() -> MutexGuard<'static, Option<Lent>> {
    LENT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a program has the terminal. Then Ctrl-C is meant for it.
pub(crate) fn is_lent() -> bool {
    lent().is_some()
}

/// Puts the terminal's settings back, if a program has it.
pub(crate) fn take_back() {
    if let Some(Lent { terminal, settings }) = lent().take() {
        // The terminal may be gone. Not after what is still to be written: that may never be.
        let _ = tcsetattr(terminal, OptionalActions::Now, &settings);
    }
}

#[cfg(test)]
#[path = "console_tests.rs"]
mod tests;
