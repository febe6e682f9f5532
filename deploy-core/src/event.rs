//! What happens in a run, as plain data.
//!
//! The executor and the transports emit events; renderers turn them into a terminal's text, a log file, or JSON.
//! Nothing else prints. Events of all servers go through one channel, so that output of parallel work never tears.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Sender, SyncSender};
use std::time::{Duration, Instant};

/// The number of a server in the run's [`Outline::servers`].
pub type ServerNo = usize;

/// The number of a step in the run's [`Outline::steps`].
pub type StepNo = usize;

/// What a run is going to do: the first event, which gives later events' numbers their meaning.
#[derive(Clone, Debug, Default)]
pub struct Outline {
    /// What was asked for: `deploy`, `deploy:rollback`, `git:check`.
    pub task: String,
    /// The stage's name.
    pub stage: String,
    /// The servers, as [`Server::label`](crate::config::Server::label) calls them.
    pub servers: Vec<String>,
    /// The tasks in the order in which they are shown; the failure path's tasks stand at the end.
    pub steps: Vec<StepOutline>,
    /// The file that gets everything, unabridged.
    pub log_file: Option<PathBuf>,
}

/// One task of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepOutline {
    /// The task's id.
    pub id: String,
    /// Its one line of description.
    pub about: String,
    /// The servers that run it; empty for a task that runs on the controller.
    pub servers: Vec<ServerNo>,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// The run begins.
    Started(Outline),
    /// A server is logged in to.
    Connected {
        /// Which server.
        server: ServerNo,
        /// How long it took.
        elapsed: Duration,
    },
    /// A server could not be logged in to, or was lost. The run's end repeats it in its error.
    Disconnected {
        /// Which server.
        server: ServerNo,
        /// Why.
        message: String,
    },
    /// A task begins; `server` is `None` on the controller.
    StepStarted {
        /// Which task.
        step: StepNo,
        /// Where.
        server: Option<ServerNo>,
    },
    /// A line that a task wrote, without its end of line, byte for byte.
    Output {
        /// Which task.
        step: StepNo,
        /// Where.
        server: Option<ServerNo>,
        /// On which stream.
        stream: Stream,
        /// The bytes; not always UTF-8. A very long line comes in pieces.
        line: Vec<u8>,
    },
    /// How far a transfer is. A task has one at a time on each server; another `what`, or fewer bytes, begin the next.
    /// It is over when `done` is `total`, or the task ends. It may be told of as often as something came: renderers decide how often that is shown.
    Progress {
        /// Which task.
        step: StepNo,
        /// Where.
        server: Option<ServerNo>,
        /// What is under way, in a word or two: `dump`.
        what: String,
        /// How many bytes are done.
        done: u64,
        /// How many there will be, as far as that is known.
        total: Option<u64>,
    },
    /// Something that a task wants the user to know.
    Note {
        /// Which task, if it is one's.
        step: Option<StepNo>,
        /// Where, if it is a server's.
        server: Option<ServerNo>,
        /// The text.
        text: String,
    },
    /// Something that the user should know of and perhaps act on, although the run goes on.
    Warning {
        /// Which task, if it is one's.
        step: Option<StepNo>,
        /// Where, if it is a server's.
        server: Option<ServerNo>,
        /// The text.
        text: String,
    },
    /// A task ended.
    StepFinished {
        /// Which task.
        step: StepNo,
        /// Where.
        server: Option<ServerNo>,
        /// How long it took there.
        elapsed: Duration,
        /// How it ended.
        outcome: Outcome,
    },
    /// For the log file only: the script that is about to run, or another detail of how things are done.
    Detail {
        /// Where, if it is a server's.
        server: Option<ServerNo>,
        /// The text.
        text: String,
    },
    /// What tasks printed as their answer, right before the run is over. Where the run isn't shown as JSON, it is printed
    /// when it has been shown.
    Result {
        /// The text.
        text: String,
    },
    /// The run is over.
    Finished {
        /// How long it took.
        elapsed: Duration,
        /// The error's text when it failed, hints included.
        error: Option<String>,
        /// What the run did, in one line: `deployed 20261122101500 (abc1234) to 3 servers`.
        summary: String,
        /// What went over the wire, per server.
        traffic: Vec<Traffic>,
    },
}

