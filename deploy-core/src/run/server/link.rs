//! A server of the run: connected in the background, waited for when it is first needed.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::config::{Server, Stage};
use crate::conversation::Slot;
use crate::error::Error;
use crate::event::{Event, Events, ServerNo};
use crate::transport::{Connect, Traffic, Transport};

/// The way to one server.
pub(in crate::run) struct Link<'a> {
    pub(in crate::run) number: ServerNo,
    pub(in crate::run) server: &'a Server,
    /// The conversation with it.
    pub(in crate::run) slot: Arc<Slot>,
    stage: &'a Stage,
    connect: &'a dyn Connect,
    events: Events,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    way: Way,
    /// What went over connections that were lost.
    lost: Traffic,
}

enum Way {
    Connecting,
    Up(Arc<dyn Transport>),
    /// Why the server can't be reached.
    Down(Error),
}

impl<'a> Link<'a> {
    pub(in crate::run) fn new(
        number: ServerNo,
        slot: Arc<Slot>,
        stage: &'a Stage,
        connect: &'a dyn Connect,
        events: Events,
    ) -> Link<'a> {
        let state = Mutex::new(State { way: Way::Connecting, lost: Traffic::default() });
        Link { number, server: &stage.servers[number], slot, stage, connect, events, state, changed: Condvar::new() }
    }

    /// Logs in, whatever the state was before.
    pub(in crate::run) fn connect(&self) {
        let began = Instant::now();
        let way = match self.connect.connect(self.stage, self.server) {
            Ok(transport) => {
                self.events.emit(Event::Connected { server: self.number, elapsed: began.elapsed() });
                Way::Up(transport)
            }
            Err(error) => self.down(error),
        };
        self.state().way = way;
        self.changed.notify_all();
    }

    fn down(&self, error: Error) -> Way {
        let message = std::iter::once(error.message().to_owned()).chain(error.causes()).collect::<Vec<_>>().join(": ");
        self.events.emit(Event::Disconnected { server: self.number, message });
        Way::Down(error)
    }

    /// The connection; waits while it is being made.
    ///
    /// # Errors
    ///
    /// Why the server can't be reached. The same each time, until [`Link::connect`] tries again.
    pub(in crate::run) fn transport(&self) -> Result<Arc<dyn Transport>, Error> {
        let connecting = |state: &mut State| matches!(state.way, Way::Connecting);
        let state = self.changed.wait_while(self.state(), connecting).unwrap_or_else(PoisonError::into_inner);
        match &state.way {
            Way::Up(transport) => Ok(transport.clone()),
            Way::Down(error) => Err(error.repeated()),
            Way::Connecting => unreachable!("waited for"),
        }
    }

    /// Notes that the connection was lost.
    pub(in crate::run) fn lost(&self, error: &Error) {
        self.slot.abandon();
        let traffic = self.traffic();
        let way = self.down(error.repeated());
        let mut state = self.state();
        (state.way, state.lost) = (way, traffic);
    }

    /// Whether the server can't be reached, or was lost.
    pub(in crate::run) fn is_down(&self) -> bool {
        matches!(self.state().way, Way::Down(..))
    }

    /// What went over the wire, over all connections to the server.
    pub(in crate::run) fn traffic(&self) -> Traffic {
        let state = self.state();
        let now = match &state.way {
            Way::Up(transport) => transport.traffic(),
            _ => Traffic::default(),
        };
        Traffic {
            connections: now.connections + state.lost.connections,
            execs: now.execs + state.lost.execs,
            sent: now.sent + state.lost.sent,
            received: now.received + state.lost.received,
            login: now.login.max(state.lost.login),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
