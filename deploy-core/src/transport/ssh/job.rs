//! One command on its channel.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ssh2::Error as Fault;

use super::connection::Counters;
use super::error;
use super::stdio::{Input, Next, Sink};
use super::sys::{Channel, Side};
use super::wire::Wire;
use crate::error::Error;
use crate::transport::{Exit, Output};

/// How many calls of one kind a job gets per turn, so that a flood on one channel doesn't starve the others.
const CALLS_PER_TURN: usize = 16;

/// What was asked for.
pub(super) struct Command {
    pub(super) text: String,
    pub(super) input: Arc<Input>,
    pub(super) output: Sink,
}

impl Command {
    /// Ends a command that can't run, or not any longer.
    pub(super) fn fail(self, error: Error) {
        self.finish(Output::Lost(error));
    }

    fn finish(&self, last: Output) {
        self.input.refuse();
        self.output.push(last);
    }
}

/// A command that has a channel.
///
/// A packet that the socket took only in part must be finished by the very call that began it, before anything else
/// can be sent on the whole connection. So each state repeats its calls until they are through, and the job doesn't
/// close its channel while a write or a read (which may enlarge the window) of its own is in that condition.
pub(super) struct Job {
    command: Command,
    channel: Channel,
    state: State,
    /// Whether the request for the command is under way.
    requested: bool,
    /// The piece of input that is being sent, and how much of it went out already.
    sending: Option<(Vec<u8>, usize)>,
    input_ended: bool,
    half_written: bool,
    half_read: bool,
    failure: Option<Error>,
    counters: Arc<Counters>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Starting,
    Running,
    /// No more is read or written, but our end-of-file has to be out before the close.
    Ending,
    Closing,
    Over,
}

impl Job {
    pub(super) fn new(command: Command, channel: Channel, counters: Arc<Counters>) -> Job {
        Job {
            command,
            channel,
            state: State::Starting,
            requested: false,
            sending: None,
            input_ended: false,
            half_written: false,
            half_read: false,
            failure: None,
            counters,
        }
    }

    /// Does what can be done now without waiting. Returns whether anything moved.
    ///
    /// # Errors
    ///
    /// Those that end the connection; an error of this channel alone ends the job.
    pub(super) fn step(&mut self, wire: &Wire, buffer: &mut [u8], label: &str) -> Result<bool, Fault> {
        let moved = match self.state {
            State::Starting => self.start(wire),
            State::Running => self.run(wire, buffer),
            State::Ending => self.end_input(wire),
            State::Closing => self.close(),
            State::Over => Ok(false),
        };
        match moved {
            Err(fault) if !error::ends_connection(&fault) => {
                self.fail(error::command_failed(label, &fault));
                Ok(true)
            }
            moved => moved,
        }
    }

    /// Ends the job because its channel doesn't work; the connection goes on.
    fn fail(&mut self, error: Error) {
        self.failure.get_or_insert(error);
        self.state = match self.state {
            State::Starting | State::Running => State::Ending,
            _ => State::Over,
        };
        if self.is_over() {
            self.finish();
        }
    }

    /// Tells the caller how it ended.
    fn finish(&mut self) {
        let last = self.failure.take().map(Output::Lost).unwrap_or_else(|| Output::Exit(self.exit()));
        self.command.finish(last);
        self.state = State::Over;
    }

    /// Whether the job is done and its channel can go.
    pub(super) fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// Gives the command back, to be told why the connection ended.
    pub(super) fn into_command(self) -> Command {
        self.command
    }

    fn start(&mut self, wire: &Wire) -> Result<bool, Fault> {
        let (channel, text) = (&mut self.channel, &self.command.text);
        if wire.request(&mut self.requested, || channel.exec(text))?.is_none() {
            return Ok(false);
        }
        self.counters.execs.fetch_add(1, Ordering::Relaxed);
        self.state = State::Running;
        Ok(true)
    }

