//! The handle of a logged-in server, which any thread may use.

use std::any::Any;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::actor::{Actor, Charge};
use super::channels::Purpose;
use super::error;
use super::keepalive::Keepalive;
use super::request::{Command, Dial, Request, Turn};
use super::shared::Counters;
use super::stdio;
use super::terminal::{Resizer, Terminal};
use super::waker::Waker;
use crate::error::Error;
use crate::event::Events;
use crate::event::Traffic;
use crate::script::quote;
use crate::transport::converse::converse;
use crate::transport::process::{Exit, Process};
use crate::transport::server::{LONGEST_COMMAND, Transport};
use crate::transport::ssh::libssh2::patience::Patience;
use crate::transport::ssh::libssh2::wire::Wire;
use crate::transport::ssh::login::record::Login;
use crate::ui::{Console, Window};

/// A logged-in server.
pub struct Connection {
    label: String,
    login: Login,
    /// How OpenSSH's own client is led here.
    by_hand: String,
    /// Gone only while the connection is dropped: that tells the owner thread to log out.
    requests: Option<Sender<Request>>,
    waker: Arc<Waker>,
    counters: Arc<Counters>,
    owner: Option<JoinHandle<()>>,
    /// What the connection runs through besides the network, for as long as it is there. Dropped last.
    _route: Box<dyn Any + Send + Sync>,
}

/// Why a server can't be reached from a jump host.
pub(crate) enum Undialed {
    /// The jump host still tries to reach another one; it has not begun with ours.
    Busy,
    /// For this reason.
    Failed(String),
}

/// How much stack the owner thread has. libssh2 keeps what is large on the heap; hundreds of threads are cheap with this.
const STACK: usize = 256 << 10;

/// How long a jump host may be busy with another server before another connection to it is made.
const DIAL_PATIENCE: Duration = Duration::from_secs(1);

/// What a connection is started with.
pub(crate) struct Start {
    pub(crate) wire: Wire,
    pub(crate) label: String,
    pub(crate) login: Login,
    pub(crate) by_hand: String,
    pub(crate) purpose: Purpose,
    /// Whether the login has asked for the first channel already.
    pub(crate) under_way: bool,
    pub(crate) keepalive: Duration,
    pub(crate) forward_agent: Option<PathBuf>,
    /// What has to live as long as the connection.
    pub(crate) route: Box<dyn Any + Send + Sync>,
    pub(crate) events: Events,
}

impl Connection {
    /// Gives a session that is logged in to a thread of its own.
    pub(crate) fn start(start: Start) -> io::Result<Connection> {
        let Start { wire, label, login, by_hand, purpose, under_way, keepalive, forward_agent, route, events } = start;
        let (sender, requests) = channel();
        let waker = Arc::new(Waker::new()?);
        let counters = Arc::new(Counters::default());
        let charge = Charge {
            wire,
            label: label.clone(),
            purpose,
            under_way,
            requests,
            waker: Arc::clone(&waker),
            counters: Arc::clone(&counters),
            keepalive: Keepalive::new(keepalive, Instant::now()),
            forward_agent,
            events,
        };
        let thread = thread::Builder::new().name(format!("ssh {label}")).stack_size(STACK);
        let owner = thread.spawn(move || Actor::new(charge).run())?;
        Ok(Connection {
            label,
            login,
            by_hand,
            requests: Some(sender),
            waker,
            counters,
            owner: Some(owner),
            _route: route,
        })
    }

    /// How the login went.
    pub fn login(&self) -> &Login {
        &self.login
    }

    /// Whether commands can use the operator's agent. `None` when nobody asked for that, or the connection was lost
    /// before the server answered; otherwise waits for its answer.
    pub fn forwards_agent(&self) -> Option<bool> {
        self.counters.forwards_agent()
    }

    /// Connects to `host` and `port` as this server sees them, as long as `patience` lasts.
    ///
    /// One server behind a jump host that swallows everything keeps it busy for as long as it waits itself: libssh2
    /// opens one channel at a time.
    pub(crate) fn dial(&self, host: &str, port: u16, patience: &Patience) -> Result<UnixStream, Undialed> {
        let (ours, theirs) = UnixStream::pair().map_err(|error| Undialed::Failed(error.to_string()))?;
        let ((sender, reply), turn) = (channel(), Turn::default());
        if let Err(refused) = self.request(Request::Dial(Dial::new(host, port, theirs, sender, turn.clone()))) {
            return Err(Undialed::Failed(refused.1));
        }
        let began = Instant::now();
        while let Some(glance) = patience.glance() {
            match reply.recv_timeout(glance) {
                Ok(answer) => return answer.map(|()| ours).map_err(Undialed::Failed),
                Err(RecvTimeoutError::Disconnected) => return Err(Undialed::Failed(self.counters.lost())),
                Err(RecvTimeoutError::Timeout) if began.elapsed() > DIAL_PATIENCE && turn.take() => {
                    return Err(Undialed::Busy);
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        Err(Undialed::Failed("no answer in time".into()))
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
        let request = Command { text: command.to_owned(), input, output, terminal };
        if command.len() > LONGEST_COMMAND {
            request.fail(error::too_long(&self.label, command.len()));
            return process;
        }
        let request = Request::Exec(request);
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

    fn by_hand(&self, command: &str) -> Option<String> {
        Some(format!("{} {}", self.by_hand, String::from_utf8_lossy(&quote(command.as_bytes()))))
    }

    fn sessions(&self) -> Option<usize> {
        self.counters.sessions()
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
