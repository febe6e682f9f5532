//! The thread that owns a session: one loop that never waits for anything but `poll`.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags};
use ssh2::Error as Fault;

use super::channels::{Channels, Purpose};
use super::error;
use super::job::Job;
use super::keepalive::Keepalive;
use super::pump::Pump;
use super::request::{Command, Request};
use super::shared::{AgentRequest, Counters};
use super::waker::Waker;
use crate::event::{Event, Events};
use crate::transport::ssh::libssh2::fault::reason;
use crate::transport::ssh::libssh2::port::Port;
use crate::transport::ssh::libssh2::sys::{AgentChannels, Intake};
use crate::transport::ssh::libssh2::wire::{Wire, wait_for};
use crate::transport::ssh::login::agent::Agent;

/// What a session is handed over with.
pub(crate) struct Charge {
    pub(crate) wire: Wire,
    pub(crate) label: String,
    pub(crate) purpose: Purpose,
    pub(crate) requests: Receiver<Request>,
    pub(crate) waker: Arc<Waker>,
    pub(crate) counters: Arc<Counters>,
    /// Whether the login has asked for the first channel already.
    pub(crate) under_way: bool,
    pub(crate) keepalive: Keepalive,
    /// Where the agent listens that the server may use.
    pub(crate) forward_agent: Option<PathBuf>,
    pub(crate) events: Events,
}

/// The owner of a session and of everything that runs over it.
pub(crate) struct Actor {
    // First: it shuts the socket when it is dropped, and without that the channels below would wait to say goodbye.
    charge: Charge,
    channels: Channels,
    agent: Option<AgentChannels>,
    intake: Intake,
    /// Commands that wait for a channel.
    queue: VecDeque<Command>,
    jobs: Vec<Job>,
    pumps: Vec<Pump>,
    /// Set when the last handle is gone.
    released: bool,
}

/// How many bytes one read asks for.
const READ: usize = 64 << 10;

impl Actor {
    /// Takes a session over, on the thread that will own it.
    pub(crate) fn new(charge: Charge) -> Actor {
        let agent = charge.forward_agent.is_some().then(|| AgentChannels::accept(&charge.wire.session));
        let request = if agent.is_some() { AgentRequest::Wanted } else { AgentRequest::Unwanted };
        Actor {
            intake: Intake::watch(&charge.wire.session),
            channels: Channels::new(charge.purpose, request, charge.under_way),
            agent,
            charge,
            queue: VecDeque::new(),
            jobs: Vec::new(),
            pumps: Vec::new(),
            released: false,
        }
    }

    /// Runs until nobody needs the connection any more, or it is lost.
    pub(crate) fn run(mut self) {
        let mut buffer = vec![0; READ];
        while !self.released {
            match self.turn(&mut buffer) {
                Ok(true) => {}
                Ok(false) => {
                    if let Err(lost) = self.rest() {
                        return self.lose(&lost);
                    }
                }
                Err(fault) => return self.lose(&reason(&fault)),
            }
        }
        self.lose("we logged out");
    }

    /// Moves everything that can move. Returns whether anything did.
    fn turn(&mut self, buffer: &mut [u8]) -> Result<bool, Fault> {
        let mut moved = self.take_requests();
        moved |= self.open_channels()?;
        moved |= self.start_jobs();
        let Charge { wire, label, .. } = &self.charge;
        for job in &mut self.jobs {
            moved |= job.step(wire, buffer, label)?;
            wire.note_interest();
            if let Some(is_granted) = job.take_agent_answer() {
                self.channels.note_agent(is_granted);
            }
        }
        for pump in &mut self.pumps {
            moved |= pump.step(wire, buffer)?;
            wire.note_interest();
        }
        self.jobs.retain(|job| !job.is_over());
        self.pumps.retain(|pump| !pump.is_over());
        self.let_others_go_first();
        // What one channel took in may be for another that had its turn already, or a new one: they must not be slept over.
        Ok(self.intake.take() || moved)
    }

    fn take_requests(&mut self) -> bool {
        let mut moved = false;
        loop {
            match self.charge.requests.try_recv() {
                Ok(Request::Exec(command)) => self.queue.push_back(command),
                Ok(Request::Dial(dial)) => self.channels.dial(dial),
                Err(TryRecvError::Empty) => return moved,
                Err(TryRecvError::Disconnected) => {
                    self.released = true;
                    return true;
                }
            }
            moved = true;
        }
    }