    fn run(&mut self, wire: &Wire, buffer: &mut [u8]) -> Result<bool, Fault> {
        let mut moved = self.feed(wire)?;
        if self.command.output.has_room() {
            moved |= self.read(wire, Side::Out, buffer)?;
            moved |= self.read(wire, Side::Err, buffer)?;
        } else {
            self.take_in(wire)?;
        }
        if self.channel.eof() || self.is_abandoned() {
            self.command.input.refuse();
            self.state = State::Ending;
            moved = true;
        }
        Ok(moved)
    }

    /// Whether the command has ended, nobody listens, and only something that it left behind keeps a stream open.
    fn is_abandoned(&self) -> bool {
        self.command.output.is_forgotten()
            && (self.channel.exit_status().is_some() || self.channel.exit_signal().is_some())
    }

    fn feed(&mut self, wire: &Wire) -> Result<bool, Fault> {
        let mut moved = false;
        for _ in 0..CALLS_PER_TURN {
            if self.sending.is_none() && !self.input_ended {
                match self.command.input.next() {
                    Next::Chunk(chunk) => self.sending = Some((chunk, 0)),
                    Next::End => return Ok(self.send_eof(wire)? || moved),
                    Next::Nothing => break,
                }
            }
            let resumed = self.half_written;
            if !self.write(wire)? {
                break;
            }
            moved = true;
            if resumed {
                // A packet of ours held up everybody else's; now it is their turn.
                break;
            }
        }
        Ok(moved)
    }

    /// Sends a piece of what is being sent. Returns whether any of it went out.
    fn write(&mut self, wire: &Wire) -> Result<bool, Fault> {
        let Some((chunk, sent)) = &mut self.sending else { return Ok(false) };
        let (channel, rest) = (&mut self.channel, &chunk[*sent..]);
        let Some(bytes @ 1..) = wire.attempt(&mut self.half_written, || channel.write(rest))? else {
            return Ok(false);
        };
        *sent += bytes;
        if *sent == chunk.len() {
            self.sending = None;
        }
        self.counters.sent.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(true)
    }

    fn send_eof(&mut self, wire: &Wire) -> Result<bool, Fault> {
        self.input_ended = wire.has_room() && self.channel.send_eof()?.is_some();
        Ok(self.input_ended)
    }

    fn read(&mut self, wire: &Wire, side: Side, buffer: &mut [u8]) -> Result<bool, Fault> {
        for turn in 0..CALLS_PER_TURN {
            let channel = &mut self.channel;
            let Some(bytes @ 1..) = wire.attempt(&mut self.half_read, || channel.read(side, buffer))? else {
                return Ok(turn > 0);
            };
            self.counters.received.fetch_add(bytes as u64, Ordering::Relaxed);
            let data = buffer[..bytes].to_vec();
            self.command.output.push(match side {
                Side::Out => Output::Stdout(data),
                Side::Err => Output::Stderr(data),
            });
            if !self.command.output.has_room() {
                break;
            }
        }
        Ok(true)
    }

    /// Takes in what the socket has, for other channels may wait for it, and leaves our own data where it is.
    fn take_in(&mut self, wire: &Wire) -> Result<(), Fault> {
        let channel = &mut self.channel;
        wire.attempt(&mut self.half_read, || channel.read(Side::Out, &mut []))?;
        Ok(())
    }

    fn end_input(&mut self, wire: &Wire) -> Result<bool, Fault> {
        if self.half_read {
            self.take_in(wire)?;
        }
        if self.half_written {
            self.write(wire)?;
        }
        if self.half_read || self.half_written || !(self.input_ended || self.send_eof(wire)?) {
            return Ok(false);
        }
        self.state = State::Closing;
        Ok(true)
    }

    fn close(&mut self) -> Result<bool, Fault> {
        if self.channel.close()?.is_none() {
            return Ok(false);
        }
        self.finish();
        Ok(true)
    }

    /// How the command ended. The signal comes first: with one, there is no status.
    fn exit(&self) -> Exit {
        let signal = self.channel.exit_signal().map(Exit::Signal);
        let status = || self.channel.exit_status().map(Exit::Status);
        signal.or_else(status).unwrap_or(Exit::Unknown)
    }
}
