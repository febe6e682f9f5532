//! The user's terminal in the hands of a program, on a server or here.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rustix::termios::{InputModes, tcgetattr};

use super::keyboard::Keyboard;
use super::outlet::Target;
use super::screen::Held;
use super::settings::{Surroundings, terminal_kind};
use super::tty::{Window, lend, size, take_back};
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
        if let Some(settings) = settings {
            lend(&input, settings);
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

#[cfg(test)]
#[path = "console_tests.rs"]
mod tests;
