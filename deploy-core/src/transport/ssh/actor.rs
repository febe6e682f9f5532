//! The thread that owns a session: one loop that never waits for anything but `poll`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags};
use ssh2::Error as Fault;

use super::channels::Channels;
use super::connection::Counters;
use super::error;
use super::job::{Command, Job};
use super::keepalive::Keepalive;
use super::waker::Waker;
use super::wire::{Wire, wait_for};

/// What the other threads ask the owner for.
pub(super) enum Request {
    /// To run a command.
    Exec(Command),
}

/// The owner of a session and of everything that runs over it.
pub(super) struct Actor {
    // Before the session: a channel that is dropped must find its session's socket shut, or it would say goodbye.
    pub(super) wire: Wire,
    pub(super) label: String,
    pub(super) requests: Receiver<Request>,
    pub(super) waker: Arc<Waker>,
    pub(super) counters: Arc<Counters>,
    pub(super) channels: Channels,
    pub(super) keepalive: Keepalive,
    /// Commands that wait for a channel.
    pub(super) queue: VecDeque<Command>,
    pub(super) jobs: Vec<Job>,
    /// Set when the last handle is gone.
    pub(super) released: bool,
}

/// How many bytes one read asks for.
const READ: usize = 64 << 10;

impl Actor {
    /// Runs until nobody needs the connection any more, or it is lost.
    pub(super) fn run(mut self) {
        let mut buffer = vec![0; READ];
        while !self.released {
            match self.turn(&mut buffer) {
                Ok(true) => {}
                Ok(false) => {
                    if let Err(lost) = self.rest() {
                        return self.lose(&lost);
                    }
                }
                Err(fault) => return self.lose(&error::reason(&fault)),
            }
        }
        self.wire.shut();
    }

    /// Moves everything that can move. Returns whether anything did.
    fn turn(&mut self, buffer: &mut [u8]) -> Result<bool, Fault> {
        let mut moved = self.take_requests();
        moved |= self.channels.step(&self.wire, self.jobs.len(), &mut self.queue, &self.label)?;
        moved |= self.start_jobs();
        for job in &mut self.jobs {
            moved |= job.step(&self.wire, buffer, &self.label)?;
            self.wire.note_interest();
        }
        self.jobs.retain(|job| !job.is_over());
        // Next time somebody else goes first.
        if moved && self.jobs.len() > 1 {
            self.jobs.rotate_left(1);
        }
        Ok(moved)
    }

    fn take_requests(&mut self) -> bool {
        let mut moved = false;
        loop {
            match self.requests.try_recv() {
                Ok(Request::Exec(command)) => self.queue.push_back(command),
                Err(TryRecvError::Empty) => return moved,
                Err(TryRecvError::Disconnected) => {
                    self.released = true;
                    return true;
                }
            }
            moved = true;
        }
    }

    fn start_jobs(&mut self) -> bool {
        let mut moved = false;
        while !self.queue.is_empty() {
            let Some(channel) = self.channels.take() else { break };
            let Some(command) = self.queue.pop_front() else { break };
            self.jobs.push(Job::new(command, channel, Arc::clone(&self.counters)));
            moved = true;
        }
        moved
    }

    /// Sleeps until something happens.
    ///
    /// # Errors
    ///
    /// The reason when the server has been silent for too long.
    fn rest(&mut self) -> Result<(), String> {
        let interest = self.wire.take_interest();
        let mut fds = [
            PollFd::from_borrowed_fd(self.wire.socket(), interest),
            PollFd::from_borrowed_fd(self.waker.fd(), PollFlags::IN),
        ];
        wait_for(&mut fds, self.keepalive.time_left(Instant::now()));
        let (socket, waker) = (fds[0].revents(), fds[1].revents());
        if waker.contains(PollFlags::IN) {
            self.waker.take();
        }
        if socket.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
            self.wire.acknowledge();
            self.keepalive.heard(Instant::now());
        }
        self.keepalive.step(&self.wire, Instant::now())
    }

    /// Tells everybody who waits why the connection ended.
    fn lose(mut self, reason: &str) {
        self.wire.shut();
        self.counters.lose(reason);
        let commands = self.jobs.drain(..).map(Job::into_command).chain(self.queue.drain(..));
        for command in commands {
            command.fail(error::lost(&self.label, reason));
        }
        // A request that came in meanwhile: whoever sends one later finds the reason in the counters.
        while let Ok(Request::Exec(command)) = self.requests.try_recv() {
            command.fail(error::lost(&self.label, reason));
        }
    }
}
