//! The terminal itself: its size and settings, and how they are put back whoever ends the process.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

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

/// Notes that a program has `terminal`, whose settings were these.
pub(super) fn lend(terminal: &OwnedFd, settings: Termios) {
    if let Ok(terminal) = terminal.try_clone() {
        *lent() = Some(Lent { terminal, settings });
    }
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