impl Outline {
    /// How the task with this number is called.
    pub fn task_id(&self, step: StepNo) -> &str {
        self.steps.get(step).map_or("?", |step| &step.id)
    }

    /// Whether the server with this number runs any task.
    pub fn takes_part(&self, server: ServerNo) -> bool {
        self.steps.iter().any(|step| step.servers.contains(&server))
    }

    /// The servers that run any task, as they are called.
    pub fn taking_part(&self) -> Vec<&str> {
        let own = (0..self.servers.len()).filter(|server| self.takes_part(*server));
        own.map(|server| self.server_label(server)).collect()
    }

    /// How the server with this number is called.
    pub fn server_label(&self, server: ServerNo) -> &str {
        self.servers.get(server).map_or("?", String::as_str)
    }
}

/// One of the two output streams of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// How a task ended on a server.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It did what it should.
    Done,
    /// It had nothing to do, for this reason.
    Skipped(String),
    /// It failed.
    Failed(Failure),
}

/// Why a task failed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Failure {
    /// The command that failed, as it could be typed.
    pub command: Option<String>,
    /// Where the command stands in its task: the first of 3 is `(1, 3)`.
    pub position: Option<(usize, usize)>,
    /// `exit status 7`, `killed by signal KILL`, or the message of a task that failed by itself.
    pub reason: String,
    /// The last lines of output, both streams, without the inside of backtraces.
    pub tail: Vec<String>,
    /// What to do next.
    pub hints: Vec<String>,
}

/// What went over the wire to one server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// TCP connections that were made (attempts that were retried count).
    pub connections: u64,
    /// Commands that were started.
    pub execs: u64,
    /// Bytes of commands and of their standard input that were sent.
    pub sent: u64,
    /// Bytes of standard output and error that were received.
    pub received: u64,
    /// How long it took until the server was logged in.
    pub login: Duration,
}

/// Where events go: a cheap handle that every thread of a run has.
#[derive(Clone)]
pub struct Events {
    sink: Sink,
    /// How many were told so far, by all who have this handle.
    told: Arc<AtomicU64>,
}

#[derive(Clone)]
enum Sink {
    Nowhere,
    Unbounded(Sender<(Instant, Event)>),
    Bounded(SyncSender<(Instant, Event)>),
}

impl Events {
    /// Events go to `sender`, with the time at which they happened.
    pub fn to(sender: Sender<(Instant, Event)>) -> Events {
        Events { sink: Sink::Unbounded(sender), told: Arc::default() }
    }

    /// Events go to `sender`, with the time at which they happened. Whoever tells of one waits while `sender` is full:
    /// a command that writes faster than a disk is slowed down, instead of filling our memory.
    pub fn bounded(sender: SyncSender<(Instant, Event)>) -> Events {
        Events { sink: Sink::Bounded(sender), told: Arc::default() }
    }

    /// Events go nowhere.
    pub fn nowhere() -> Events {
        Events { sink: Sink::Nowhere, told: Arc::default() }
    }

    /// The number of events that were told so far, which goes on counting.
    pub(crate) fn told(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.told)
    }

    /// Tells of `event`. Never fails: a run goes on although its renderer is gone.
    pub fn emit(&self, event: Event) {
        let event = (Instant::now(), event);
        self.told.fetch_add(1, Relaxed);
        match &self.sink {
            Sink::Nowhere => {}
            Sink::Unbounded(sender) => drop(sender.send(event)),
            Sink::Bounded(sender) => drop(sender.send(event)),
        }
    }
}
