//! Session channels, opened ahead: a command then starts after one round trip instead of two.

use std::collections::VecDeque;

use ssh2::Error as Fault;

use super::error;
use super::job::Command;
use super::sys::{Channel, Side};
use super::wire::Wire;

/// The receive window of a channel. Servers buffer a whole window and copy it about; a larger one is slower on fast
/// links, a smaller one on links with a long round trip.
const WINDOW: u32 = 4 << 20;

/// The largest packet that is allowed to come; larger ones gain nothing.
const PACKET: u32 = 32 << 10;

/// How many channels wait, opened, for commands to come.
const AHEAD: usize = 2;

/// How many channels there may be, counted with the running ones, when one is opened ahead. Servers allow 10
/// (`MaxSessions`), and what is left is for commands that nobody foresaw.
const AHEAD_LIMIT: usize = 8;

/// The open channels that no command has yet, and the one that is being opened.
#[derive(Default)]
pub(super) struct Channels {
    spare: Vec<Channel>,
    /// Whether an open is in flight. libssh2 can do only one at a time on a connection.
    opening: bool,
    /// How many channels the server turned out to allow.
    limit: Option<usize>,
}

impl Channels {
    /// Opens what is needed. `running` channels have a command already; commands of `queue` wait for one.
    ///
    /// # Errors
    ///
    /// Those that end the connection.
    pub(super) fn step(
        &mut self,
        wire: &Wire,
        running: usize,
        queue: &mut VecDeque<Command>,
        label: &str,
    ) -> Result<bool, Fault> {
        self.take_in()?;
        if !self.opening && !self.wants(running, queue.len()) {
            return Ok(false);
        }
        let opened = Channel::open(&wire.session, "session", WINDOW, PACKET, &[]);
        wire.note_interest();
        self.opening = matches!(opened, Ok(None));
        match opened {
            Ok(None) => Ok(false),
            Ok(Some(channel)) => {
                self.spare.push(channel);
                Ok(true)
            }
            Err(fault) if error::ends_connection(&fault) => Err(fault),
            Err(fault) => {
                self.refused(running, queue, label, &fault);
                Ok(true)
            }
        }
    }

    /// An open channel, if there is one.
    pub(super) fn take(&mut self) -> Option<Channel> {
        self.spare.pop()
    }

    fn wants(&self, running: usize, waiting: usize) -> bool {
        let open = running + self.spare.len();
        let allowed = self.limit.is_none_or(|limit| open < limit);
        allowed && (waiting > self.spare.len() || (self.spare.len() < AHEAD && open < AHEAD_LIMIT))
    }

    /// The server opens no more: commands wait for a running one to end, or can't run at all.
    fn refused(&mut self, running: usize, queue: &mut VecDeque<Command>, label: &str, fault: &Fault) {
        let open = running + self.spare.len();
        self.limit = Some(open);
        if open == 0 {
            for command in queue.drain(..) {
                command.fail(error::command_failed(label, fault));
            }
        }
    }

    /// Takes in what the socket has also when no command is running, so that a lost connection is noticed.
    fn take_in(&mut self) -> Result<(), Fault> {
        match self.spare.first_mut() {
            Some(channel) => channel.read(Side::Out, &mut []).map(|_| ()),
            None => Ok(()),
        }
    }
}
