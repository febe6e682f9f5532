//! A session of libssh2 and the socket below it, before the owner thread takes both over.

use std::cell::Cell;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use libssh2_sys as raw;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt;
use ssh2::{BlockDirections, Error, Session};

use super::fault::BABBLE;
use super::patience::Patience;
use super::sys::{self, Watch};

/// A session and its socket. Dropping it ends the connection at once, without waiting for anybody.
pub(crate) struct Wire {
    pub(crate) session: Session,
    socket: Arc<OwnedFd>,
    /// Whether any call since the last rest wanted to send. libssh2 itself only remembers the last call.
    wants_room: Cell<bool>,
    /// Whether a channel request waits for its answer. libssh2 fails a request that meets another one's answer, so
    /// there must never be two.
    request_in_flight: Cell<bool>,
}

impl Wire {
    /// A session over `socket` that has not said anything yet. It never blocks.
    pub(crate) fn new(socket: OwnedFd) -> Result<Wire, Error> {
        let socket = Arc::new(socket);
        let mut session = Session::new()?;
        session.set_blocking(false);
        session.set_keepalive(true, SHORTEST_PROBE_GAP);
        session.set_tcp_stream(Arc::clone(&socket));
        Ok(Wire { session, socket, wants_room: Cell::new(false), request_in_flight: Cell::new(false) })
    }

    /// Repeats `call` until it is through, or `patience` is at its end.
    ///
    /// # Errors
    ///
    /// The call's own, and libssh2's time-out.
    pub(crate) fn wait<T>(
        &mut self,
        patience: &Patience,
        mut call: impl FnMut(&mut Session) -> Result<Option<T>, Error>,
    ) -> Result<T, Error> {
        loop {
            if let Some(value) = call(&mut self.session)? {
                return Ok(value);
            }
            self.rest(patience)?;
        }
    }

    /// Shakes hands. `greet` is called once, as soon as the server has proved which host key it has: what it sends goes out
    /// behind our request for authentication, a round trip before that is answered.
    ///
    /// Returns how long the server took to answer the request.
    ///
    /// # Errors
    ///
    /// What `greet` says, and what goes wrong with the handshake.
    pub(crate) fn shake_hands<E: From<Error>>(
        &mut self,
        patience: &Patience,
        greet: impl FnOnce(&mut Wire) -> Result<(), E>,
    ) -> Result<Duration, E> {
        let watch = Watch::greeting(&self.session);
        let (mut greet, mut asked) = (Some(greet), Instant::now());
        while sys::pending(self.session.handshake())?.is_none() {
            match greet.take_if(|_| watch.has_requested_service()) {
                Some(greet) => {
                    greet(self)?;
                    asked = Instant::now();
                }
                None if watch.is_babbling() => return Err(sys::fault(BABBLE).into()),
                None => self.rest(patience)?,
            }
        }
        let answered = asked.elapsed();
        greet.map_or(Ok(()), |greet| greet(self))?;
        Ok(answered)
    }

    /// Waits until there is something to do.
    fn rest(&self, patience: &Patience) -> Result<(), Error> {
        let glance = patience.glance().ok_or_else(|| sys::fault(raw::LIBSSH2_ERROR_TIMEOUT))?;
        self.note_interest();
        wait_for(&mut [PollFd::from_borrowed_fd(self.socket.as_fd(), self.take_interest())], Some(glance));
        self.acknowledge();
        Ok(())
    }

