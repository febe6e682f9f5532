//! What is typed for a program that has the terminal, and news of the terminal itself.

use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use signal_hook::SigId;
use signal_hook::consts::{SIGCONT, SIGWINCH};
use signal_hook::low_level::{pipe, unregister};

use super::tty::{Size, make_raw, size};

/// How many bytes are read at a time.
const PIECE: usize = 16 << 10;

/// Reads what is typed at a [`Console`](super::Console), on whichever thread has it.
pub(crate) struct Keyboard<'c> {
    /// Standard input; nothing once it has ended.
    input: Option<BorrowedFd<'c>>,
    /// Whether its end was told.
    has_ended: bool,
    /// Standard input if it is a terminal.
    terminal: Option<BorrowedFd<'c>>,
    /// Readable when a signal came or nobody wants to hear of keys any more.
    bell: UnixStream,
    button: UnixStream,
    signals: Vec<SigId>,
    is_over: Arc<AtomicBool>,
    escape: Escape,
}

/// Something that happened at the keyboard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Typed {
    /// These bytes were typed, or came down the pipe.
    Keys(Vec<u8>),
    /// The terminal has another size now.
    Resized(Size),
    /// Nothing more will be typed.
    End,
    /// The user wants to leave, whatever the program does: `~.` at the start of a line, as with `ssh`.
    Leave,
}

/// Ends a [`Keyboard`] that waits on another thread, when it is dropped.
pub(crate) struct Stopper {
    button: UnixStream,
    is_over: Arc<AtomicBool>,
}

impl<'c> Keyboard<'c> {
    pub(super) fn new(input: Option<BorrowedFd<'c>>, is_terminal: bool) -> io::Result<Keyboard<'c>> {
        let (bell, button) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        let mut keyboard = Keyboard {
            input,
            has_ended: false,
            terminal: input.filter(|_| is_terminal),
            bell,
            button,
            signals: Vec::new(),
            is_over: Arc::default(),
            escape: Escape::default(),
        };
        if let Some(terminal) = keyboard.terminal {
            // A process that was stopped finds other settings when it is continued.
            for signal in [SIGWINCH, SIGCONT] {
                keyboard.signals.push(pipe::register(signal, keyboard.button.try_clone()?)?);
            }
            make_raw(terminal)?;
            // It may have changed since it was looked at.
            keyboard.button.write_all(&[1])?;
        }
        Ok(keyboard)
    }

    /// What ends this keyboard.
    pub(crate) fn stopper(&self) -> io::Result<Stopper> {
        Ok(Stopper { button: self.button.try_clone()?, is_over: Arc::clone(&self.is_over) })
    }

    /// Waits until the bell rings or there is something to read, and tells which.
    fn wait(&self) -> (bool, bool) {
        let mut fds = vec![PollFd::new(&self.bell, PollFlags::IN)];
        fds.extend(self.input.iter().map(|input| PollFd::new(input, PollFlags::IN)));
        // An interruption leaves both false.
        let _ = poll(&mut fds, None);
        let has_rung = !fds[0].revents().is_empty() && (&self.bell).read(&mut [0; 64]).is_ok();
        (has_rung, fds.get(1).is_some_and(|input| !input.revents().is_empty()))
    }

    /// Reads what is there; nothing if it only seemed so.
    fn read(&mut self) -> Option<Typed> {
        let input = self.input?;
        let mut keys = vec![0; PIECE];
        match rustix::io::read(input, &mut keys) {
            Err(Errno::INTR | Errno::AGAIN) => None,
            Ok(0) | Err(_) => {
                self.input = None;
                None
            }
            Ok(count) if self.terminal.is_none() => {
                keys.truncate(count);
                Some(Typed::Keys(keys))
            }
            Ok(count) => match self.escape.filter(&keys[..count]) {
                Some(keys) if keys.is_empty() => None,
                Some(keys) => Some(Typed::Keys(keys)),
                None => Some(Typed::Leave),
            },
        }
    }
}

impl Iterator for Keyboard<'_> {
    type Item = Typed;

