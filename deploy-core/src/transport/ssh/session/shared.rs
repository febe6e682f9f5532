//! What the thread that owns a session and its callers both look at.

use std::sync::atomic::AtomicU64;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Whether the agent is forwarded. A server answers the request once per connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AgentRequest {
    /// Nobody wants it.
    Unwanted,
    /// It will be asked for.
    Wanted,
    /// All sessions have it.
    Granted,
    /// The server's administrator doesn't allow it.
    Refused,
}

/// What the owner thread tells everybody else.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) execs: AtomicU64,
    pub(crate) sent: AtomicU64,
    pub(crate) received: AtomicU64,
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
    pub(crate) fn lose(&self, reason: &str) {
        self.state().lost = Some(reason.to_owned());
        self.changed.notify_all();
    }

    /// Remembers how many sessions the server turned out to allow.
    pub(crate) fn note_sessions(&self, sessions: Option<usize>) {
        self.state().sessions = sessions;
    }

    /// Remembers whether the agent is forwarded. Returns whether that is news.
    pub(crate) fn note_agent(&self, agent: AgentRequest) -> bool {
        let before = self.state().agent.replace(agent);
        self.changed.notify_all();
        before != Some(agent)
    }

    /// Whether commands can use the operator's agent, once the server has answered; `None` where nobody asked for that, or
    /// the connection was lost before.
    pub(crate) fn forwards_agent(&self) -> Option<bool> {
        let mut state = self.state();
        loop {
            match state.agent {
                Some(AgentRequest::Granted) => return Some(true),
                Some(AgentRequest::Refused) => return Some(false),
                Some(AgentRequest::Unwanted) => return None,
                _ if state.lost.is_some() => return None,
                _ => state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// How many sessions the server allows, once it has refused one.
    pub(crate) fn sessions(&self) -> Option<usize> {
        self.state().sessions
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why the connection ended.
    pub(crate) fn lost(&self) -> String {
        self.state().lost.clone().unwrap_or_else(|| "it was closed".into())
    }
}