    /// The socket.
    pub(crate) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Another handle of the socket.
    pub(crate) fn socket_handle(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.socket)
    }

    /// The key that the server proved to have, as SSH's protocol writes it.
    pub(crate) fn host_key(&self) -> &[u8] {
        self.session.host_key().map(|(blob, _)| blob).unwrap_or_default()
    }

    /// Remembers what the last call waits for.
    pub(crate) fn note_interest(&self) {
        self.wants_room.set(self.wants_room.get() || self.is_sending());
    }

    /// What to wait for on the socket: always data, and room when something could not be sent.
    pub(crate) fn take_interest(&self) -> PollFlags {
        if self.wants_room.take() { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN }
    }

    /// Ends the connection at once. Without a socket nothing in libssh2 waits for the other side any more.
    pub(crate) fn shut(&self) {
        shut(&*self.socket);
    }

    /// Whether a packet is waiting for room in the socket.
    pub(crate) fn is_sending(&self) -> bool {
        matches!(self.session.block_directions(), BlockDirections::Outbound | BlockDirections::Both)
    }

    /// Whether a small packet would go out whole now.
    ///
    /// End-of-file and keepalive packets are built on libssh2's stack, so that a half-sent one could never be
    /// finished. They must be sent only when this is true.
    pub(crate) fn has_room(&self) -> bool {
        let mut fds = [PollFd::from_borrowed_fd(self.socket.as_fd(), PollFlags::OUT)];
        wait_for(&mut fds, Some(Duration::ZERO));
        let has_room = !self.is_sending() && fds[0].revents().contains(PollFlags::OUT);
        self.wants_room.set(self.wants_room.get() || !has_room);
        has_room
    }

    /// Makes a call that may leave a packet half sent, and notes in `half_sent` whether it did.
    pub(crate) fn attempt<T>(
        &self,
        half_sent: &mut bool,
        call: impl FnOnce() -> Result<Option<T>, Error>,
    ) -> Result<Option<T>, Error> {
        // While somebody else's packet is half sent, nothing of ours can begin to be.
        let may_begin = *half_sent || !self.is_sending();
        let result = call();
        *half_sent = matches!(result, Ok(None)) && may_begin && self.is_sending();
        result
    }

    /// Makes a call that sends a channel request and waits for its answer. `begun` is the caller's memory of whether
    /// it has the turn; without it, nothing is sent and `Ok(None)` returned.
    pub(crate) fn request<T>(
        &self,
        begun: &mut bool,
        call: impl FnOnce() -> Result<Option<T>, Error>,
    ) -> Result<Option<T>, Error> {
        if !*begun && self.request_in_flight.replace(true) {
            return Ok(None);
        }
        let result = call();
        *begun = matches!(result, Ok(None));
        self.request_in_flight.set(*begun);
        result
    }

    /// Confirms received data to the kernel of the other side at once. Servers that leave Nagle's algorithm on hold
    /// their next small packet back until then. The kernel forgets this wish, so it is told after every wake-up.
    pub(crate) fn acknowledge(&self) {
        #[cfg(target_os = "linux")]
        let _ = sockopt::set_tcp_quickack(&self.socket, true);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.shut();
    }
}

/// libssh2 sends no keepalive sooner after the last, in seconds. It takes no smaller number.
const SHORTEST_PROBE_GAP: u32 = 2;

#[cfg(target_os = "linux")]
/// How long sent data may stay without an answer from the other side's kernel, in milliseconds.
const USER_TIMEOUT: u32 = 30_000;

/// Prepares a TCP connection for small packets and for a peer that vanishes.
pub(crate) fn tune(socket: BorrowedFd<'_>) {
    let _ = sockopt::set_tcp_nodelay(socket, true);
    let _ = sockopt::set_socket_keepalive(socket, true);
    #[cfg(target_os = "linux")]
    let _ = sockopt::set_tcp_user_timeout(socket, USER_TIMEOUT);
}

/// Ends what goes over `socket`, whoever else has a handle of it.
pub(crate) fn shut(socket: impl AsFd) {
    // It may be over already.
    let _ = rustix::net::shutdown(socket, rustix::net::Shutdown::Both);
}

/// Waits until one of `fds` is ready or `timeout` has passed. An interruption by a signal is no different.
pub(crate) fn wait_for(fds: &mut [PollFd<'_>], timeout: Option<Duration>) {
    let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
    let _ = poll(fds, timeout.as_ref());
}
