//! One command on its channel.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ssh2::Error as Fault;

use super::error;
use super::request::Command;
use super::shared::Counters;
use super::stdio::Next;
use crate::error::Error;
use crate::transport::process::{Exit, Output};
use crate::transport::ssh::libssh2::fault::ends_connection;
use crate::transport::ssh::libssh2::port::Port;
use crate::transport::ssh::libssh2::sys::Side;
use crate::transport::ssh::libssh2::wire::Wire;
use crate::ui::Size;

/// How many calls of one kind a job gets per turn, so that a flood on one channel doesn't starve the others.
const CALLS_PER_TURN: usize = 16;

/// A command that has a channel.
pub(crate) struct Job {
    command: Command,
    port: Port,
    state: State,
    /// The piece of input that is being sent, and how much of it went out already.
    sending: (Vec<u8>, usize),
    /// The terminal's size that is being told.
    resizing: Option<Size>,
    failure: Option<Error>,
    counters: Arc<Counters>,
    agent: Agent,
}

/// What a job has to do with the agent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Agent {
    /// Nothing, or no more.
    Nothing,
    /// It asks for it.
    Asked,
    /// The server said whether it takes it.
    Answered(bool),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The terminal is asked for.
    Equipping,
    Starting,
    Running,
    Closing,
    Over,
}

impl Job {
    /// A command for the channel `port`, over which the agent is asked for too where `asks` says so.
    pub(crate) fn new(command: Command, port: Port, asks: bool, counters: Arc<Counters>) -> Job {
        let state = if command.terminal.is_some() { State::Equipping } else { State::Starting };
        let agent = if asks { Agent::Asked } else { Agent::Nothing };
        Job { command, port, state, sending: (Vec::new(), 0), resizing: None, failure: None, counters, agent }
    }

    /// Whether the server takes the agent, once it has said so.
    pub(crate) fn take_agent_answer(&mut self) -> Option<bool> {
        let Agent::Answered(is_granted) = self.agent else { return None };
        self.agent = Agent::Nothing;
        Some(is_granted)
    }

    /// Does what can be done now without waiting. Returns whether anything moved.
    ///
    /// # Errors
    ///
    /// Those that end the connection; an error of this channel alone ends the job.
    pub(crate) fn step(&mut self, wire: &Wire, buffer: &mut [u8], label: &str) -> Result<bool, Fault> {
        let moved = match self.state {
            State::Equipping => self.equip(wire),
            State::Starting => self.start(wire),
            State::Running => self.run(wire, buffer),
            State::Closing => self.close(wire),
            State::Over => Ok(false),
        };
        match moved {
            Err(fault) if !ends_connection(&fault) => {
                self.fail(match self.state {
                    State::Equipping => error::terminal_refused(label, &fault),
                    _ => error::command_failed(label, &fault),
                });
                Ok(true)
            }
            moved => moved,
        }
    }

    /// Whether the job is done and its channel can go.
    pub(crate) fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// Gives the command back, to be told why the connection ended.
    pub(crate) fn into_command(self) -> Command {
        self.command
    }

    fn equip(&mut self, wire: &Wire) -> Result<bool, Fault> {
        let is_there = match &self.command.terminal {
            Some(terminal) => self.port.request_terminal(wire, &terminal.window)?,
            None => true,
        };
        if is_there {
            self.state = State::Starting;
        }
        Ok(is_there)
    }

    fn start(&mut self, wire: &Wire) -> Result<bool, Fault> {
        let is_running = match self.agent {
            Agent::Asked => self.start_with_agent(wire)?,
            Agent::Nothing | Agent::Answered(_) => self.port.exec(wire, &self.command.text)?,
        };
        if !is_running {
            return Ok(false);
        }
        self.counters.execs.fetch_add(1, Ordering::Relaxed);
        // A whole program may stand in it.
        self.counters.sent.fetch_add(self.command.text.len() as u64, Ordering::Relaxed);
        self.state = State::Running;
        Ok(true)
    }

