//! What callers ask the thread that owns a session for.

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;

use super::stdio::{Input, Sink};
use super::terminal::Terminal;
use crate::error::Error;
use crate::transport::process::Output;
use crate::transport::ssh::libssh2::format::put;

/// What the other threads ask the owner for.
pub(crate) enum Request {
    /// To run a command.
    Exec(Command),
    /// To reach another server from this one.
    Dial(Dial),
}

/// What was asked for.
pub(crate) struct Command {
    pub(crate) text: String,
    pub(crate) input: Arc<Input>,
    pub(crate) output: Sink,
    /// The terminal that it runs on, if it needs one.
    pub(crate) terminal: Option<Terminal>,
}

impl Command {
    /// Ends a command that can't run, or not any longer.
    pub(crate) fn fail(self, error: Error) {
        self.finish(Output::Lost(error));
    }

    /// Tells the caller how it ended.
    pub(crate) fn finish(&self, last: Output) {
        self.input.refuse();
        self.output.push(last);
    }
}

/// However it ends, nobody waits for ever to send input to it.
impl Drop for Command {
    fn drop(&mut self) {
        self.input.refuse();
    }
}

/// A wish to reach another server from this one.
pub(crate) struct Dial {
    /// What the open request carries.
    pub(crate) message: Vec<u8>,
    pub(crate) socket: UnixStream,
    pub(crate) reply: Sender<Result<(), String>>,
    pub(crate) turn: Turn,
}

/// Whose turn it is with a [`Dial`]: whoever takes it first, the owner thread to begin or the caller to withdraw, has it.
#[derive(Clone, Default)]
pub(crate) struct Turn(Arc<AtomicBool>);

impl Turn {
    /// Takes the turn; false when the other side has.
    pub(crate) fn take(&self) -> bool {
        !self.0.swap(true, Ordering::SeqCst)
    }
}

impl Dial {
    /// Connects `socket` to `host` and `port` as this server sees them. `reply` hears of it.
    pub(crate) fn new(
        host: &str,
        port: u16,
        socket: UnixStream,
        reply: Sender<Result<(), String>>,
        turn: Turn,
    ) -> Dial {
        // RFC 4254, section 7.2: where to, then who asks.
        let mut message = Vec::new();
        put(&mut message, host.as_bytes());
        message.extend(u32::from(port).to_be_bytes());
        put(&mut message, b"127.0.0.1");
        message.extend(0_u32.to_be_bytes());
        Dial { message, socket, reply, turn }
    }

    /// Says that nothing came of it.
    pub(crate) fn fail(self, reason: String) {
        let _ = self.reply.send(Err(reason));
    }
}
