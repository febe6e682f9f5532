//! A channel in a loop that serves many.
//!
//! A packet that the socket took only in part must be finished by the very call that began it, before anything else can
//! be sent on the whole connection. A [`Port`] remembers which of its calls is in that condition, and closes its channel
//! only when none is.

use ssh2::{Error as Fault, Session};

use super::fault::ends_connection;
use super::sys::{Channel, Side, counting_packets, sending_only};
use super::wire::Wire;
use crate::ui::{Size, Window};

/// A channel, and what has to be known to end it well.
pub(crate) struct Port {
    channel: Channel,
    half_written: bool,
    half_read: bool,
    half_resized: bool,
    eof_sent: bool,
    requested: bool,
    /// How many times libssh2 has asked for the agent: where that is refused, it asks again, under another name.
    agent_asked: usize,
    /// libssh2's answer to that.
    agent_answer: Option<Result<(), Fault>>,
    behind: Behind,
}

/// A program that is asked for right behind the agent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Behind {
    Nothing,
    /// In part.
    Sending,
    Sent,
}

/// What a server says to both questions, for the agent and for a program.
pub(crate) struct Answers {
    /// Whether the program can use the agent.
    pub(crate) agent: bool,
    /// Whether it runs.
    pub(crate) program: Result<(), Fault>,
}

/// The receive window of a channel. Servers buffer a whole window and copy it about; a larger one is slower on fast
/// links, a smaller one on links with a long round trip.
const WINDOW: u32 = 4 << 20;

/// The largest packet that is allowed to come; larger ones gain nothing.
const PACKET: u32 = 32 << 10;

/// The kind of a channel that runs a command.
const SESSION: &str = "session";

impl Port {
    /// Opens a channel for a command; `Ok(None)` until the server has agreed.
    pub(crate) fn open_session(wire: &Wire) -> Result<Option<Port>, Fault> {
        Port::open(wire, SESSION, &[])
    }

    /// Opens a channel of type `kind` with `message` in the request; `Ok(None)` until the server has agreed. There can be
    /// one such call at a time on a connection.
    pub(crate) fn open(wire: &Wire, kind: &str, message: &[u8]) -> Result<Option<Port>, Fault> {
        let opened = Channel::open(&wire.session, kind, WINDOW, PACKET, message);
        wire.note_interest();
        Ok(opened?.map(Port::new))
    }

    /// Sends the request to open a channel for a command, and nothing else; [`Port::open_session`] gets the answer. False
    /// where it could not be sent.
    pub(crate) fn ask_for_session(session: &Session) -> bool {
        let opened = sending_only(session, || Channel::open(session, SESSION, WINDOW, PACKET, &[]));
        matches!(opened, Ok(None))
    }

    pub(crate) fn new(channel: Channel) -> Port {
        let (half_written, half_read, half_resized) = (false, false, false);
        let (eof_sent, requested, agent_asked, agent_answer) = (false, false, 0, None);
        let behind = Behind::Nothing;
        Port { channel, half_written, half_read, half_resized, eof_sent, requested, agent_asked, agent_answer, behind }
    }

    /// Asks for a terminal; `Ok(false)` until the server has agreed.
    pub(crate) fn request_terminal(&mut self, wire: &Wire, window: &Window) -> Result<bool, Fault> {
        let (channel, Size { columns, rows }) = (&mut self.channel, window.size);
        let modes = modes(window);
        let request = || channel.request_terminal(&window.kind, &modes, columns, rows);
        Ok(wire.request(&mut self.requested, request)?.is_some())
    }

    /// Tells the terminal's new size; `Ok(false)` until that is out.
    pub(crate) fn resize_terminal(&mut self, wire: &Wire, size: Size) -> Result<bool, Fault> {
        let channel = &mut self.channel;
        let resized = wire.attempt(&mut self.half_resized, || channel.resize_terminal(size.columns, size.rows))?;
        Ok(resized.is_some())
    }

    /// Asks for a program; `Ok(false)` until the server has agreed.
    pub(crate) fn exec(&mut self, wire: &Wire, command: &str) -> Result<bool, Fault> {
        let channel = &mut self.channel;
        Ok(wire.request(&mut self.requested, || channel.exec(command))?.is_some())
    }

    /// Asks that the agent be forwarded; `Ok(false)` until the server has agreed.
    pub(crate) fn forward_agent(&mut self, wire: &Wire) -> Result<bool, Fault> {
        let Port { channel, requested, .. } = self;
        let (answer, packets) = counting_packets(&wire.session, || wire.request(requested, || channel.forward_agent()));
        self.agent_asked += packets;
        Ok(answer?.is_some())
    }