    /// Waits for what happens next. `None` once the [`Stopper`] is dropped.
    fn next(&mut self) -> Option<Typed> {
        loop {
            if self.input.is_none() && !self.has_ended {
                self.has_ended = true;
                return Some(Typed::End);
            }
            let (has_rung, has_input) = self.wait();
            if has_rung && self.is_over.load(SeqCst) {
                return None;
            }
            if let Some(terminal) = self.terminal.filter(|_| has_rung) {
                let _ = make_raw(terminal);
                return Some(Typed::Resized(size(terminal)));
            }
            if has_input && let Some(typed) = self.read() {
                return Some(typed);
            }
        }
    }
}

impl Drop for Keyboard<'_> {
    fn drop(&mut self) {
        for signal in self.signals.drain(..) {
            unregister(signal);
        }
    }
}

impl Drop for Stopper {
    fn drop(&mut self) {
        self.is_over.store(true, SeqCst);
        let _ = self.button.write(&[1]);
    }
}

/// Finds `~.` at the start of a line among the keys. Of `~~` there, one goes on.
#[derive(Debug, Default)]
enum Escape {
    #[default]
    LineStart,
    Tilde,
    InLine,
}

impl Escape {
    /// The keys that are for the program; nothing if the user leaves.
    fn filter(&mut self, typed: &[u8]) -> Option<Vec<u8>> {
        let mut keys = Vec::with_capacity(typed.len() + 1);
        for &key in typed {
            match (&self, key) {
                (Escape::Tilde, b'.') => return None,
                (Escape::LineStart, b'~') => {
                    *self = Escape::Tilde;
                    continue;
                }
                (Escape::Tilde, b'~') => {}
                (Escape::Tilde, _) => keys.push(b'~'),
                (Escape::LineStart | Escape::InLine, _) => {}
            }
            keys.push(key);
            *self = if matches!(key, b'\r' | b'\n') { Escape::LineStart } else { Escape::InLine };
        }
        Some(keys)
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    /// What arrives of keys that are typed in these pieces.
    fn arrives(pieces: &[&str]) -> Vec<Option<String>> {
        let mut escape = Escape::default();
        let keys = |piece: &&str| escape.filter(piece.as_bytes()).map(|keys| String::from_utf8(keys).unwrap());
        pieces.iter().map(keys).collect()
    }

    fn some(pieces: &[&str]) -> Vec<Option<String>> {
        pieces.iter().map(|piece| Some((*piece).to_owned())).collect()
    }

    #[test]
    fn a_tilde_and_a_dot_at_the_start_of_a_line_leave() {
        assert_eq!(arrives(&["~."]), [None]);
        assert_eq!(arrives(&["select 1\r", "~", "."]), [Some("select 1\r".to_owned()), Some(String::new()), None]);
    }

    #[test]
    fn tildes_elsewhere_are_keys_like_others() {
        assert_eq!(arrives(&["cd ~./a\r"]), some(&["cd ~./a\r"]));
        assert_eq!(arrives(&["~", "/bin/true"]), some(&["", "~/bin/true"]));
        assert_eq!(arrives(&["~~.\r"]), some(&["~.\r"]));
        assert_eq!(arrives(&["~\r."]), some(&["~\r."]));
    }

    #[test]
    fn a_pipe_is_passed_on_and_ends() {
        let (reader, mut writer) = io::pipe().unwrap();
        let mut keyboard = Keyboard::new(Some(reader.as_fd()), false).unwrap();
        writer.write_all(b"~.\n").unwrap();
        assert_eq!(keyboard.next(), Some(Typed::Keys(b"~.\n".to_vec())));
        drop(writer);
        assert_eq!(keyboard.next(), Some(Typed::End));
        drop(keyboard.stopper().unwrap());
        assert_eq!(keyboard.next(), None);
    }

    #[test]
    fn a_keyboard_that_nobody_sits_at_waits_until_it_is_stopped() {
        let mut keyboard = Keyboard::new(None, false).unwrap();
        assert_eq!(keyboard.next(), Some(Typed::End));
        drop(keyboard.stopper().unwrap());
        assert_eq!(keyboard.next(), None);
    }
}
