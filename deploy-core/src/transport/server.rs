//! What a way to servers has to be able to do.

use std::sync::Arc;

use super::converse;
use super::process::{Exit, Process};
use crate::config::{Server, Stage};
use crate::error::Error;
use crate::event::Traffic;
use crate::ui::Console;

/// How many bytes a command may have. What is longer is sent to one over its standard input: libssh2 takes no longer request.
pub const LONGEST_COMMAND: usize = 34_725;

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

/// A logged-in server. It may be used from several threads at once; dropping the last handle logs out.
pub trait Transport: Send + Sync {
    /// Starts `command`, which the login shell of the user interprets.
    ///
    /// Returns at once; a command that can't be started says so through [`Output::Lost`](super::Output::Lost).
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

    /// The line by which a person would run `command` there, where it takes more than `command`.
    fn by_hand(&self, _command: &str) -> Option<String> {
        None
    }

    /// How many commands can run at a time, once the server has refused one more.
    fn sessions(&self) -> Option<usize> {
        None
    }
}
