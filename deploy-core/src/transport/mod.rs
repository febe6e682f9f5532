//! Running commands on servers.
//!
//! [`Transport`] is a logged-in server. What runs there is a [`Process`] with three streams and an exit; everything
//! else (scripts, payloads, file transfer, cancellation) is made of these. The `ssh` folder is the only place that
//! names ssh2, `local` is the same thing on this machine.

mod converse;
#[cfg(any(test, feature = "testing"))]
pub mod fake;
pub mod local;
pub mod ssh;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Instant;

use crate::config::{Server, Stage, TransportKind};
use crate::error::Error;
pub use crate::event::Traffic;
use crate::ui::Console;

/// Logs in to servers.
pub trait Connect: Send + Sync {
    /// Logs in to `server`, waiting at most as long as the stage's `ssh.connect_timeout`.
    ///
    /// # Errors
    ///
    /// Of kind [`Connection`](crate::error::ErrorKind::Connection); names the server, the step (resolving, connecting,
    /// handshake, host key, authentication) and the likely cause.
    fn connect(&self, stage: &Stage, server: &Server) -> Result<Arc<dyn Transport>, Error>;
}

/// Reaches servers of every stage, each as its stage says.
pub struct Anywhere {
    /// Those over SSH.
    pub ssh: ssh::Ssh,
    /// This machine.
    pub local: local::Local,
}

impl Connect for Anywhere {
    fn connect(&self, stage: &Stage, server: &Server) -> Result<Arc<dyn Transport>, Error> {
        match stage.transport {
            TransportKind::Ssh => self.ssh.connect(stage, server),
            TransportKind::Local => self.local.connect(stage, server),
        }
    }
}

/// A logged-in server. It may be used from several threads at once; dropping the last handle logs out.
pub trait Transport: Send + Sync {
    /// Starts `command`, which the login shell of the user interprets.
    ///
    /// Returns at once; a command that can't be started says so through [`Output::Lost`].
    fn exec(&self, command: &str) -> Process;

    /// Runs `command` for the user, who talks with it at `console`: on a terminal of its own, of the same kind and size,
    /// where the user sits at one. Where it is several commands, the last one should be an `exec`, so that it is the one
    /// that hears of the end.
    ///
    /// # Errors
    ///
    /// When the command can't be started, the connection is lost, or the user or a signal ends the talk before the command
    /// has ended.
    fn interact(&self, command: &str, console: &Console<'_>) -> Result<Exit, Error> {
        converse::converse(self.exec(command), console, &|_| ())
    }

    /// What went over the wire so far.
    fn traffic(&self) -> Traffic;

    /// How many commands can run at a time, once the server has refused one more.
    fn sessions(&self) -> Option<usize> {
        None
    }
}

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
