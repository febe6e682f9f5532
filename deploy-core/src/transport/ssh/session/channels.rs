//! Opening channels, one at a time as libssh2 demands, and some ahead: a command then starts after one round trip
//! instead of two.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use ssh2::Error as Fault;

use super::error;
use super::pump::Pump;
use super::request::{Command, Dial};
use super::shared::AgentRequest;
use crate::transport::ssh::libssh2::fault::ends_connection;
use crate::transport::ssh::libssh2::port::Port;
use crate::transport::ssh::libssh2::wire::Wire;

/// How many channels wait, opened, for commands to come: before the first one, and again once there were several. A run
/// mostly talks by a single command, and a server may allow no more.
const AHEAD: usize = 1;

/// How many channels there may be, counted with the running ones, when one is opened ahead. Servers allow 10
/// (`MaxSessions`), and what is left is for commands that nobody foresaw.
const AHEAD_LIMIT: usize = 8;

/// How long to wait before a refused session is tried again, and how often in a row.
const PAUSE: Duration = Duration::from_millis(20);
const PATIENCE: u32 = 100;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To run commands.
    Commands,
    /// To reach other servers: no session is opened ahead, and the server may forbid them.
    Jump,
}

/// The open channels that no command has yet, and the one that is being opened.
pub(crate) struct Channels {
    purpose: Purpose,
    spare: Vec<Port>,
    /// How many sessions were taken by commands.
    taken: usize,
    dials: VecDeque<Dial>,
    dialed: Vec<Pump>,
    opening: Opening,
    agent: AgentRequest,
    /// The most sessions that were open at a time.
    most: usize,
    refusals: Refusals,
}

/// What is known of a server that opens no more sessions.
#[derive(Default)]
struct Refusals {
    /// Whether it has ever refused one. Then as many as were open is as many as there may be.
    any: bool,
    /// How many came in a row.
    in_a_row: u32,
    /// No further try before this.
    pause: Option<Instant>,
}

enum Opening {
    Nothing,
    Session,
    /// The first session, which asks for the agent while no command waits for one.
    Agent(Port),
    Dial(Dial),
}

impl Channels {
    /// Where the login has asked for a session already, `under_way`, its answer is waited for first.
    pub(crate) fn new(purpose: Purpose, agent: AgentRequest, under_way: bool) -> Channels {
        Channels {
            purpose,
            spare: Vec::new(),
            taken: 0,
            dials: VecDeque::new(),
            dialed: Vec::new(),
            opening: if under_way { Opening::Session } else { Opening::Nothing },
            agent,
            most: 0,
            refusals: Refusals::default(),
        }
    }

    /// Takes note of a wish to reach another server.
    pub(crate) fn dial(&mut self, dial: Dial) {
        self.dials.push_back(dial);
    }

    /// Opens what is needed. `running` sessions have a command already; commands of `queue` wait for one.
    ///
    /// # Errors
    ///
    /// Those that end the connection.
    pub(crate) fn step(
        &mut self,
        wire: &Wire,
        running: usize,
        queue: &mut VecDeque<Command>,
        label: &str,
    ) -> Result<bool, Fault> {
        if let Some(port) = self.spare.first_mut() {
            // Commands may be far between: a lost connection has to be noticed all the same.
            port.take_in(wire)?;
        }
        // A pause that is over must not be what somebody sleeps until.
        self.refusals.pause = self.refusals.pause.filter(|until| *until > Instant::now());
        match std::mem::replace(&mut self.opening, Opening::Nothing) {
            Opening::Nothing => Ok(self.begin(running, queue.len())),
            Opening::Session => self.open_session(wire, running, queue, label),
            Opening::Agent(port) => self.ask_for_agent(wire, port),
            Opening::Dial(dial) => self.open_dial(wire, dial),
        }
    }

    /// An open session for `command`, if there is one, and whether it asks for the agent first.
    pub(crate) fn take(&mut self, command: &Command) -> Option<(Port, bool)> {
        let taken = match self.spare.pop() {
            Some(port) => (port, false),
            // Two questions can be on their way together, and not three.
            None if command.terminal.is_none() => (self.take_asking()?, true),
            None => return None,
        };
        self.taken += 1;
        Some(taken)
    }

    fn take_asking(&mut self) -> Option<Port> {
        match std::mem::replace(&mut self.opening, Opening::Nothing) {
            Opening::Agent(port) => Some(port),
            other => {
                self.opening = other;
                None
            }
        }
    }

    /// Takes note of what the server said to a command's session that asked for the agent.
    pub(crate) fn note_agent(&mut self, is_granted: bool) {
        self.agent = if is_granted { AgentRequest::Granted } else { AgentRequest::Refused };
    }

    /// The ways to other servers that were opened since the last call.
    pub(crate) fn take_dialed(&mut self) -> Vec<Pump> {
        std::mem::take(&mut self.dialed)
    }

