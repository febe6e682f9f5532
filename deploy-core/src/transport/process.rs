//! A command that runs on a server: three streams and an exit.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Instant;

use crate::error::Error;

/// A running command.
///
/// Dropping it closes its input and forgets it. It doesn't kill: the scripts that we run watch their input and end
/// their own process group when it closes.
pub struct Process {
    /// The standard input.
    pub stdin: Box<dyn Stdin>,
    output: Receiver<Output>,
    /// Called after each [`Output`] that was taken, so that a loop that stopped reading because we were slow can go on.
    on_taken: Option<Box<dyn Fn() + Send>>,
}

/// The standard input of a [`Process`].
pub trait Stdin: Send {
    /// Hands `data` over to be sent, and waits while too much is waiting to be sent.
    ///
    /// Returns false when nobody will read it: the process or the connection is gone.
    /// The reason comes as [`Output::Exit`] or [`Output::Lost`].
    fn send(&mut self, data: Vec<u8>) -> bool;

    /// Sends what was handed over, then end-of-file.
    fn close(&mut self);
}

/// Takes the place of a standard input that was taken out of its process.
pub(crate) struct Nobody;

impl Stdin for Nobody {
    fn send(&mut self, _: Vec<u8>) -> bool {
        false
    }

    fn close(&mut self) {}
}

/// What comes out of a [`Process`]. After [`Output::Exit`] or [`Output::Lost`] nothing follows.
#[derive(Debug)]
pub enum Output {
    /// Bytes of the standard output, in order.
    Stdout(Vec<u8>),
    /// Bytes of the standard error, in order. The order between the two streams is not kept.
    Stderr(Vec<u8>),
    /// The process ended and both streams are complete.
    Exit(Exit),
    /// The connection was lost, or the command could not be started.
    Lost(Error),
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// With this status.
    Status(i32),
    /// By this signal (`KILL`, `TERM`).
    Signal(String),
    /// The server closed the channel without saying.
    Unknown,
}

impl Process {
    /// A process whose output arrives in `output`. `on_taken` is called after each item that was taken.
    pub fn new(stdin: Box<dyn Stdin>, output: Receiver<Output>, on_taken: Option<Box<dyn Fn() + Send>>) -> Process {
        Process { stdin, output, on_taken }
    }

    /// The next piece of output, or `None` when nothing came until `deadline`.
    pub fn next(&mut self, deadline: Instant) -> Option<Output> {
        let wait = deadline.saturating_duration_since(Instant::now());
        let output = match self.output.recv_timeout(wait) {
            Ok(output) => output,
            Err(RecvTimeoutError::Timeout) => return None,
            Err(RecvTimeoutError::Disconnected) => Output::Lost(Error::connection("the connection was closed")),
        };
        if let Some(on_taken) = &self.on_taken {
            on_taken();
        }
        Some(output)
    }
}
