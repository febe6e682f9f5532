//! The handle of a logged-in server, which any thread may use.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::actor::{Actor, Charge, Request};
use super::channels::{AgentRequest, Dial, Purpose, Turn};
use super::error;
use super::job::Command;
use super::keepalive::Keepalive;
use super::login::Login;
use super::proxy_command::ProxyProcess;
use super::stdio;
use super::terminal::{Resizer, Terminal};
use super::waker::Waker;
use super::wire::Wire;
use crate::error::Error;
use crate::event::Events;
use crate::transport::converse::converse;
use crate::transport::{Exit, Process, Traffic, Transport};
use crate::ui::{Console, Window};

/// A logged-in server.
pub struct Connection {
    label: String,
    login: Login,
    /// Gone only while the connection is dropped: that tells the owner thread to log out.
    requests: Option<Sender<Request>>,
    waker: Arc<Waker>,
    counters: Arc<Counters>,
    owner: Option<JoinHandle<()>>,
    /// What the connection runs through. Dropped last.
    _road: Road,
}

/// What a connection runs through besides the network.
pub(super) enum Road {
    /// Nothing.
    Direct,
    /// A jump host, which stays logged in as long as somebody needs it.
    #[expect(dead_code, reason = "held, not used")]
    Jump(Arc<Connection>),
    /// A `ProxyCommand`.
    Command(ProxyProcess),
}

impl Road {
    /// The `ProxyCommand`, where it is one.
    pub(super) fn process(&self) -> Option<&ProxyProcess> {
        match self {
            Road::Command(process) => Some(process),
            _ => None,
        }
    }
}

/// Why a server can't be reached from a jump host.
pub(super) enum Undialed {
    /// The jump host still tries to reach another one; it has not begun with ours.
    Busy,
    /// For this reason.
    Failed(String),
}

/// How long a jump host may be busy with another server before another connection to it is made.
const DIAL_PATIENCE: Duration = Duration::from_secs(1);

/// What the owner thread tells everybody else.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) execs: AtomicU64,
    pub(super) sent: AtomicU64,
    pub(super) received: AtomicU64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    lost: Option<String>,
    sessions: Option<usize>,
    agent: Option<AgentRequest>,
}

impl Counters {
    /// Remembers why the connection ended, for those who come later.
    pub(super) fn lose(&self, reason: &str) {
        self.state().lost = Some(reason.to_owned());
        self.changed.notify_all();
    }

    /// Remembers how many sessions the server turned out to allow.
    pub(super) fn note_sessions(&self, sessions: Option<usize>) {
        self.state().sessions = sessions;
    }

    /// Remembers whether the agent is forwarded. Returns whether that is news.
    pub(super) fn note_agent(&self, agent: AgentRequest) -> bool {
        let before = self.state().agent.replace(agent);
        self.changed.notify_all();
        before != Some(agent)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lost(&self) -> String {
        self.state().lost.clone().unwrap_or_else(|| "it was closed".into())
    }
}

/// What a connection is started with.
pub(super) struct Start {
    pub(super) wire: Wire,
    pub(super) label: String,
    pub(super) login: Login,
    pub(super) purpose: Purpose,
    pub(super) keepalive: Duration,
    pub(super) forward_agent: Option<PathBuf>,
    pub(super) road: Road,
    pub(super) events: Events,
}

impl Connection {
    /// Gives a session that is logged in to a thread of its own.
    pub(super) fn start(start: Start) -> io::Result<Connection> {
        let Start { wire, label, login, purpose, keepalive, forward_agent, road, events } = start;
        let (sender, requests) = channel();
        let waker = Arc::new(Waker::new()?);
        let counters = Arc::new(Counters::default());
        let charge = Charge {
            wire,
            label: label.clone(),
            purpose,
            requests,
            waker: Arc::clone(&waker),
            counters: Arc::clone(&counters),
            keepalive: Keepalive::new(keepalive, Instant::now()),
            forward_agent,
            events,
        };
        let owner = thread::Builder::new().name(format!("ssh {label}")).spawn(move || Actor::new(charge).run())?;
        Ok(Connection { label, login, requests: Some(sender), waker, counters, owner: Some(owner), _road: road })
    }