    /// Whether the agent is forwarded.
    pub(crate) fn agent(&self) -> AgentRequest {
        self.agent
    }

    /// Whether anything here takes in what the server sends.
    pub(crate) fn is_listening(&self) -> bool {
        !self.spare.is_empty() || !matches!(self.opening, Opening::Nothing)
    }

    /// Tells everybody who waits for a way to another server that there will be none.
    pub(crate) fn lose(&mut self, reason: &str) {
        let current = match std::mem::replace(&mut self.opening, Opening::Nothing) {
            Opening::Dial(dial) => Some(dial),
            _ => None,
        };
        for dial in current.into_iter().chain(self.dials.drain(..)) {
            dial.fail(reason.to_owned());
        }
        self.spare.clear();
    }

    fn begin(&mut self, running: usize, waiting: usize) -> bool {
        if self.agent == AgentRequest::Wanted && self.taken > 0 {
            // A command asks for the agent, and nobody else may read the answers.
            return false;
        }
        let mut dials = std::iter::from_fn(|| self.dials.pop_front());
        if let Some(dial) = dials.find(|dial| dial.turn.take()) {
            self.opening = Opening::Dial(dial);
        } else if self.wants_session(running, waiting) {
            self.opening = Opening::Session;
        }
        !matches!(self.opening, Opening::Nothing)
    }

    fn wants_session(&self, running: usize, waiting: usize) -> bool {
        let open = running + self.spare.len();
        let allowed = (!self.refusals.any || open < self.most) && self.refusals.pause.is_none();
        let ahead =
            self.taken != 1 && self.purpose == Purpose::Commands && self.spare.len() < AHEAD && open < AHEAD_LIMIT;
        allowed && (waiting > self.spare.len() || ahead)
    }

    /// How many sessions the server turned out to allow, once it has refused one.
    pub(crate) fn limit(&self) -> Option<usize> {
        self.refusals.any.then_some(self.most)
    }

    /// How long to wait before a session is tried again that the server refused.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        self.refusals.pause.map(|until| until.saturating_duration_since(Instant::now()))
    }

    fn open_session(
        &mut self,
        wire: &Wire,
        running: usize,
        queue: &mut VecDeque<Command>,
        label: &str,
    ) -> Result<bool, Fault> {
        match Port::open_session(wire) {
            Ok(None) => {
                self.opening = Opening::Session;
                return Ok(false);
            }
            Ok(Some(port)) => {
                (self.refusals.in_a_row, self.refusals.pause) = (0, None);
                self.most = self.most.max(running + self.spare.len() + 1);
                match self.agent {
                    AgentRequest::Wanted => self.opening = Opening::Agent(port),
                    _ => self.spare.push(port),
                }
            }
            Err(fault) if ends_connection(&fault) => return Err(fault),
            Err(fault) => self.refused(running, queue, label, &fault),
        }
        Ok(true)
    }

    /// The server opens no more: commands wait for a running one to end. sshd gives a session back a moment after it
    /// ended, so even without a running one it is tried again, unless it never opened any.
    fn refused(&mut self, running: usize, queue: &mut VecDeque<Command>, label: &str, fault: &Fault) {
        self.refusals.any = true;
        self.refusals.in_a_row += 1;
        self.refusals.pause = Some(Instant::now() + PAUSE);
        let hopeless = self.most == 0 || self.refusals.in_a_row > PATIENCE;
        if running + self.spare.len() == 0 && hopeless {
            for command in queue.drain(..) {
                command.fail(error::command_failed(label, fault));
            }
            // The next command may ask again; nothing is opened ahead any more.
            (self.purpose, self.refusals) = (Purpose::Jump, Refusals::default());
        }
    }

    fn ask_for_agent(&mut self, wire: &Wire, mut port: Port) -> Result<bool, Fault> {
        match port.forward_agent(wire) {
            Ok(false) => {
                self.opening = Opening::Agent(port);
                return Ok(false);
            }
            Err(fault) if ends_connection(&fault) => return Err(fault),
            answer => self.note_agent(answer.is_ok()),
        }
        self.spare.push(port);
        Ok(true)
    }

    fn open_dial(&mut self, wire: &Wire, dial: Dial) -> Result<bool, Fault> {
        match Port::open(wire, "direct-tcpip", &dial.message) {
            Ok(None) => {
                self.opening = Opening::Dial(dial);
                return Ok(false);
            }
            Ok(Some(port)) => self.connect(port, dial),
            Err(fault) if ends_connection(&fault) => {
                self.opening = Opening::Dial(dial);
                return Err(fault);
            }
            Err(fault) => dial.fail(fault.message().to_lowercase()),
        }
        Ok(true)
    }

    fn connect(&mut self, port: Port, dial: Dial) {
        match Pump::new(port, dial.socket) {
            Ok(pump) => {
                self.dialed.push(pump);
                let _ = dial.reply.send(Ok(()));
            }
            Err(error) => drop(dial.reply.send(Err(error.to_string()))),
        }
    }
}
