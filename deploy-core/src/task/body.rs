//! What a task does, and what each kind of doing can have beside it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{Explain, Host, Local, ServerCx, TaskId};
use crate::script::{Hold, Script};

/// The pure function of a script task.
pub(crate) type ScriptBody = Arc<dyn Fn(&ServerCx<'_>) -> Script + Send + Sync>;

/// What a task that talks to a server runs.
pub(crate) type HostBody = Arc<dyn Fn(&Host<'_>) -> anyhow::Result<()> + Send + Sync>;

/// What a task on the controller runs.
pub(crate) type LocalBody = Arc<dyn Fn(&mut Local<'_>) -> anyhow::Result<()> + Send + Sync>;

/// Makes what a script reads with `deploy_payload`, for one server.
pub(crate) type FeedBody = Arc<dyn Fn(&ServerCx<'_>) -> anyhow::Result<Option<Payload>> + Send + Sync>;

/// What the program of a script task goes on to hold.
pub(crate) type HoldBody = Arc<dyn Fn(&ServerCx<'_>) -> Hold + Send + Sync>;

/// Says what a task on the controller would do.
pub(crate) type ExplainBody = Arc<dyn Fn(&Explain<'_>) -> String + Send + Sync>;

/// What a task does. Only what makes sense for a kind can be said of it.
#[derive(Clone)]
pub(crate) enum Body {
    /// Nothing of its own: it has steps, or is there to be hooked.
    Group,
    /// Nothing of its own: its steps are those of its phases.
    Flow(Flow),
    /// Nothing yet: a recipe or `deploy.toml` fills it, or gives it steps. Without either it takes no part in a run.
    Open,
    /// Shell on each server, fused with the tasks around it.
    Script(ScriptWork),
    /// Rust that talks to each server.
    OnHost(HostBody),
    /// Rust on the controller, once.
    Local(LocalWork),
}

/// The shell of a task, and what belongs to it.
#[derive(Clone)]
pub(crate) struct ScriptWork {
    /// The script.
    pub(crate) run: ScriptBody,
    /// How to take it back.
    pub(crate) undo: Option<ScriptBody>,
    /// What the script reads with `deploy_payload`.
    pub(crate) feed: Option<FeedBody>,
    /// What its program goes on to hold until the run is over.
    pub(crate) hold: Option<HoldBody>,
    /// How many servers run it at a time.
    pub(crate) spread: Spread,
}

impl ScriptWork {
    /// The script alone.
    pub(crate) fn new(run: ScriptBody) -> ScriptWork {
        ScriptWork { run, undo: None, feed: None, hold: None, spread: Spread::All }
    }
}

/// How many servers run a script at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spread {
    /// All of them.
    All,
    /// As many as this at the most: another begins when one has ended.
    AtMost(usize),
    /// Group after group.
    Rolling(Rolling),
}

/// What a task on the controller runs, and what it says of itself in a plan.
#[derive(Clone)]
pub(crate) struct LocalWork {
    /// What it runs.
    pub(crate) run: LocalBody,
    /// What it says of itself.
    pub(crate) explained: Option<ExplainBody>,
}

/// The phases of a flow, and what runs when any of them fails.
#[derive(Clone)]
pub(crate) struct Flow {
    /// The phases, in order.
    pub(crate) phases: Vec<Phase>,
    /// The task of the failure path.
    pub(crate) on_failure: TaskId,
}

/// Bytes that go to a server's standard input.
#[derive(Clone, Debug)]
pub struct Payload {
    /// The file that holds them.
    pub file: PathBuf,
    /// How many they are.
    pub bytes: u64,
}

/// Server after server, or group after group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rolling {
    /// How many servers run the task at a time; at least one.
    pub group: usize,
    /// How long to wait between groups.
    pub wait: Duration,
}

/// A stretch of a flow that ends in a barrier over all servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase {
    /// What the barrier is called in `--plan`: `check`, `update`, `switch`.
    pub name: &'static str,
    /// The tasks, in order.
    pub tasks: Vec<TaskId>,
}