    /// How the login went.
    pub fn login(&self) -> &Login {
        &self.login
    }

    /// Whether commands can use the operator's agent. `None` when nobody asked for that, or the connection was lost
    /// before the server answered; otherwise waits for its answer.
    pub fn forwards_agent(&self) -> Option<bool> {
        let mut state = self.counters.state();
        loop {
            match state.agent {
                Some(AgentRequest::Granted) => return Some(true),
                Some(AgentRequest::Refused) => return Some(false),
                Some(AgentRequest::Unwanted) => return None,
                _ if state.lost.is_some() => return None,
                _ => state = self.counters.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// Connects to `host` and `port` as this server sees them, until `deadline`.
    ///
    /// One server behind a jump host that swallows everything keeps it busy for as long as it waits itself: libssh2
    /// opens one channel at a time.
    pub(super) fn dial(&self, host: &str, port: u16, deadline: Instant) -> Result<UnixStream, Undialed> {
        let (ours, theirs) = UnixStream::pair().map_err(|error| Undialed::Failed(error.to_string()))?;
        let ((sender, reply), turn) = (channel(), Turn::default());
        if let Err(refused) = self.request(Request::Dial(Dial::new(host, port, theirs, sender, turn.clone()))) {
            return Err(Undialed::Failed(refused.1));
        }
        let left = || deadline.saturating_duration_since(Instant::now());
        let mut answer = reply.recv_timeout(left().min(DIAL_PATIENCE));
        if matches!(answer, Err(RecvTimeoutError::Timeout)) {
            if turn.take() {
                return Err(Undialed::Busy);
            }
            answer = reply.recv_timeout(left());
        }
        match answer {
            Ok(answer) => answer.map(|()| ours).map_err(Undialed::Failed),
            Err(RecvTimeoutError::Timeout) => Err(Undialed::Failed("no answer in time".into())),
            Err(RecvTimeoutError::Disconnected) => Err(Undialed::Failed(self.counters.lost())),
        }
    }

    /// Hands a request to the owner thread, or gives it back with the reason why that is gone.
    fn request(&self, request: Request) -> Result<(), Box<(Request, String)>> {
        let sent = match &self.requests {
            Some(requests) => requests.send(request),
            None => return Ok(()),
        };
        self.waker.wake();
        sent.map_err(|refused| Box::new((refused.0, self.counters.lost())))
    }

    /// Starts `command` on a terminal of its own on the server. What it writes comes as standard output, errors too.
    ///
    /// Returns at once, as [`Transport::exec`] does.
    pub fn exec_on_terminal(&self, command: &str, window: &Window) -> (Process, Resizer) {
        let terminal = Terminal::new(window.clone());
        let resizer = terminal.resizer(&self.waker);
        (self.start_command(command, Some(terminal)), resizer)
    }

    fn start_command(&self, command: &str, terminal: Option<Terminal>) -> Process {
        let (process, input, output) = stdio::process(&self.waker);
        let request = Request::Exec(Command { text: command.to_owned(), input, output, terminal });
        if let Err(refused) = self.request(request)
            && let (Request::Exec(command), reason) = *refused
        {
            command.fail(error::lost(&self.label, &reason));
        }
        process
    }
}

impl Transport for Connection {
    fn exec(&self, command: &str) -> Process {
        self.start_command(command, None)
    }

    fn interact(&self, command: &str, console: &Console<'_>) -> Result<Exit, Error> {
        let Some(window) = console.window() else { return converse(self.exec(command), console, &|_| ()) };
        let (process, resizer) = self.exec_on_terminal(command, window);
        converse(process, console, &|size| resizer.resize(size))
    }

    fn traffic(&self) -> Traffic {
        Traffic {
            connections: self.login.connections,
            execs: self.counters.execs.load(Ordering::Relaxed),
            sent: self.counters.sent.load(Ordering::Relaxed),
            received: self.counters.received.load(Ordering::Relaxed),
            login: self.login.elapsed,
        }
    }

    fn sessions(&self) -> Option<usize> {
        self.counters.state().sessions
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.requests = None;
        self.waker.wake();
        if let Some(owner) = self.owner.take() {
            let _ = owner.join();
        }
    }
}