    fn open_channels(&mut self) -> Result<bool, Fault> {
        let Charge { wire, label, counters, events, .. } = &self.charge;
        let moved = self.channels.step(wire, self.jobs.len(), &mut self.queue, label)?;
        if counters.note_agent(self.channels.agent()) && self.channels.agent() == AgentRequest::Refused {
            let text = format!("`{label}` does not take the agent: is `AllowAgentForwarding no` in its sshd_config?");
            events.emit(Event::Note { step: None, server: None, text });
        }
        counters.note_sessions(self.channels.limit());
        self.pumps.extend(self.channels.take_dialed());
        if let (Some(agent), Some(socket)) = (&mut self.agent, &self.charge.forward_agent) {
            let arrived = agent.take().into_iter().map(Port::new);
            self.pumps.extend(arrived.filter_map(|port| match Agent::at(socket).connect() {
                Ok(socket) => Pump::new(port, socket).ok(),
                Err(_) => Pump::refuse(port).ok(),
            }));
        }
        Ok(moved)
    }

    fn start_jobs(&mut self) -> bool {
        let mut moved = false;
        while let Some((port, asks)) = self.queue.front().and_then(|command| self.channels.take(command)) {
            let counters = Arc::clone(&self.charge.counters);
            self.jobs.extend(self.queue.pop_front().map(|command| Job::new(command, port, asks, counters)));
            moved = true;
        }
        moved
    }

    /// Whoever was served first now is last in the next turn.
    fn let_others_go_first(&mut self) {
        if self.jobs.len() > 1 {
            self.jobs.rotate_left(1);
        }
        if self.pumps.len() > 1 {
            self.pumps.rotate_left(1);
        }
    }

    /// Sleeps until something happens.
    ///
    /// After a probe it goes on sleeping: were the answer taken in by a turn, nobody would see that it came.
    ///
    /// # Errors
    ///
    /// The reason when the server has been silent for too long.
    fn rest(&mut self) -> Result<(), String> {
        while self.sleep()? {}
        Ok(())
    }

    /// Sleeps until something happens or it is time to probe the server. Returns whether it was.
    fn sleep(&mut self) -> Result<bool, String> {
        let Charge { wire, waker, keepalive, .. } = &mut self.charge;
        let is_listening = self.channels.is_listening() || !self.jobs.is_empty() || !self.pumps.is_empty();
        let mut interest = wire.take_interest();
        // Without a channel nothing takes in what the server sends, so it must not wake us, nor can it be judged. But the
        // connection may end.
        interest.set(PollFlags::IN, is_listening);
        #[cfg(target_os = "linux")]
        interest.set(PollFlags::RDHUP, !is_listening);
        let alive_for = keepalive.time_left(Instant::now()).filter(|_| is_listening);
        let timeout = [alive_for, self.channels.time_left()].into_iter().flatten().min();
        let mut fds = vec![
            PollFd::from_borrowed_fd(waker.fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(wire.socket(), interest),
        ];
        let pumps = self.pumps.iter().map(Pump::interest).filter(|(_, flags)| !flags.is_empty());
        fds.extend(pumps.map(|(fd, flags)| PollFd::from_borrowed_fd(fd, flags)));
        wait_for(&mut fds, timeout);
        if fds[0].revents().contains(PollFlags::IN) {
            waker.take();
        }
        let socket = fds[1].revents();
        let now = Instant::now();
        if socket.contains(PollFlags::IN) {
            wire.acknowledge();
            keepalive.heard(now);
        }
        if !is_listening {
            if !(socket - PollFlags::OUT).is_empty() {
                return Err("the server closed the connection".into());
            }
            keepalive.heard(now);
        }
        keepalive.step(wire, now)
    }

    /// Tells everybody who waits why the connection ended.
    fn lose(mut self, reason: &str) {
        self.charge.wire.shut();
        self.charge.counters.lose(reason);
        self.channels.lose(reason);
        let commands = self.jobs.drain(..).map(Job::into_command).chain(self.queue.drain(..));
        for command in commands {
            command.fail(error::lost(&self.charge.label, reason));
        }
        // What came in meanwhile. Whoever comes later finds the reason in the counters.
        while let Ok(request) = self.charge.requests.try_recv() {
            match request {
                Request::Exec(command) => command.fail(error::lost(&self.charge.label, reason)),
                Request::Dial(dial) => dial.fail(reason.to_owned()),
            }
        }
    }
}