    /// Asks that the agent be forwarded and, without waiting for the answer, for a program; `Ok(None)` until the server has
    /// answered both. Nothing else may read from the session meanwhile.
    ///
    /// # Errors
    ///
    /// Those that end the connection.
    pub(crate) fn exec_with_agent(&mut self, wire: &Wire, command: &str) -> Result<Option<Answers>, Fault> {
        if self.agent_answer.is_none() && !self.ask_for_both(wire, command)? {
            return Ok(None);
        }
        let program = match self.exec(wire, command) {
            Ok(false) => return Ok(None),
            Err(fault) if ends_connection(&fault) => return Err(fault),
            answer => answer.map(drop),
        };
        let agent = self.agent_answer.take().unwrap_or(Ok(()));
        if self.agent_asked > 1 && self.behind == Behind::Sent {
            // Refused. The second time it was asked for was behind the program, whose answer was taken for that one's.
            return Ok(Some(Answers { agent: false, program: agent }));
        }
        Ok(Some(Answers { agent: agent.is_ok(), program }))
    }

    /// Sends both questions, and takes the first answer. False until it is there.
    fn ask_for_both(&mut self, wire: &Wire, command: &str) -> Result<bool, Fault> {
        if self.behind == Behind::Sending {
            self.send_behind(wire, command)?;
            return Ok(false);
        }
        self.agent_answer = match self.forward_agent(wire) {
            Ok(true) => Some(Ok(())),
            Err(fault) if !ends_connection(&fault) => Some(Err(fault)),
            Err(fault) => return Err(fault),
            Ok(false) => {
                if self.behind == Behind::Nothing && self.agent_asked == 1 {
                    self.send_behind(wire, command)?;
                }
                return Ok(false);
            }
        };
        Ok(true)
    }

    fn send_behind(&mut self, wire: &Wire, command: &str) -> Result<(), Fault> {
        let channel = &mut self.channel;
        sending_only(&wire.session, || channel.exec(command))?;
        self.behind = if wire.is_sending() { Behind::Sending } else { Behind::Sent };
        Ok(())
    }

    /// Reads one of the streams: how many bytes came, zero if there are none now.
    pub(crate) fn read(&mut self, wire: &Wire, side: Side, buffer: &mut [u8]) -> Result<usize, Fault> {
        let channel = &mut self.channel;
        Ok(wire.attempt(&mut self.half_read, || channel.read(side, buffer))?.unwrap_or(0))
    }

    /// Takes in what the socket has, for other channels may wait for it, and leaves our own data where it is.
    pub(crate) fn take_in(&mut self, wire: &Wire) -> Result<(), Fault> {
        self.read(wire, Side::Out, &mut []).map(drop)
    }

    /// Sends the beginning of `data`; returns how much of it. What was not sent has to come first the next time.
    pub(crate) fn write(&mut self, wire: &Wire, data: &[u8]) -> Result<usize, Fault> {
        let channel = &mut self.channel;
        Ok(wire.attempt(&mut self.half_written, || channel.write(data))?.unwrap_or(0))
    }

    /// Whether the last write holds up everybody else's packets.
    pub(crate) fn is_half_written(&self) -> bool {
        self.half_written
    }

    /// Says that no more data will be sent; `Ok(false)` until that is out.
    pub(crate) fn send_eof(&mut self, wire: &Wire) -> Result<bool, Fault> {
        self.eof_sent = self.eof_sent || (wire.has_room() && self.channel.send_eof()?.is_some());
        Ok(self.eof_sent)
    }

    /// Whether our end-of-file is out.
    pub(crate) fn has_sent_eof(&self) -> bool {
        self.eof_sent
    }

    /// Whether everything that the server will ever send was read.
    pub(crate) fn eof(&self) -> bool {
        self.channel.eof()
    }

    /// The channel, to ask how its command ended.
    pub(crate) fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Ends the channel; `Ok(false)` until it is closed. `unsent` is what the last write left over.
    pub(crate) fn close(&mut self, wire: &Wire, unsent: &[u8]) -> Result<bool, Fault> {
        if !self.eof_sent || self.half_read {
            // Also where it leads to nothing: while we wait for room, somebody has to take in what the server sends.
            self.take_in(wire)?;
        }
        if self.half_written {
            self.write(wire, unsent)?;
        }
        if self.half_resized {
            self.resize_terminal(wire, Size::default())?;
        }
        if self.half_read || self.half_written || self.half_resized || !self.send_eof(wire)? {
            return Ok(false);
        }
        Ok(self.channel.close()?.is_some())
    }
}

/// The numbers of two modes of a terminal (RFC 4254, section 8, and RFC 8160).
const END: u8 = 0;
const IUTF8: u8 = 42;

/// The settings of `window` that servers don't have by themselves, as SSH writes them.
fn modes(window: &Window) -> Vec<u8> {
    if window.utf8 { vec![IUTF8, 0, 0, 0, 1, END] } else { vec![END] }
}