    fn start_with_agent(&mut self, wire: &Wire) -> Result<bool, Fault> {
        let Some(answers) = self.port.exec_with_agent(wire, &self.command.text)? else { return Ok(false) };
        self.agent = Agent::Answered(answers.agent);
        answers.program.map(|()| true)
    }

    fn run(&mut self, wire: &Wire, buffer: &mut [u8]) -> Result<bool, Fault> {
        let mut moved = self.resize(wire)? | self.feed(wire)?;
        if self.command.output.has_room() {
            moved |= self.read(wire, Side::Out, buffer)?;
            moved |= self.read(wire, Side::Err, buffer)?;
        } else {
            self.port.take_in(wire)?;
        }
        if self.port.eof() || self.is_abandoned() {
            self.command.input.refuse();
            self.state = State::Closing;
            moved = true;
        }
        Ok(moved)
    }

    fn resize(&mut self, wire: &Wire) -> Result<bool, Fault> {
        let Some(terminal) = &self.command.terminal else { return Ok(false) };
        self.resizing = self.resizing.or_else(|| terminal.take_resize());
        let Some(size) = self.resizing else { return Ok(false) };
        let is_told = self.port.resize_terminal(wire, size)?;
        if is_told {
            self.resizing = None;
        }
        Ok(is_told)
    }

    /// Whether the command has ended, nobody listens, and only something that it left behind keeps a stream open.
    fn is_abandoned(&self) -> bool {
        let channel = self.port.channel();
        self.command.output.is_forgotten() && (channel.exit_status().is_some() || channel.exit_signal().is_some())
    }

    fn feed(&mut self, wire: &Wire) -> Result<bool, Fault> {
        let mut moved = false;
        for _ in 0..CALLS_PER_TURN {
            if self.unsent().is_empty() {
                match self.command.input.next() {
                    Next::Chunk(chunk) => self.sending = (chunk, 0),
                    Next::End => return Ok(moved | self.end_input(wire)?),
                    Next::Nothing => break,
                }
            }
            let resumed = self.port.is_half_written();
            let sent = self.port.write(wire, &self.sending.0[self.sending.1..])?;
            self.sending.1 += sent;
            self.counters.sent.fetch_add(sent as u64, Ordering::Relaxed);
            moved |= sent > 0;
            // A packet of ours that held up everybody else's is out: now it is their turn.
            if sent == 0 || resumed {
                break;
            }
        }
        Ok(moved)
    }

    fn unsent(&self) -> &[u8] {
        &self.sending.0[self.sending.1..]
    }

    /// Sends the end-of-file. Returns whether that is news.
    fn end_input(&mut self, wire: &Wire) -> Result<bool, Fault> {
        let before = self.port.has_sent_eof();
        Ok(self.port.send_eof(wire)? && !before)
    }

    fn read(&mut self, wire: &Wire, side: Side, buffer: &mut [u8]) -> Result<bool, Fault> {
        for turn in 0..CALLS_PER_TURN {
            let bytes = self.port.read(wire, side, buffer)?;
            if bytes == 0 {
                return Ok(turn > 0);
            }
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

    fn close(&mut self, wire: &Wire) -> Result<bool, Fault> {
        let closed = self.port.close(wire, &self.sending.0[self.sending.1..])?;
        if closed {
            self.finish();
        }
        Ok(closed)
    }

    /// Ends the job because its channel doesn't work; the connection goes on.
    fn fail(&mut self, error: Error) {
        self.failure.get_or_insert(error);
        match self.state {
            State::Equipping | State::Starting | State::Running => self.state = State::Closing,
            State::Closing | State::Over => self.finish(),
        }
    }

    /// Tells the caller how it ended.
    fn finish(&mut self) {
        let last = self.failure.take().map(Output::Lost).unwrap_or_else(|| Output::Exit(self.exit()));
        self.command.finish(last);
        self.state = State::Over;
    }

    /// How the command ended. The signal comes first: with one, there is no status.
    fn exit(&self) -> Exit {
        let channel = self.port.channel();
        let signal = channel.exit_signal().map(Exit::Signal);
        let status = || channel.exit_status().map(Exit::Status);
        signal.or_else(status).unwrap_or(Exit::Unknown)
    }
}
