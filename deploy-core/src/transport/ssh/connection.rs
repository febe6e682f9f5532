//! The handle of a logged-in server, which any thread may use.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::actor::{Actor, Request};
use super::channels::Channels;
use super::error;
use super::job::Command;
use super::keepalive::Keepalive;
use super::login::Login;
use super::stdio;
use super::waker::Waker;
use super::wire::Wire;
use crate::transport::{Process, Traffic, Transport};

/// A logged-in server.
pub struct Connection {
    label: String,
    login: Login,
    /// Gone only while the connection is dropped: that tells the owner thread to log out.
    requests: Option<Sender<Request>>,
    waker: Arc<Waker>,
    counters: Arc<Counters>,
    owner: Option<JoinHandle<()>>,
}

/// What the owner thread tells everybody else.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) execs: AtomicU64,
    pub(super) sent: AtomicU64,
    pub(super) received: AtomicU64,
    lost: Mutex<Option<String>>,
}

impl Counters {
    /// Remembers why the connection ended, for those who come later.
    pub(super) fn lose(&self, reason: &str) {
        *self.lost.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
    }

    fn lost(&self) -> String {
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.clone().unwrap_or_else(|| "it was closed".into())
    }
}

impl Connection {
    /// Gives `wire`, which is logged in, to a thread of its own.
    pub(super) fn start(wire: Wire, label: String, login: Login, keepalive: Duration) -> io::Result<Connection> {
        let (sender, requests) = channel();
        let waker = Arc::new(Waker::new()?);
        let counters = Arc::new(Counters::default());
        let (for_owner, count, name) = (Arc::clone(&waker), Arc::clone(&counters), label.clone());
        let run = move || {
            let actor = Actor {
                wire,
                label: name,
                requests,
                waker: for_owner,
                counters: count,
                channels: Channels::default(),
                keepalive: Keepalive::new(keepalive, Instant::now()),
                queue: VecDeque::new(),
                jobs: Vec::new(),
                released: false,
            };
            actor.run();
        };
        let owner = thread::Builder::new().name(format!("ssh {label}")).spawn(run)?;
        Ok(Connection { label, login, requests: Some(sender), waker, counters, owner: Some(owner) })
    }

    /// How the login went.
    pub fn login(&self) -> &Login {
        &self.login
    }
}

impl Transport for Connection {
    fn exec(&self, command: &str) -> Process {
        let (process, input, output) = stdio::process(&self.waker);
        let request = Request::Exec(Command { text: command.to_owned(), input, output });
        let sent = match &self.requests {
            Some(requests) => requests.send(request),
            None => Ok(()),
        };
        self.waker.wake();
        if let Err(refused) = sent {
            let Request::Exec(command) = refused.0;
            command.fail(error::lost(&self.label, &self.counters.lost()));
        }
        process
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
