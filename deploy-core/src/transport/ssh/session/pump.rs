//! A channel connected to a local socket: a forwarded agent, or a way through a jump host.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use rustix::event::PollFlags;
use ssh2::Error as Fault;

use crate::transport::ssh::libssh2::fault::ends_connection;
use crate::transport::ssh::libssh2::port::Port;
use crate::transport::ssh::libssh2::sys::Side;
use crate::transport::ssh::libssh2::wire::Wire;

/// How many bytes wait at most in each direction. The rest waits in the socket and in the channel's window.
const CAPACITY: usize = 256 << 10;

/// Carries bytes both ways until both sides are done.
pub(crate) struct Pump {
    port: Port,
    socket: UnixStream,
    to_socket: Waiting,
    to_channel: Waiting,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Closing,
    Over,
}

/// Bytes on their way in one direction.
#[derive(Default)]
struct Waiting {
    bytes: Vec<u8>,
    sent: usize,
    /// Whether no more will come.
    ended: bool,
    /// Whether the other side knows that.
    closed: bool,
}

impl Pump {
    /// Connects `port` to `socket`.
    pub(crate) fn new(port: Port, socket: UnixStream) -> io::Result<Pump> {
        socket.set_nonblocking(true)?;
        let (to_socket, to_channel) = Default::default();
        Ok(Pump { port, socket, to_socket, to_channel, state: State::Open })
    }

    /// Ends a channel that nothing can be connected to.
    pub(crate) fn refuse(port: Port) -> io::Result<Pump> {
        let (socket, _) = UnixStream::pair()?;
        let mut pump = Pump::new(port, socket)?;
        pump.state = State::Closing;
        Ok(pump)
    }

    /// Carries what can be carried now without waiting. Returns whether anything moved.
    ///
    /// # Errors
    ///
    /// Those that end the connection; an error of this channel or socket alone ends the pump.
    pub(crate) fn step(&mut self, wire: &Wire, buffer: &mut [u8]) -> Result<bool, Fault> {
        let moved = match self.state {
            State::Open => self.carry(wire, buffer),
            State::Closing => self.close(wire),
            State::Over => Ok(false),
        };
        match moved {
            Err(fault) if !ends_connection(&fault) => {
                self.state = if self.state == State::Open { State::Closing } else { State::Over };
                Ok(true)
            }
            moved => moved,
        }
    }

    /// Whether both sides are done.
    pub(crate) fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// The local socket, and what to wait for on it.
    pub(crate) fn interest(&self) -> (BorrowedFd<'_>, PollFlags) {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, self.state == State::Open && self.to_channel.has_room());
        flags.set(PollFlags::OUT, self.state == State::Open && !self.to_socket.rest().is_empty());
        (self.socket.as_fd(), flags)
    }

    fn carry(&mut self, wire: &Wire, buffer: &mut [u8]) -> Result<bool, Fault> {
        let moved = self.carry_in(wire, buffer)? | self.carry_out(wire, buffer)?;
        if self.to_socket.closed && self.to_channel.closed {
            self.state = State::Closing;
        }
        Ok(moved)
    }

    fn carry_in(&mut self, wire: &Wire, buffer: &mut [u8]) -> Result<bool, Fault> {
        let mut moved = false;
        if self.to_socket.has_room() {
            let bytes = self.port.read(wire, Side::Out, buffer)?;
            self.to_socket.push(&buffer[..bytes]);
            moved = bytes > 0;
            self.to_socket.ended = self.port.eof();
        } else {
            self.port.take_in(wire)?;
        }
        moved |= self.write_socket();
        if self.to_socket.is_through() {
            let _ = self.socket.shutdown(std::net::Shutdown::Write);
            self.to_socket.closed = true;
            moved = true;
        }
        Ok(moved)
    }

    fn write_socket(&mut self) -> bool {
        if self.to_socket.rest().is_empty() {
            return false;
        }
        match self.socket.write(self.to_socket.rest()) {
            Ok(bytes) => self.to_socket.advance(bytes),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
            Err(_) => self.state = State::Closing,
        }
        true
    }

    fn carry_out(&mut self, wire: &Wire, buffer: &mut [u8]) -> Result<bool, Fault> {
        let mut moved = self.read_socket(buffer);
        if !self.to_channel.rest().is_empty() {
            let bytes = self.port.write(wire, self.to_channel.rest())?;
            self.to_channel.advance(bytes);
            moved |= bytes > 0;
        }
        if self.to_channel.is_through() && self.port.send_eof(wire)? {
            self.to_channel.closed = true;
            moved = true;
        }
        Ok(moved)
    }

    fn read_socket(&mut self, buffer: &mut [u8]) -> bool {
        if !self.to_channel.has_room() {
            return false;
        }
        match self.socket.read(buffer) {
            Ok(0) => self.to_channel.ended = true,
            Ok(bytes) => self.to_channel.push(&buffer[..bytes]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
            Err(_) => self.state = State::Closing,
        }
        true
    }

    fn close(&mut self, wire: &Wire) -> Result<bool, Fault> {
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
        let closed = self.port.close(wire, self.to_channel.rest())?;
        if closed {
            self.state = State::Over;
        }
        Ok(closed)
    }
}

impl Waiting {
    fn has_room(&self) -> bool {
        !self.ended && self.rest().len() < CAPACITY
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    fn push(&mut self, data: &[u8]) {
        if self.sent == self.bytes.len() {
            self.bytes.clear();
            self.sent = 0;
        }
        self.bytes.extend_from_slice(data);
    }

    fn advance(&mut self, bytes: usize) {
        self.sent += bytes;
    }

    /// Whether all is sent, no more will come, and the other side doesn't know yet.
    fn is_through(&self) -> bool {
        self.ended && !self.closed && self.rest().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_sent_in_order_and_bounded() {
        let mut waiting = Waiting::default();
        waiting.push(b"abc");
        waiting.advance(2);
        waiting.push(b"def");
        assert_eq!(waiting.rest(), b"cdef");
        waiting.advance(4);
        assert!(waiting.has_room() && waiting.rest().is_empty() && !waiting.is_through());
        waiting.push(&vec![0; CAPACITY]);
        assert!(!waiting.has_room());
    }

    #[test]
    fn the_end_is_passed_on_once_and_after_the_last_byte() {
        let mut waiting = Waiting::default();
        waiting.push(b"x");
        waiting.ended = true;
        assert!(!waiting.is_through() && !waiting.has_room());
        waiting.advance(1);
        assert!(waiting.is_through());
        waiting.closed = true;
        assert!(!waiting.is_through());
    }
}
